"""What opens, what closes, and what is not known and closes nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from drift.kube.live_object import LiveObject
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
from drift.watch.open_findings import OpenFindings
from drift.watch.writers import writers

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ObjectKey("", "ConfigMap", "shop", "config")
PERSON = Actor("kubectl-edit", "Update", None, "2026-01-01T00:00:00Z")
SYNCER = Actor("kustomize-controller", "Apply", None, "2026-01-01T00:00:01Z")
FINDING = Finding(
    "id", Change.CHANGED, "data.a", "/data/a", "1", "2", redacted=False, cause=Cause.MANUAL, severity=Severity.HIGH
)


def _item(*findings: Finding, status: Status = Status.DRIFTED) -> ObjectReport:
    return ObjectReport("v1", KEY, None, status, findings=findings)


def _report(*items: ObjectReport, errors: tuple[str, ...] = ()) -> Report:
    return Report("2026-01-01T00:00:00Z", None, ManifestsInfo((), None, None), items, errors=errors)


def test_a_finding_opens_and_closes_with_its_times_and_its_actors() -> None:
    ledger = OpenFindings()

    (opened,) = ledger.take_step(_item(replace(FINDING, actors=(PERSON,))), START, ())
    (closed,) = ledger.take_step(_item(status=Status.IN_SYNC), START + timedelta(seconds=2), (SYNCER,))

    assert (opened.transition, closed.transition) == ("opened", "resolved")
    assert closed.tracked.seconds == 2
    assert closed.tracked.finding.actors == (PERSON,)
    assert closed.tracked.resolved_by == (SYNCER,)
    assert closed.tracked.reverted
    assert ledger.open == []


def test_all_who_had_a_part_in_it_are_named() -> None:
    ledger = OpenFindings()
    other = replace(PERSON, manager="k9s")

    ledger.take_step(_item(replace(FINDING, actors=(PERSON,))), START, ())
    assert ledger.take_step(_item(replace(FINDING, live="3", actors=(other,))), START, ()) == []

    assert [actor.manager for actor in ledger.open[0].finding.actors] == ["kubectl-edit", "k9s"]
    assert ledger.open[0].finding.live == "3"


def test_where_nobody_is_on_record_whoever_wrote_the_object_is_named() -> None:
    (opened,) = OpenFindings().take_step(_item(FINDING), START, (PERSON,))

    assert opened.tracked.finding.actors == (PERSON,)


def test_what_the_first_scan_finds_was_there_before() -> None:
    ledger = OpenFindings()

    assert [(one.transition, one.tracked.exact) for one in ledger.take_report(_report(_item(FINDING)), START)] == [
        ("found", False)
    ]
    assert [one.transition for one in ledger.take_report(_report(), START)] == ["resolved"]


def test_what_is_out_of_sight_closes_nothing() -> None:
    ledger = OpenFindings()
    ledger.take_report(_report(_item(FINDING)), START)

    assert ledger.take_report(_report(_item(status=Status.UNCHECKED)), START) == []
    assert ledger.take_report(_report(errors=("something could not be read",)), START) == []
    assert len(ledger.open) == 1


def test_what_is_ignored_and_what_a_controller_does_is_no_news() -> None:
    ignored = replace(FINDING, ignored=IgnoredBy("rule", "reason"))
    controlled = replace(FINDING, cause=Cause.CONTROLLER)

    assert OpenFindings().take_step(_item(ignored, controlled), START, ()) == []


def _live(*entries: tuple[str, str, dict[str, object]]) -> LiveObject:
    managed = [
        {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields}
        for manager, time, fields in entries
    ]
    return LiveObject("v1", "ConfigMap", "shop", "config", {"metadata": {"managedFields": managed}}, None)


def test_who_wrote_is_told_by_time_and_within_one_second_by_what_is_owned() -> None:
    before = _live(("syncer", "00:00", {"f:a": {}, "f:b": {}}))
    taken_over = _live(("syncer", "00:00", {"f:b": {}}), ("person", "00:01", {"f:a": {}}))
    once_more = _live(("syncer", "00:00", {}), ("person", "00:01", {"f:a": {}, "f:b": {}}))

    assert [actor.manager for actor in writers(before, taken_over)] == ["person"]
    assert {actor.manager for actor in writers(taken_over, once_more)} == {"syncer", "person"}
    assert writers(before, None) == ()
