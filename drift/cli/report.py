"""``drift report``: has the manifests read by a second process at once, and then does what it was asked for."""

import argparse
import gc
from collections.abc import Iterator
from contextlib import contextmanager


def run(options: argparse.Namespace) -> int:
    """Scans once and writes every report that was asked for.

    Returns:
        The exit status.

    Raises:
        DriftError: The scan could not be made.
    """
    with _no_search_for_cycles():
        from drift.sources.parallel import parallel_reader  # noqa: PLC0415

        with parallel_reader(options.manifests) as ahead:
            # Imported only now: the libraries of a scan take as long to load as thousands of manifests to read.
            from drift.cli.scan import run as scan  # noqa: PLC0415

            return scan(options, ahead)


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """What libraries define and objects by the ten thousand stay until the end.

    To look through them for cycles again and again, of which there are hardly any, would take a tenth of the time of a
    report on a few objects, and most of that of one on many.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
