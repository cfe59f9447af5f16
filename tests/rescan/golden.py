"""The golden trees of the example environments, beside this file; `python -m tests.rescan.golden` accepts new ones."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from main import build
from rescan.examples import EXAMPLES
from rescan.manifests import manifest_files, write
from rescan.rules import reject_broken
from rescan.settings import Environment

GOLDEN = Path(__file__).with_suffix("")


def synthesize(environments: Sequence[Environment], folder: Path) -> Path:
    """Write the manifests of valid environments into a folder, and return that."""
    reject_broken(environments)
    write(manifest_files(build(environments)), folder)
    return folder


def accept() -> None:
    """Make the golden trees what the code synthesizes now."""
    shutil.rmtree(GOLDEN, ignore_errors=True)
    synthesize(EXAMPLES, GOLDEN)


if __name__ == "__main__":
    accept()
