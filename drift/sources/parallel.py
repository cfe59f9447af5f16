"""Many manifests are read by two processes: a second one begins while the first still loads its libraries.

The second process is a copy of this one, made before there are threads. Both take batches of files until none is left.
What the second one has read comes as JSON through memory that has no name in any file system. It takes on plain YAML
alone, all of which JSON can hold; whatever else there is, errors included, it leaves to the first, and so it does with
Secrets: what it has read of them goes nowhere.

Where nothing can be gained (little to read, one processor) or there is no way to do it (not Linux), nothing is begun.
"""

import gc
import os
import re
import signal
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final, NoReturn

import orjson

from drift.documents.fast_yaml import PlainDocument, begins_as_json, read_plain_documents
from drift.documents.files import document_files, read_file
from drift.model import Json
from drift.redaction import is_secret

#: Bytes from which on a second process pays; reading them takes one process about a tenth of a second.
_ENOUGH: Final = 1_000_000
#: Batches that the files are cut into. The last one is waited for, so it should be small.
_BATCHES: Final = 128
#: Of the number of a batch in the pipe that both processes take from. A pipe gives whole numbers to each.
_NUMBER_BYTES: Final = 2
#: Where a container says how much processor time it may have: microseconds in so many microseconds, or "max".
#: https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")
#: So that such a file is not read in vain. Where the word is written in another way, that is found out after reading.
_SECRET: Final = re.compile(rb"kind[\"']?:\s*[\"']?Secret\b")
#: What a user may end the process with.
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

#: The documents of files that were read already.
Plain = dict[Path, list[PlainDocument]]


