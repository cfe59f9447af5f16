"""Asks Git about the paths of the user: their commit, their manifests at other commits, and who wrote a line."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path, PurePosixPath
from typing import Final

from drift.documents import Document
from drift.documents.files import files_below, has_ending, is_excluded, is_folder, is_left_out, read_file
from drift.documents.parse import read_valid_documents
from drift.errors import DriftError, ManifestError, SourceError, UsageError
from drift.globs import FileGlob
from drift.kube.limits import NO_DEADLINE, Deadline
from drift.model import Change, Finding, GitLine, ManifestsInfo, Report
from drift.objects import Manifest
from drift.sources.kustomizations import KUSTOMIZATIONS, folder_of, select_files, stands_for_folder
from drift.sources.load import load_documents
from drift.sources.programs import out_of_time
from drift.sources.scratch import temporary_folder

#: Deeper folders of a repository are not read: a path has a limited length, and so has the stack of Python.
MAX_DEPTH: Final = 200
#: How many seconds a command may take, and one that only adds a remark to the report.
_TIMEOUT: Final = 60.0
_SHORT_TIMEOUT: Final = 10.0
#: The configuration of a clone must not run a program, change the output, or split an index: Git writes a part of it
#: to the repository.
_SAFE: Final = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"),
    *("-c", "core.quotePath=false", "-c", "core.splitIndex=false"),
)
_NO_NETWORK: Final = ("-c", "protocol.allow=never")
#: Environment variables that make Git use another repository than the one of the folder.
_REPOSITORY_VARIABLES: Final = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"}
)
_ISOLATED: Final = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
#: The path in a URL, and in an address of SSH (``git@example.com:shop/gitops``), without ``.git``.
_REPOSITORY_PATH: Final = re.compile(
    r"(?:[a-z0-9+.-]+://[^/]*/|[^/:]*:)?/*([^:@?#]{1,1000}?)/*(?:\.git)?/*(?:[?#].*)?\s*$", re.IGNORECASE
)
#: The last two parts of any kind of URL. The parts before may contain a user name and a password.
_OWNER_AND_NAME: Final = re.compile(r"([^/:@]{1,255}/[^/:@]{1,255}?)(?:\.git)?/*\s*$")
#: The commit of a line that is only in the work tree.
_UNCOMMITTED: Final = "0" * 40
#: Lines in one command: a command line has a limited length.
_LINES_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Git:
    """Runs ``git``. It takes no optional locks, so that it never blocks a commit of a user, and runs no hooks.

    Attributes:
        deadline: When a command is stopped, if `seconds` are not over before.
        seconds: How long a command may take.
        is_isolated: Whether it ignores repositories that the environment names, and the network, from which a partial
            clone would fetch missing files.
        environment: More environment variables.
        names: Commits by the names under which it knows them, beside those of the repository.
    """

    deadline: Deadline = NO_DEADLINE
    seconds: float = _TIMEOUT
    is_isolated: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def run(self, folder: Path, *arguments: str, given: bytes = b"", index: Path | None = None) -> bytes | None:
        """Returns what a command prints; None if it fails, takes too long, or Git is not installed.

        Args:
            folder: Where the command runs.
            arguments: The command.
            given: Its standard input.
            index: An index file to use instead of the one of the repository.
        """
        done = self.ended(folder, *arguments, given=given, index=index)
        return done.stdout if done is not None and done.returncode == 0 else None

    def ended(
        self, folder: Path, *arguments: str, given: bytes = b"", index: Path | None = None
    ) -> subprocess.CompletedProcess[bytes] | None:
        """Returns a command that has ended, also if it failed; None if it takes too long, or Git is not installed."""
        git = shutil.which("git")
        seconds = min(self.seconds, self.deadline.remaining())
        if git is None or not seconds:
            return None
        env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        if self.is_isolated:
            env = {name: env[name] for name in env.keys() - _REPOSITORY_VARIABLES} | _ISOLATED
        if index is not None:
            env["GIT_INDEX_FILE"] = str(index)
        env |= self.environment
        options = (*_SAFE, *(_NO_NETWORK if self.is_isolated else ()), "-C", str(folder))
        # ValueError: a NUL in a name.
        with suppress(OSError, ValueError, subprocess.TimeoutExpired):
            return subprocess.run(  # noqa: S603
                [git, *options, *arguments],
                input=given,
                capture_output=True,
                timeout=seconds,
                check=False,
                env=env,
            )
        return None

    def text(self, folder: Path, *arguments: str) -> str | None:
        """Returns what a command prints, as text without the last line break. None as for `run`."""
        output = self.run(folder, *arguments)
        return None if output is None else output.decode("utf-8", "surrogateescape").rstrip("\n")

    def lines(self, folder: Path, *arguments: str) -> list[str]:
        """Returns the lines that a command prints; no lines if it fails.

        Only a line feed ends one: the name of a branch may have U+2028, at which `str.splitlines` splits, too.
        """
        return [line for line in (self.text(folder, *arguments) or "").split("\n") if line]

    def commit(self, folder: Path, revision: str) -> str | None:
        """Returns the full hash of a revision; None if the work tree does not have it."""
        revision = self.names.get(revision, revision)
        return self.text(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")

    def commits_behind(self, folder: Path, revision: str, start: str = "HEAD") -> int:
        """Returns how many commits a start is behind a revision; 0 if it is not an ancestor, or if this is unknown."""
        if self.text(folder, "merge-base", "--is-ancestor", start, f"{revision}^{{commit}}") is None:
            return 0
        return int(self.text(folder, "rev-list", "--count", "--end-of-options", f"{start}..{revision}") or 0)

    def refusal(self, path: Path) -> str | None:
        """Returns why Git does not read the work tree around a path, with the way out; None if there is none."""
        top = work_tree_of(path)
        if top is None:
            return None
        done = self.ended(top, "rev-parse")
        if done is None:
            return f"Git, which reads the work tree at {top}, is not installed or does not answer"
        if done.returncode == 0:
            return None
        if b"dubious ownership" in done.stderr:
            return (
                f"Git does not read the work tree at {top}, which another user owns; "
                f"run `git config --global --add safe.directory {shlex.quote(str(top))}`"
            )
        return f"Git cannot read the work tree at {top}; run `git -C {shlex.quote(str(top))} status` to see why"

    def error(self, error: DriftError) -> DriftError:
        """Returns the error of a command that failed; if the deadline is over, an error that says so."""
        return error if self.deadline.remaining() else SourceError(f"git was stopped: {out_of_time(self.deadline)}")


def manifests_info(paths: Sequence[str]) -> ManifestsInfo:
    """Returns the paths with their commit, if they are in a Git work tree and ``git`` is installed."""
    git = Git(seconds=_SHORT_TIMEOUT)
    files = [path for path in paths if path != "-"]
    folder = _folder(Path(files[0])) if files else None
    commit = None if folder is None else git.commit(folder, "HEAD")
    if folder is None or commit is None:
        return ManifestsInfo(tuple(paths), None, None)
    status = git.text(folder, "status", "--porcelain", "--", *(str(folder_of(path).resolve()) for path in files))
    return ManifestsInfo(tuple(paths), commit, None if status is None else bool(status))


def commits_of(paths: Iterable[str]) -> Mapping[str, str | None]:
    """Returns the commit that each path is at, None outside a work tree. Asks Git once for each work tree."""
    roots = {path: work_tree_of(Path(path)) for path in paths}
    git = Git(seconds=_SHORT_TIMEOUT)
    commits = {root: None if root is None else git.commit(root, "HEAD") for root in {*roots.values()}}
    return {path: commits[root] for path, root in roots.items()}


def work_tree_of(path: Path) -> Path | None:
    """Returns the top folder of the Git work tree that a path is in; None if it is in none."""
    full = path.resolve()
    return next((folder for folder in (full, *full.parents) if os.path.exists(folder / ".git")), None)  # noqa: PTH110


def origin_url(folder: Path) -> str:
    """Returns the URL of the origin of a work tree, which may contain a password; "" if it has none."""
    return Git(seconds=_SHORT_TIMEOUT).text(folder, "config", "--get", "remote.origin.url") or ""


def repository_path(url: str) -> str | None:
    """Returns the path of a repository on its host, such as ``group/shop/gitops``; None if there is none in the URL."""
    match = _REPOSITORY_PATH.match(url)
    return match[1] if match else owner_and_name(url)


def owner_and_name(url: str) -> str | None:
    """Returns the last two parts of the path of a repository, or None."""
    match = _OWNER_AND_NAME.search(url)
    return match[1] if match else None


# -- manifests at other commits


@dataclass(frozen=True, slots=True)
class RenderedPath:
    """A path whose files are not the manifests: a kustomization or a chart.

    Attributes:
        name: The name of the source.
        path: The folder or file.
        render: Returns the manifests of another version of it, which is in a copy of the repository.
    """

    name: str
    path: str
    render: Callable[["RevisionCopy"], Sequence[Manifest]]


class Revisions:
    """The manifests at other commits. Each commit is read once."""

    def __init__(
        self,
        paths: Sequence[str],
        exclude: Sequence[FileGlob] = (),
        rendered: Sequence[RenderedPath] = (),
        deadline: Deadline = NO_DEADLINE,
    ) -> None:
        """Reads nothing yet.

        Args:
            paths: Files or folders of manifests.
            exclude: Files and folders to leave out.
            rendered: Paths that must be rendered.
            deadline: When Git is stopped.
        """
        self._files = tuple(paths)
        self._rendered = tuple(rendered)
        self._exclude = tuple(exclude)
        self._git = Git(deadline)
        self._folder = next((_folder(Path(path)) for path in (*paths, *(path.path for path in rendered))), Path())
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
            SourceError: A path of that commit cannot be rendered, or the deadline is over.
        """
        if commit not in self._loaded:
            files = load_manifests_at(commit, self._files, self._exclude, self._git) if self._files else ()
            rendered = (manifest for path in self._rendered for manifest in _render_at(commit, path, self._git))
            self._loaded[commit] = (*files, *rendered)
        return self._loaded[commit]

    def read(self, file: str) -> bytes | None:
        """Returns the content of a file of a commit that was loaded, or None if there is none.

        Args:
            file: ``COMMIT:PATH``, as in the source of a manifest.
        """
        if file.partition(":")[0] not in self._loaded:
            return None
        return self._git.run(self._folder, "cat-file", "blob", file)

    def may_be_behind(self) -> bool:
        """Returns whether the repository of the first path has newer commits than HEAD, on a branch or just fetched."""
        heads = ("--all", "FETCH_HEAD") if self._git.commit(self._folder, "FETCH_HEAD") else ("--all",)
        return bool(self._git.text(self._folder, "rev-list", "--max-count=1", "--ancestry-path", *heads, "^HEAD"))

    def commits_behind(self, revision: str) -> int:
        """Returns how many commits HEAD is behind a revision; 0 if HEAD is not an ancestor, or if this is unknown."""
        return self._git.commits_behind(self._folder, revision)

    def commit(self, revision: str) -> str:
        """Returns the full hash of a revision, or the revision itself if the repository does not have it."""
        return self._git.commit(self._folder, revision) or revision


