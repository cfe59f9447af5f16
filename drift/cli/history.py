"""``drift history`` shows what drifted, when, and for how long. ``--history`` and ``--notify`` record it.

If recording or sending fails, that is a warning.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from drift.cli.console import is_terminal, uses_color, write_stderr, write_stdout
from drift.config.settings import Settings
from drift.errors import HistoryError
from drift.globs import Glob
from drift.history.episodes import ScanCoverage, Scope
from drift.history.queries import By, EpisodeFilter, parse_since
from drift.history.store import History, read_history, require_scope_name, scope_of
from drift.kube.live import LiveSource
from drift.model import Report
from drift.report.formats import MessageFormat
from drift.report.history_table import Timeline, timeline_json, timeline_text
from drift.words import rfc3339

_URL_VARIABLE: Final = "DRIFT_WEBHOOK_URL"


def run_history(options: argparse.Namespace) -> int:
    """Prints the timeline.

    Raises:
        UsageError: ``--since`` is not a time.
        HistoryError: The file does not exist or is not a history.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    episode_filter = EpisodeFilter(
        since=None if options.since is None else parse_since(options.since, now),
        objects=None if options.object is None else Glob(options.object),
        namespaces=None if options.namespace is None else Glob(options.namespace),
        only_open=options.open,
    )
    recorded = read_history(Path(options.file))
    timeline = Timeline(
        episodes=tuple(filter(episode_filter.matches, recorded.episodes)),
        scans=recorded.scans,
        last_scan=recorded.last_scan,
        now=rfc3339(now),
        gaps=tuple(episode_filter.select_gaps(recorded.gaps)),
    )
    by = None if options.by == "finding" else By(options.by)
    if options.output == "json":
        write_stdout(timeline_json(timeline, by))
        return 0
    terminal = is_terminal(sys.stdout)
    color = uses_color(options.color, on_terminal=terminal)
    width = shutil.get_terminal_size().columns if terminal else None
    write_stdout(timeline_text(timeline, by, color=color, width=width))
    return 0


class RunRecorder:
    """Records the scans of one run in the history, and sends notifications about them.

    ``sources`` identifies the sources of the manifests.

    Attributes:
        failed: Whether a scan could not be recorded.

    Raises:
        UsageError: The scan needs a name (``--history-scope``).
    """

    def __init__(self, options: argparse.Namespace, settings: Settings, sources: Sequence[str]) -> None:
        # `drift history` does not need it.
        from drift.scanning.unmanaged import SEARCHED_KINDS  # noqa: PLC0415

        require_scope_name(sources, options.history_scope)
        self._sources = sources
        self.failed = False
        self._options = options
        self._form = None if options.notify is None else MessageFormat(options.notify)
        self._history = History(Path(options.history), _warn)
        self._coverage = ScanCoverage(settings.unmanaged, settings.skips, kinds=SEARCHED_KINDS)
        self._recorded: list[tuple[Scope, Report]] = []

    def record(self, report: Report, source: LiveSource) -> Report:
        """Records the scan of one cluster, and returns its report with the ages and states from the history."""
        options = self._options
        namespace = options.namespace or source.default_namespace
        scope = scope_of(source.info, self._sources, namespace, options.history_scope)
        if report.shard is not None:
            # Each shard has its own scope, so that the objects of other shards do not count as resolved.
            scope = replace(scope, name=f"{scope.name}, {report.shard}")
        try:
            report = self._history.record(report, scope, self._coverage, for_notifications=self._form is not None)
        except HistoryError as error:
            self.failed = True
            _warn(f"{error}; the report has no history")
        else:
            self._recorded.append((scope, report))
        return report

    def notify(self) -> None:
        """Sends new, worsened and resolved findings to the webhook, if ``--notify`` is set and there are any."""
        if self._form is None or not self._recorded:
            return
        # Imported only here: most runs send nothing.
        from drift.notify.webhook import Webhook, deliver  # noqa: PLC0415

        # A URL from a file or a Secret often ends with a line break.
        url = os.environ.get(_URL_VARIABLE, "").strip()
        if not url:
            _warn(f"notification not sent: {_URL_VARIABLE} is not set; the next run that has it sends what is new now")
            return
        for scope, report in self._recorded:
            try:
                problem = deliver(
                    self._history,
                    scope,
                    report,
                    webhook=Webhook(url),
                    form=self._form,
                    report_url=self._options.report_url,
                )
            except HistoryError as error:
                # The receiver may have the notifications, but they are still in the history.
                _warn(f"{error}; the next run sends the notifications of this one, perhaps again")
                continue
            if problem is not None:
                _warn(f"notification not sent: the receiver in {_URL_VARIABLE}: {problem}; the next run tries again")


def _warn(message: str) -> None:
    write_stderr(f"drift: {message}\n")
