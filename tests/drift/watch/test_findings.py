"""Which findings open and close, what closes nothing, their lines, and their episodes."""

import json
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drift.history.queries import episode_statistics
from drift.history.store import read_history
from drift.kube.live import LiveObject
from drift.model import (
    Actor,
    Cause,
    Change,
    Finding,
    IgnoredBy,
    ManifestsInfo,
    ObjectReport,
    Report,
    Security,
    Severity,
    Status,
)
from drift.objects import ObjectKey
from drift.watch.findings import (
    FindingChange,
    OpenFindings,
    TrackedFinding,
    Transition,
    to_json_line,
    to_text_line,
    writers,
)
from tests.drift.conftest import Application
from tests.drift.samples import deployment
from tests.drift.watch.conftest import CONFIG, Process, Start, eventually

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


@pytest.mark.parametrize(
    ("cause", "reverted"), [(Cause.MANUAL, True), (Cause.UNKNOWN, True), (Cause.PENDING_SYNC, False)]
)
def test_what_waited_for_a_sync_is_not_reverted_by_it(cause: Cause, reverted: bool) -> None:
    open_findings = OpenFindings()
    open_findings.update_all(_report(_item(replace(FINDING, cause=cause))), START)

    (closed,) = open_findings.update_object(_item(status=Status.IN_SYNC), START + timedelta(seconds=2), (APPLIER,))

    assert closed.transition is Transition.RESOLVED
    assert closed.tracked.reverted is reverted


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


OPENED = datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)
SCALER = Actor("kubectl-scale", "Update", "scale", "2026-01-01T12:00:00Z")
FLUX_ACTOR = Actor("kustomize-controller", "Apply", None, "2026-01-01T12:00:03Z")
SCALED = Finding(
    "id",
    Change.CHANGED,
    "spec.replicas",
    "/spec/replicas",
    2,
    3,
    redacted=False,
    cause=Cause.MANUAL,
    severity=Severity.HIGH,
    actors=(SCALER,),
)
TRACKED = TrackedFinding(ObjectKey("apps", "Deployment", "shop", "web"), "apps/v1", SCALED, OPENED, exact=True)


def _resolved(seconds: float, **changes: object) -> FindingChange:
    tracked = replace(TRACKED, resolved=OPENED + timedelta(seconds=seconds), resolved_by=(FLUX_ACTOR,))
    return FindingChange(Transition.RESOLVED, replace(tracked, **changes))  # type: ignore[arg-type]


def test_an_opened_finding_names_both_values_and_who_set_it() -> None:
    assert to_text_line(FindingChange(Transition.OPENED, TRACKED)) == (
        "2026-01-01T12:00:00.500Z opened   high      Deployment shop/web  ~ spec.replicas  Git 2, live 3"
        "  changed in the cluster: kubectl-scale"
    )


def test_an_opened_finding_says_what_it_does_to_security() -> None:
    loosened = replace(TRACKED, finding=replace(SCALED, security=Security.LOOSENS))

    line = to_text_line(FindingChange(Transition.OPENED, loosened))

    assert line.endswith("  loosens security; changed in the cluster: kubectl-scale")


def test_a_resolved_finding_names_its_duration_and_who_ended_it() -> None:
    *_, last = to_text_line(_resolved(2.7)).split("  ")

    assert last == "after 2.7 s; changed in the cluster: kubectl-scale, ended by kustomize-controller"


@pytest.mark.parametrize(
    ("seconds", "exact", "written"),
    [(0, True, "after 0.0 s"), (90, True, "after 1.5 min"), (5400, True, "after 1.5 h"), (3, False, "more than 3.0 s")],
)
def test_a_duration_has_a_fitting_unit_and_is_a_minimum_if_the_start_is_unknown(
    seconds: float, exact: bool, written: str
) -> None:
    assert f"{written};" in to_text_line(_resolved(seconds, exact=exact))


