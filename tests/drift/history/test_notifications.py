"""Notifications stay in the history until they are delivered."""

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
Pending = list[tuple[NotificationKind, str, str | None]]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.db", pytest.fail)


@pytest.fixture
def scan(history: History) -> Callable[..., Pending]:
    """Records a scan and returns the pending notifications."""

    def record(day: int, found: ObjectReport) -> Pending:
        history.record(at(day, found), SCOPE, for_notifications=True)
        return [
            (one.kind, one.episode.severity, one.severity_before)
            for one in history.pending_notifications(SCOPE)
            if not one.is_stale
        ]

    return record


def deliver_all(history: History) -> None:
    history.mark_delivered(history.pending_notifications(SCOPE))


def test_each_change_is_pending_until_delivered(history: History, scan: Callable[..., Pending]) -> None:
    assert scan(1, drifted()) == [(NotificationKind.NEW, "medium", None)]
    deliver_all(history)
    assert scan(2, drifted()) == []
    assert scan(3, drifted(Severity.CRITICAL)) == [(NotificationKind.WORSENED, "critical", "medium")]
    deliver_all(history)
    assert scan(4, drifted(Severity.LOW)) == []
    assert scan(5, IN_SYNC) == [(NotificationKind.RESOLVED, "low", None)]
    deliver_all(history)
    assert scan(6, IN_SYNC) == []
    assert scan(7, drifted()) == [(NotificationKind.NEW, "medium", None)]


def test_an_undelivered_notification_stays_pending(scan: Callable[..., Pending]) -> None:
    scan(1, drifted())

    assert scan(2, drifted()) == [(NotificationKind.NEW, "medium", None)]


def test_notifications_of_one_finding_are_combined(history: History, scan: Callable[..., Pending]) -> None:
    scan(1, drifted(Severity.LOW))
    assert scan(2, drifted(Severity.HIGH)) == [(NotificationKind.NEW, "high", None)]
    assert scan(3, IN_SYNC) == [(NotificationKind.RESOLVED, "high", None)]
    deliver_all(history)
    assert history.pending_notifications(SCOPE) == []


def test_worsened_twice_names_the_first_severity(history: History, scan: Callable[..., Pending]) -> None:
    scan(1, drifted(Severity.LOW))
    deliver_all(history)
    scan(2, drifted(Severity.MEDIUM))

    assert scan(3, drifted(Severity.HIGH)) == [(NotificationKind.WORSENED, "high", "low")]
    assert scan(4, drifted(Severity.LOW)) == []


def test_a_notification_of_an_ignored_finding_is_stale(scan: Callable[..., Pending]) -> None:
    scan(1, drifted())

    assert scan(2, drifted(ignored=IgnoredBy("ignore[0]", "not ours"))) == []


def test_no_notifications_are_kept_unless_requested(history: History, scan: Callable[..., Pending]) -> None:
    history.record(at(1, drifted()), SCOPE)

    assert scan(2, drifted()) == []


def test_notifications_belong_to_their_scope(history: History) -> None:
    history.record(at(1, drifted()), SCOPE, for_notifications=True)

    assert history.pending_notifications(replace(SCOPE, name="else")) == []
