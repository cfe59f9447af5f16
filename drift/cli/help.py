"""``drift help``: prints the help of a command. ``drift`` without a command prints the same."""

import argparse

from drift.cli.console import write_stdout
from drift.cli.parser import help_text


def run(options: argparse.Namespace) -> int:
    """Prints the help.

    Returns:
        0; 2 without a command, so that a job that lost its arguments does not look in sync.
    """
    write_stdout(help_text(options.topic))
    return 0 if options.asked else 2
