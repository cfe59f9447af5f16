"""``drift render``: reads saved JSON reports and writes them in other formats."""

import argparse
import sys
from pathlib import Path
from typing import Final

from drift.cli.outputs import chosen_outputs, write_outputs
from drift.errors import SavedReportError
from drift.report.json_report import read_report
from drift.report.merge import merge

_STDIN: Final = "-"


def run(options: argparse.Namespace) -> int:
    """Reads the reports and writes them as one.

    Returns:
        0, even if the reports show drift.

    Raises:
        UsageError: The flags do not go together, or a file cannot be written.
        SavedReportError: A file is not a report.
    """
    outputs = chosen_outputs(options)
    reports = [read_report(_content(name), "standard input" if name == _STDIN else name) for name in options.reports]
    write_outputs(merge(reports), outputs, options)
    return 0


def _content(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == _STDIN else Path(name).read_bytes()
    except OSError as error:
        raise SavedReportError(f"{name}: cannot be read: {error.strerror}") from None
