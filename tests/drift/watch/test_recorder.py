"""What a watch writes to its history, also while the file cannot be written."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from drift.config.settings import Settings
from drift.errors import HistoryError
from drift.history.episodes import Episode
from drift.history.store import History, read_history
from drift.model import Cause, Finding, ManifestsInfo, ObjectReport, Report, Status
from drift.watch import findings
from drift.watch.findings import OpenFindings, Recorder
from drift.words import rfc3339
from tests.drift.history.scans import SCOPE
from tests.drift.watch.test_findings import FINDING, KEY

#: Ended episodes are deleted after a year.
START: Final = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
OTHER: Final = replace(FINDING, id="other", path="data.b", pointer="/data/b")


def time(minute: float) -> str:
    return rfc3339(START + timedelta(minutes=minute))


class FullDisk(History):
    """A history that cannot be written while the disk is full."""

    is_full = False

    def update_episodes(self, episodes: Sequence[Episode]) -> None:
        if self.is_full:
            raise HistoryError("the disk is full")
        super().update_episodes(episodes)


class Watched:
    """A watch of one object, with a history.

    Attributes:
        said: The warnings.
    """

    def __init__(self, file: Path) -> None:
        self.said: list[str] = []
        self.history = FullDisk(file, self.said.append)
        self._recorder = Recorder(self.history, SCOPE, self.said.append)
        self._open = OpenFindings()

    def event(self, minute: float, *found: Finding) -> None:
        """Handles an event after which the object has these findings."""
        changes = self._open.update_object(self._item(*found), START + timedelta(minutes=minute), ())
        self._recorder.record_changes(changes)

    def scan(self, minute: float, *found: Finding, count_as_scan: bool = True) -> Report:
        """Records a scan that finds these."""
        at = START + timedelta(minutes=minute)
        report = Report(time(minute), None, ManifestsInfo((), None, None), (self._item(*found),))
        self._recorder.record_changes(self._open.update_all(report, at))
        return self._recorder.record(report, Settings(), open_now=self._open.open, count_as_scan=count_as_scan)

    @staticmethod
    def _item(*found: Finding) -> ObjectReport:
        return ObjectReport("v1", KEY, None, Status.DRIFTED if found else Status.IN_SYNC, findings=found)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "history.db")


def test_episodes_that_could_not_be_written_are_written_later(watched: Watched) -> None:
    watched.scan(0)
    watched.history.is_full = True
    watched.event(1, FINDING)
    watched.event(2)
    watched.event(3, OTHER)

    assert watched.scan(4, OTHER).past == ()
    watched.history.is_full = False
    watched.scan(5, OTHER)

    recorded = [
        (one.id, one.first_seen, one.ended_at, one.state) for one in read_history(watched.history.file).episodes
    ]
    assert recorded == [
        ("id", time(1), time(2), "reverted"),
        ("other", time(3), None, "open"),
    ]
    assert watched.said == [
        "the disk is full; the watch continues without the history",
        "the history can be written again",
    ]


def test_the_history_tells_a_sync_from_a_revert(watched: Watched) -> None:
    watched.scan(0)
    watched.event(1, replace(FINDING, cause=Cause.PENDING_SYNC))
    watched.event(2)
    watched.event(3, FINDING)
    watched.event(4)

    states = [(one.cause, one.state) for one in read_history(watched.history.file).episodes]
    assert sorted(states) == [("manual", "reverted"), ("pending-sync", "resolved")]


def test_the_number_of_episodes_that_wait_is_limited(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_MAX_UNSAVED", 1)
    watched.history.is_full = True
    watched.event(1, FINDING)
    watched.event(2, FINDING, OTHER)
    watched.history.is_full = False
    watched.event(3, FINDING, OTHER)

    assert [one.id for one in read_history(watched.history.file).episodes] == ["other"]


def lifecycles(report: Report) -> dict[str, str]:
    return {finding.path: str(finding.lifecycle) for item in report.objects for finding in item.findings}


def counts(report: Report) -> list[tuple[int, int, int]]:
    """Returns how many findings were open, new and resolved in each scan."""
    return [(one.open, one.new, one.resolved) for one in report.past]


def test_a_finding_is_new_until_a_scan_that_counts_has_had_it(watched: Watched) -> None:
    watched.scan(0)
    watched.event(1.005, FINDING)

    uncounted = watched.scan(2, FINDING, count_as_scan=False)
    counted = watched.scan(60, FINDING)
    later = watched.scan(61, FINDING, count_as_scan=False)

    assert [lifecycles(one) for one in (uncounted, counted, later)] == [
        {"data.a": "new"},
        {"data.a": "new"},
        {"data.a": "ongoing"},
    ]
    assert counts(later) == [(0, 0, 0), (1, 1, 0)]


def test_what_a_watch_saw_end_is_resolved_until_the_next_scan_that_counts(watched: Watched) -> None:
    watched.scan(0, FINDING, OTHER)
    watched.event(1.005, OTHER)

    uncounted = watched.scan(2, OTHER, count_as_scan=False)
    counted = watched.scan(60, OTHER)
    later = watched.scan(120, OTHER)

    assert [[one.path for one in report.resolved] for report in (uncounted, counted, later)] == [
        ["data.a"],
        ["data.a"],
        [],
    ]
    assert counted.resolved[0].resolved_at.startswith(time(1)[:-1])
    assert counts(later) == [(2, 2, 0), (1, 0, 1), (1, 0, 0)]


def test_what_opens_and_ends_between_two_scans_is_neither_new_nor_resolved(watched: Watched) -> None:
    watched.scan(0)
    watched.event(1, FINDING)
    watched.event(2)

    later = watched.scan(60)

    assert later.resolved == ()
    assert counts(later) == [(0, 0, 0), (0, 0, 0)]


def test_what_ends_and_opens_again_between_two_scans_is_reopened(watched: Watched) -> None:
    watched.scan(0, FINDING)
    watched.event(1)
    watched.event(2, FINDING)

    later = watched.scan(60, FINDING)

    assert (lifecycles(later), later.resolved) == ({"data.a": "reopened"}, ())
    assert counts(later) == [(1, 1, 0), (1, 0, 0)]


def test_a_change_in_the_second_of_a_scan_counts_once(watched: Watched) -> None:
    watched.scan(0, OTHER)
    # The report has whole seconds, and the event came before it.
    watched.event(1.005, FINDING)
    counted = watched.scan(1, FINDING)
    later = watched.scan(60, FINDING)

    assert lifecycles(later) == {"data.a": "ongoing"}
    assert counts(later) == [(1, 1, 0), (1, 1, 1), (1, 0, 0)]
    assert counted.past == later.past[:-1]
