"""Which findings open and close, and what closes nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from drift.kube.live import LiveObject
from drift.model import (
    Actor,
    Cause,
    Change,
    Finding,
    IgnoredBy,
    ManifestsInfo,
    ObjectKey,
    ObjectReport,
    Report,
    Severity,
    Status,
)
from drift.watch.open_findings import OpenFindings, Transition, writers

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ObjectKey("", "ConfigMap", "shop", "config")
PERSON = Actor("kubectl-edit", "Update", None, "2026-01-01T00:00:00Z")
APPLIER = Actor("kustomize-controller", "Apply", None, "2026-01-01T00:00:01Z")
FINDING = Finding(
    "id", Change.CHANGED, "data.a", "/data/a", "1", "2", redacted=False, cause=Cause.MANUAL, severity=Severity.HIGH
)


def _item(*findings: Finding, status: Status = Status.DRIFTED) -> ObjectReport:
    return ObjectReport("v1", KEY, None, status, findings=findings)


def _report(*items: ObjectReport, errors: tuple[str, ...] = ()) -> Report:
    return Report("2026-01-01T00:00:00Z", None, ManifestsInfo((), None, None), items, errors=errors)


def test_a_finding_opens_and_closes_with_times_and_actors() -> None:
    open_findings = OpenFindings()

    (opened,) = open_findings.update_object(_item(replace(FINDING, actors=(PERSON,))), START, ())
    (closed,) = open_findings.update_object(_item(status=Status.IN_SYNC), START + timedelta(seconds=2), (APPLIER,))

    assert (opened.transition, closed.transition) == ("opened", "resolved")
    assert closed.tracked.seconds == 2
    assert closed.tracked.finding.actors == (PERSON,)
    assert closed.tracked.resolved_by == (APPLIER,)
    assert closed.tracked.reverted
    assert open_findings.open == []


def test_all_managers_of_a_finding_are_kept() -> None:
    open_findings = OpenFindings()
    other = replace(PERSON, manager="k9s")

    open_findings.update_object(_item(replace(FINDING, actors=(PERSON,))), START, ())
    assert open_findings.update_object(_item(replace(FINDING, live="3", actors=(other,))), START, ()) == []

    assert [actor.manager for actor in open_findings.open[0].finding.actors] == ["kubectl-edit", "k9s"]
    assert open_findings.open[0].finding.live == "3"


def test_a_finding_without_a_recorded_manager_gets_the_writers_of_the_object() -> None:
    (opened,) = OpenFindings().update_object(_item(FINDING), START, (PERSON,))

    assert opened.tracked.finding.actors == (PERSON,)


def test_findings_of_the_first_scan_are_found_not_opened() -> None:
    open_findings = OpenFindings()

    assert [
        (one.transition, one.tracked.exact) for one in open_findings.update_all(_report(_item(FINDING)), START)
    ] == [("found", False)]
    assert [one.transition for one in open_findings.update_all(_report(), START)] == ["resolved"]


def test_unchecked_objects_and_incomplete_scans_close_nothing() -> None:
    open_findings = OpenFindings()
    open_findings.update_all(_report(_item(FINDING)), START)

    assert open_findings.update_all(_report(_item(status=Status.UNCHECKED)), START) == []
    assert open_findings.update_all(_report(errors=("something could not be read",)), START) == []
    assert len(open_findings.open) == 1


def test_ignored_findings_and_controller_changes_are_not_reported() -> None:
    ignored = replace(FINDING, ignored=IgnoredBy("rule", "reason"))
    controlled = replace(FINDING, cause=Cause.CONTROLLER)

    assert OpenFindings().update_object(_item(ignored, controlled), START, ()) == []


def _live(*entries: tuple[str, str, dict[str, object]]) -> LiveObject:
    managed = [
        {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields}
        for manager, time, fields in entries
    ]
    return LiveObject("v1", "ConfigMap", "shop", "config", {"metadata": {"managedFields": managed}}, None)


def test_writers_are_found_by_time_or_within_one_second_by_owned_fields() -> None:
    before = _live(("applier", "00:00", {"f:a": {}, "f:b": {}}))
    taken_over = _live(("applier", "00:00", {"f:b": {}}), ("person", "00:01", {"f:a": {}}))
    once_more = _live(("applier", "00:00", {}), ("person", "00:01", {"f:a": {}, "f:b": {}}))

    assert [actor.manager for actor in writers(before, taken_over)] == ["person"]
    assert {actor.manager for actor in writers(taken_over, once_more)} == {"applier", "person"}
    assert writers(before, None) == ()


def test_an_event_older_than_the_scan_resolves_with_a_duration_of_zero() -> None:
    open_findings = OpenFindings()
    open_findings.update_all(_report(_item(FINDING)), START)

    (closed,) = open_findings.update_object(_item(status=Status.IN_SYNC), START - timedelta(seconds=5), (APPLIER,))

    assert closed.tracked.seconds == 0
    assert closed.tracked.resolved == closed.tracked.opened


def test_a_clock_set_back_causes_no_negative_duration() -> None:
    open_findings = OpenFindings()
    open_findings.update_all(_report(), START)
    open_findings.update_object(_item(FINDING), START, ())

    (closed,) = open_findings.update_all(_report(), START - timedelta(hours=1))

    assert closed.tracked.seconds == 0


@pytest.mark.parametrize(
    ("opened", "then", "recorded"),
    [
        (Cause.MANUAL, Cause.PENDING_SYNC, Cause.MANUAL),
        (Cause.MANUAL, Cause.UNKNOWN, Cause.MANUAL),
        (Cause.PENDING_SYNC, Cause.UNKNOWN, Cause.PENDING_SYNC),
        (Cause.PENDING_SYNC, Cause.MANUAL, Cause.MANUAL),
        (Cause.UNKNOWN, Cause.PENDING_SYNC, Cause.PENDING_SYNC),
    ],
)
def test_the_cause_with_the_most_evidence_wins(opened: Cause, then: Cause, recorded: Cause) -> None:
    open_findings = OpenFindings()
    open_findings.update_object(_item(replace(FINDING, cause=opened, actors=(PERSON,))), START, ())
    open_findings.update_object(_item(replace(FINDING, cause=then, actors=(APPLIER,))), START, ())

    (episode,) = open_findings.open
    assert episode.finding.cause is recorded
    assert episode.finding.actors == (PERSON, APPLIER)


def test_a_finding_of_an_object_that_was_unchecked_has_an_unknown_start() -> None:
    open_findings = OpenFindings()
    open_findings.update_all(_report(_item(status=Status.UNCHECKED), errors=("configmaps in shop: no",)), START)

    (found,) = open_findings.update_object(_item(FINDING), START + timedelta(hours=1), ())
    assert (found.transition, found.tracked.exact) == (Transition.FOUND, False)

    open_findings.update_object(_item(status=Status.IN_SYNC), START + timedelta(hours=2), ())
    (opened,) = open_findings.update_object(_item(FINDING), START + timedelta(hours=3), ())
    assert (opened.transition, opened.tracked.exact) == (Transition.OPENED, True)


def test_a_finding_that_an_error_may_have_hidden_has_an_unknown_start() -> None:
    unmanaged = Finding(
        "unmanaged", Change.UNMANAGED, "", "", None, None, redacted=False, cause=Cause.MANUAL, severity=Severity.LOW
    )
    open_findings = OpenFindings()
    open_findings.update_all(_report(errors=("configmaps in shop: no",)), START)

    (found,) = open_findings.update_all(_report(_item(unmanaged, status=Status.UNMANAGED)), START)

    assert (found.transition, found.tracked.exact) == (Transition.FOUND, False)
    # An error that persists does not make other starts unknown.
    open_findings = OpenFindings()
    for _ in range(2):
        open_findings.update_all(_report(errors=("secrets in shop: no",)), START)
    (opened,) = open_findings.update_all(
        _report(_item(unmanaged, status=Status.UNMANAGED), errors=("secrets in shop: no",)), START
    )
    assert (opened.transition, opened.tracked.exact) == (Transition.OPENED, True)
