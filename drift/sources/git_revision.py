"""Reads manifests at another Git revision, for example the one that was last synced."""

import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from drift.documents.files import is_excluded, is_left_out
from drift.errors import UsageError
from drift.globs import FileGlob
from drift.model import Manifest
from drift.sources.kustomizations import select_files
from drift.sources.load import LoadedManifests, load_texts

_TIMEOUT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class RenderedPath:
    """A path whose files are not the manifests: a kustomization or a chart.

    Attributes:
        name: The name of the source.
        path: The folder or file.
        render: Returns the manifests of another version of it, given where that is and how to name it in messages.
    """

    name: str
    path: str
    render: Callable[[Path, str], Sequence[Manifest]]


class Revisions:
    """The manifests at other commits. Each commit is read once."""

    def __init__(
        self, paths: Sequence[str], exclude: Sequence[FileGlob] = (), rendered: Sequence[RenderedPath] = ()
    ) -> None:
        """Reads nothing yet.

        Args:
            paths: Files or folders of manifests.
            exclude: Files and folders to leave out.
            rendered: Paths that must be rendered.
        """
        self._files = tuple(paths)
        self._rendered = tuple(rendered)
        self._paths = (*paths, *(path.path for path in rendered))
        self._exclude = tuple(exclude)
        self._loaded: dict[str, tuple[Manifest, ...]] = {}

    @property
    def origins(self) -> frozenset[str]:
        """The names of the sources that it reads."""
        return frozenset([*self._files, *(path.name for path in self._rendered)])

    def load(self, commit: str) -> tuple[Manifest, ...]:
        """Returns the manifests at a commit. Their source files are ``COMMIT:PATH``, relative to the work tree's root.

        Raises:
            UsageError: The paths are not in a Git work tree, or it does not have the commit.
            ManifestError: A file of that commit cannot be read as manifests.
            SourceError: A path of that commit cannot be rendered.
        """
        if commit not in self._loaded:
            files = load_manifests_at(commit, self._files, self._exclude).manifests if self._files else ()
            rendered = (manifest for path in self._rendered for manifest in _render_at(commit, path))
            self._loaded[commit] = (*files, *rendered)
        return self._loaded[commit]

    def read(self, file: str) -> bytes | None:
        """Returns the content of a file of a commit that was loaded, or None if there is none.

        Args:
            file: ``COMMIT:PATH``, as in the source of a manifest.
        """
        git, folder = self._work_tree
        if git is None or folder is None or file.partition(":")[0] not in self._loaded:
            return None
        return _run(git, folder, "cat-file", "blob", file)

    def may_be_behind(self) -> bool:
        """Whether the repository of the first path has commits after HEAD, on a branch or just fetched."""
        has_fetched = self._ask("rev-parse", "--verify", "--quiet", "FETCH_HEAD")
        heads = ("--all", "FETCH_HEAD") if has_fetched else ("--all",)
        return bool(self._ask("rev-list", "--max-count=1", "--ancestry-path", *heads, "^HEAD"))

    def commits_behind(self, revision: str) -> int:
        """Returns how many commits HEAD is behind a revision; 0 if HEAD is not an ancestor, or if this is unknown."""
        if self._ask("merge-base", "--is-ancestor", "HEAD", f"{revision}^{{commit}}") is None:
            return 0
        return int(self._ask("rev-list", "--count", "--end-of-options", f"HEAD..{revision}") or 0)

    def commit(self, revision: str) -> str:
        """Returns the full hash of a revision, or the revision itself if the repository does not have it."""
        return self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}") or revision

    def _ask(self, *arguments: str) -> str | None:
        git, folder = self._work_tree
        output = None if git is None or folder is None else _run(git, folder, *arguments)
        return None if output is None else output.decode().strip()

    @cached_property
    def _work_tree(self) -> tuple[str | None, Path | None]:
        return shutil.which("git"), next(map(_folder, map(Path, self._paths)), None)


