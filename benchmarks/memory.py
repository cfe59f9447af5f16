"""Measures the memory of a process and its children, from Linux's ``/proc``."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

_PROC: Final = Path("/proc")
#: Seconds between two samples. A sample takes one or two milliseconds, so do not time the same run.
_INTERVAL: Final = 0.01


class MemoryWatch:
    """Samples the memory of a process and its children.

    Attributes:
        peak: The peak memory in bytes; shared pages count once.
    """

    def __init__(self, process: int) -> None:
        self.peak = 0
        self._process = process
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self.peak = max(self.peak, _memory_of(list(_family(self._process))))
            if self._done.wait(_INTERVAL):
                return


def _family(process: int) -> Iterator[int]:
    """Yields a process and its descendants that still exist."""
    yield process
    with suppress(OSError):
        for thread in (_PROC / str(process) / "task").iterdir():
            with suppress(OSError):
                for child in (thread / "children").read_text("ascii").split():
                    yield from _family(int(child))


def _memory_of(processes: Sequence[int]) -> int:
    memfds: dict[tuple[int, int], int] = {}
    for process in processes:
        memfds |= _memfds(process)
    return sum(map(_proportional, processes)) + sum(memfds.values())


def _proportional(process: int) -> int:
    """Returns the proportional set size in bytes: each page is divided by the number of processes that share it."""
    with suppress(OSError):
        for line in (_PROC / str(process) / "smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _memfds(process: int) -> dict[tuple[int, int], int]:
    """Returns the sizes of open memfd files by device and inode; they belong to no address space."""
    found: dict[tuple[int, int], int] = {}
    with suppress(OSError):
        for descriptor in (_PROC / str(process) / "fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()).startswith("/memfd:"):
                    status = descriptor.stat()
                    found[status.st_dev, status.st_ino] = status.st_size
    return found
