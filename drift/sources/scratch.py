"""Temporary files and folders of the sources. If none can be created, the error is one line that says what to do."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from drift.errors import SourceError

_Made = TypeVar("_Made")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Creates a folder, and removes it with all files in it.

    Yields:
        Its path, without links.

    Raises:
        SourceError: It cannot be created.
    """
    with _created(lambda: tempfile.TemporaryDirectory(prefix="drift-")) as folder:
        yield Path(folder).resolve()


def new_folder(parent: Path | None = None) -> Path:
    """Creates a folder that the caller removes, and returns its path without links.

    Raises:
        SourceError: It cannot be created.
    """
    return Path(_created(lambda: tempfile.mkdtemp(prefix="drift-", dir=parent))).resolve()


def temporary_file() -> IO[bytes]:
    """Returns an open file that has no name, and is gone when it is closed.

    Raises:
        SourceError: It cannot be created.
    """
    return _created(tempfile.TemporaryFile)


def _created(create: Callable[[], _Made]) -> _Made:
    try:
        return create()
    except OSError as error:
        # A container with a read-only root and no volume at /tmp has no such folder.
        raise SourceError(
            f"cannot create a temporary file: {error.strerror}; set TMPDIR to a folder that drift may write to"
        ) from None
