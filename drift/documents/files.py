"""Which files of a folder hold documents, by kubectl's rule, and how their bytes are read: for all that is read."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

#: How the names of files with documents end.
ENDINGS: Final = frozenset({".yaml", ".yml", ".json"})
#: How many bytes of one file are read. A dump of 50,000 objects has half of that.
MAX_FILE_BYTES: Final = 1024 * 1024 * 1024
#: Where a shell puts the pipes of ``<(command)``.
_OPEN_FILES: Final = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")
#: What the system makes up at each reading: some such files have no end, others wait for an event.
_MADE_UP: Final = ("/proc/", "/sys/")
_CHUNK: Final = 1024 * 1024


def document_files(path: Path) -> list[Path]:
    """The files below a folder, sorted; a path that is no folder stands for itself, whatever its name ends in.

    Pipes and devices are among them: they are refused when they are read.
    """
    if not path.is_dir():
        return [path]
    return sorted(path / name for name in files_below(path) if Path(name).suffix in ENDINGS)


def files_below(folder: Path) -> list[str]:
    """All that is no folder below a folder, as relative paths with ``/``; links that lead nowhere are left out."""
    names: list[str] = []
    for place, _, files in os.walk(folder):
        below = Path(place).relative_to(folder).as_posix()
        prefix = "" if below == "." else f"{below}/"
        names += [prefix + name for name in files if os.path.exists(f"{place}/{name}")]  # noqa: PTH110
    return names


def read_file(file: Path, *, named: bool = False) -> bytes:
    """The bytes of a file.

    Args:
        file: Symbolic links are followed.
        named: Whether the user named it; then it may be a pipe, such as that of ``<(command)``.

    Raises:
        OSError: It cannot be read, is too large, or is no regular file. Its ``strerror`` is a clause for messages.
    """
    if named and stat.S_ISFIFO(file.stat().st_mode) and _is_own_pipe(file):
        with file.open("rb") as pipe:
            return read_stream(pipe)
    # Opening a pipe waits for its other end, unless told not to.
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode) or os.path.realpath(file).startswith(_MADE_UP):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise _too_large()
        return opened.read()


def read_stream(stream: BinaryIO) -> bytes:
    """Reads a pipe or a terminal to its end.

    Raises:
        OSError: It cannot be read, or is larger than a file may be.
    """
    # read() would swallow the end of input of a terminal, and wait for a second Ctrl-D.
    read = getattr(stream, "read1", stream.read)
    parts: list[bytes] = []
    length = 0
    while part := read(_CHUNK):
        length += len(part)
        if length > MAX_FILE_BYTES:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def _is_own_pipe(file: Path) -> bool:
    """Whether it is a pipe of this process, or one of that name rather than a link to one."""
    return str(file).startswith(_OPEN_FILES) or not file.is_symlink()


def _too_large() -> OSError:
    return OSError(errno.EFBIG, f"it is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB")
