"""The manifests as they were at another Git revision: what was last synced, a base for both sides."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from drift.errors import UsageError
from drift.model import Manifest
from drift.sources.kustomizations import select_files
from drift.sources.load import LoadedManifests, load_texts

_TIMEOUT_SECONDS: Final = 60


class Revisions:
    """The manifests below some paths as they were at other commits. Each commit is read once."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Nothing is read yet.

        Args:
            paths: Files or folders.
        """
        self._paths = tuple(paths)
        self._loaded: dict[str, tuple[Manifest, ...]] = {}

    def load(self, commit: str) -> tuple[Manifest, ...]:
        """The manifests at a commit; their source files are ``COMMIT:PATH``, relative to the top of the work tree.

        Raises:
            UsageError: The paths are in no Git work tree, or it does not have the commit.
            ManifestError: A file of that commit cannot be read as manifests.
        """
        if commit not in self._loaded:
            self._loaded[commit] = load_manifests_at(commit, self._paths).manifests
        return self._loaded[commit]

    def may_be_behind(self) -> bool:
        """Whether the work tree of the first path has commits that descend from HEAD, in a branch or just fetched."""
        known = ("--all", "FETCH_HEAD") if self._ask("rev-parse", "--verify", "--quiet", "FETCH_HEAD") else ("--all",)
        return bool(self._ask("rev-list", "--max-count=1", "--ancestry-path", *known, "^HEAD"))

    def commits_behind(self, revision: str) -> int:
        """How many commits HEAD is behind a revision; 0 if it is no ancestor of it, or if that is not known."""
        if self._ask("merge-base", "--is-ancestor", "HEAD", f"{revision}^{{commit}}") is None:
            return 0
        return int(self._ask("rev-list", "--count", "--end-of-options", f"HEAD..{revision}") or 0)

    def commit(self, revision: str) -> str:
        """The full hash of a revision that the work tree of the first path has."""
        return self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}") or revision

    def _ask(self, *arguments: str) -> str | None:
        git, folder = self._work_tree
        done = None if git is None or folder is None else _run(git, folder, *arguments)
        return None if done is None else done.decode().strip()

    @cached_property
    def _work_tree(self) -> tuple[str | None, Path | None]:
        return shutil.which("git"), next(map(_folder, map(Path, self._paths)), None)


def load_manifests_at(revision: str, paths: Sequence[str]) -> LoadedManifests:
    """Reads the manifests below the given paths as they were at a Git revision.

    Args:
        revision: Anything that Git can resolve in the work tree that holds the paths.
        paths: Files or folders. One that did not exist at the revision has no manifests there.

    Raises:
        UsageError: A path is standard input or in no Git work tree, or the work tree does not have the revision.
        ManifestError: A file of that revision cannot be read as manifests.
    """
    git = shutil.which("git")
    if git is None:
        raise UsageError("the synced revision cannot be read: git is not installed")
    if "-" in paths:
        raise UsageError(f"standard input has no revision {revision}; name the files or folders instead of -")
    return load_texts(text for path in paths for text in _texts(git, revision, Path(path)))


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _texts(git: str, revision: str, path: Path) -> Iterator[tuple[str, bytes]]:
    top = _run(git, _folder(path), "rev-parse", "--show-toplevel")
    if top is None:
        raise UsageError(f"{path}: not in a Git work tree, so it has no revision {revision}")
    root = Path(top.decode().strip())
    found = _run(git, root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found is None:
        raise UsageError(
            f"the Git work tree at {root} has no revision {revision}; run `git -C {root} fetch origin {revision}`"
        )
    commit = found.decode().strip()
    inside = path.resolve().relative_to(root.resolve()).as_posix()
    archive = _run(git, root, "archive", "--format=tar", commit, "--", inside)
    if archive is None:
        if _run(git, root, "cat-file", "-e", f"{commit}:{'' if inside == '.' else inside}") is not None:
            raise UsageError(f"{path}: git cannot read it at revision {revision}")
        return
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        members = {member.name: member for member in files if member.isfile()}

        def read(name: str) -> bytes:
            content = files.extractfile(members[name])
            return b"" if content is None else content.read()

        prefix = "" if inside == "." else f"{inside}/"
        if path.is_dir():
            below = [name.removeprefix(prefix) for name in members if name.startswith(prefix)]
            listed = select_files(str(path), below, lambda name: read(prefix + name))
            names = [prefix + name for name in listed.files]
        else:
            names = sorted(members)
        for name in names:
            yield f"{revision}:{name}", read(name)


def _run(git: str, folder: Path, *arguments: str) -> bytes | None:
    """What Git prints; None where it fails."""
    command = [git, "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
