"""Watches the files of the manifests and of the settings, and reads them anew when they have changed.

By looking at them from time to time: that works on network mounts and in containers too, and it sees a symbolic link
that is turned to another folder, which is how git-sync and mounted ConfigMaps change.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from drift.documents.files import document_files
from drift.errors import DriftError
from drift.model import ManifestsInfo
from drift.sources.git import manifests_info
from drift.watch.comparison import DesiredState
from drift.watch.timing import Timing

#: Looking at the files may take this part of the time at most, however many there are.
_SHARE: Final = 0.1
#: Seconds after which what could not be read is tried again, and Git is asked what is checked out.
_AGAIN: Final = 10.0

#: What tells one state of the files from another: for each its path, device, inode, time of change and size.
Fingerprint = tuple[tuple[str, int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class ManifestsReloaded:
    """The files have changed and could be read."""

    desired: DesiredState


@dataclass(frozen=True, slots=True)
class ManifestsUnreadable:
    """The files have changed and cannot be read; `why` is one sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class GitInfoChanged:
    """The files are the same, and Git says something else of them."""

    info: ManifestsInfo


def fingerprint(paths: Sequence[str]) -> Fingerprint:
    """The state of all files of manifests below the paths, and of the paths themselves."""
    return tuple(_state(file) for path in paths for file in sorted({Path(path), *_files(Path(path))}))


def _files(path: Path) -> list[Path]:
    try:
        return document_files(path)
    except OSError:
        return []


def _state(file: Path) -> tuple[str, int, int, int, int]:
    try:
        stat = file.stat()
    except OSError:
        return (str(file), 0, 0, 0, 0)
    return (str(file), stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)


class ManifestWatcher:
    """Tells when the desired side is not what it was.

    Args:
        paths: The files and folders to look at.
        seen: Their state just before they were read last.
        desired: What was read then.
        load: Reads them.
        timing: How often to look.
        emit: Takes the news; called from a thread of its own.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        seen: Fingerprint,
        desired: DesiredState,
        load: Callable[[], DesiredState],
        timing: Timing,
        emit: Callable[[ManifestsReloaded | ManifestsUnreadable | GitInfoChanged], None],
    ) -> None:
        self._paths = paths
        self._seen = seen
        self._pending = seen
        self._info = desired.info
        self._load = load
        self._timing = timing
        self._emit = emit
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._failed: float | None = None
        self._asked = monotonic()
        self._thread = threading.Thread(target=self._run, name="manifests", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stopped.set()
        self._woken.set()

    def reload(self) -> None:
        """Reads everything soon, whether it has changed or not."""
        self._woken.set()

    def _run(self) -> None:
        wait = self._timing.files_interval
        while not self._stopped.is_set():
            asked = self._woken.wait(wait)
            self._woken.clear()
            if self._stopped.is_set():
                return
            began = monotonic()
            self.look(asked=asked)
            wait = max(self._timing.files_interval, (monotonic() - began) / _SHARE)

    def look(self, *, asked: bool = False) -> None:
        """Looks once. What has changed is read when it has not changed again since the look before.

        Args:
            asked: Whether to read everything now.
        """
        now = fingerprint(self._paths)
        again = self._failed is not None and monotonic() - self._failed > _AGAIN
        if asked:
            self._read(now)
        elif now == self._seen and not again:
            self._pending = now
            self._ask_git()
        elif now != self._pending:
            # Somebody is writing; half a file may well be a valid one.
            self._pending = now
        else:
            self._read(now)

    def _read(self, now: Fingerprint) -> None:
        try:
            desired = self._load()
        except DriftError as error:
            self._seen, self._failed = now, monotonic()
            self._emit(ManifestsUnreadable(str(error)))
            return
        if fingerprint(self._paths) == now:
            self._seen, self._failed, self._info = now, None, desired.info
            self._emit(ManifestsReloaded(desired))

    def _ask_git(self) -> None:
        if monotonic() - self._asked > _AGAIN:
            info = manifests_info(self._info.paths)
            self._asked = monotonic()
            if info != self._info:
                self._info = info
                self._emit(GitInfoChanged(info))
