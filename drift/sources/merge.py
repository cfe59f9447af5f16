"""Says which revisions of a work tree to compare, to know what merging a change into its base does.

If the base has moved on, Git merges the two without a work tree. What it writes goes to a temporary folder, so that the
repository stays as it is and may be one that cannot be written.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from drift.sources.git import Git
from drift.sources.scratch import temporary_folder
from drift.words import first_few

#: A commit needs an author. It is gone with the temporary folder.
_AUTHOR: Final = ("-c", "user.name=drift", "-c", "user.email=drift@localhost")
#: The user's attributes and configuration must not choose a merge driver, either.
_NO_DRIVER: Final = ("-c", "core.attributesFile=/dev/null", "-c", "merge.default=text")
#: The exit status of ``git merge-tree`` if files conflict.
_CONFLICT: Final = 1
#: The number of files in conflict that a note names.
_NAMED_FILES: Final = 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """The revisions of a work tree whose difference is the change.

    Attributes:
        before: The revision before the change.
        after: The one after it; None for the files of the work tree.
        git: Runs Git, and knows the two.
        is_merged: Whether they are the base and what the merge makes of it. If not, others may have changed the base
            since `before`.
        has_moved_files: Whether they have renamed files, which a merge changes where they are now.
        note: What the user should know about it, or None.
    """

    before: str
    after: str | None
    git: Git
    is_merged: bool = True
    has_moved_files: bool = False
    note: str | None = None


@contextmanager
def compared(top: Path, base: str, head: str | None, git: Git) -> Iterator[Comparison]:
    """Merges a change, if its base has moved on. Without one of the revisions, reading it says so.

    Args:
        top: The top folder of the work tree.
        base: The revision into which the change is merged: any that Git can resolve there.
        head: The revision of the change; None for the files of the work tree.
        git: Runs Git.

    Yields:
        What to compare. It is valid until the context ends.

    Raises:
        SourceError: No temporary folder can be created.
    """
    into, change = (git.commit(top, revision) for revision in (base, head or "HEAD"))
    if into is None or change is None:
        yield Comparison(base, head, git)
        return
    fork = git.text(top, "merge-base", into, change)
    if fork is None:
        note = (
            f"{base} and the change have no commit in common in this clone, so the result includes what others "
            "have merged; fetch the history of both (actions/checkout: fetch-depth: 0)"
        )
        yield Comparison(base, head, git, note=note)
    elif fork == into != change or (fork == into and head is None):
        # A merge would give the files of the change.
        yield Comparison(base, head, git)
    else:
        with temporary_folder() as scratch:
            yield _merged(_Merge(top, base, into, head, change, fork), _writing_to(scratch, top, git), scratch)


@dataclass(frozen=True, slots=True)
class _Merge:
    """A change, its base, and where it left that, as full hashes and as the user names them."""

    top: Path
    base: str
    into: str
    head: str | None
    change: str
    fork: str


def _writing_to(scratch: Path, top: Path, git: Git) -> Git:
    """Returns a Git that writes objects to a folder, and reads also those of the repository."""
    written = scratch / "objects"
    written.mkdir()
    known = git.text(top, "rev-parse", "--git-path", "objects") or ""
    # In quotes, because a colon ends a path.
    quoted = str((top / known).resolve()).replace("\\", "\\\\").replace('"', '\\"')
    return replace(
        git,
        environment={
            "GIT_OBJECT_DIRECTORY": str(written),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"',
        },
    )


def _bare(merge: _Merge, git: Git, scratch: Path) -> Git | None:
    """Returns a Git in a new repository, which knows the objects and has no configuration and no attributes.

    Those of the clone could choose a merge driver, which is a program. None if Git cannot create one.
    """
    folder = scratch / "bare.git"
    form = git.text(merge.top, "rev-parse", "--show-object-format")
    created = git.run(scratch, "init", "--quiet", "--bare", "--template=", f"--object-format={form}", str(folder))
    if created is None:
        return None
    return replace(git, environment={**git.environment, "GIT_DIR": str(folder), "GIT_ATTR_NOSYSTEM": "1"})


def _merged(merge: _Merge, git: Git, scratch: Path) -> Comparison:
    """Returns the base and what the merge makes of it; the change alone if Git cannot merge it."""
    base, shown = merge.base, merge.head or "the work tree"
    change = merge.change if merge.head is not None else _work_tree(merge, git, scratch)
    if change is None:
        return _alone(merge, git)
    if change == merge.fork:
        note = (
            f"{base} already has every commit of {shown}, so merging it changes nothing; "
            f"to check a rollback, compare with a commit on top of {base}"
        )
        return Comparison(base, base, git, note=note)
    # Git before 2.38 cannot merge in this way.
    options = ("--write-tree", "--name-only", "--no-messages", "-z")
    bare = _bare(merge, git, scratch)
    done = None if bare is None else bare.ended(scratch, *_NO_DRIVER, "merge-tree", *options, merge.into, change)
    if done is None or done.returncode not in {0, _CONFLICT}:
        return _alone(merge, git)
    tree, *conflicts = done.stdout.decode("utf-8", "replace").split("\0")[:-1]
    if done.returncode == _CONFLICT:
        files = first_few(conflicts, _NAMED_FILES) or "the places of files"
        note = (
            f"merging {shown} into {base} conflicts in {files}, so the result is that of "
            "the change alone; it may be another when the conflict is resolved"
        )
        return _alone(merge, git, note)
    merged, name = _commit(merge, git, tree, merge.into, change), f"the merge of {shown} into {base}"
    return _alone(merge, git) if merged is None else Comparison(base, name, replace(git, names={name: merged}))


def _alone(merge: _Merge, git: Git, note: str | None = None) -> Comparison:
    options = ("--find-renames", "--diff-filter=R", "--name-only", "--no-ext-diff", "--no-textconv")
    moved = git.text(merge.top, "diff-tree", "-r", *options, merge.fork, merge.into)
    return Comparison(merge.fork, merge.head, git, is_merged=False, has_moved_files=moved != "", note=note)


def _work_tree(merge: _Merge, git: Git, scratch: Path) -> str | None:
    """Returns a commit of the files of the work tree; HEAD if it has the same ones, None if Git cannot make one."""
    known = git.text(merge.top, "rev-parse", "--git-path", "index")
    if known is None:
        return None
    index = scratch / "index"
    # With it, Git need not read the files that have not changed.
    with suppress(OSError):
        shutil.copy2(merge.top / known, index)
    if git.run(merge.top, "add", "--all", index=index) is None:
        return None
    tree = (git.run(merge.top, "write-tree", index=index) or b"").decode().strip()
    is_head = tree == git.text(merge.top, "rev-parse", "--verify", f"{merge.change}^{{tree}}")
    return merge.change if is_head else _commit(merge, git, tree, merge.change)


def _commit(merge: _Merge, git: Git, tree: str, *parents: str) -> str | None:
    options = (option for parent in parents for option in ("-p", parent))
    return git.text(merge.top, *_AUTHOR, "commit-tree", *options, "-m", "drift", tree)
