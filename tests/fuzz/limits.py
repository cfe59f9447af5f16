"""What one small input may cost at most, and that nothing but a clear error may come of it."""

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from drift.errors import DriftError

SECONDS: Final = 20
MEGABYTES: Final = 100
_PER_MEGABYTE: Final = 1024 * 1024 if sys.platform == "darwin" else 1024


class TooSlow(BaseException):
    """Nothing that catches exceptions may catch it."""


class TooLarge(BaseException):
    """Nothing that catches exceptions may catch it."""


class NotOneLine(BaseException):
    """Nothing that catches exceptions may catch it."""


@contextmanager
def clear_errors_only(*, timed: bool = True) -> Iterator[None]:
    """Lets the errors pass that users see as one line, and nothing else.

    Args:
        timed: Whether to watch the time; a fuzzer that does so itself needs the alarm signal.

    Raises:
        NotOneLine: An error has more than one line, or none.
        TooSlow: It takes longer than `SECONDS`.
        TooLarge: It needs more than `MEGABYTES` beyond what the process has needed before.
    """
    before = peak()
    if timed:
        signal.signal(signal.SIGALRM, _too_slow)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    except DriftError as error:
        text = str(error)
        # Whoever reads it on a terminal must be able to: no half characters.
        text.encode()
        if not text or "\n" in text:
            raise NotOneLine(text) from error
    finally:
        if timed:
            signal.setitimer(signal.ITIMER_REAL, 0)
    if peak() - before > MEGABYTES:
        raise TooLarge(f"{peak() - before} MB")


def peak() -> int:
    """The most memory that the process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _PER_MEGABYTE


def _too_slow(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise TooSlow(f"took more than {SECONDS} s")
