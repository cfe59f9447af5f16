"""Being asked to stop: SIGTERM ends a command as tidily as Ctrl-C does, with nothing half-written left behind."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

#: What a shell, Docker and Kubernetes make of a process that a signal ended.
TERMINATED: Final = 128 + signal.SIGTERM


class TerminatedError(BaseException):
    """SIGTERM came. No `Exception`, as nothing but the end of the command may catch it."""


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Has SIGTERM raise `TerminatedError` where the command is, so that what it has begun is cleaned up."""
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread can set this, and a program that calls from another has its own way to stop.
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise(_: int, __: FrameType | None) -> None:
    raise TerminatedError