def load_manifests_at(revision: str, paths: Sequence[str], exclude: Sequence[FileGlob] = ()) -> LoadedManifests:
    """Reads the manifests below some paths at a Git revision.

    Args:
        revision: Any revision that Git can resolve in the work tree of the paths.
        paths: Files or folders. A path that did not exist at the revision has no manifests.
        exclude: Files and folders to leave out.

    Raises:
        UsageError: A path is standard input or not in a Git work tree, or the work tree does not have the revision.
        ManifestError: A file of that revision cannot be read as manifests.
    """
    git = _git()
    if "-" in paths:
        raise UsageError(f"standard input has no revision {revision}; name the files or folders instead of -")
    loaded = [load_texts(_read_revision(git, revision, Path(path), exclude), path) for path in paths]
    return LoadedManifests(tuple(manifest for each in loaded for manifest in each.manifests))


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _render_at(revision: str, path: RenderedPath) -> Iterator[Manifest]:
    with copy_at(revision, Path(path.path)) as copy:
        for manifest in path.render(copy.path, copy.inside) if copy.path.exists() else ():
            source = manifest.source and replace(manifest.source, file=f"{revision}:{manifest.source.file}")
            layers = tuple(f"{revision}:{file}" for file in manifest.layers)
            yield replace(manifest, source=source, layers=layers, origins=(path.name,))


@dataclass(frozen=True, slots=True)
class RevisionCopy:
    """A copy of a repository at a revision.

    Attributes:
        root: Where the copy is.
        work_tree: The work tree that it is a copy of.
        inside: The path that was asked for, inside the work tree.
    """

    root: Path
    work_tree: Path
    inside: str

    @property
    def path(self) -> Path:
        """The copy of the path that was asked for."""
        return self.root / self.inside


@contextmanager
def copy_at(revision: str, path: Path) -> Iterator[RevisionCopy]:
    """Copies the whole repository of a path at a revision: what renders the path may use any of its files.

    Raises:
        UsageError: The path is not in a Git work tree, or the work tree does not have the revision.
    """
    git = _git()
    root, commit, inside = _locate(git, revision, path)
    archive = _run(git, root, "archive", "--format=tar", commit)
    if archive is None:
        raise UsageError(f"{root}: git cannot read the revision {revision}")
    with tempfile.TemporaryDirectory(prefix="drift-") as folder, tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter=_inside)  # noqa: S202 - the filter keeps everything inside the folder
        yield RevisionCopy(Path(folder), root, inside)


def _inside(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Leaves out links that lead out of the repository."""
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None


def _locate(git: str, revision: str, path: Path) -> tuple[Path, str, str]:
    """Returns the root of the work tree of a path, the full hash of a revision, and the path inside the work tree."""
    top = _run(git, _folder(path), "rev-parse", "--show-toplevel")
    if top is None:
        raise UsageError(f"{path}: not in a Git work tree, so it has no revision {revision}")
    root = Path(top.decode().strip())
    resolved = _run(git, root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if resolved is None:
        raise UsageError(
            f"the Git work tree at {root} has no revision {revision}; run `git -C {root} fetch origin {revision}`"
        )
    return root, resolved.decode().strip(), path.resolve().relative_to(root.resolve()).as_posix()


def _git() -> str:
    git = shutil.which("git")
    if git is None:
        raise UsageError("the synced revision cannot be read: git is not installed")
    return git


def _read_revision(git: str, revision: str, path: Path, exclude: Sequence[FileGlob]) -> Iterator[tuple[str, bytes]]:
    root, commit, inside = _locate(git, revision, path)
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
            kept = [name for name in below if not is_left_out(name, str(path), exclude)]
            selected = select_files(str(path), kept, lambda name: read(prefix + name))
            for error in selected.errors:
                raise error
            names = [prefix + name for name in selected.files]
        else:
            names = [] if is_excluded(str(path), exclude) else sorted(members)
        for name in names:
            yield f"{revision}:{name}", read(name)


def _run(git: str, folder: Path, *arguments: str) -> bytes | None:
    """Returns the output of Git, or None if it fails."""
    command = [git, "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
