"""Limits of a scan and its requests: time and response size. Also runs a function with a timeout."""

import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

#: Defaults of ``--request-timeout`` and ``--deadline``.
REQUEST_SECONDS: Final = 60.0
SCAN_SECONDS: Final = 600.0
#: Far above real responses: a page of 500 objects is rarely more than a few megabytes.
RESPONSE_BYTES: Final = 128 * 1024 * 1024

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a scan.

    Attributes:
        request_seconds: Timeout of one attempt at a request, from the first byte sent to the last byte received.
        scan_seconds: Timeout of the whole scan; None for no timeout (``drift watch``).
        response_bytes: Maximum size of one response, decompressed.
        spent_seconds: How much of `scan_seconds` was spent before the first request, on reading the manifests.
    """

    request_seconds: float = REQUEST_SECONDS
    scan_seconds: float | None = SCAN_SECONDS
    response_bytes: int = RESPONSE_BYTES
    spent_seconds: float = 0.0

    def deadline(self) -> "Deadline":
        """The deadline of a scan whose requests start now."""
        return Deadline(self.scan_seconds, self.spent_seconds)


class Deadline:
    """The point in time after which no more requests are sent.

    Attributes:
        seconds: The time from the start of the scan to the deadline; None for no deadline.
    """

    def __init__(self, seconds: float | None, spent: float = 0.0) -> None:
        self.seconds = seconds
        self._end = math.inf if seconds is None else time.monotonic() + seconds - spent

    def remaining(self) -> float:
        """Seconds left, 0 after the deadline."""
        return max(0.0, self._end - time.monotonic())


NO_DEADLINE: Final = Deadline(None)


def call_with_timeout(seconds: float, function: Callable[[], _Result]) -> _Result:
    """Calls a function and waits at most this long for its result.

    Socket timeouts do not cover everything: name resolution, headers that arrive byte by byte, and credential plugins
    can take longer. After a timeout the function may keep running in the background; its result is dropped.

    Raises:
        TimeoutError: The function did not return in time.
    """
    return call_in_background(function)(seconds)


def call_in_background(function: Callable[[], _Result]) -> Callable[[float], _Result]:
    """Starts a function on a daemon thread, which does not keep the process alive.

    Returns:
        A function that waits this many seconds for the result. It raises what the function raised, or TimeoutError.
    """
    outcome: queue.SimpleQueue[tuple[_Result, None] | tuple[None, BaseException]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((function(), None))
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            outcome.put((None, error))

    def wait(seconds: float) -> _Result:
        try:
            result, error = outcome.get(timeout=min(seconds, threading.TIMEOUT_MAX))
        except queue.Empty:
            raise TimeoutError from None
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    threading.Thread(target=run, daemon=True).start()
    return wait


def format_duration(seconds: float) -> str:
    """A duration as written on the command line: ``90s``, ``10m``, ``0.5s``."""
    if seconds >= 60 and seconds % 60 == 0:  # noqa: PLR2004
        return f"{seconds / 60:.0f}m"
    return f"{seconds:.1f}".removesuffix(".0") + "s"
