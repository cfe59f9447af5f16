"""Prints messages to standard error, without control characters and without passwords in URLs."""

from drift.cli.streams import write_stderr
from drift.redaction import without_passwords
from drift.report.view import visible


def say(text: str) -> None:
    """Prints one line."""
    write_stderr(f"drift: {visible(without_passwords(text))}\n")
