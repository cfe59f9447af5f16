"""``--history`` and ``--notify``: what they cannot do is said on standard error, and never costs the report."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from drift.config.settings import Settings
from drift.errors import HistoryError, UsageError
from drift.history.changes import Reach
from drift.history.scope import scope_of
from drift.history.store import History
from drift.model import ObjectKey, Report
from drift.notify.formats import MessageFormat
from drift.scanning.source import LiveSource

_URL: Final = "DRIFT_WEBHOOK_URL"


class Memory:
    """The history of one scan, if one was asked for.

    Attributes:
        failed: Whether the history that was asked for could not be kept.
    """

    def __init__(self, options: argparse.Namespace, settings: Settings, source: LiveSource) -> None:
        """Looks at the flags.

        Raises:
            UsageError: The scan cannot be told from others.
        """
        self.failed = False
        self._form = None if options.notify is None else MessageFormat(options.notify)
        self._history: History | None = None
        if options.history is None:
            return
        namespace = options.namespace or source.default_namespace
        self._scope = scope_of(source.info, options.manifests, namespace, options.history_scope)
        self._reach = Reach(settings.unmanaged, _left_out(settings))
        self._history = History(Path(options.history), _warn)

    def record(self, report: Report) -> Report:
        """Records the scan, and gives the report back with what the history knows."""
        if self._history is None:
            return report
        try:
            return self._history.record(report, self._scope, self._reach, for_news=self._form is not None)
        except HistoryError as error:
            self.failed = True
            _warn(f"{error}; the report is made without it")
            return report

    def notify(self, report: Report) -> None:
        """Sends what is new, if that was asked for and there is anything."""
        if self._history is None or self._form is None or self.failed:
            return
        # Imported only now: most runs send nothing.
        from drift.notify.telling import tell  # noqa: PLC0415
        from drift.notify.webhook import Webhook  # noqa: PLC0415

        url = os.environ.get(_URL)
        if not url:
            _warn(f"nobody is notified: {_URL} is not set; the next run with it tells what is new now")
            return
        try:
            problem = tell(self._history, self._scope, report, webhook=Webhook(url), form=self._form)
        except HistoryError as error:
            problem = str(error)
        if problem is not None:
            _warn(f"nobody is notified: the receiver in {_URL}: {problem}; the next run tries again")


def refuse_without_history(options: argparse.Namespace) -> None:
    """Refuses flags that mean nothing without a history.

    Raises:
        UsageError: There are such flags.
    """
    if options.history is not None:
        return
    if options.history_scope is not None:
        raise UsageError("--history-scope names a scan in a history; give the file with --history FILE")
    if options.notify is not None:
        raise UsageError("--notify tells what is new, which only a history knows; give one with --history FILE")


def _left_out(settings: Settings) -> Callable[[ObjectKey], bool]:
    return lambda key: any(kind.covers(key.group, key.kind) for kind in settings.unchecked)


def _warn(sentence: str) -> None:
    sys.stderr.write(f"drift: {sentence}\n")
