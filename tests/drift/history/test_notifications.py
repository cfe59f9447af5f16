"""What is new, worsened or resolved is kept until somebody was told, and told once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from drift.history.notifications import NotificationKind
from drift.history.store import History
from drift.model import IgnoredBy, ObjectReport, Severity, Status
from tests.drift.history.scans import SCOPE, at
from tests.drift.report.reports import finding, item


def drifted(severity: Severity = Severity.MEDIUM, **changes: object) -> ObjectReport:
    return item("ConfigMap", "a", Status.DRIFTED, finding(1, path="data.x", severity=severity, **changes))


IN_SYNC = item("ConfigMap", "a", Status.IN_SYNC)
Told = list[tuple[NotificationKind, str, str | None]]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.db", pytest.fail)


@pytest.fixture
def scan(history: History) -> Callable[..., Told]:
    """Records a scan of a day and returns the news, of which nobody is told yet."""

    def record(day: int, found: ObjectReport) -> Told:
        history.record(at(day, found), SCOPE, for_notifications=True)
        return [
            (one.news, one.episode.severity, one.severity_before)
            for one in history.pending_notifications(SCOPE)
            if not one.is_stale
        ]

    return record


def tell(history: History) -> None:
    history.mark_delivered(history.pending_notifications(SCOPE))


def test_each_change_is_news_once(history: History, scan: Callable[..., Told]) -> None:
    assert scan(1, drifted()) == [(NotificationKind.NEW, "medium", None)]
    tell(history)
    assert scan(2, drifted()) == []
    assert scan(3, drifted(Severity.CRITICAL)) == [(NotificationKind.WORSENED, "critical", "medium")]
    tell(history)
    assert scan(4, drifted(Severity.LOW)) == []
    assert scan(5, IN_SYNC) == [(NotificationKind.RESOLVED, "low", None)]
    tell(history)
    assert scan(6, IN_SYNC) == []
    assert scan(7, drifted()) == [(NotificationKind.NEW, "medium", None)]


def test_what_nobody_was_told_is_news_the_next_time(scan: Callable[..., Told]) -> None:
    scan(1, drifted())

    assert scan(2, drifted()) == [(NotificationKind.NEW, "medium", None)]


def test_news_of_one_finding_become_one(history: History, scan: Callable[..., Told]) -> None:
    scan(1, drifted(Severity.LOW))
    assert scan(2, drifted(Severity.HIGH)) == [(NotificationKind.NEW, "high", None)]
    assert scan(3, IN_SYNC) == [(NotificationKind.RESOLVED, "high", None)]
    tell(history)
    assert history.pending_notifications(SCOPE) == []


def test_what_worsened_twice_worsened_from_the_start(history: History, scan: Callable[..., Told]) -> None:
    scan(1, drifted(Severity.LOW))
    tell(history)
    scan(2, drifted(Severity.MEDIUM))

    assert scan(3, drifted(Severity.HIGH)) == [(NotificationKind.WORSENED, "high", "low")]
    assert scan(4, drifted(Severity.LOW)) == []


def test_what_is_ignored_by_now_is_no_news(scan: Callable[..., Told]) -> None:
    scan(1, drifted())

    assert scan(2, drifted(ignored=IgnoredBy("ignore[0]", "not ours"))) == []


def test_without_anybody_to_tell_nothing_is_kept(history: History, scan: Callable[..., Told]) -> None:
    history.record(at(1, drifted()), SCOPE)

    assert scan(2, drifted()) == []


def test_news_are_of_their_scope(history: History) -> None:
    history.record(at(1, drifted()), SCOPE, for_notifications=True)

    assert history.pending_notifications(replace(SCOPE, name="else")) == []
