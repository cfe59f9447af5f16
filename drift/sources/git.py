"""What Git knows of the manifests' folder: the commit, what is changed since, and where it was cloned from."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from drift.model import ManifestsInfo

_TIMEOUT_SECONDS: Final = 10
#: The last two parts of a URL of any form. What comes before may hold a user's name and password.
_OWNER_AND_NAME: Final = re.compile(r"([^/:@]{1,255}/[^/:@]{1,255}?)(?:\.git)?/*\s*$")


def manifests_info(paths: Sequence[str]) -> ManifestsInfo:
    """The manifests' paths with their commit, where they lie in a Git work tree and ``git`` is installed.

    Git is asked without taking its locks, so that a scan never gets in the way of somebody's commit.
    """
    on_disk = [path for path in paths if path != "-"]
    git = shutil.which("git")
    if not on_disk or git is None:
        return ManifestsInfo(tuple(paths), None, None)
    first = Path(on_disk[0])
    folder = first if first.is_dir() else first.parent
    commit = _ask(git, folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        return ManifestsInfo(tuple(paths), None, None)
    status = _ask(git, folder, "status", "--porcelain", "--", *(str(Path(path).resolve()) for path in on_disk))
    return ManifestsInfo(tuple(paths), commit.strip(), None if status is None else bool(status.strip()))


def origin_name(folder: Path) -> str | None:
    """The repository that a work tree was cloned from, as ``owner/name``; None where there is none."""
    git = shutil.which("git")
    url = None if git is None else _ask(git, folder, "config", "--get", "remote.origin.url")
    found = _OWNER_AND_NAME.search(url or "")
    return found[1] if found else None


def _ask(git: str, folder: Path, *arguments: str) -> str | None:
    command = [git, "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
