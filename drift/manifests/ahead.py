"""Many manifests are read by two processes: a second one begins while the first still loads its libraries.

The second process is a copy of this one, made before there are threads. Both take batches of files until none is left,
so neither waits long for the other. What the second one has read comes as JSON through memory that has no name in any
file system. It takes on plain YAML alone, all of which JSON can hold; whatever else there is, errors included, it
leaves to the first, and so it does with Secrets: what it has read of them goes nowhere.

Where nothing can be gained (little to read, one processor) or there is no way to do it (not Linux), nothing is begun.
"""

import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final, NoReturn

import orjson

from drift.documents.files import document_files
from drift.documents.plain import PlainDocument, read_plain_documents
from drift.model import Json

#: Bytes from which on a second process pays; reading them takes one process about a tenth of a second.
_ENOUGH: Final = 1_000_000
#: Batches that the files are cut into. The last one is waited for, so it should be small.
_BATCHES: Final = 128
#: Of the number of a batch in the pipe that both processes take from. A pipe gives whole numbers to each.
_NUMBER_BYTES: Final = 2

#: The documents of files that were read already.
Plain = dict[Path, list[PlainDocument]]


class Ahead:
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
        """Reads what the second process has not begun, and waits for what it has.

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
            process, self._process = self._process, None
            os.waitpid(process, 0)


@contextmanager
def reading_ahead(paths: Sequence[str]) -> Iterator[Ahead | None]:
    """Has the manifests below paths read from now on, where that pays. What is wrong with the paths is not said here.

    Args:
        paths: As the user named them.

    Yields:
        What is being read; None where nothing is.
    """
    ahead = _begin(paths)
    try:
        yield ahead
    finally:
        if ahead is not None:
            ahead.stop()


def _begin(paths: Sequence[str]) -> Ahead | None:
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) == 1 or threading.active_count() > 1:
        return None
    try:
        files = [file for path in paths if path != "-" for file in document_files(Path(path))]
        batches = _batches([file.stat().st_size for file in files])
        return _fork(files, batches) if batches else None
    except OSError:
        # Whatever it is, it need not be in the way of reading as ever.
        return None


def _batches(sizes: Sequence[int]) -> list[range]:
    """The positions of files in batches of about the same number of bytes; [] where they are too few to pay."""
    total = sum(sizes)
    if total < _ENOUGH:
        return []
    ends = [0]
    for position, before in enumerate(accumulate(sizes), start=1):
        if before >= total * len(ends) / _BATCHES:
            ends.append(position)
    return [range(begin, end) for begin, end in pairwise(ends)]


def _fork(files: Sequence[Path], batches: Sequence[range]) -> Ahead:
    todo, to_give = os.pipe()
    results = os.memfd_create("manifests")
    try:
        # Few enough for the pipe to hold them all.
        os.write(to_give, b"".join(number.to_bytes(_NUMBER_BYTES, "big") for number in range(len(batches))))
        os.close(to_give)
        process = os.fork()
    except OSError:
        os.close(todo)
        os.close(results)
        raise
    if process == 0:
        _read_until_done(files, batches, todo, results)
    return Ahead(files, batches, todo, results, process)


def _read_until_done(files: Sequence[Path], batches: Sequence[range], todo: int, results: int) -> NoReturn:
    """The second process. It says nothing, and ends without what the first one has set up for its own end."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        gc.disable()
        _let_go_of_the_streams(keep=(todo, results))
        with os.fdopen(results, "wb") as out:
            for position in _taken(batches, todo):
                read = _read(files[position])
                if read is not None and not any(_may_be_secret(value) for _, value in read):
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
    try:
        text = file.read_bytes()
    except OSError:
        return None
    # JSON has its own reader.
    return None if text.lstrip().startswith(b"{") else read_plain_documents(text)


def _may_be_secret(value: Json) -> bool:
    kind = value.get("kind") if isinstance(value, dict) else None
    return isinstance(kind, str) and (kind == "Secret" or kind.endswith("List"))
