"""``drift help``: prints the help of a command. A command line without a command is ``drift help``, too."""

import argparse

from drift.cli.console import write_stdout
from drift.cli.parser import help_text


def run(options: argparse.Namespace) -> int:
    """Prints the help.

    Returns:
        0.
    """
    write_stdout(help_text(options.topic))
    return 0
