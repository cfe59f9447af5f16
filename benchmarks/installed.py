"""Installs the reporter as users do: compiled, with its own dependencies only."""

import subprocess
import sys
from pathlib import Path

from benchmarks.measure import progress

_ROOT = Path(__file__).parents[1]
_LOCK = _ROOT / "requirements-reporter.lock"


def install_reporter(folder: Path) -> Path:
    """Creates a virtual environment with the reporter and its locked dependencies.

    Args:
        folder: The folder of the environment.

    Returns:
        The folder with the programs ``drift`` and ``python``.

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
    # The locked build backend is installed in this environment, not in the new one.
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(_ROOT)]
    subprocess.run([sys.executable, *pip, *build], check=True)
    subprocess.run([programs / "python", *pip, "install", "--no-index", "--no-deps", *wheels.iterdir()], check=True)
    return programs
