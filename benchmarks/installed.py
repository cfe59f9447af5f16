"""The reporter as its users install it: with its own libraries, and none of those that its tests need."""

import subprocess
import sys
from pathlib import Path

from benchmarks.measure import progress

_ROOT = Path(__file__).parents[1]
_LOCK = _ROOT / "requirements-reporter.lock"


def install_reporter(folder: Path) -> str:
    """Makes an environment with what the reporter's lock file names.

    Args:
        folder: Where to.

    Returns:
        Its Python, which runs the reporter from the repository's folder.

    Raises:
        CalledProcessError: pip could not install it.
    """
    progress(f"installing {_LOCK.name}")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "--requirement", _LOCK], check=True)
    return python
