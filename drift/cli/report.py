"""``drift report``: has the manifests read by a second process at once, and then does what it was asked for."""

import argparse

from drift.manifests.ahead import reading_ahead


def run(options: argparse.Namespace) -> int:
    """Scans once and writes every report that was asked for.

    Returns:
        The exit status.

    Raises:
        DriftError: The scan could not be made.
    """
    with reading_ahead(options.manifests) as ahead:
        # Imported only now: the libraries of a scan take as long to load as thousands of manifests to read.
        from drift.cli.scan import run as scan  # noqa: PLC0415

        return scan(options, ahead)
