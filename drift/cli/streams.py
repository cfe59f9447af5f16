"""Writes to the standard streams, which may be full or closed, or a pipe without a reader."""

import contextlib
import os
import sys

from drift.errors import UsageError


def write_stderr(text: str) -> None:
    """Writes to standard error, and ignores it if that fails."""
    # None if the process was started without it.
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


def write_stdout(text: str) -> None:
    """Writes to standard output and flushes it.

    Raises:
        UsageError: Standard output is closed or full.
        BrokenPipeError: The reader has closed the pipe.
    """
    if sys.stdout is None:
        raise UsageError("standard output is closed; give --output a file: --output text=FILE")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Otherwise Python tries to write what is still buffered when it exits, and fails again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise UsageError(f"standard output cannot be written: {error.strerror}") from None
