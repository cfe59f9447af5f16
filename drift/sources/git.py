"""Asks Git about the user's own paths: their commit, their manifests at another one, and who wrote a line."""

import io
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import Final

from drift.documents.files import is_excluded, is_left_out
from drift.errors import UsageError
from drift.globs import FileGlob
from drift.model import Change, Finding, GitLine, Manifest, ManifestsInfo, Report
from drift.sources.kustomizations import select_files
from drift.sources.load import LoadedManifests, load_texts

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


_READ_SECONDS: Final = 60


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
        return _read_git(git, folder, "cat-file", "blob", file)

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
        output = None if git is None or folder is None else _read_git(git, folder, *arguments)
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
    archive = _read_git(git, root, "archive", "--format=tar", commit)
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
    top = _read_git(git, _folder(path), "rev-parse", "--show-toplevel")
    if top is None:
        raise UsageError(f"{path}: not in a Git work tree, so it has no revision {revision}")
    root = Path(top.decode().strip())
    resolved = _read_git(git, root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
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
    archive = _read_git(git, root, "archive", "--format=tar", commit, "--", inside)
    if archive is None:
        if _read_git(git, root, "cat-file", "-e", f"{commit}:{'' if inside == '.' else inside}") is not None:
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


def _read_git(git: str, folder: Path, *arguments: str) -> bytes | None:
    """Returns the output of Git, or None if it fails."""
    command = [git, "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_READ_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


_BLAME_SECONDS: Final = 60
#: The commit of a line that is only in the work tree.
_UNCOMMITTED: Final = "0" * 40
#: A repository's own settings must not run programs, name files or change the output.
_SETTINGS: Final = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.quotePath=false"),
    *("-c", "protocol.allow=never"),
)
#: Lines in one command: a command line has a limited length.
_AT_ONCE: Final = 1000


def add_git_lines(report: Report) -> Report:
    """Returns the report with the last commit of the line of each finding, where Git has the field."""
    places = {
        finding.id: place
        for item in report.objects
        for finding in item.findings
        if (place := _place(finding)) is not None
    }
    lines = blame(places.values())

    def add(finding: Finding) -> Finding:
        line = lines.get(places.get(finding.id, ("", 0)))
        return finding if line is None else replace(finding, git=line)

    objects = (
        replace(item, findings=tuple(map(add, item.findings))) if item.findings else item for item in report.objects
    )
    return replace(report, objects=tuple(objects))


def _place(finding: Finding) -> tuple[str, int] | None:
    """Returns the file and line of a finding; None if only the cluster has the field."""
    if finding.change in {Change.ADDED, Change.UNMANAGED} or finding.file is None or finding.line is None:
        return None
    return finding.file, finding.line


def blame(lines: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], GitLine]:
    """Returns the last commit of each line of some files, with one call of Git for a file.

    Lines that Git does not know are left out: of files that are not committed, and lines that were edited since.

    Args:
        lines: Files and lines, counted from 1.
    """
    git = shutil.which("git")
    by_file: dict[str, set[int]] = {}
    for file, line in lines:
        by_file.setdefault(file, set()).add(line)
    found: dict[tuple[str, int], GitLine] = {}
    for file, numbers in by_file.items() if git is not None else ():
        wanted = sorted(numbers)
        for start in range(0, len(wanted), _AT_ONCE):
            output = _blame(str(git), Path(file), wanted[start : start + _AT_ONCE])
            found |= {(file, line): commit for line, commit in read_porcelain(output).items()}
    return found


def _blame(git: str, file: Path, lines: Sequence[int]) -> bytes:
    ranges = [f"-L{line},{line}" for line in lines]
    command = [git, "--no-optional-locks", *_SETTINGS, "-C", str(file.parent), "blame", "--porcelain", "--no-textconv"]
    try:
        done = subprocess.run(  # noqa: S603
            [*command, *ranges, "--", file.name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_BLAME_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""


def read_porcelain(output: bytes) -> Mapping[int, GitLine]:
    """Returns the commit of each line from the output of ``git blame --porcelain``.

    The header of a commit comes only with its first line: https://git-scm.com/docs/git-blame#_the_porcelain_format
    """
    headers: dict[str, dict[str, str]] = {}
    found: dict[int, str] = {}
    commit = ""
    for line in output.decode("utf-8", "replace").split("\n"):
        name, _, value = line.partition(" ")
        if line.startswith("\t"):
            commit = ""
        elif not commit:
            commit = name
            headers.setdefault(commit, {})
            number = value.split(" ")[1] if value.count(" ") else ""
            if number.isdecimal():
                found[int(number)] = commit
        else:
            headers[commit][name] = value
    lines = {number: _line(commit, headers[commit]) for number, commit in found.items() if commit != _UNCOMMITTED}
    return {number: line for number, line in lines.items() if line is not None}


def _line(commit: str, header: Mapping[str, str]) -> GitLine | None:
    try:
        offset = header["author-tz"]
        minutes = int(offset[:3]) * 60 + int(offset[0] + offset[3:])
        zone = timezone(timedelta(minutes=minutes)) if minutes else UTC
        time = datetime.fromtimestamp(int(header["author-time"]), zone)
        return GitLine(commit, header["author"], time.isoformat(), header["summary"])
    except (KeyError, ValueError, IndexError, OverflowError, OSError):
        return None
