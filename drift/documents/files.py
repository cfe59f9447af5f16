"""Finds the YAML and JSON files of a folder by kubectl's rule, and reads files safely."""

import errno
import os
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from posixpath import normpath
from typing import BinaryIO, Final, NoReturn

from drift.globs import FileGlob

#: The file name suffixes that kubectl reads.
_ENDINGS: Final = frozenset({".yaml", ".yml", ".json"})
#: Maximum size of a file. A dump of 50,000 objects is half as large.
MAX_FILE_BYTES: Final = 1024 * 1024 * 1024
#: Where a shell puts the pipes of ``<(command)``.
_PIPE_FOLDERS: Final = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")
#: File systems that the kernel generates. Some of their files have no end, others block.
_VIRTUAL_FILE_SYSTEMS: Final = ("/proc/", "/sys/")
_CHUNK: Final = 1024 * 1024


def is_file(path: Path) -> bool:
    """Returns whether a path is a file; False if it may not be looked at, where `Path.is_file` raises an error."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Returns whether a path is a folder; False if it may not be looked at, where `Path.is_dir` raises an error."""
    return os.path.isdir(path)  # noqa: PTH112


def mode_of(path: Path) -> int | None:
    """Returns the mode of a file or folder; None if it does not exist.

    Raises:
        OSError: It may not be looked at. Its ``strerror`` is for messages.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        # ValueError: a NUL in the name.
        return None


def document_files(path: Path, exclude: Sequence[FileGlob] = ()) -> list[Path]:
    """Returns the files below a folder, sorted. If the path is a file, returns only that, whatever its name.

    The result may include pipes and devices. `read_file` refuses them.

    Args:
        path: A file or a folder.
        exclude: Files and folders to leave out.

    Raises:
        OSError: A folder cannot be read.
    """
    if not path.is_dir():
        return [] if is_excluded(str(path), exclude) else [path]
    return [path / name for name in sorted(filter(has_ending, files_below(path, exclude)), key=path_order)]


def has_ending(name: str) -> bool:
    """Returns whether kubectl reads a file of a folder, as a relative path with ``/``."""
    # PurePath(name).suffix takes much longer.
    file = name.rpartition("/")[2]
    dot = file.rfind(".")
    return dot > 0 and file[dot:] in _ENDINGS


def path_order(name: str) -> list[str]:
    """Sort key of relative paths with ``/``: the order of `Path`."""
    return name.split("/")


def _fail(error: OSError) -> NoReturn:
    raise error


def files_below(
    folder: Path,
    exclude: Sequence[FileGlob] = (),
    on_error: Callable[[OSError], object] = _fail,
    on_folder_link: Callable[[str], object] = lambda _: None,
) -> list[str]:
    """Returns all files below a folder as relative paths with ``/``.

    A link that leads nowhere is among them, and reading it is an error, unless its name begins with a dot: editors
    lock files with such links.

    Folders whose names begin with a dot are left out: they hold the state of tools, such as Git, and the copies behind
    the links of a mounted ConfigMap.

    Args:
        folder: The folder.
        exclude: More files and folders to leave out.
        on_error: Called with the error of each folder that cannot be read; by default, it is raised.
        on_folder_link: Called with the path of each link to a folder. Such links are not followed.

    Raises:
        OSError: A folder cannot be read.
    """
    names: list[str] = []
    # os.walk is recursive in Python 3.11, and folders can be nested deeper than calls.
    pending = [""]
    while pending:
        prefix = pending.pop()
        try:
            with os.scandir(folder / prefix) as found:
                entries = list(found)
        except OSError as error:
            on_error(error)
            continue
        for entry in entries:
            name = prefix + entry.name
            if _is_folder(entry):
                if is_left_out(f"{name}/", str(folder), exclude):
                    continue
                if entry.is_symlink():
                    on_folder_link(name)
                else:
                    pending.append(f"{name}/")
            elif (os.path.exists(entry.path) or not entry.name.startswith(".")) and not is_left_out(  # noqa: PTH110
                name, str(folder), exclude
            ):
                names.append(name)
    return names


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads to itself.
        return False


def is_left_out(name: str, folder: str, exclude: Sequence[FileGlob]) -> bool:
    """Whether a file is skipped, because the name of one of its folders begins with a dot, or a glob excludes it.

    Args:
        name: The path of the file, relative to `folder`. The path of a folder ends in a slash.
        folder: The folder, as the user named it.
        exclude: Globs for paths relative to `folder`, or for those that begin with it.
    """
    *parents, _ = name.split("/")
    return any(parent.startswith(".") for parent in parents) or (
        bool(exclude) and (any(glob.matches(name) for glob in exclude) or is_excluded(f"{folder}/{name}", exclude))
    )


def is_excluded(path: str, exclude: Sequence[FileGlob]) -> bool:
    """Whether a glob excludes a path that the user named."""
    return any(glob.matches(normpath(path).lstrip("/")) for glob in exclude)


def read_file(file: Path, *, named: bool = False) -> bytes:
    """Returns the bytes of a file.

    Args:
        file: Symbolic links are followed.
        named: Whether the user named the file; then it may be a pipe, such as ``<(command)``.

    Raises:
        OSError: It cannot be read, is too large, or is not a regular file. Its ``strerror`` is for messages.
    """
    if named and stat.S_ISFIFO(file.stat().st_mode) and _is_own_pipe(file):
        with file.open("rb") as pipe:
            return read_stream(pipe)
    # O_NONBLOCK: opening a pipe would wait for its other end.
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode) or _real_path(opened.fileno(), file).startswith(_VIRTUAL_FILE_SYSTEMS):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise _too_large()
        return opened.read()


def _real_path(descriptor: int, file: Path) -> str:
    """Returns the path of an open file without links."""
    try:
        # One call, where realpath looks at every folder of the path.
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
    except OSError:
        # Not Linux, or /proc is not mounted.
        return os.path.realpath(file)


def standard_input() -> BinaryIO:
    """Returns standard input as bytes.

    Raises:
        OSError: The process was started without it.
    """
    if sys.stdin is None:
        raise OSError(errno.EBADF, "it is closed")
    return sys.stdin.buffer


def read_stream(stream: BinaryIO) -> bytes:
    """Returns the bytes of a pipe or a terminal, read to its end.

    Raises:
        OSError: It cannot be read, or is too large.
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
    """Whether a pipe belongs to this process, or is named directly rather than through a link."""
    return str(file).startswith(_PIPE_FOLDERS) or not file.is_symlink()


def _too_large() -> OSError:
    return OSError(errno.EFBIG, f"it is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB")
