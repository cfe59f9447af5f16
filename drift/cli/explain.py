"""``drift explain``: explains a term of the report or of drift.yaml."""

import argparse
import shutil
from typing import Final

from drift.cli.console import write_stdout
from drift.explain.terms import explain, list_terms

#: The longest line in characters, for legibility on wide terminals.
_WIDEST: Final = 100


def run(options: argparse.Namespace) -> int:
    """Prints the explanation.

    Returns:
        0.

    Raises:
        UsageError: There is no such term.
    """
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    write_stdout(list_terms(width) if options.term is None else explain(options.term, width))
    return 0
