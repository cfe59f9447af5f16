"""The progress bar on standard error: only on a terminal, only if a scan takes long, and removed at its end."""

import os
import sys
import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from drift.cli.console import is_terminal
from drift.report.view import visible

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from drift.scanning import ScanStep

#: Seconds before the bar appears. Most scans end before.
_DELAY: Final = 1.0


class Progress(AbstractContextManager["Progress"]):
    """Shows a progress bar while work goes on, starting after a second."""

    def __init__(self, what: str, *, quiet: bool = False, color: bool = True) -> None:
        self._what = what
        self._is_shown = not quiet and is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"
        self._color = color
        self._timer = threading.Timer(_DELAY, self._show)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._has_ended = False
        self._shown: tuple[Bar, TaskID] | None = None

    def __enter__(self) -> Self:
        """Starts the timer."""
        if self._is_shown:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Removes the bar."""
        self._timer.cancel()
        with self._lock:
            self._has_ended = True
            if self._shown is not None:
                self._shown[0].stop()

    def observe(self, step: "ScanStep") -> None:
        """Updates the bar after a step of the scan."""
        if not self._is_shown:
            return
        activity = "comparing" if step.total is not None else "unmanaged objects:"
        self._what = f"{activity} {visible(step.what)}"
        if self._shown is not None:
            bar, task = self._shown
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
                self._shown = (bar, bar.add_task(self._what, total=None))
                bar.start()
