"""Polls the files of the manifests and settings, and reloads them when they change.

Polling also works on network mounts and in containers. It notices a symbolic link that points to another folder, which
is how git-sync and mounted ConfigMaps update their files.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from stat import S_ISDIR
from time import monotonic
from typing import Final

from drift.documents.files import files_below, has_ending
from drift.errors import DriftError
from drift.model import ManifestsInfo
from drift.sources.git import manifests_info
from drift.sources.kustomizations import KUSTOMIZATIONS
from drift.watch.comparison import DesiredState
from drift.watch.reflector import Timing

#: The largest share of the time that polling may take, however many files there are. Reading what changed comes on top.
_POLL_SHARE: Final = 0.1
#: Seconds between two attempts to read what cannot be read, and between two queries of the checked-out commit.
_RETRY_SECONDS: Final = 10.0

#: Identifies one state of the files: for each its path, device, inode, mtime and size.
Fingerprint = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class InputState:
    """The state of all that manifests are made of.

    Attributes:
        files: The state of the files.
        cluster: What the cluster says about the sources, such as when an Application was synced.
    """

    files: Fingerprint
    cluster: tuple[Hashable, ...] = ()


@dataclass(frozen=True, slots=True)
class ManifestsReloaded:
    """The files changed and were read."""

    desired: DesiredState


@dataclass(frozen=True, slots=True)
class ManifestsUnreadable:
    """The files changed and cannot be read. ``error`` is one sentence."""

    error: str


@dataclass(frozen=True, slots=True)
class GitInfoChanged:
    """The files are unchanged, but the commit or branch that is checked out is another one."""

    info: ManifestsInfo


def fingerprint(paths: Sequence[str], folders: Sequence[str] = ()) -> Fingerprint:
    """Returns the state of files.

    Args:
        paths: Files, and folders, below which every manifest file counts. Other files do not: the watch may write its
            history there.
        folders: Folders below which every file counts.
    """
    files = (file for path in paths for file in sorted({Path(path), *_files(Path(path))}))
    # One that disappears while it is listed is noticed by the next poll.
    others = (Path(path, name) for path in folders for name in sorted(files_below(Path(path), on_error=lambda _: None)))
    return tuple(_state(file) for file in (*files, *others))


def _files(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        return [path / name for name in files_below(path) if has_ending(name) or PurePath(name).name in KUSTOMIZATIONS]
    except OSError:
        return []


def _state(file: Path) -> tuple[str, int, int, int, int]:
    try:
        stat = file.stat()
    except OSError:
        return (str(file), 0, 0, 0, 0)
    if S_ISDIR(stat.st_mode):
        # Its time changes with any file in it.
        return (str(file), stat.st_dev, stat.st_ino, 0, 0)
    return (str(file), stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)


class ManifestWatcher:
    """Emits a message when the manifests, the settings or the checked-out commit change.

    ``seen`` is what ``state`` returned just before ``desired`` was read. ``emit`` is called from this watcher's thread.
    """

    def __init__(
        self,
        state: Callable[[], InputState],
        *,
        seen: InputState,
        desired: DesiredState,
        load: Callable[[], DesiredState],
        timing: Timing,
        emit: Callable[[ManifestsReloaded | ManifestsUnreadable | GitInfoChanged], None],
    ) -> None:
        self._state = state
        self._loaded = seen
        self._previous = seen
        #: What was read last; None after an error.
        self._desired: DesiredState | None = desired
        self._load = load
        self._timing = timing
        self._emit = emit
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._failed_at = _failed_at(desired)
        #: The seconds that `poll` has spent on reading what changed.
        self._load_seconds = 0.0
        self._git_checked_at = monotonic()
        self._thread = threading.Thread(target=self._run, name="manifests", daemon=True)

    def start(self) -> None:
        """Starts polling in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stops polling."""
        self._stopped.set()
        self._woken.set()

    def reload(self) -> None:
        """Makes the thread reload everything now, even if nothing changed."""
        self._woken.set()

    def _run(self) -> None:
        wait = self._timing.files_interval
        while not self._stopped.is_set():
            force = self._woken.wait(wait)
            self._woken.clear()
            if self._stopped.is_set():
                return
            began, self._load_seconds = monotonic(), 0.0
            try:
                self.poll(force=force)
            except Exception as error:  # noqa: BLE001
                # Files and sources may hold anything. If the thread ended here, no change would be noticed any more.
                known = str(error) if isinstance(error, DriftError) else f"unexpected {type(error).__name__}"
                self._fail(self._previous, known)
                wait = _RETRY_SECONDS
            else:
                seconds = monotonic() - began - self._load_seconds
                wait = max(self._timing.files_interval, seconds / _POLL_SHARE)

    def poll(self, *, force: bool = False) -> None:
        """Checks the files once. Changed files are read once they have stayed the same for one interval.

        With ``force``, everything is read now.
        """
        current = self._state()
        is_retry = self._failed_at is not None and monotonic() - self._failed_at > _RETRY_SECONDS
        if force:
            self._read(current, force=True)
        elif current == self._loaded and not is_retry:
            self._previous = current
            self._check_git()
        elif current.files != self._previous.files:
            # The files may still be written to, and half a file may be valid YAML.
            self._previous = current
        else:
            self._read(current)

    def _read(self, current: InputState, *, force: bool = False) -> None:
        began = monotonic()
        try:
            desired = self._load()
        except DriftError as error:
            self._fail(current, str(error))
            return
        finally:
            self._load_seconds = monotonic() - began
        # Files that have changed meanwhile may have been read half. With many sources, the cluster syncs one of them
        # during each load; the next poll loads that one again.
        if not force and self._state().files != current.files:
            return
        is_same = self._desired is not None and desired.sources.rendered == self._desired.sources.rendered
        is_retry = not force and current == self._loaded
        self._loaded, self._failed_at, self._desired = current, _failed_at(desired), desired
        if not (is_retry and is_same):
            self._emit(ManifestsReloaded(desired))

    def _fail(self, current: InputState, error: str) -> None:
        """Emits why the manifests cannot be read. They are read again after a while, even if nothing changes."""
        self._loaded, self._failed_at, self._desired = current, monotonic(), None
        self._emit(ManifestsUnreadable(error))

    def _check_git(self) -> None:
        if self._desired is not None and monotonic() - self._git_checked_at > _RETRY_SECONDS:
            info = manifests_info(self._desired.info.paths)
            self._git_checked_at = monotonic()
            if info != self._desired.info:
                self._desired = replace(self._desired, info=info)
                self._emit(GitInfoChanged(info))


def _failed_at(desired: DesiredState) -> float | None:
    """Returns the time now if a source could not be rendered, which may work later."""
    return monotonic() if any(source.failure for source in desired.sources.rendered) else None
