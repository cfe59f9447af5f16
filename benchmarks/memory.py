"""The memory of a process with all its children, from Linux's ``/proc``."""

import threading
from collections.abc import Iterator
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
            self.peak = max(self.peak, sum(map(_memory, _family(self._process))))
            if self._done.wait(_INTERVAL):
                return


def _family(process: int) -> Iterator[int]:
    yield process
    with suppress(OSError):
        for thread in (_PROC / str(process) / "task").iterdir():
            for child in (thread / "children").read_text("ascii").split():
                yield from _family(int(child))


def _memory(process: int) -> int:
    place = _PROC / str(process)
    with suppress(OSError):
        lines = (place / "smaps_rollup").read_text("ascii").splitlines()
        kilobytes = next((line.split()[1] for line in lines if line.startswith("Pss:")), "0")
        return int(kilobytes) * 1024 + _unnamed_files(place)
    return 0


def _unnamed_files(place: Path) -> int:
    """Bytes of files without a name that live in memory and belong to nobody's address space."""
    size = 0
    for descriptor in (place / "fd").iterdir():
        with suppress(OSError):
            if str(descriptor.readlink()).startswith("/memfd:"):
                size += descriptor.stat().st_size
    return size
