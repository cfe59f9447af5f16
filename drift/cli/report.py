"""``drift report``: starts to read the manifests in a second process, then loads the libraries and scans."""

import argparse
import gc
from collections.abc import Iterator
from contextlib import contextmanager


def run_report(options: argparse.Namespace) -> int:
    """Scans once and writes the reports.

    Returns:
        The exit status.

    Raises:
        DriftError: There is no report.
    """
    with _without_garbage_collection():
        from drift.globs import FileGlob  # noqa: PLC0415
        from drift.sources.parallel import parallel_reader  # noqa: PLC0415

        with parallel_reader(options.sources, [*map(FileGlob, options.exclude)]) as reader:
            # Imported only here: loading these libraries takes as long as reading thousands of manifests.
            from drift.cli.scan import run as scan  # noqa: PLC0415

            return scan(options, reader)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Turns Python's search for reference cycles off.

    A scan keeps nearly all objects until its end and makes hardly any cycles. Searching for them would take a tenth of
    the time of a small report, and most of the time of a large one.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
