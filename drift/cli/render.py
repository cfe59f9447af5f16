"""``drift render``: reads saved JSON reports and writes them in other formats."""

import argparse
import sys
from pathlib import Path
from typing import Final

from drift.cli.outputs import chosen_outputs, write_outputs
from drift.errors import SavedReportError
from drift.model import Report
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
    report = merge([read_saved_report(name) for name in options.reports])
    saved = [name for name in options.reports if name != _STDIN]
    write_outputs(report, outputs, options, saved[0] if saved == options.reports and len(saved) == 1 else None)
    return 0


def read_saved_report(name: str) -> Report:
    """Reads a saved JSON report.

    Args:
        name: A file, or ``-`` for standard input.

    Raises:
        SavedReportError: The file cannot be read, or is not a report.
    """
    try:
        content = sys.stdin.buffer.read() if name == _STDIN else Path(name).read_bytes()
    except OSError as error:
        raise SavedReportError(f"{name}: cannot be read: {error.strerror}") from None
    return read_report(content, "standard input" if name == _STDIN else name)
