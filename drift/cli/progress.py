"""Progress on standard error: on a terminal alone, only of what takes long, and gone from the screen afterwards."""

import os
import sys
import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from drift.report.view import visible

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from drift.scanning import ScanStep

#: Seconds before anything is shown; most scans have ended by then.
_PATIENCE: Final = 1.0


class Progress(AbstractContextManager["Progress"]):
    """Shows how far a piece of work is, from its first second on until it ends.

    Args:
        what: The work, as a few words.
        quiet: Shows nothing at all.
        color: Whether it may have colours.
    """

    def __init__(self, what: str, *, quiet: bool = False, color: bool = True) -> None:
        self._what = what
        self._is_shown = (
            not quiet and sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        )
        self._color = color
        self._timer = threading.Timer(_PATIENCE, self._show)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._has_ended = False
        self._shown: tuple[Bar, TaskID] | None = None

    def __enter__(self) -> Self:
        """Starts to wait."""
        if self._is_shown:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Takes what is shown from the screen."""
        self._timer.cancel()
        with self._lock:
            self._has_ended = True
            if self._shown is not None:
                self._shown[0].stop()

    def observe(self, step: "ScanStep") -> None:
        """Takes note of how far a scan is."""
        if not self._is_shown:
            return
        looking = "comparing" if step.total is not None else "looking beyond Git:"
        self._what = f"{looking} {visible(step.what)}"
        if self._shown is not None:
            bar, task = self._shown
            completed = None if step.total is None else step.done
            bar.update(task, description=self._what, completed=completed, total=step.total)

    def _show(self) -> None:
        # Imported only where it is needed: most scans are over before that.
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
                self._shown = (bar, bar.add_task(self._what, total=None))
                bar.start()
