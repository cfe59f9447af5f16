"""The reporter as its users install it: with its own libraries, none of those that its tests need, and compiled."""

import subprocess
import sys
from pathlib import Path

from benchmarks.measure import progress

_ROOT = Path(__file__).parents[1]
_LOCK = _ROOT / "requirements-reporter.lock"


def install_reporter(folder: Path) -> Path:
    """Makes an environment with what the reporter's lock file names, and the reporter.

    Args:
        folder: Where to.

    Returns:
        The folder of its programs, ``drift`` and ``python`` among them.

    Raises:
        CalledProcessError: pip could not install it.
    """
    progress(f"installing {_LOCK.name}")
    programs, wheels = folder / "bin", folder / "wheels"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [programs / "python", *pip, "install", "--require-hashes", "--requirement", _LOCK],
        check=True,
    )
    # Built where the locked build backend is.
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(_ROOT)]
    subprocess.run([sys.executable, *pip, *build], check=True)
    subprocess.run([programs / "python", *pip, "install", "--no-index", "--no-deps", *wheels.iterdir()], check=True)
    return programs
