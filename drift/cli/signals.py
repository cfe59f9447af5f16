"""Makes SIGTERM end a command like Ctrl-C: it cleans up and leaves no partly written file."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

#: The exit status that shells, Docker and Kubernetes report for a process ended by SIGTERM.
TERMINATED: Final = 128 + signal.SIGTERM


class TerminatedError(BaseException):
    """SIGTERM arrived. A `BaseException`, so that only the end of the command catches it."""


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Makes SIGTERM raise `TerminatedError` in the main thread, so that the command cleans up."""
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread can set a signal handler. A caller in another thread stops in its own way.
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise(_: int, __: FrameType | None) -> None:
    raise TerminatedError
