"""Follows an audit log, also after it is rotated."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from drift.errors import UsageError

#: Seconds between two looks at the end of a log.
_POLL_SECONDS: Final = 0.5
_CHUNK: Final = 4 * 1024 * 1024
#: The longest line that is taken.
_MAX_LINE: Final = 32 * 1024 * 1024


class LogFollower(threading.Thread):
    """Reads what is appended to a log from now on, also after it is rotated.

    Args:
        file: The log.
        take: Called with complete lines.
    """

    def __init__(self, file: str, take: Callable[[bytes], object]) -> None:
        super().__init__(name=f"audit {file}", daemon=True)
        self._path = Path(file)
        self._take = take
        self._stopped = threading.Event()
        self._rest = b""
        try:
            self._stream: BinaryIO = self._path.open("rb")
        except OSError as error:
            raise UsageError(f"--audit-log: {file} cannot be read: {error.strerror or error}") from None
        self._stream.seek(0, os.SEEK_END)

    def run(self) -> None:
        """Reads until it is stopped."""
        while not self._stopped.wait(_POLL_SECONDS):
            self.poll()
        self.close()

    def close(self) -> None:
        """Closes the log."""
        self._stream.close()

    def stop(self) -> None:
        """Ends the thread soon."""
        self._stopped.set()

    def poll(self) -> None:
        """Reads what has been appended."""
        self._read()
        try:
            current, opened = self._path.stat(), os.fstat(self._stream.fileno())
            if (current.st_dev, current.st_ino) != (opened.st_dev, opened.st_ino):
                following = self._path.open("rb")
                # The last lines may have been written since.
                self._read()
                self._stream.close()
                self._stream, self._rest = following, b""
                self._read()
            elif current.st_size < self._stream.tell():
                # Truncated in place.
                self._stream.seek(0)
                self._rest = b""
        except OSError:
            # Between two files of a rotation there may be none.
            return

    def _read(self) -> None:
        while chunk := self._stream.read(_CHUNK):
            lines, end, self._rest = (self._rest + chunk).rpartition(b"\n")
            if len(self._rest) > _MAX_LINE:
                self._rest = b""
            if lines:
                self._take(lines + end)
