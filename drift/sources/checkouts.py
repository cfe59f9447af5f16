"""Finds the local work tree of a Git repository that the cluster names by its URL, and copies its files.

Git runs nothing of the repository here: no hooks, no filters, no attributes, and it does not use the network. Files are
written as they are in Git, which is also what Flux and Argo CD read. `drift.sources.git` needs them as in a work tree:
``git checkout-index`` converts them, and has no option that turns this off.
"""

import os
import re
import shutil
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from threading import Lock
from types import TracebackType
from typing import Final, NoReturn, Self
from urllib.parse import unquote

from drift.documents.files import files_below, is_folder
from drift.errors import SourceError, UsageError
from drift.kube.limits import NO_DEADLINE, Deadline
from drift.redaction import without_passwords
from drift.sources.git import MAX_DEPTH, Git, remove_links_out_of, work_tree_of
from drift.sources.scratch import new_folder
from drift.words import first_few

#: Larger files are left out of copies. The API server accepts no object of this size.
_MAX_BYTES: Final = 16 * 1024 * 1024
_BATCH: Final = 1000
#: The number of missing files that a message names.
_NAMED: Final = 3
#: Files of Git that change when another commit is checked out, or when one is fetched, or a remote gets another URL;
#: and when a branch or a tag that has no file of its own changes.
_STATE: Final = ("HEAD", "logs/HEAD", "FETCH_HEAD", "config", "packed-refs", "reftable/tables.list")
#: Folders of Git with a file for each branch and tag that has changed lately.
_REFS: Final = ("refs/heads", "refs/remotes", "refs/tags")

