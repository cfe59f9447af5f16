"""Reads manifests in a second process while this process still imports its libraries.

The second process is a fork, made before there are threads. Both processes take batches of files until all are read.
The second one returns its documents as JSON through an anonymous memory file. It reads only plain YAML, which JSON can
represent, and leaves everything else to this process, including errors. It never returns the content of a Secret.

What was parsed is kept for later runs. There is no second process if it does not pay (few files that have changed, one
processor) or is not possible (not on Linux).
"""

import gc
import os
import re
import signal
import stat
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final, NoReturn

import orjson

from drift.documents.files import document_files, read_file
from drift.documents.parse import begins_as_json, parse_plain_documents
from drift.globs import FileGlob
from drift.objects import Json
from drift.redaction import is_secret
from drift.sources.parsed_cache import Parsed, digest_of, read_parsed, write_parsed

#: Minimum size of the files. Below, one process reads them in about a tenth of a second.
_MIN_BYTES: Final = 1_000_000
#: Number of batches. This process waits for the last batch of the other, so batches should be small.
_BATCHES: Final = 128
#: Bytes of a batch number in the pipe from which both processes take batches. Reads of so few bytes are atomic.
_NUMBER_BYTES: Final = 2
#: The processor quota of a container: microseconds per period, or "max".
#: https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")
#: A quick check that skips files with Secrets. Other spellings are found after parsing.
_SECRET: Final = re.compile(rb"kind[\"']?:\s*[\"']?Secret\b")
#: Signals with which a user ends the process.
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

#: The list of `PlainDocument` of each file, as JSON.
PlainFiles = dict[Path, bytes]


