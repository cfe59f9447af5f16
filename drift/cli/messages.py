"""What is said on standard error, one line each: nothing in it steers a terminal, and no URL in it has a password."""

import sys

from drift.redaction import without_passwords
from drift.report.view import visible


def say(text: str) -> None:
    """Writes a line."""
    sys.stderr.write(f"drift: {visible(without_passwords(text))}\n")
