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
from drift.model import Finding, ManifestsInfo, ObjectReport, Report, Status
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


def test_the_number_of_episodes_that_wait_is_limited(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_MAX_UNSAVED", 1)
    watched.history.is_full = True
    watched.event(1, FINDING)
    watched.event(2, FINDING, OTHER)
    watched.history.is_full = False
    watched.event(3, FINDING, OTHER)

    assert [one.id for one in read_history(watched.history.file).episodes] == ["other"]