@pytest.mark.parametrize("make", [to_text_line, to_json_line])
def test_text_from_the_cluster_stays_on_one_line_without_control_characters(make: object) -> None:
    hostile = "a\nb\x1b[31m\u2028c"
    finding = replace(SCALED, path=hostile, live=hostile, actors=(replace(SCALER, manager=hostile),))
    tracked = replace(TRACKED, key=ObjectKey("", hostile, hostile, hostile), finding=finding)

    line = make(FindingChange(Transition.OPENED, tracked))  # type: ignore[operator]

    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_a_json_line_has_the_object_the_finding_and_the_times() -> None:
    opened = json.loads(to_json_line(FindingChange(Transition.OPENED, TRACKED)))
    resolved = json.loads(to_json_line(_resolved(2.7)))

    assert (opened["event"], opened["resolvedAt"], opened["seconds"]) == ("opened", None, None)
    assert opened["object"] == {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"}
    assert opened["finding"]["path"] == "spec.replicas"
    assert (resolved["openedAt"], resolved["resolvedAt"]) == ("2026-01-01T12:00:00.500Z", "2026-01-01T12:00:03.200Z")
    assert resolved["seconds"] == 2.7
    assert [actor["manager"] for actor in resolved["resolvedBy"]] == ["kustomize-controller"]


FLUX = "kustomize-controller"


def _revert_like_flux(workspace: Application, what: str, by: str) -> None:
    """Reverts like kustomize-controller: one request takes over the fields of others, the next one applies."""
    live = json.loads(workspace.kubectl("get", what, "--output=json", "--show-managed-fields"))
    entries: list[dict[str, Any]] = live["metadata"]["managedFields"]
    applier = next(entry for entry in entries if (entry["manager"], entry["operation"]) == (FLUX, "Apply"))
    editor = next(entry for entry in entries if entry["manager"] == by)
    _merge(applier["fieldsV1"], editor["fieldsV1"])
    entries.remove(editor)
    patch = json.dumps([{"op": "replace", "path": "/metadata/managedFields", "value": entries}])
    workspace.kubectl("patch", what, "--type=json", "--patch", patch, f"--field-manager={FLUX}")
    workspace.sync()


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for name, below in more.items():
        _merge(into.setdefault(name, {}), below)


@pytest.mark.parametrize(
    ("what", "patch", "path"),
    [
        ("configmap/config", {"data": {"added": "x"}}, "data.added"),
        ("configmap/config", {"data": {"a": "edited"}}, "data.a"),
        ("configmap/config", {"metadata": {"labels": {"added": "x"}}}, "metadata.labels"),
        (
            "deployment/web",
            {"spec": {"template": {"spec": {"hostNetwork": True}}}},
            "spec.template.spec.hostNetwork",
        ),
    ],
)
def test_a_manual_change_that_revert_like_flux_stays_manual(
    workspace: Application, start: Start, what: str, patch: dict[str, Any], path: str
) -> None:
    workspace.write(f"{CONFIG}---\n{deployment()}")
    workspace.sync()
    history = workspace.scratch / "history.db"
    watching = start(f"--history={history}")

    workspace.kubectl("patch", what, "--patch", json.dumps(patch), "--field-manager=kubectl-edit")
    eventually(lambda: len(_open(history)) == 1, lambda: _open(history))
    _revert_like_flux(workspace, what, "kubectl-edit")
    eventually(lambda: len(watching.events) == 2, lambda: watching.events)
    eventually(lambda: not _open(history))

    (episode,) = read_history(history).episodes
    assert (episode.path, episode.cause, episode.state) == (path, "manual", "reverted")
    assert episode.actors[0].manager == "kubectl-edit"
    assert episode.start_known
    resolved = watching.events[1]
    assert (resolved["event"], resolved["finding"]["cause"]) == ("resolved", "manual")
    assert resolved["seconds"] > 0


def test_a_field_removed_from_git_is_pending_until_the_sync(workspace: Application, start: Start) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    history = workspace.scratch / "history.db"
    watching = start(f"--history={history}")

    workspace.write(CONFIG.replace(", b: '2'", ""))
    eventually(lambda: len(watching.events) == 1, lambda: watching.events)
    workspace.sync()
    eventually(lambda: len(watching.events) == 2, lambda: watching.events)
    eventually(lambda: not _open(history))

    (episode,) = read_history(history).episodes
    assert (episode.path, episode.cause, episode.state) == ("data.b", "pending-sync", "resolved")


def test_means_exclude_findings_from_before_the_watch(workspace: Application, start: Start) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    history = workspace.scratch / "history.db"
    workspace.kubectl("patch", "configmap", "config", "--patch", '{"data": {"a": "before"}}')
    watching = start(f"--history={history}")

    workspace.kubectl("patch", "configmap", "config", "--patch", '{"data": {"b": "during"}}')
    eventually(lambda: len(watching.events) == 2, lambda: watching.events)
    workspace.sync()
    eventually(lambda: len(watching.events) == 4, lambda: watching.events)
    eventually(lambda: not _open(history))

    episodes = read_history(history).episodes
    assert {(one.path, one.start_known) for one in episodes} == {("data.a", False), ("data.b", True)}
    reverted = episode_statistics(episodes).reverted
    assert (reverted.count, reverted.unknown) == (2, 1)
    assert reverted.mean_seconds is not None


def test_edits_during_the_start_have_no_negative_durations(workspace: Application, start: Start) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    history = workspace.scratch / "history.db"
    watching = _edited_while_starting(workspace, start, history)
    workspace.kubectl("patch", "configmap", "config", "--patch", '{"data": {"a": "edited"}}')
    eventually(lambda: bool(_open(history)), watching.findings)
    workspace.sync()
    eventually(lambda: watching.findings() == [] and not _open(history), watching.findings)

    for event in watching.events:
        assert event["seconds"] is None or event["seconds"] >= 0, event
    with closing(sqlite3.connect(f"file:{history}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT first_seen, last_seen, ended_at FROM episodes").fetchall()
    assert rows
    assert all(first <= last <= ended for first, last, ended in rows), rows


def _edited_while_starting(workspace: Application, start: Start, history: Path) -> Process:
    """Edits and reverts continuously from before the start until the watch is healthy."""
    done = threading.Event()

    def edit() -> None:
        while not done.is_set():
            workspace.kubectl("patch", "configmap", "config", "--patch", '{"data": {"a": "edited"}}')
            workspace.sync()

    thread = threading.Thread(target=edit)
    thread.start()
    try:
        return start(f"--history={history}")
    finally:
        done.set()
        thread.join()


def _open(history: Path) -> list[str]:
    if not history.exists():
        return []
    return [one.path for one in read_history(history).episodes if one.ended_at is None]
