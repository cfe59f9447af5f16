"""The line for each finding that opened or closed, as text and as JSON."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from drift.model import Actor, Cause, Change, Finding, ObjectKey, Security, Severity
from drift.watch.log_lines import to_json_line, to_text_line
from drift.watch.open_findings import FindingChange, TrackedFinding, Transition

OPENED = datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)
SCALER = Actor("kubectl-scale", "Update", "scale", "2026-01-01T12:00:00Z")
FLUX = Actor("kustomize-controller", "Apply", None, "2026-01-01T12:00:03Z")
FINDING = Finding(
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
TRACKED = TrackedFinding(ObjectKey("apps", "Deployment", "shop", "web"), "apps/v1", FINDING, OPENED, exact=True)


def _resolved(seconds: float, **changes: object) -> FindingChange:
    tracked = replace(TRACKED, resolved=OPENED + timedelta(seconds=seconds), resolved_by=(FLUX,))
    return FindingChange(Transition.RESOLVED, replace(tracked, **changes))  # type: ignore[arg-type]


def test_an_opened_finding_names_both_values_and_who_set_it() -> None:
    assert to_text_line(FindingChange(Transition.OPENED, TRACKED)) == (
        "2026-01-01T12:00:00.500Z opened   high      Deployment shop/web  ~ spec.replicas  Git 2, live 3"
        "  changed in the cluster: kubectl-scale"
    )


def test_an_opened_finding_says_what_it_does_to_security() -> None:
    loosened = replace(TRACKED, finding=replace(FINDING, security=Security.LOOSENS))

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
    finding = replace(FINDING, path=hostile, live=hostile, actors=(replace(SCALER, manager=hostile),))
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
