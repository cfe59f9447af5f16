"""The standard streams, which may be full or closed, or a pipe without a reader."""

import contextlib
import os
import sys
from typing import TextIO

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


def say(text: str) -> None:
    """Prints one line to standard error, without control characters and without passwords in URLs."""
    # Imported only here, so that --help starts fast.
    from drift.redaction import without_passwords  # noqa: PLC0415
    from drift.report.view import visible  # noqa: PLC0415

    write_stderr(f"drift: {visible(without_passwords(text))}\n")


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal. None if the process was started without it."""
    return stream is not None and stream.isatty()


def uses_color(choice: str, *, on_terminal: bool) -> bool:
    """Whether to colour the output with ``--color auto``, ``always`` or ``never``; see https://no-color.org."""
    return choice == "always" or (choice == "auto" and on_terminal and not os.environ.get("NO_COLOR"))