class ParallelReader:
    """Files that a second process reads, and this one too as soon as it asks for them.

    Args:
        files: All of them.
        batches: Their positions, batch by batch.
        todo: Where the numbers of the batches come from.
        results: Where the second process writes.
        process: Its id.
    """

    def __init__(self, files: Sequence[Path], batches: Sequence[range], todo: int, results: int, process: int) -> None:
        self._files = files
        self._batches = batches
        self._todo = todo
        self._results = results
        self._process: int | None = process

    def plain(self) -> Plain:
        """Reads what the second process has not begun, and waits for what it has. Gives it all once.

        Returns:
            The files that could be read so; those that are missing are for the exact reader.
        """
        documents: Plain = {}
        for position in _taken(self._batches, self._todo):
            read = _read(self._files[position])
            if read is not None:
                documents[self._files[position]] = read
        self._wait()
        with os.fdopen(os.dup(self._results), "rb") as results:
            results.seek(0)
            for line in results:
                # A line without its end was cut off: the process was killed.
                if line.endswith(b"\n"):
                    position, read = orjson.loads(line)
                    documents[self._files[position]] = read
        # It counts as memory of ours, which is needed for the scan.
        os.ftruncate(self._results, 0)
        return documents

    def stop(self) -> None:
        """Ends the second process, whatever it has read."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)
            self._wait()
        os.close(self._todo)
        os.close(self._results)

    def _wait(self) -> None:
        if self._process is not None:
            # Where whoever started us ignores the end of children, there is nothing left to be told once it has come.
            with suppress(ChildProcessError):
                os.waitpid(self._process, 0)
            self._process = None


@contextmanager
def parallel_reader(paths: Sequence[str]) -> Iterator[ParallelReader | None]:
    """Has the manifests below paths read from now on, where that pays. What is wrong with the paths is not said here.

    Args:
        paths: As the user named them.

    Yields:
        What is being read; None where nothing is.
    """
    files, batches = _worth_it(paths) if _is_possible() else ((), ())
    if not batches:
        yield None
        return
    ahead: ParallelReader | None = None
    # A signal that comes while there are two of us and only one knows waits until both know.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        try:
            # Whatever is in its way, it need not be in the way of reading as ever.
            with suppress(OSError):
                ahead = _fork(files, batches)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield ahead
    finally:
        if ahead is not None:
            ahead.stop()


def _is_possible() -> bool:
    return (
        sys.platform == "linux"
        # Not in every build of Python.
        and hasattr(os, "memfd_create")
        and threading.active_count() == 1
        and min(len(os.sched_getaffinity(0)), _quota()) > 1
    )


def _quota() -> float:
    """How many processors this container may use."""
    try:
        quota, period = _QUOTA.read_text("ascii").split()
        return float("inf") if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return float("inf")


def _worth_it(paths: Sequence[str]) -> tuple[list[Path], list[range]]:
    """The files, and their positions in batches; no batches where they are too few to pay."""
    files: list[Path] = []
    sizes: list[int] = []
    try:
        for path in paths:
            for file in document_files(Path(path)) if path != "-" else ():
                status = file.stat()
                # What is no file, such as a pipe, can be read only once.
                if stat.S_ISREG(status.st_mode):
                    files.append(file)
                    sizes.append(status.st_size)
    except OSError:
        return [], []
    return files, cut_into_batches(sizes, _BATCHES) if sum(sizes) >= _ENOUGH else []


def cut_into_batches(sizes: Sequence[int], most: int) -> list[range]:
    """The positions of files in batches of about the same number of bytes.

    Args:
        sizes: Of the files, in bytes.
        most: How many batches there may be.
    """
    total = sum(sizes)
    ends = [0]
    for position, until in enumerate(accumulate(sizes), start=1):
        if len(ends) <= most and until * most >= total * len(ends):
            ends.append(position)
    # Empty files after the last byte.
    ends[-1] = len(sizes)
    return [range(begin, end) for begin, end in pairwise(ends)]


def _fork(files: Sequence[Path], batches: Sequence[range]) -> ParallelReader:
    todo, to_give = os.pipe()
    try:
        # Few enough for the pipe to hold them all.
        os.write(to_give, b"".join(number.to_bytes(_NUMBER_BYTES, "big") for number in range(len(batches))))
        results = os.memfd_create("manifests")
    except OSError:
        os.close(todo)
        raise
    finally:
        os.close(to_give)
    try:
        process = os.fork()
    except OSError:
        os.close(todo)
        os.close(results)
        raise
    if process == 0:
        _read_until_done(files, batches, todo, results)
    return ParallelReader(files, batches, todo, results, process)


def _read_until_done(files: Sequence[Path], batches: Sequence[range], todo: int, results: int) -> NoReturn:
    """The second process. It says nothing, and ends without what the first one has set up for its own end."""
    try:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        gc.disable()
        _let_go_of_the_streams(keep=(todo, results))
        with os.fdopen(results, "wb") as out:
            for position in _taken(batches, todo):
                read = _read(files[position])
                # TypeError: half of a surrogate pair, or nested deeper than JSON is.
                with suppress(TypeError):
                    if read is not None:
                        out.write(orjson.dumps((position, read), option=orjson.OPT_APPEND_NEWLINE))
    finally:
        os._exit(0)


def _let_go_of_the_streams(keep: Sequence[int]) -> None:
    """Whoever reads what the first process says is to see its end when it ends."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        # Where the process was started without one, its number may be in use for something else.
        if stream not in keep:
            os.dup2(nothing, stream)


def _taken(batches: Sequence[range], todo: int) -> Iterator[int]:
    """The positions of files that this process is to read, until both processes together have taken all."""
    while number := os.read(todo, _NUMBER_BYTES):
        yield from batches[int.from_bytes(number, "big")]


def _read(file: Path) -> list[PlainDocument] | None:
    """The documents of a file; None where they are for the first process, or for another reader."""
    try:
        text = read_file(file)
    except OSError:
        return None
    # JSON has its own reader.
    if begins_as_json(text) or _SECRET.search(text):
        return None
    read = read_plain_documents(text)
    return None if read is None or any(_may_be_secret(value) for _, value in read) else read


def _may_be_secret(value: Json) -> bool:
    if not isinstance(value, dict):
        return value is not None
    kind = value.get("kind")
    api_version = value.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(api_version, str):
        return True
    return kind.endswith("List") or is_secret(api_version, kind)