_WITH_SCHEME: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[^/@]*@)?(?P<host>[^/:]*)(?::[0-9]*)?/*(?P<path>.*)", re.IGNORECASE
)
#: ``git@example.com:team/repository.git``, as scp writes it.
_LIKE_SCP: Final = re.compile(r"(?:[^/@:]+@)?(?P<host>[^/:]+):(?P<path>[^\\].*)")
#: A line of ``git remote --verbose``. In a partial clone, it ends with the filter.
_REMOTE: Final = re.compile(r"(?P<name>[^\t]*)\t(?P<url>.*) \((?P<use>fetch|push)\)(?: \[.*\])?")
#: Hosts with another name for ssh than for https.
_HOSTS: Final = {
    "altssh.bitbucket.org": "bitbucket.org",
    "altssh.gitlab.com": "gitlab.com",
    "ssh.dev.azure.com": "dev.azure.com",
    "ssh.github.com": "github.com",
}
#: Modes of entries in a tree of Git.
_SUBMODULE: Final = "160000"
_LINK: Final = "120000"
_LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/v1\n"


def repository_id(url: str) -> tuple[str, str]:
    """Returns the host and the path of a repository, which are the same for all forms of its URL.

    User, password, port, scheme, a final ``.git`` and the case of the host make no difference. The host of a local path
    is "".
    """
    url = url.strip()
    found = _WITH_SCHEME.fullmatch(url) or _LIKE_SCP.fullmatch(url)
    host = found["host"].lower() if found else ""
    path = unquote(found["path"]) if found else url
    path = path.strip("/").removesuffix(".git").rstrip("/")
    host = _HOSTS.get(host, host)
    if host == "dev.azure.com":
        path = path.removeprefix("v3/").replace("/_git/", "/")
    return host, path


def path_inside(path: str) -> str:
    """Returns a path in a repository, relative to its root. No ``..`` leads out of it."""
    return os.path.normpath(f"/{path}").lstrip("/")


def checkout_files(arguments: Sequence[str]) -> Iterator[str]:
    """Yields the folders of local checkouts, their files, and files that change when another commit is checked out.

    Args:
        arguments: As for `Checkouts`.
    """
    git = Git(is_isolated=True)
    for argument in arguments or (".",):
        url, path = _split(argument)
        if not _is_in_tree(git, url, path):
            yield str(path)
            with suppress(OSError):
                yield from (str(path / name) for name in files_below(path))
            continue
        top = git.text(path, "rev-parse", "--show-toplevel")
        # Without resolving the path: git-sync points a link to another folder.
        root = path if top is None else path / os.path.relpath(top, path.resolve())
        yield str(root)
        tracked = git.text(root, "ls-files", "-z", "--cached")
        yield from (str(root / name) for name in (tracked or "").split("\0") if name)
        yield from _git_paths(git, root, _STATE)


def checkout_ref_folders(arguments: Sequence[str]) -> Iterator[str]:
    """Yields the folders in which Git has a file for each branch and tag that has changed lately.

    Args:
        arguments: As for `Checkouts`.
    """
    git = Git(is_isolated=True)
    for argument in arguments or (".",):
        url, path = _split(argument)
        if _is_in_tree(git, url, path):
            yield from _git_paths(git, path, _REFS)


def _git_paths(git: Git, folder: Path, names: Iterable[str]) -> Iterator[str]:
    """Yields where Git has some of its files. Linked work trees have most of them in common."""
    wanted = (part for name in names for part in ("--git-path", name))
    yield from (str(folder / path) for path in git.lines(folder, "rev-parse", *wanted))


@dataclass(frozen=True, slots=True)
class WorkTree:
    """A local folder with the files of a repository.

    Attributes:
        root: Its top folder.
        commit: The commit that is checked out; None if the folder is not a Git work tree.
        is_dirty: Whether it has uncommitted changes.
    """

    root: Path
    commit: str | None
    is_dirty: bool = False

    def shown(self, path: str) -> str:
        """Returns a path in it as a user would name it."""
        full = os.path.normpath(self.root / path)
        relative = os.path.relpath(full)
        return full if relative.startswith("..") else relative


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the files of a repository.

    Attributes:
        root: Its top folder, which the caller may change.
        original: The top folder of what was copied.
        left_out: What the copy lacks, a sentence each.
        missing: The files and submodules that it lacks, as relative paths. That of a submodule ends in a slash.
    """

    root: Path
    original: Path
    left_out: tuple[str, ...]
    missing: tuple[str, ...] = ()

    def missing_in(self, folder: Path) -> list[str]:
        """Returns what is missing in or below a folder of the copy, as paths relative to it."""
        real = folder.resolve()
        prefix = "" if real == self.root else f"{real.relative_to(self.root).as_posix()}/"
        return [name.removeprefix(prefix) for name in self.missing if name.startswith(prefix)]

    def lacks(self, file: Path) -> bool:
        """Returns whether a file of the copy is missing, or in a submodule."""
        name = file.relative_to(self.root).as_posix()
        return any(name == one or (one.endswith("/") and name.startswith(one)) for one in self.missing)

    def error(self, error: SourceError) -> SourceError:
        """Returns an error of a build in the copy with the paths of the original, and with what the copy lacks."""
        left_out = "".join(f"; {sentence}" for sentence in self.left_out)
        return SourceError(f"{error}{left_out}".replace(str(self.root), str(self.original)))


@dataclass(frozen=True, slots=True)
class _Ref:
    """A branch.

    Attributes:
        name: Its full name.
        commit: Its newest commit.
        target: The full name of the branch that it stands for, as that of a remote's HEAD; else "".
    """

    name: str
    commit: str
    target: str


def check_complete(missing: Iterable[str]) -> None:
    """Raises a SourceError if something is missing below the path of a source, which a build would not notice.

    Args:
        missing: What is missing of that which is read, as `Copy.missing_in` returns it.
    """
    names = [*missing]
    if names:
        raise SourceError(f"{first_few(names, _NAMED)} below its path cannot be read")


class Checkouts:
    """The local work trees, and temporary copies of them. Use it as a context manager, which removes the copies."""

    def __init__(self, arguments: Sequence[str], deadline: Deadline = NO_DEADLINE) -> None:
        """Reads nothing yet.

        Args:
            arguments: ``PATH`` or ``URL=PATH``; none for the work tree of the working directory.
            deadline: When Git is stopped.
        """
        self._arguments = arguments
        self._git = Git(deadline, is_isolated=True)
        self._unused: defaultdict[tuple[WorkTree, str | None, str], deque[Copy]] = defaultdict(deque)
        self._behind: dict[tuple[WorkTree, str, str | None], int] = {}
        self._other_branches: dict[tuple[WorkTree, str, tuple[str, str], bool], str | None] = {}
        self._refs: dict[WorkTree, Sequence[_Ref]] = {}
        self._remotes: dict[WorkTree, Mapping[str, Collection[str]]] = {}
        self._folder: Path | None = None
        self._lock = Lock()

    def __enter__(self) -> Self:
        """Creates the folder of the copies."""
        self._folder = new_folder()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes the copies."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def find(self, url: str) -> WorkTree:
        """Returns the work tree of a repository.

        Raises:
            SourceError: There is none.
            UsageError: A path that the user named does not exist.
        """
        with self._lock:
            found = self._by_url.get(repository_id(url))
        if found is None:
            shown = without_passwords(url)
            raise SourceError(f"no local checkout of {shown}; name one with --checkout PATH or --checkout {shown}=PATH")
        return found

    def commits_behind(self, tree: WorkTree, commit: str, start: str | None = None) -> int:
        """Returns how many commits a work tree is behind a commit; 0 if it has changes or is not an ancestor.

        Args:
            tree: The work tree.
            commit: The full hash.
            start: The full hash of another commit to start from than the one that is checked out.
        """
        if commit == (start or tree.commit) or (start is None and (tree.is_dirty or tree.commit is None)):
            return 0
        with self._lock:
            key = (tree, commit, start)
            if key not in self._behind:
                self._behind[key] = self._git.commits_behind(tree.root, commit, start or "HEAD")
            return self._behind[key]

    def tag(self, tree: WorkTree, name: str) -> str | None:
        """Returns the commit of a tag, or None if the work tree does not have it."""
        return self._git.commit(tree.root, f"refs/tags/{name}")

    def full_hash(self, tree: WorkTree, prefix: str) -> str | None:
        """Returns the commit whose hash begins with some hexadecimal digits, or None if there is none."""
        return self._git.commit(tree.root, prefix)

    def is_detached(self, tree: WorkTree) -> bool:
        """Returns whether a commit is checked out, and not a branch."""
        return self._git.text(tree.root, "symbolic-ref", "--quiet", "HEAD") is None

    def has_branch(self, tree: WorkTree, name: str, url: str) -> bool:
        """Returns whether the work tree knows a branch of a repository: as it was fetched, or its own one."""
        with self._lock:
            return self._newest(tree, name, url) is not None

    def default_branch(self, tree: WorkTree, url: str) -> str | None:
        """Returns the default branch of a repository, as a clone or a fetch records it; None if it does not.

        If none is recorded of this one, that of a fork counts, which is a remote of the same work tree.
        """
        with self._lock:
            for remotes in (*self._remotes_for(tree, url), *self._any_remotes(tree)):
                heads = {f"refs/remotes/{remote}/HEAD": f"refs/remotes/{remote}/" for remote in remotes}
                targets = {ref.name: ref.target for ref in self._refs_of(tree) if ref.target}
                names = {targets[head].removeprefix(start) for head, start in heads.items() if head in targets}
                if names:
                    return names.pop() if len(names) == 1 else None
        return None

    def other_branch(self, tree: WorkTree, name: str, url: str, *, is_hydrated: bool = False) -> str | None:
        """Returns the newest commit of a branch if it is to be read instead of the one that is checked out; else None.

        What was fetched counts, and not what a user has committed on top. A branch of its own on top of that one, as
        for a pull request, is read as it is, and so is a detached commit.

        Args:
            tree: The work tree.
            name: The branch.
            url: The repository that has the branch. The work tree may have remotes of other ones.
            is_hydrated: Whether the branch has what is hydrated from others, so that none is on top of it.
        """
        with self._lock:
            key = (tree, name, repository_id(url), is_hydrated)
            if key not in self._other_branches:
                self._other_branches[key] = self._find_other_branch(tree, name, url, is_hydrated=is_hydrated)
            return self._other_branches[key]

    def _find_other_branch(self, tree: WorkTree, name: str, url: str, *, is_hydrated: bool) -> str | None:
        here = self._git.text(tree.root, "symbolic-ref", "--quiet", "HEAD") if tree.commit is not None else None
        if here == f"refs/heads/{name}" or (here is None and not is_hydrated):
            return None
        newest = self._newest(tree, name, url)
        if newest is None or is_hydrated:
            return None if newest == tree.commit else newest
        is_below = self._git.text(tree.root, "merge-base", "--is-ancestor", newest, "HEAD") is not None
        return None if is_below else newest

    def _newest(self, tree: WorkTree, name: str, url: str) -> str | None:
        """Returns the newest commit of a branch that was fetched from a repository, or else that of the local one."""
        commits = {ref.name: ref.commit for ref in self._refs_of(tree)}
        for remotes in self._remotes_for(tree, url):
            names = [f"refs/remotes/{remote}/{name}" for remote in remotes]
            found = sorted({commits[one] for one in names if one in commits})
            if len(found) > 1:
                return self._git.text(tree.root, "rev-list", "--no-walk", "--max-count=1", *found)
            if found:
                return found[0]
        return commits.get(f"refs/heads/{name}")

    def _remotes_for(self, tree: WorkTree, url: str) -> Sequence[Collection[str]]:
        """Returns the remotes of a repository, or if there is none, as in a clone of a mirror, any, in groups."""
        here = repository_id(url)
        ours = [name for name, urls in self._remotes_of(tree).items() if here in map(repository_id, urls)]
        return [ours] if ours else self._any_remotes(tree)

    def _any_remotes(self, tree: WorkTree) -> Sequence[Collection[str]]:
        # One that is no longer configured may have left its branches.
        return [["origin"], {*self._remotes_of(tree), *(ref.name.split("/")[2] for ref in self._refs_of(tree))}]

    def _refs_of(self, tree: WorkTree) -> Sequence["_Ref"]:
        if tree not in self._refs:
            listed = ("for-each-ref", "--format=%(refname) %(objectname) %(symref)", "refs/heads", "refs/remotes")
            self._refs[tree] = [_Ref(*line.split(" ")) for line in self._git.lines(tree.root, *listed)]
        return self._refs[tree]

    def _remotes_of(self, tree: WorkTree) -> Mapping[str, Collection[str]]:
        if tree not in self._remotes:
            self._remotes[tree] = _fetched_from(self._git, tree.root)
        return self._remotes[tree]

    @contextmanager
    def copy(
        self, tree: WorkTree, commit: str | None, prepare: Callable[[Path], None] | None = None, variant: str = ""
    ) -> Iterator[Copy]:
        """Lends a copy of a work tree. No other build uses it in the meantime.

        A build may change it, and must undo the changes: the same arguments give the same copy again.

        Args:
            tree: The work tree.
            commit: The full hash of a commit; None for the files as they are.
            prepare: Changes a new copy.
            variant: Names the result of `prepare`.

        Raises:
            SourceError: The repository does not have the commit.
        """
        unused = self._unused[tree, commit, variant]
        try:
            copy = unused.pop()
        except IndexError:
            copy = self._new_copy(tree, commit)
            if prepare is not None:
                prepare(copy.root)
        try:
            yield copy
        finally:
            unused.append(copy)

    def _new_copy(self, tree: WorkTree, commit: str | None) -> Copy:
        if self._folder is None:
            raise RuntimeError("the checkouts are not open")
        target = new_folder(self._folder)
        if commit is not None:
            return _copy_commit(self._git, tree.root, commit, target)
        try:
            return _copy_files(self._git, tree, target)
        except OSError as error:
            raise SourceError(f"{error.filename or tree.root}: cannot be read: {error.strerror}") from None

    @cached_property
    def _by_url(self) -> Mapping[tuple[str, str], WorkTree]:
        trees: dict[tuple[str, str], WorkTree] = {}
        for argument in self._arguments:
            url, path = _split(argument)
            tree = _work_tree(self._git, path) if _is_in_tree(self._git, url, path) else _plain_folder(path)
            if tree is None:
                raise UsageError(f"--checkout {argument}: {path} is not a folder")
            if tree.commit is None:
                self._check_is_plain(argument, url, path)
            for name in [url] if url is not None else _remotes(self._git, tree.root):
                trees.setdefault(repository_id(name), tree)
        if not self._arguments:
            here = _work_tree(self._git, Path())
            if here is not None and here.commit is not None:
                trees = {repository_id(name): here for name in _remotes(self._git, here.root)}
        return trees

    def _check_is_plain(self, argument: str, url: str | None, path: Path) -> None:
        """Raises an error for a folder without a commit, unless it has a URL and is no work tree.

        Read as it is, the folder of a work tree would stand for every revision.
        """
        is_artifact = url is not None and not _is_in_tree(self._git, url, path)
        why = None if is_artifact else self._git.refusal(path)
        if why is None and url is None:
            why = f"{path} is not a Git work tree with a commit; write URL=PATH for other folders"
        if why is not None:
            raise self._git.error(UsageError(f"--checkout {argument}: {why}"))


def _split(argument: str) -> tuple[str | None, Path]:
    """Splits ``URL=PATH``."""
    url, equals, path = argument.rpartition("=")
    return (url, Path(path)) if equals and url and not os.path.exists(argument) else (None, Path(argument))  # noqa: PTH110


def _is_in_tree(git: Git, url: str | None, path: Path) -> bool:
    """Returns whether a folder stands for the work tree around it, and not for itself.

    An unpacked artifact, which has another URL or which Git does not track, may be inside a work tree.
    """
    return (
        url is None
        or not is_folder(path)
        or work_tree_of(path) == path.resolve()
        or (repository_id(url) in map(repository_id, _remotes(git, path)) and bool(git.text(path, "ls-files")))
    )


def _plain_folder(path: Path) -> WorkTree | None:
    return WorkTree(path.resolve(), None) if is_folder(path) else None


def _work_tree(git: Git, path: Path) -> WorkTree | None:
    """Returns the work tree of a folder, the folder itself if it has none, or None if it does not exist."""
    if not is_folder(path):
        return None
    root, commit = git.text(path, "rev-parse", "--show-toplevel"), git.commit(path, "HEAD")
    if not root or not commit:
        return _plain_folder(path)
    # Git would filter changed files to compare them.
    filters = git.lines(path, "config", "--name-only", "--get-regexp", r"^filter\..*\.(clean|process|required)$")
    unfiltered = [
        part for name in filters for part in ("-c", f"{name}={'false' if name.endswith('.required') else ''}")
    ]
    return WorkTree(Path(root), commit, bool(git.text(path, *unfiltered, "status", "--porcelain")))


def _remotes(git: Git, root: Path) -> list[str]:
    lines = git.lines(root, "config", "--get-regexp", r"^remote\..*\.(url|pushurl)$")
    return [line.partition(" ")[2] for line in lines] + [url for _, url, _ in _listed_remotes(git, root)]


def _fetched_from(git: Git, root: Path) -> Mapping[str, Collection[str]]:
    """Returns the URLs from which each remote fetches, as it names them and as `insteadOf` makes them."""
    urls = defaultdict[str, set[str]](set)
    for line in git.lines(root, "config", "--get-regexp", r"^remote\..*\.url$"):
        key, _, url = line.partition(" ")
        urls[key.removeprefix("remote.").removesuffix(".url")].add(url)
    for name, url, use in _listed_remotes(git, root):
        if use == "fetch":
            urls[name].add(url)
    return urls


def _listed_remotes(git: Git, root: Path) -> Iterator[tuple[str, str, str]]:
    """Yields the name of each remote, a URL as `insteadOf` and `pushInsteadOf` make it, and what Git uses it for."""
    for line in git.lines(root, "remote", "--verbose"):
        if found := _REMOTE.fullmatch(line):
            yield found["name"], found["url"], found["use"]


# -- the files as they are


def _files_of(git: Git, tree: WorkTree) -> Iterable[str]:
    """Returns the files of a work tree that Git does not ignore."""
    if tree.commit is not None:
        listed = git.text(tree.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        if listed is None:
            raise git.error(SourceError(f"git cannot list the files of {tree.root}"))
        return sorted({name for name in listed.split("\0") if name})
    return (
        Path(parent, name).relative_to(tree.root).as_posix()
        for parent, folders, names in os.walk(tree.root, onerror=_fail)
        for name in [*names, *(folder for folder in folders if Path(parent, folder).is_symlink())]
        if ".git" not in Path(parent).relative_to(tree.root).parts
    )


def _fail(error: OSError) -> NoReturn:
    raise error


def _outside_sparse_checkout(git: Git, tree: WorkTree) -> Mapping[str, str]:
    """Returns the files that a sparse checkout leaves out: by name, their mode and blob."""
    listed = git.text(tree.root, "ls-files", "-z", "-t", "--stage") if tree.commit is not None else ""
    if listed is None:
        raise git.error(SourceError(f"git cannot list the files of {tree.root}"))
    entries = (entry.partition("\t") for entry in listed.split("\0") if entry.startswith("S "))
    return {name: properties.removeprefix("S ") for properties, _, name in entries}


def _copy_files(git: Git, tree: WorkTree, target: Path) -> Copy:
    root, names, sparse = tree.root, list(_files_of(git, tree)), _outside_sparse_checkout(git, tree)
    if any(name.count("/") >= MAX_DEPTH for name in names):
        raise SourceError(f"{root}: its folders are nested deeper than {MAX_DEPTH} levels")
    links = {target / name: str((root / name).readlink()) for name in names if (root / name).is_symlink()}
    left_out = _LeftOut()
    absent: list[str] = []
    for name in names:
        file, copy = root / name, target / name
        if copy in links or not links.keys().isdisjoint(copy.parents):
            continue  # A link, or what was in a folder that a link replaces.
        if file.is_dir():
            left_out.submodules.append(name)
        elif not file.is_file():
            if name in sparse:
                absent.append(name)
            # Else deleted, or a pipe.
        elif file.stat().st_size > _MAX_BYTES:
            left_out.large.append(name)
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(file, copy)
            except OSError as error:
                raise SourceError(f"{file}: cannot be read: {error.strerror}") from None
    links |= _write_sparse(git, root, {name: sparse[name] for name in absent}, target, left_out)
    return Copy(target, root, (*_link(links, target, root), *left_out.sentences()), left_out.names())


def _write_sparse(
    git: Git, root: Path, absent: Mapping[str, str], target: Path, left_out: "_LeftOut"
) -> Mapping[Path, str]:
    """Writes files that a sparse checkout leaves out, and returns the links among them."""
    if not absent:
        return {}
    try:
        return _write_files(git, root, _with_sizes(git, root, absent), target, left_out)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "they are not valid"
        raise SourceError(f"{root}: the files outside the sparse checkout cannot be written: {why}") from None


def _with_sizes(git: Git, root: Path, entries: Mapping[str, str]) -> Iterator[tuple[str, str, str, int | None]]:
    """Yields the name, mode, blob and size of files; None for the size if the clone lacks a blob."""
    blobs = [properties.split()[1] for properties in entries.values()]
    # A partial clone often lacks all of them, and Git ends at the first one.
    listed = (git.run(root, "cat-file", "--batch-check", given="\n".join(blobs).encode()) or b"").split(b"\n")
    sizes = {}
    for line in listed:
        fields = line.split()
        if len(fields) == 3:  # noqa: PLR2004
            sizes[fields[0].decode()] = int(fields[2])
    for name, properties in entries.items():
        mode, blob, _ = properties.split()
        yield name, mode, blob, sizes.get(blob)


# -- the files of a commit


def _copy_commit(git: Git, root: Path, commit: str, target: Path) -> Copy:
    listed = git.text(root, "ls-tree", "-r", "-z", "--long", "--full-tree", f"{commit}^{{commit}}")
    if listed is None:
        raise git.error(
            SourceError(
                f"the checkout {root} does not have the commit {commit}; `git -C {root} fetch origin {commit}` gets it"
            )
        )
    try:
        return _write_commit(git, root, listed, target)
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or "they are not valid"
        raise SourceError(
            f"{root}: the files of the commit {commit} cannot be written: {why}; `git -C {root} fsck` checks them"
        ) from None


def _write_commit(git: Git, root: Path, listed: str, target: Path) -> Copy:
    """Writes the files that ``git ls-tree`` lists."""
    left_out = _LeftOut()
    entries: list[tuple[str, str, str, int | None]] = []
    for entry in listed.split("\0")[:-1] if listed else ():
        properties, _, name = entry.partition("\t")
        mode, _, blob, size = properties.split()
        entries.append((name, mode, blob, 0 if mode == _SUBMODULE else int(size)))
    links = _write_files(git, root, entries, target, left_out)
    return Copy(target, root, (*_link(links, target, None), *left_out.sentences()), left_out.names())


def _write_files(
    git: Git, root: Path, entries: Iterable[tuple[str, str, str, int | None]], target: Path, left_out: "_LeftOut"
) -> dict[Path, str]:
    """Writes files of Git into a copy.

    Args:
        git: Runs Git.
        root: The work tree.
        entries: The name, mode, blob and size of each; None for the size if the clone lacks the blob.
        target: The copy.
        left_out: Gets what is not written.

    Returns:
        The links among them, which are not written, and where they lead.

    Raises:
        ValueError: A name is not valid.
        OSError: A file cannot be written.
    """
    blobs: list[tuple[Path, str, bool]] = []
    for name, mode, blob, size in entries:
        if not _is_safe(name):
            raise ValueError
        if mode == _SUBMODULE:
            left_out.submodules.append(name)
        elif size is None:
            left_out.sparse.append(name)
        elif size > _MAX_BYTES:
            left_out.large.append(name)
        else:
            blobs.append((target / name, blob, mode == _LINK))
    # Git itself makes no tree in which a path is also a folder. Through such a link, others could be written elsewhere.
    # Some file systems ignore case.
    taken = {str(copy).casefold() for copy, _, _ in blobs}
    if any(str(parent).casefold() in taken for copy, _, _ in blobs for parent in copy.parents):
        raise ValueError
    links: dict[Path, str] = {}
    for (copy, _, is_link), content in zip(blobs, _contents(git, root, [blob for _, blob, _ in blobs]), strict=True):
        if is_link:
            links[copy] = os.fsdecode(content)
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
        if content.startswith(_LFS_POINTER):
            left_out.pointers.append(copy.relative_to(target).as_posix())
    return links


def _contents(git: Git, root: Path, blobs: Sequence[str]) -> Iterator[bytes]:
    """Yields the contents of files in Git."""
    for begin in range(0, len(blobs), _BATCH):
        names = blobs[begin : begin + _BATCH]
        output = git.run(root, "cat-file", "--batch", given="\n".join(names).encode()) or b""
        position = 0
        for name in names:
            end = output.find(b"\n", position)
            header = output[position:end].split()
            if len(header) != 3:  # noqa: PLR2004
                raise git.error(SourceError(f"git cannot read {name} in {root}; is it a partial clone?"))
            size = int(header[2])
            yield output[end + 1 : end + 1 + size]
            position = end + 1 + size + 1


def _is_safe(name: str) -> bool:
    parts = PurePosixPath(name).parts
    is_inside = not name.startswith("/") and not {"..", ".git"} & {part.lower() for part in parts}
    return 0 < len(parts) <= MAX_DEPTH and is_inside


# -- links, and what is left out


def _link(links: Mapping[Path, str], target: Path, root: Path | None) -> Iterator[str]:
    """Creates symbolic links, except those that lead out of the repository, on which it yields a sentence.

    Args:
        links: Where each link leads, by its path.
        target: The copy.
        root: The original, into which absolute links may lead; None if there is none.
    """
    for link, leads_to in links.items():
        if root is not None and Path(leads_to).is_absolute() and Path(leads_to).is_relative_to(root):
            leads_to = str(target / Path(leads_to).relative_to(root))  # noqa: PLW2901
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(leads_to)
    outside = remove_links_out_of(target, links)
    if outside:
        yield _sentence(outside, "leads out of the repository")


class _LeftOut:
    def __init__(self) -> None:
        self.submodules: list[str] = []
        self.sparse: list[str] = []
        self.large: list[str] = []
        self.pointers: list[str] = []

    def sentences(self) -> Iterator[str]:
        if self.submodules:
            yield _sentence(self.submodules, "is a submodule")
        if self.sparse:
            yield _sentence(self.sparse, "is outside the sparse checkout, and this partial clone does not have it")
        if self.large:
            yield _sentence(self.large, f"is larger than {_MAX_BYTES // 1024 // 1024} MiB")
        if self.pointers:
            yield _sentence(self.pointers, "is a pointer of Git LFS")

    def names(self) -> tuple[str, ...]:
        """Returns the files and submodules that are not in the copy, as in `Copy.missing`."""
        return (*(f"{name}/" for name in self.submodules), *self.sparse, *self.large)


def _sentence(names: Sequence[str], problem: str) -> str:
    others = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"{names[0]}{others} {problem}"
