"""Asks Git about the folder of the manifests: its commit, uncommitted changes, and origin."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from drift.model import ManifestsInfo

_TIMEOUT_SECONDS: Final = 10
#: The last two parts of any kind of URL. The parts before may contain a user name and a password.
_OWNER_AND_NAME: Final = re.compile(r"([^/:@]{1,255}/[^/:@]{1,255}?)(?:\.git)?/*\s*$")


def manifests_info(paths: Sequence[str]) -> ManifestsInfo:
    """Returns the paths with their commit, if they are in a Git work tree and ``git`` is installed.

    Git takes no optional locks, so that a scan never blocks a commit of a user.
    """
    files = [path for path in paths if path != "-"]
    git = shutil.which("git")
    if not files or git is None:
        return ManifestsInfo(tuple(paths), None, None)
    first = Path(files[0])
    folder = first if first.is_dir() else first.parent
    commit = _run(git, folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        return ManifestsInfo(tuple(paths), None, None)
    status = _run(git, folder, "status", "--porcelain", "--", *(str(Path(path).resolve()) for path in files))
    return ManifestsInfo(tuple(paths), commit.strip(), None if status is None else bool(status.strip()))


def commits_of(paths: Iterable[str]) -> Mapping[str, str | None]:
    """Returns the commit that each path is at, None outside a work tree. Asks Git once for each work tree."""
    roots = {path: _work_tree(Path(path)) for path in paths}
    git = shutil.which("git")
    found = {
        root: _run(git, root, "rev-parse", "--verify", "--quiet", "HEAD")
        for root in {*roots.values()}
        if git is not None and root is not None
    }
    commits = {root: commit.strip() for root, commit in found.items() if commit}
    return {path: None if root is None else commits.get(root) for path, root in roots.items()}


def _work_tree(path: Path) -> Path | None:
    full = path.resolve()
    return next((folder for folder in (full, *full.parents) if (folder / ".git").exists()), None)


def origin_name(folder: Path) -> str | None:
    """Returns the origin of a work tree as ``owner/name``, or None if it has none."""
    git = shutil.which("git")
    url = None if git is None else _run(git, folder, "config", "--get", "remote.origin.url")
    match = _OWNER_AND_NAME.search(url or "")
    return match[1] if match else None


def _run(git: str, folder: Path, *arguments: str) -> str | None:
    command = [git, "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
