"""``drift help``, ``version`` and ``explain``. ``drift`` without a command is ``drift help``."""

import argparse
import shutil
from typing import Final

from drift import __version__
from drift.cli.console import write_stdout
from drift.cli.parser import help_text


def run_help(options: argparse.Namespace) -> int:
    """Prints the help.

    Returns:
        0; 2 without a command, so that a job that lost its arguments does not look in sync.
    """
    write_stdout(help_text(options.topic))
    return 0 if options.asked else 2


def run_version(_: argparse.Namespace) -> int:
    """Prints the version.

    Returns:
        0.
    """
    write_stdout(f"drift {__version__}\n")
    return 0


#: The longest line in characters, for legibility on wide terminals.
_WIDEST: Final = 100


def run_explain(options: argparse.Namespace) -> int:
    """Prints the explanation.

    Returns:
        0.

    Raises:
        UsageError: There is no such term.
    """
    # Imported only here: help and the version start faster without it.
    from drift.explain.terms import explain, list_terms  # noqa: PLC0415

    width = min(shutil.get_terminal_size().columns, _WIDEST)
    write_stdout(list_terms(width) if options.term is None else explain(options.term, width))
    return 0
