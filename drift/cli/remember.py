"""``--history`` and ``--notify``: what they cannot do is said on standard error, and never costs the report."""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from drift.cli.streams import write_stderr
from drift.config.settings import Settings
from drift.errors import HistoryError
from drift.history.changes import ScanCoverage
from drift.history.episodes import Scope
from drift.history.scope import require_scope_name, scope_of
from drift.history.store import History
from drift.kube.live_source import LiveSource
from drift.model import Report
from drift.notify.formats import MessageFormat

_URL: Final = "DRIFT_WEBHOOK_URL"
_Recorded = list[tuple[Scope, Report]]


class Memory:
    """The history of one run.

    Attributes:
        failed: Whether it could not be kept.

    Args:
        options: The flags.
        settings: The user's.

    Raises:
        UsageError: The scan cannot be told from others.
    """

    def __init__(self, options: argparse.Namespace, settings: Settings) -> None:
        require_scope_name(options.manifests, options.history_scope)
        self.failed = False
        self._options = options
        self._form = None if options.notify is None else MessageFormat(options.notify)
        self._history = History(Path(options.history), _warn)
        self._reach = ScanCoverage(settings.unmanaged, settings.leaves_out)
        self._recorded: _Recorded = []

    def record(self, report: Report, source: LiveSource) -> Report:
        """Records the scan of one cluster, and gives the report back with what the history knows."""
        options = self._options
        namespace = options.namespace or source.default_namespace
        scope = scope_of(source.info, options.manifests, namespace, options.history_scope)
        if report.shard is not None:
            # What is in another shard is not gone.
            scope = replace(scope, name=f"{scope.name}, {report.shard}")
        try:
            report = self._history.record(report, scope, self._reach, for_notifications=self._form is not None)
        except HistoryError as error:
            self.failed = True
            _warn(f"{error}; the report is made without it")
        else:
            self._recorded.append((scope, report))
        return report

    def notify(self) -> None:
        """Sends what is new, if that was asked for and there is anything."""
        if self._form is None or not self._recorded:
            return
        # Imported only now: most runs send nothing.
        from drift.notify.delivery import deliver  # noqa: PLC0415
        from drift.notify.webhook import Webhook  # noqa: PLC0415

        url = os.environ.get(_URL)
        if not url:
            _warn(f"nobody is notified: {_URL} is not set; the next run with it tells what is new now")
            return
        for scope, report in self._recorded:
            try:
                problem = deliver(self._history, scope, report, webhook=Webhook(url), form=self._form)
            except HistoryError as error:
                problem = str(error)
            if problem is not None:
                _warn(f"nobody is notified: the receiver in {_URL}: {problem}; the next run tries again")


def _warn(sentence: str) -> None:
    write_stderr(f"drift: {sentence}\n")
