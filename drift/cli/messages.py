"""What is said on standard error, one line each: nothing in it steers a terminal, and no URL in it has a password."""

from drift.cli.streams import write_stderr
from drift.redaction import without_passwords
from drift.report.view import visible


def say(text: str) -> None:
    """Writes a line."""
    write_stderr(f"drift: {visible(without_passwords(text))}\n")
