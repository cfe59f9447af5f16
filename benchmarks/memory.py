"""The memory of a process with all its children, from Linux's ``/proc``."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

_PROC: Final = Path("/proc")
#: Seconds between two looks. One takes a millisecond or two, so it is done in a run that is not timed.
_INTERVAL: Final = 0.01


class MemoryWatch:
    """Looks at a process and its children again and again while it is open.

    Attributes:
        peak: Bytes of memory that they had at most, pages that they share counted once.
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
    """A process and its descendants, as far as they are still there."""
    yield process
    with suppress(OSError):
        for thread in (_PROC / str(process) / "task").iterdir():
            with suppress(OSError):
                for child in (thread / "children").read_text("ascii").split():
                    yield from _family(int(child))


def _memory_of(processes: Sequence[int]) -> int:
    unnamed: dict[tuple[int, int], int] = {}
    for process in processes:
        unnamed |= _unnamed_files(process)
    return sum(map(_proportional, processes)) + sum(unnamed.values())


def _proportional(process: int) -> int:
    """Bytes of a process's address space, each page divided by the number of processes that have it."""
    with suppress(OSError):
        for line in (_PROC / str(process) / "smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _unnamed_files(process: int) -> dict[tuple[int, int], int]:
    """Bytes of files without a name that live in memory and in nobody's address space, by what tells them apart."""
    found: dict[tuple[int, int], int] = {}
    with suppress(OSError):
        for descriptor in (_PROC / str(process) / "fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()).startswith("/memfd:"):
                    status = descriptor.stat()
                    found[status.st_dev, status.st_ino] = status.st_size
    return found
