"""``drift help``, ``version`` and ``explain``. ``drift`` without a command is ``drift help``."""

import argparse
import shutil
from typing import Final

from drift import __version__
from drift.cli.console import write_stdout
from drift.cli.parser import help_text

#: The longest line in characters, for legibility on wide terminals.
_WIDEST: Final = 100


def run_help(options: argparse.Namespace) -> int:
    """Prints the help. Without a command the exit status is 2: a job that lost its arguments must not look in sync."""
    write_stdout(help_text(options.topic))
    return 0 if options.asked else 2


def run_version(_: argparse.Namespace) -> int:
    """Prints the version."""
    write_stdout(f"drift {__version__}\n")
    return 0


def run_explain(options: argparse.Namespace) -> int:
    """Explains a term, or lists all. Raises UsageError if there is no such term."""
    # Imported only here: help and the version start faster without it.
    from drift.explain.terms import explain, list_terms  # noqa: PLC0415

    width = min(shutil.get_terminal_size().columns, _WIDEST)
    write_stdout(list_terms(width) if options.term is None else explain(options.term, width))
    return 0
