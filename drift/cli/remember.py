"""``--history``: the report learns what was found before, and a history that cannot be used never costs the report."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from drift.config.settings import Settings
from drift.errors import HistoryError, UsageError
from drift.history.changes import Reach
from drift.history.episodes import Scope
from drift.history.scope import scope_of
from drift.history.store import History
from drift.model import ObjectKey, Report
from drift.scanning.source import LiveSource


@dataclass(frozen=True, slots=True)
class Memory:
    """The history of one scan's scope.

    Attributes:
        history: The file.
        scope: The scan's.
        reach: How far the scan looks.
    """

    history: History
    scope: Scope
    reach: Reach

    def record(self, report: Report) -> tuple[Report, bool]:
        """Records the scan.

        Returns:
            The report with what the history knows, and whether that went well: where not, the report is as it was.
        """
        try:
            return self.history.record(report, self.scope, self.reach), True
        except HistoryError as error:
            warn(f"{error}; the report is made without it")
            return report, False


def open_memory(options: argparse.Namespace, settings: Settings, source: LiveSource) -> Memory | None:
    """The history that was asked for, before anything is scanned.

    Raises:
        UsageError: The scan cannot be told from others.
    """
    if options.history is None:
        if options.history_scope is not None:
            raise UsageError("--history-scope names a scan in a history; give the file with --history FILE")
        return None
    scope = scope_of(
        source.info, options.manifests, options.namespace or source.default_namespace, options.history_scope
    )

    def is_left_out(key: ObjectKey) -> bool:
        return any(kind.covers(key.group, key.kind) for kind in settings.unchecked)

    return Memory(History(Path(options.history), warn), scope, Reach(settings.unmanaged, is_left_out))


def warn(sentence: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"drift: {sentence}\n")
