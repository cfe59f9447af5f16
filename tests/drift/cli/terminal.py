"""Runs a program on a pseudo-terminal."""

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PATIENCE: Final = 180.0
_STYLES: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(slots=True)
class Terminal:
    """The terminal's other end.

    Attributes:
        process: The program.
        seen: All that it has written so far.
    """

    process: "subprocess.Popen[bytes]"
    _descriptor: int
    seen: str = ""
    _read_to: int = field(default=0)

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def expect(self, text: str) -> None:
        """Waits for a text, in any style, after the last text that was found."""
        end = time.monotonic() + _PATIENCE
        while text not in _STYLES.sub("", self.seen[self._read_to :]):
            assert time.monotonic() < end, f"{text!r} has not come: {self.seen!r}"
            assert self._read(0.1) or self.process.poll() is None, f"ended before {text!r}: {self.seen!r}"
        self._read_to = len(self.seen)

    def wait(self) -> int:
        """Reads to the end, and returns the exit status."""
        end = time.monotonic() + _PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"has not ended: {self.seen!r}"
            self._read(0.1)
        while self._read(0):
            pass
        return self.process.returncode

    def _read(self, timeout: float) -> bool:
        if not select.select([self._descriptor], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # on Linux: the other side is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)


@contextmanager
def on_terminal(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, stdout: int | None = None
) -> Iterator[Terminal]:
    """Runs a program with a terminal as its standard streams.

    Args:
        command: The program and its arguments.
        cwd: Where it runs.
        env: Its environment beside the usual one.
        stdout: Another standard output than the terminal.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=cwd,
        stdin=theirs,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24", **(env or {})},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