def load_manifests_at(
    revision: str, paths: Sequence[str], exclude: Sequence[FileGlob] = (), git: Git | None = None
) -> tuple[Manifest, ...]:
    """Reads the manifests below some paths at a Git revision.

    Args:
        revision: Any revision that Git can resolve in the work tree of the paths.
        paths: Files or folders. A path that did not exist at the revision has no manifests.
        exclude: Files and folders to leave out.
        git: Runs Git; None for a default.

    Raises:
        UsageError: A path is standard input or not in a Git work tree, or the work tree does not have the revision.
        ManifestError: A file of that revision cannot be read as manifests.
    """
    if "-" in paths:
        raise UsageError(f"standard input has no revision {revision}; name the files or folders instead of -")
    texts = ((path, _read_revision(git or Git(), revision, Path(path), exclude)) for path in paths)
    return tuple(manifest for path, files in texts for manifest in load_documents(files, path).manifests)


def _folder(path: Path) -> Path:
    """Returns the folder of a path. It is above the path's if that was removed."""
    return next((folder for folder in (path, *path.parents) if is_folder(folder)), path)


def _render_at(revision: str, path: RenderedPath, git: Git) -> Iterator[Manifest]:
    with copy_at(revision, Path(path.path), git) as copy:
        try:
            manifests = path.render(copy) if copy.path.exists() else ()
        except SourceError as error:
            raise SourceError(f"{path.name} at {revision}: {error}") from None
        for manifest in manifests:
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
        git: Asks Git about the work tree.
    """

    root: Path
    work_tree: Path
    inside: str
    git: Git

    @property
    def path(self) -> Path:
        """The copy of the path that was asked for."""
        return self.root / self.inside

    def place_of(self, file: Path) -> Path:
        """Returns where a file is in the copy; the file itself if Git does not track it.

        Raises:
            SourceError: Git tracks it now, but did not at the revision.
        """
        inside = _inside(self.git, file, self.work_tree)
        if inside is not None and os.path.lexists(self.root / inside):
            return self.root / inside
        if inside is not None and _is_tracked(self.git, self.work_tree, inside):
            raise SourceError(f"Git did not have {file} yet, so it is not known what was rendered then")
        return file.resolve()


@contextmanager
def copy_at(revision: str, path: Path, git: Git) -> Iterator[RevisionCopy]:
    """Copies the whole repository of a path at a revision: what renders the path may use any of its files.

    Raises:
        UsageError: The path is not in a Git work tree, or the work tree does not have the revision.
    """
    root, commit, inside = _locate(git, revision, path)
    with _checked_out(git, root, commit) as (folder, _):
        yield RevisionCopy(folder, root, inside, git)


@contextmanager
def _checked_out(git: Git, root: Path, commit: str, inside: str = ".") -> Iterator[tuple[Path, Sequence[str]]]:
    """Checks out a path of a commit into a temporary folder.

    The files have the form of the work tree, with which they are compared: with its line ends, and after filters such
    as those of git-crypt and Git LFS. ``git archive`` would leave out what .gitattributes marks as ``export-ignore``.
    What a controller syncs is read as it is in Git: see `drift.sources.checkouts`.

    Yields:
        The folder, which stands for the root, and the links in it that led out of the repository, which are removed.

    Raises:
        UsageError: Git cannot read the commit, or a filter fails.
        SourceError: No temporary folder can be created.
    """
    with temporary_folder() as scratch:
        folder, index = scratch / "files", scratch / "index"
        folder.mkdir()

        def check_out(names: Collection[bytes]) -> bool:
            given = b"".join(name + b"\0" for name in names)
            prefix = f"--prefix={folder}/"
            return git.run(root, "checkout-index", "-z", "--stdin", prefix, given=given, index=index) is not None

        # A sparse checkout may lack what was synced.
        is_read = git.run(root, "-c", "core.sparseCheckout=false", "read-tree", commit, index=index) is not None
        every = (git.run(root, "ls-files", "-z", "--cached", index=index) or b"").split(b"\0")[:-1]
        part = os.fsencode(inside)
        names = [name for name in every if inside == "." or name == part or name.startswith(part + b"/")]
        is_read = is_read and all(name.count(b"/") < MAX_DEPTH for name in every) and check_out(names)
        # Without names, the path itself may be below a link. Links may lead to any other path.
        if is_read and len(names) < len(every) and (not names or any(_links_in(folder))):
            is_read = check_out({*every} - {*names})
        if not is_read:
            raise git.error(UsageError(f"{root}: git cannot check out {inside} of the revision {commit}"))
        yield folder, remove_links_out_of(folder, _links_in(folder))


def remove_links_out_of(folder: Path, links: Iterable[Path]) -> Sequence[str]:
    """Removes the links that lead out of a folder, and returns their paths in it.

    Args:
        folder: A folder without links above it.
        links: All links in it. They must exist, because one may lead to the next.
    """
    outside = [link for link in links if not Path(os.path.realpath(link)).is_relative_to(folder)]
    for link in outside:
        link.unlink()
    return [link.relative_to(folder).as_posix() for link in outside]


def _links_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_symlink())


def _locate(git: Git, revision: str, path: Path) -> tuple[Path, str, str]:
    """Returns the root of the work tree of a path, the full hash of a revision, and the path inside the work tree."""
    if shutil.which("git") is None:
        raise UsageError("the synced revision cannot be read: git is not installed")
    top = git.text(_folder(path), "rev-parse", "--show-toplevel")
    if top is None:
        why = git.refusal(path) or f"not in a Git work tree, so it has no revision {revision}"
        raise git.error(UsageError(f"{path}: {why}"))
    root = Path(top)
    commit = git.commit(root, revision)
    if commit is None:
        raise git.error(
            UsageError(
                f"the Git work tree at {root} has no revision {revision}; run `git -C {root} fetch origin {revision}`"
            )
        )
    inside = _inside(git, path, root)
    if inside is None:
        raise UsageError(f"{path}: leads out of the Git work tree at {root}, so it has no revision {revision}")
    return root, commit, inside


def _inside(git: Git, path: Path, root: Path) -> str | None:
    """Returns a path inside a work tree; None if it leads out of it.

    Links that Git tracks are not followed: at another revision, they may lead elsewhere.
    """
    real, real_root = path.resolve(), root.resolve()
    if not real.is_relative_to(real_root):
        return None
    full = Path(os.path.abspath(path))  # noqa: PTH100
    top = next((folder for folder in (full, *full.parents) if folder.resolve() == real_root), None)
    # A path such as link/../a leads elsewhere without its "..".
    if top is None or full.resolve() != real:
        return real.relative_to(real_root).as_posix()
    inside = full.relative_to(top)
    links = (folder for folder in (*reversed(inside.parents), inside) if (top / folder).is_symlink())
    link = next((folder for folder in links if folder.parts), None)
    if link is not None and not _is_tracked(git, root, link.as_posix()):
        return real.relative_to(real_root).as_posix()
    return inside.as_posix()


def _is_tracked(git: Git, root: Path, inside: str) -> bool:
    return bool(git.text(root, "--literal-pathspecs", "ls-files", "--", inside))


def _read_revision(
    git: Git, revision: str, path: Path, exclude: Sequence[FileGlob]
) -> Iterator[tuple[str, Iterable[Document | ManifestError]]]:
    root, commit, inside = _locate(git, revision, path)
    file = PurePosixPath(inside)
    # A kustomization that is named by its file stands for what it lists.
    with _checked_out(git, root, commit, str(file.parent) if file.name in KUSTOMIZATIONS else inside) as (top, outside):

        def read(name: str) -> bytes:
            try:
                return read_file(top / name)
            except OSError as error:
                raise ManifestError(f"{revision}:{name}: cannot be read: {error.strerror}") from None

        is_wanted = (top / inside).exists() and not is_excluded(str(path), exclude)
        if is_wanted and stands_for_folder(Path(file), lambda name: read(str(file.parent / name))):
            inside, path = str(file.parent), path.parent
        prefix = "" if inside == "." else f"{inside}/"
        if (top / inside).is_dir():
            every = files_below(top / inside)
            below = [name for name in every if not is_left_out(name, str(path), exclude)]
            # The path itself may be a link.
            here = _relative(top, top / inside)
            below_here = "" if here == "." else f"{here}/"
            lost = [name for name in outside if name.startswith(below_here) and has_ending(name)]
            selected = select_files(str(path), below, lambda name: read(prefix + name), lambda: every)
            for error in selected.errors:
                raise error
            names = [prefix + name for name in selected.files]
            built = {prefix + name for name in selected.by_kustomization}
        else:
            lost = [name for name in outside if PurePosixPath(inside).is_relative_to(name)]
            names = [inside] if is_wanted else []
            built = set()
        if lost:
            raise ManifestError(
                f"{revision}:{lost[0]}: leads out of the repository, so it cannot be read at a revision"
            )
        for name in names:
            shown = f"{revision}:{_relative(top, top / name)}"
            yield shown, read_valid_documents(read(name), shown, by_kustomize=name in built)


def _relative(folder: Path, path: Path) -> str:
    """Returns what a path leads to, relative to a folder without links above it, as Git names it."""
    return os.path.relpath(os.path.realpath(path), folder)


# -- who wrote a line


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
    by_file: dict[str, set[int]] = {}
    for file, line in lines:
        by_file.setdefault(file, set()).add(line)
    git = Git(is_isolated=True)
    found: dict[tuple[str, int], GitLine] = {}
    for file, numbers in by_file.items():
        ranges = [f"-L{line},{line}" for line in sorted(numbers)]
        path = Path(file)
        for start in range(0, len(ranges), _LINES_AT_ONCE):
            wanted = ranges[start : start + _LINES_AT_ONCE]
            output = git.run(path.parent, "blame", "--porcelain", "--no-textconv", *wanted, "--", path.name)
            found |= {(file, line): commit for line, commit in read_porcelain(output or b"").items()}
    return found


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
