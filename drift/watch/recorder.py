"""Writes to a history what a watch sees: findings with the exact times at which they opened and closed, and scans."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from drift.config.settings import Settings
from drift.errors import HistoryError
from drift.history.changes import ScanCoverage
from drift.history.episodes import Episode, EpisodeState, Scope, rfc3339
from drift.history.store import History
from drift.model import Report
from drift.watch.open_findings import FindingChange, TrackedFinding, Transition

#: Episodes written in one transaction, so that other programs do not wait long for the file.
_BATCH: Final = 500


class Recorder:
    """Writes to the history of one scope. The watch continues if the history cannot be written.

    ``warn`` is called when writing fails for the first time, and when it works again.
    """

    def __init__(self, history: History, scope: Scope, warn: Callable[[str], None]) -> None:
        self._history = history
        self._scope = scope
        self._warn = warn
        self._is_broken = False

    def record_changes(self, changes: Sequence[FindingChange]) -> None:
        """Records what opened and closed. What existed before the watch is recorded by the scan that found it."""
        episodes = [self._episode(change.tracked) for change in changes if change.transition is not Transition.FOUND]
        try:
            for start in range(0, len(episodes), _BATCH):
                self._history.update_episodes(episodes[start : start + _BATCH])
        except HistoryError as error:
            self._warn_once(error)

    def record(
        self, report: Report, settings: Settings, *, open_now: Sequence[TrackedFinding], count_as_scan: bool
    ) -> Report:
        """Records a scan.

        The findings in ``open_now`` provide the times of new findings. What does not count as a scan only updates the
        episodes.

        Returns:
            The report with ages and lifecycles from the history, or unchanged if the history cannot be used.
        """
        coverage = ScanCoverage(settings.unmanaged, settings.skips)
        try:
            recorded = self._history.record(
                _with_first_seen(report, open_now),
                self._scope,
                coverage,
                count_as_scan=count_as_scan,
                start_unknown=frozenset(tracked.finding.id for tracked in open_now if not tracked.exact),
            )
        except HistoryError as error:
            self._warn_once(error)
            return report
        if self._is_broken:
            self._is_broken = False
            self._warn("the history can be written again")
        return recorded

    def _warn_once(self, error: HistoryError) -> None:
        if not self._is_broken:
            self._is_broken = True
            self._warn(f"{error}; the watch continues without the history")

    def _episode(self, tracked: TrackedFinding) -> Episode:
        opened = rfc3339(tracked.opened)
        ended = None if tracked.resolved is None else rfc3339(tracked.resolved)
        end_state = EpisodeState.REVERTED if tracked.reverted else EpisodeState.RESOLVED
        return Episode.of_finding(
            tracked.finding,
            scope=self._scope,
            api_version=tracked.api_version,
            key=tracked.key,
            first_seen=opened,
            last_seen=ended or opened,
            ended_at=ended,
            state=EpisodeState.OPEN if ended is None else end_state,
            start_known=tracked.exact,
        )


def _with_first_seen(report: Report, open_now: Sequence[TrackedFinding]) -> Report:
    """Returns the report with the times at which the watch saw its findings open."""
    opened = {tracked.finding.id: rfc3339(tracked.opened) for tracked in open_now}
    return replace(
        report,
        objects=tuple(
            replace(
                item,
                findings=tuple(replace(one, first_seen=opened.get(one.id, one.first_seen)) for one in item.findings),
            )
            if item.findings
            else item
            for item in report.objects
        ),
    )
