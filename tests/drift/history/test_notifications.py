"""Notifications stay in the history until they are delivered."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drift.history.episodes import Episode, EpisodeState
from drift.history.notifications import NotificationKind
from drift.history.store import History
from drift.model import IgnoredBy, ObjectReport, Severity, Status
from tests.drift.history.scans import SCOPE, at, episode
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


def test_a_run_that_sends_none_keeps_them_for_those_that_do(history: History) -> None:
    history.record(at(1, IN_SYNC), SCOPE, for_notifications=True)
    history.record(at(2, drifted(Severity.LOW)), SCOPE)
    history.record(at(3, drifted(Severity.HIGH)), SCOPE)
    history.record(at(3, drifted()), replace(SCOPE, name="else"))

    assert [(one.kind, one.episode.severity) for one in history.claim_notifications(SCOPE)] == [("new", "high")]
    assert history.pending_notifications(replace(SCOPE, name="else")) == []


def test_two_runs_do_not_send_the_same(history: History) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    history.record(at(1, drifted()), SCOPE, for_notifications=True)

    claimed = history.claim_notifications(SCOPE, now)
    assert [one.kind for one in claimed] == ["new"]
    assert history.claim_notifications(SCOPE, now + timedelta(seconds=59)) == []
    # What happens meanwhile is for the other run.
    history.record(at(2, IN_SYNC), SCOPE, for_notifications=True)
    other = history.claim_notifications(SCOPE, now + timedelta(seconds=59))
    assert [one.kind for one in other] == ["resolved"]
    history.mark_delivered(other)
    # The first run has ended without a delivery.
    assert history.claim_notifications(SCOPE, now + timedelta(seconds=60)) == [
        replace(claimed[0], episode=history.pending_notifications(SCOPE)[0].episode)
    ]


def test_a_failed_delivery_or_a_wrong_clock_blocks_no_other_run(history: History) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    history.record(at(1, drifted()), SCOPE, for_notifications=True)

    claimed = history.claim_notifications(SCOPE, now.replace(year=2038))
    assert history.claim_notifications(SCOPE, now) == claimed
    history.release(claimed)
    assert history.claim_notifications(SCOPE, now) == claimed


def watched(state: EpisodeState = EpisodeState.OPEN) -> Episode:
    opened, ended = "2026-01-02T12:00:00.000Z", "2026-01-02T12:00:02.000Z"
    if state is EpisodeState.OPEN:
        return episode(1, first_seen=opened, last_seen=opened)
    return episode(1, first_seen=opened, last_seen=ended, ended_at=ended, state=state)


@pytest.mark.parametrize("end", [EpisodeState.RESOLVED, EpisodeState.REVERTED])
def test_what_a_watch_sees_first_is_sent(history: History, end: EpisodeState) -> None:
    history.record(at(1, IN_SYNC), SCOPE, for_notifications=True)

    history.update_episodes([watched()])
    new = history.claim_notifications(SCOPE)
    history.mark_delivered(new)
    history.update_episodes([watched(end)])
    ended = history.claim_notifications(SCOPE)

    assert [(one.kind, one.episode.state) for one in (*new, *ended)] == [("new", "open"), ("resolved", end)]


def test_what_a_watch_sees_come_and_go_between_two_runs_is_not_sent(history: History) -> None:
    history.record(at(1, IN_SYNC), SCOPE, for_notifications=True)

    history.update_episodes([watched()])
    history.update_episodes([watched(EpisodeState.REVERTED)])
    history.update_episodes([replace(watched(EpisodeState.REVERTED), id="f" * 16)])

    assert history.pending_notifications(SCOPE) == []


def test_a_watch_keeps_nothing_for_a_scope_without_notifications(history: History) -> None:
    history.record(at(1, IN_SYNC), SCOPE)

    history.update_episodes([watched()])

    assert history.pending_notifications(SCOPE) == []


def test_notifications_belong_to_their_scope(history: History) -> None:
    history.record(at(1, drifted()), SCOPE, for_notifications=True)

    assert history.pending_notifications(replace(SCOPE, name="else")) == []