class ParallelReader:
    """Reads files in two processes.

    Args:
        paths: As the user named them.
        cached: The files that have not changed since an earlier run.
        files: The other files.
        batches: The indexes of the files in each batch.
        queue: The file descriptor of the pipe with the batch numbers.
        results: The file descriptor that the second process writes to.
        process: The ID of the second process; None if there is none.
    """

    def __init__(  # noqa: PLR0917
        self,
        paths: Sequence[str],
        cached: dict[Path, Parsed],
        files: Sequence[Path],
        batches: Sequence[range],
        queue: int,
        results: int,
        process: int | None,
    ) -> None:
        self._paths = paths
        self._parsed = cached
        self._files = files
        self._batches = batches
        self._queue = queue
        self._results = results
        self._process = process

    def read(self) -> PlainFiles:
        """Reads the remaining batches, waits for the second process, and returns all documents. Call it once.

        Files that are not plain YAML are missing in the result.
        """
        for index in _take_files(self._batches, self._queue):
            parsed = _read(self._files[index])
            if parsed is not None:
                self._parsed[self._files[index]] = parsed
        self._wait()
        with os.fdopen(os.dup(self._results), "rb") as results:
            results.seek(0)
            for line in results:
                # An incomplete line means that the process was killed.
                if line.endswith(b"\n"):
                    number, digest, content = line[:-1].split(b" ", 2)
                    self._parsed[self._files[int(number)]] = digest, content
        if self._batches:
            write_parsed(self._paths, self._parsed.values())
        documents = {file: content for file, (_, content) in self._parsed.items()}
        # Frees the memory for the scan.
        self._parsed.clear()
        os.ftruncate(self._results, 0)
        return documents

    def stop(self) -> None:
        """Ends the second process."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)
            self._wait()
        os.close(self._queue)
        os.close(self._results)

    def _wait(self) -> None:
        if self._process is not None:
            # If SIGCHLD is ignored, the kernel has already removed the process.
            with suppress(ChildProcessError):
                os.waitpid(self._process, 0)
            self._process = None


@contextmanager
def parallel_reader(paths: Sequence[str], exclude: Sequence[FileGlob] = ()) -> Iterator[ParallelReader | None]:
    """Starts to read the manifests below some paths in a second process. Errors are left to `load_manifests`.

    Args:
        paths: As the user named them.
        exclude: Files and folders to leave out.

    Yields:
        The reader, or None if a second process does not pay or is not possible.
    """
    sizes = _file_sizes(paths, exclude) if _is_possible() else {}
    if sum(sizes.values()) < _MIN_BYTES:
        yield None
        return
    cached = _find_cached(sizes, read_parsed(paths))
    changed = {file: size for file, size in sizes.items() if file not in cached}
    reader: ParallelReader | None = None
    # Signals wait until the second process is known, so that it is always stopped.
    blocked_before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        try:
            # Without a second process, this one reads all files.
            with suppress(OSError):
                reader = _fork(paths, cached, changed)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked_before)
        yield reader
    finally:
        if reader is not None:
            reader.stop()


def _is_possible() -> bool:
    return (
        sys.platform == "linux"
        # Some builds of Python do not have it.
        and hasattr(os, "memfd_create")
        and threading.active_count() == 1
        and min(len(os.sched_getaffinity(0)), _processor_quota()) > 1
    )


def _processor_quota() -> float:
    """Returns how many processors this container may use."""
    try:
        quota, period = _QUOTA.read_text("ascii").split()
        return float("inf") if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return float("inf")


def _file_sizes(paths: Sequence[str], exclude: Sequence[FileGlob]) -> dict[Path, int]:
    """Returns all files with their sizes in bytes; {} if a folder cannot be read."""
    sizes: dict[Path, int] = {}
    try:
        for path in paths:
            for file in document_files(Path(path), exclude) if path != "-" else ():
                status = file.stat()
                # Only regular files: a pipe can be read only once.
                if stat.S_ISREG(status.st_mode):
                    sizes[file] = status.st_size
    except OSError:
        return {}
    return sizes


def _find_cached(files: Iterable[Path], entries: Mapping[bytes, bytes]) -> dict[Path, Parsed]:
    """Returns the files whose content is among the entries of the cache."""
    cached: dict[Path, Parsed] = {}
    for file in files if entries else ():
        with suppress(OSError):
            digest = digest_of(read_file(file))
            if digest in entries:
                cached[file] = digest, entries[digest]
    return cached


def cut_into_batches(sizes: Sequence[int], max_batches: int) -> list[range]:
    """Cuts files into batches of about the same size.

    Args:
        sizes: The sizes of the files in bytes.
        max_batches: The maximum number of batches.

    Returns:
        The indexes of the files in each batch.
    """
    total = sum(sizes)
    ends = [0]
    for count, size_so_far in enumerate(accumulate(sizes), start=1):
        if len(ends) <= max_batches and size_so_far * max_batches >= total * len(ends):
            ends.append(count)
    # Includes empty files at the end.
    ends[-1] = len(sizes)
    return [range(begin, end) for begin, end in pairwise(ends)]


def _fork(paths: Sequence[str], cached: dict[Path, Parsed], changed: Mapping[Path, int]) -> ParallelReader:
    """Starts the second process, unless the changed files are too small to pay: `load_manifests` reads these."""
    files = list(changed)
    batches = cut_into_batches(list(changed.values()), _BATCHES) if sum(changed.values()) >= _MIN_BYTES else []
    queue, queue_input = os.pipe()
    try:
        # They all fit into the buffer of the pipe.
        os.write(queue_input, b"".join(number.to_bytes(_NUMBER_BYTES, "big") for number in range(len(batches))))
        results = os.memfd_create("manifests")
    except OSError:
        os.close(queue)
        raise
    finally:
        os.close(queue_input)
    try:
        process = os.fork() if batches else None
    except OSError:
        os.close(queue)
        os.close(results)
        raise
    if process == 0:
        _run_second_process(files, batches, queue, results)
    return ParallelReader(paths, cached, files, batches, queue, results, process)


def _run_second_process(files: Sequence[Path], batches: Sequence[range], queue: int, results: int) -> NoReturn:
    """Reads batches and exits. It writes nothing to the terminal and runs no exit handlers of the first process."""
    try:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        gc.disable()
        _redirect_standard_streams(keep=(queue, results))
        with os.fdopen(results, "wb") as out:
            for index in _take_files(batches, queue):
                parsed = _read(files[index])
                if parsed is not None:
                    out.write(b"%d %s %s\n" % (index, *parsed))
    finally:
        os._exit(0)


def _redirect_standard_streams(keep: Sequence[int]) -> None:
    """Releases the streams, so that a reader sees their end when the first process ends."""
    null_device = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        # If the process was started without a stream, its number may belong to another file.
        if stream not in keep:
            os.dup2(null_device, stream)


def _take_files(batches: Sequence[range], queue: int) -> Iterator[int]:
    """Takes batches from the queue until it is empty, and returns the indexes of their files."""
    while number := os.read(queue, _NUMBER_BYTES):
        yield from batches[int.from_bytes(number, "big")]


def _read(file: Path) -> Parsed | None:
    """Returns the documents of a file, or None if it is not plain YAML or may contain a Secret."""
    try:
        text = read_file(file)
    except OSError:
        return None
    # JSON has its own reader.
    if begins_as_json(text) or _SECRET.search(text):
        return None
    documents = parse_plain_documents(text)
    # TypeError: half of a surrogate pair, or nested too deep for orjson.
    with suppress(TypeError):
        if documents is not None and not any(_may_be_secret(value) for _, value in documents):
            # The copy frees orjson's larger buffer.
            return digest_of(text), bytes(memoryview(orjson.dumps(documents)))
    return None


def _may_be_secret(value: Json) -> bool:
    if not isinstance(value, dict):
        return value is not None
    kind = value.get("kind")
    api_version = value.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(api_version, str):
        return True
    return kind.endswith("List") or is_secret(api_version, kind)
