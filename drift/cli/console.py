"""The standard streams, which may be full or closed, or a pipe without a reader, and the progress bar."""

import codecs
import contextlib
import os
import sys
import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TextIO

from drift.errors import UsageError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from drift.scanning import ScanStep

#: Seconds before the bar appears. Most scans end before.
_DELAY: Final = 1.0
#: The name of `_escape` among the error handlers of encodings.
_ESCAPED: Final = "drift.escaped"


def write_stderr(text: str) -> None:
    """Writes to standard error, and ignores it if that fails."""
    # None if the process was started without it.
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


def write_stdout(text: str) -> None:
    r"""Writes to standard output and flushes it. Characters that its encoding does not have are written as ``\uXXXX``.

    Raises:
        UsageError: Standard output is closed or full.
        BrokenPipeError: The reader has closed the pipe.
    """
    if sys.stdout is None:
        raise UsageError("standard output is closed; give --output a file: --output text=FILE")
    try:
        try:
            sys.stdout.write(text)
        except UnicodeEncodeError as error:
            sys.stdout.write(text.encode(error.encoding, _ESCAPED).decode(error.encoding))
        sys.stdout.flush()
    except OSError as error:
        # Otherwise Python tries to write what is still buffered when it exits, and fails again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise UsageError(f"standard output cannot be written: {error.strerror}") from None


def _escape(error: UnicodeError) -> tuple[str, int]:
    r"""Returns the characters that cannot be encoded as JSON writes them, unlike the ``\xXX`` of backslashreplace."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)), error.end


codecs.register_error(_ESCAPED, _escape)


def say(text: str) -> None:
    """Prints one line to standard error, without control characters and without passwords in URLs."""
    # Imported only here, so that --help starts fast.
    from drift.redaction import without_passwords  # noqa: PLC0415
    from drift.report.view import visible  # noqa: PLC0415

    write_stderr(f"drift: {visible(without_passwords(text))}\n")


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal. None if the process was started without it."""
    return stream is not None and stream.isatty()


def uses_color(choice: str, *, on_terminal: bool) -> bool:
    """Whether to colour the output with ``--color auto``, ``always`` or ``never``; see https://no-color.org."""
    return choice == "always" or (choice == "auto" and on_terminal and not os.environ.get("NO_COLOR"))


class Progress(AbstractContextManager["Progress"]):
    """Shows a progress bar while work goes on, starting after a second."""

    def __init__(self, what: str, *, quiet: bool = False, color: bool = True) -> None:
        self._what = what
        self._is_enabled = not quiet and is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"
        self._color = color
        self._timer = threading.Timer(_DELAY, self._show)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._has_ended = False
        self._bar: tuple[Bar, TaskID] | None = None

    def __enter__(self) -> Self:
        """Starts the timer."""
        if self._is_enabled:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Removes the bar."""
        self._timer.cancel()
        with self._lock:
            self._has_ended = True
            if self._bar is not None:
                self._bar[0].stop()

    def observe(self, step: "ScanStep") -> None:
        """Updates the bar after a step of the scan."""
        if not self._is_enabled:
            return
        from drift.report.view import visible  # noqa: PLC0415

        activity = "comparing" if step.total is not None else "unmanaged objects:"
        self._what = f"{activity} {visible(step.what)}"
        if self._bar is not None:
            bar, task = self._bar
            completed = None if step.total is None else step.done
            bar.update(task, description=self._what, completed=completed, total=step.total)

    def _show(self) -> None:
        # Imported only here: most scans end before they need it.
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
        from rich.progress import Progress as Bar  # noqa: PLC0415
        from rich.table import Column  # noqa: PLC0415

        bar = Bar(
            SpinnerColumn(),
            TextColumn(
                "{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
            ),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True, no_color=not self._color or None),
            transient=True,
            expand=True,
            redirect_stdout=False,
        )
        with self._lock:
            if not self._has_ended:
                self._bar = (bar, bar.add_task(self._what, total=None))
                bar.start()
