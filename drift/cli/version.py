"""``drift version``: prints the version."""

import argparse

from drift import __version__
from drift.cli.console import write_stdout


def run(_: argparse.Namespace) -> int:
    """Prints the version.

    Returns:
        0.
    """
    write_stdout(f"drift {__version__}\n")
    return 0
