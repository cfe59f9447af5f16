"""Writing to the standard streams, which may be full, closed, or a pipe that nobody reads any more."""

import contextlib
import os
import sys

from drift.errors import UsageError


def write_stderr(text: str) -> None:
    """Writes to standard error; where that is full or closed, the exit status has to do."""
    # None where the process was started without one.
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


def write_stdout(text: str) -> None:
    """Writes to standard output, all of it, at once.

    Raises:
        UsageError: It cannot be written.
        BrokenPipeError: Whoever read it had enough.
    """
    if sys.stdout is None:
        raise UsageError("standard output is closed; give --output a file: --output text=FILE")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is still buffered would be tried again, and complained of, when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise UsageError(f"standard output cannot be written: {error.strerror}") from None
