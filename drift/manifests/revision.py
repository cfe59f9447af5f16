"""The manifests as they were at another Git revision: what was last synced, a base for both sides."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from drift.documents.files import ENDINGS
from drift.errors import UsageError
from drift.manifests.load import Loaded, load_texts

_TIMEOUT_SECONDS: Final = 60


def load_manifests_at(revision: str, paths: Sequence[str]) -> Loaded:
    """Reads the manifests below the given paths as they were at a Git revision.

    Args:
        revision: Anything that Git can resolve in the work tree that holds the paths.
        paths: Files or folders. One that did not exist at the revision has no manifests there.

    Raises:
        UsageError: The paths are in no Git work tree, or it does not have the revision.
        ManifestError: A file of that revision cannot be read as manifests.
    """
    git = shutil.which("git")
    if git is None:
        raise UsageError("the synced revision cannot be read: git is not installed")
    return load_texts(text for path in paths if path != "-" for text in _texts(git, revision, Path(path)))


def _texts(git: str, revision: str, path: Path) -> Iterator[tuple[str, bytes]]:
    folder = path if path.is_dir() else path.parent
    top = _run(git, folder, "rev-parse", "--show-toplevel")
    if top is None:
        raise UsageError(f"{path}: not in a Git work tree, so it has no revision {revision}")
    root = Path(top.decode().strip())
    commit = _run(git, root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise UsageError(f"the Git work tree at {root} has no revision {revision}; fetch it first")
    inside = path.resolve().relative_to(root.resolve())
    archive = _run(git, root, "archive", "--format=tar", commit.decode().strip(), "--", str(inside))
    if archive is None:
        return
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in sorted(files, key=lambda member: member.name):
            is_manifest = member.isfile() and (path.is_file() or Path(member.name).suffix in ENDINGS)
            content = files.extractfile(member) if is_manifest else None
            if content is not None:
                yield f"{revision}:{member.name}", content.read()


def _run(git: str, folder: Path, *arguments: str) -> bytes | None:
    """What Git prints; None where it fails."""
    command = [git, "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
