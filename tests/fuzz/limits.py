"""Limits for one small input: time, memory, and only clear errors."""

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from drift.errors import DriftError

#: Of processor time, so that other processes do not matter.
SECONDS: Final = 20
#: By the clock, for an input that waits instead of working.
SECONDS_OF_WAITING: Final = 600
MEGABYTES: Final = 100
TIMERS: Final = (
    (signal.ITIMER_PROF, signal.SIGPROF, SECONDS),
    (signal.ITIMER_REAL, signal.SIGALRM, SECONDS_OF_WAITING),
)
_PER_MEGABYTE: Final = 1024 * 1024 if sys.platform == "darwin" else 1024


class TooSlow(BaseException):
    """A BaseException, so that `except Exception` does not catch it."""


class TooLarge(BaseException):
    """A BaseException, so that `except Exception` does not catch it."""


class NotOneLine(BaseException):
    """A BaseException, so that `except Exception` does not catch it."""


@contextmanager
def clear_errors_only(*, timed: bool = True) -> Iterator[None]:
    """Ignores errors that users see as one line; raises all others.

    Args:
        timed: Whether to limit the time; a fuzzer that does this itself needs SIGALRM.

    Raises:
        NotOneLine: An error has no line, or several.
        TooSlow: The input took longer than `SECONDS` or `SECONDS_OF_WAITING`.
        TooLarge: The process grew by more than `MEGABYTES`.
    """
    before = peak()
    if timed:
        for timer, number, seconds in TIMERS:
            signal.signal(number, _too_slow)
            signal.setitimer(timer, seconds)
    try:
        yield
    except DriftError as error:
        text = str(error)
        # Raises for lone surrogates, which a terminal cannot show.
        text.encode()
        if not text or "\n" in text:
            raise NotOneLine(text) from error
    finally:
        if timed:
            for timer, _, _ in TIMERS:
                signal.setitimer(timer, 0)
    if peak() - before > MEGABYTES:
        raise TooLarge(f"{peak() - before} MB")


def peak() -> int:
    """Returns the peak memory of the process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _PER_MEGABYTE


def _too_slow(number: int, frame: FrameType | None) -> None:
    del frame
    raise TooSlow(next(f"took more than {seconds} s" for _, sent, seconds in TIMERS if sent == number))
