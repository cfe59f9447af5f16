"""What the watching writes to a history: what opened and closed, with its exact times, and a scan now and then."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from drift.config.settings import Settings
from drift.errors import HistoryError
from drift.history.changes import ScanCoverage
from drift.history.episodes import Episode, EpisodeState, Scope
from drift.history.store import History
from drift.model import Report
from drift.watch.log_lines import rfc3339
from drift.watch.open_findings import FindingChange, TrackedFinding, Transition

#: What is new is written in transactions of so many, so that none keeps another program waiting.
_AT_ONCE: Final = 500


class Recorder:
    """Writes to the history of one scope. A history that cannot be used costs the watching nothing.

    Args:
        history: The file.
        scope: What tells these scans from others in the file.
        warn: Told in a sentence when the history cannot be written, and when it can again.
    """

    def __init__(self, history: History, scope: Scope, warn: Callable[[str], None]) -> None:
        self._history = history
        self._scope = scope
        self._warn = warn
        self._is_broken = False

    def follow(self, news: Sequence[FindingChange]) -> None:
        """Records what opened and what closed. What was there before, the scan that found it records."""
        episodes = [self._recorded(one.tracked) for one in news if one.transition is not Transition.FOUND]
        try:
            for start in range(0, len(episodes), _AT_ONCE):
                self._history.follow(episodes[start : start + _AT_ONCE])
        except HistoryError as error:
            self._broke(error)

    def record(
        self, report: Report, settings: Settings, *, open_now: Sequence[TrackedFinding], count_as_scan: bool
    ) -> Report:
        """Records a scan.

        Args:
            report: What it found.
            settings: What it was made with.
            open_now: What is open after it; a finding that the file does not have yet gets its times from here.
            count_as_scan: Whether it is one more in the history, rather than an update between two.

        Returns:
            The report with what is known of its findings; as it was, where the history cannot be used.
        """
        reach = ScanCoverage(settings.unmanaged, settings.leaves_out)
        try:
            known = self._history.record(
                _dated(report, open_now),
                self._scope,
                reach,
                count_as_scan=count_as_scan,
                older=frozenset(episode.finding.id for episode in open_now if not episode.exact),
            )
        except HistoryError as error:
            self._broke(error)
            return report
        if self._is_broken:
            self._is_broken = False
            self._warn("the history is written again")
        return known

    def _broke(self, error: HistoryError) -> None:
        if not self._is_broken:
            self._is_broken = True
            self._warn(f"{error}; the watching goes on without it")

    def _recorded(self, episode: TrackedFinding) -> Episode:
        opened = rfc3339(episode.opened)
        ended = None if episode.resolved is None else rfc3339(episode.resolved)
        over = EpisodeState.REVERTED if episode.reverted else EpisodeState.RESOLVED
        return Episode.of_finding(
            episode.finding,
            scope=self._scope,
            api_version=episode.api_version,
            key=episode.key,
            first_seen=opened,
            last_seen=ended or opened,
            ended_at=ended,
            state=EpisodeState.OPEN if ended is None else over,
            start_known=episode.exact,
        )


def _dated(report: Report, open_now: Sequence[TrackedFinding]) -> Report:
    """The report with the times at which the watch saw its findings begin."""
    opened = {episode.finding.id: rfc3339(episode.opened) for episode in open_now}
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
