"""Fingerprints of findings, hidden values of Secrets, and replicas that an autoscaler sets."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.compare.objects import compare_object
from drift.model import Cause, Change, Finding, Severity
from drift.objects import ObjectKey
from drift.policy.findings import (
    Autoscaler,
    concerns_replicas,
    fingerprint,
    judge_replicas,
    object_findings,
    read_autoscaler,
)
from drift.schema.types import UNKNOWN, SchemaDocument, Type, compact_schemas

KEY = ObjectKey("apps", "Deployment", "shop", "web")


def test_a_fingerprint_is_derived_from_names() -> None:
    one = fingerprint("c", KEY, "spec.replicas", Change.CHANGED)

    assert one == fingerprint("c", KEY, "spec.replicas", Change.CHANGED)
    assert len(one) == 16
    others = {
        fingerprint("d", KEY, "spec.replicas", Change.CHANGED),
        fingerprint("c", KEY, "spec.paused", Change.CHANGED),
        fingerprint("c", KEY, "spec.replicas", Change.ADDED),
        *(
            fingerprint("c", other, "spec.replicas", Change.CHANGED)
            for other in (
                ObjectKey("", "Deployment", "n", "a"),
                ObjectKey("apps", "Other", "n", "a"),
                ObjectKey("apps", "Deployment", "m", "a"),
                ObjectKey("apps", "Deployment", "n", "b"),
            )
        ),
    }
    assert len(others | {one}) == 8


FROM_SECRET = {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
IN_CLEAR = {"name": "PASSWORD", "value": "hunter2-planted"}
OTHER = {"name": "MODE", "value": "fast"}
KIND = SchemaDocument(compact_schemas()).kind("apps", "v1", "Deployment")


def _deployment(*env: dict[str, Any]) -> dict[str, Any]:
    containers = [{"name": "web", "image": "nginx", "env": list(env)}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "n"},
        "spec": {"template": {"spec": {"containers": containers}}},
    }


def _findings(desired: dict[str, Any], live: dict[str, Any], schema: Type | None) -> tuple[Finding, ...]:
    assert schema is not None
    compared = compare_object(desired, live, None, schema)
    return object_findings(compared, ObjectKey("apps", "Deployment", "n", "a"), "")


@pytest.mark.parametrize("schema", [KIND, UNKNOWN], ids=["typed", "compared as a whole"])
@pytest.mark.parametrize(("desired", "live"), [(FROM_SECRET, IN_CLEAR), (IN_CLEAR, FROM_SECRET)])
def test_a_value_that_replaces_a_reference_to_a_secret_is_redacted(
    desired: dict[str, Any], live: dict[str, Any], schema: Type | None
) -> None:
    found = _findings(_deployment(OTHER, desired), _deployment(OTHER, live), schema)

    assert found
    assert "hunter2-planted" not in json.dumps([(finding.desired, finding.live) for finding in found])
    assert schema is UNKNOWN or any(finding.redacted for finding in found)


def test_other_variables_are_shown() -> None:
    found = _findings(
        _deployment(FROM_SECRET, OTHER), _deployment(FROM_SECRET, {"name": "MODE", "value": "slow"}), KIND
    )

    assert [(finding.desired, finding.live, finding.redacted) for finding in found] == [("fast", "slow", False)]


HPA = Autoscaler("web", KEY, 2, 5)


def _replicas(live: int | None, cause: Cause, change: Change = Change.CHANGED) -> Finding:
    return Finding(
        id="0123456789abcdef",
        change=change,
        path="spec.replicas",
        pointer="/spec/replicas",
        desired=1,
        live=live,
        redacted=False,
        cause=cause,
        severity=Severity.MEDIUM,
    )


@pytest.mark.parametrize("cause", [Cause.MANUAL, Cause.UNKNOWN, Cause.CONTROLLER, Cause.PENDING_SYNC])
@pytest.mark.parametrize("live", [2, 3, 5])
def test_inside_the_range_the_cause_is_the_controller(live: int, cause: Cause) -> None:
    (judged,) = judge_replicas(KEY, (_replicas(live, cause),), [HPA])

    assert (judged.cause, judged.severity) == (Cause.CONTROLLER, Severity.INFO)


@pytest.mark.parametrize(("cause", "expected"), [(Cause.MANUAL, Cause.MANUAL), (Cause.CONTROLLER, Cause.UNKNOWN)])
@pytest.mark.parametrize("live", [0, 1, 6])
def test_outside_the_range_it_is_drift(live: int, cause: Cause, expected: Cause) -> None:
    (judged,) = judge_replicas(KEY, (_replicas(live, cause),), [HPA])

    assert judged.cause is expected
    assert judged.is_drift
    assert judged.note is not None


@pytest.mark.parametrize("cause", [Cause.UNKNOWN, Cause.CONTROLLER])
def test_keda_scales_an_idle_object_to_zero(cause: Cause) -> None:
    keda = replace(HPA, idles_at_zero=True)

    (idle,) = judge_replicas(KEY, (_replicas(0, cause),), [keda])
    (by_hand,) = judge_replicas(KEY, (_replicas(0, Cause.MANUAL),), [keda])
    (too_few,) = judge_replicas(KEY, (_replicas(1, cause),), [keda])

    assert (idle.cause, idle.is_drift) == (Cause.CONTROLLER, False)
    assert (by_hand.cause, by_hand.is_drift) == (Cause.MANUAL, True)
    assert too_few.is_drift


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject"}, True),
        ({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob"}, False),
        ({"apiVersion": "example.com/v1", "kind": "ScaledObject"}, False),
        ("nonsense", False),
    ],
)
def test_an_autoscaler_of_keda_is_known_by_its_owner(owner: Any, expected: bool) -> None:
    metadata = {"name": "web", "namespace": "shop", "ownerReferences": [owner]}
    found = read_autoscaler({"metadata": metadata, "spec": {"scaleTargetRef": {}, "maxReplicas": 5}})

    assert found is not None
    assert found.idles_at_zero is expected


def test_without_an_autoscaler_it_is_drift() -> None:
    other = Autoscaler("other", ObjectKey("apps", "Deployment", "shop", "other"), 1, 9)

    (judged,) = judge_replicas(KEY, (_replicas(3, Cause.CONTROLLER),), [other])

    assert judged.cause is Cause.UNKNOWN


def test_other_findings_are_left_alone() -> None:
    removed = _replicas(None, Cause.UNKNOWN, Change.REMOVED)

    assert judge_replicas(KEY, (removed,), [HPA]) == (removed,)
    assert not concerns_replicas(())


def test_an_autoscaler_is_read_in_any_version() -> None:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    body = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"scaleTargetRef": reference, "maxReplicas": 5}}

    assert read_autoscaler(body) == Autoscaler("web", KEY, 1, 5)


@pytest.mark.parametrize("body", [{}, {"metadata": {}, "spec": {}}, {"metadata": [], "spec": 3}])
def test_an_invalid_autoscaler_is_none(body: dict[str, Any]) -> None:
    assert read_autoscaler(body) is None


_NAMES = st.lists(st.sampled_from("ABCDE"), unique=True)


@given(_NAMES, st.permutations("ABCDEXYZ"), st.integers(0, 8))
def test_an_item_is_added_right_after_the_one_before_it_in_git(git: list[str], live: list[str], count: int) -> None:
    live = live[:count]
    # A list that the cluster lacks as a whole has no items to add.
    desired_env, live_env = ([{"name": name, "value": "x"} for name in names] for names in (git, [*live, "0"]))

    findings = _findings(_deployment(*desired_env), _deployment(*live_env), KIND)

    missing = [finding for finding in findings if finding.change is Change.REMOVED]
    assert len(missing) == len(set(git) - set(live))
    result = [*live, "0"]
    for finding in sorted(missing, key=lambda one: (_index(one.live_pointer), _index(one.pointer)), reverse=True):
        result.insert(_index(finding.live_pointer), git[_index(finding.pointer)])
    assert [name for name in result if name in {*live, "0"}] == [*live, "0"]
    for before, name in zip(["", *git], git, strict=False):
        if name not in live:
            assert result.index(name) == (result.index(before) + 1 if before else 0)


def _index(pointer: str | None) -> int:
    return int(str(pointer).rpartition("/")[2])


def test_a_field_is_missing_in_the_item_that_the_cluster_has_elsewhere() -> None:
    kind = SchemaDocument(compact_schemas()).kind("", "v1", "Service")
    port = {"name": "b", "port": 81, "appProtocol": "http"}
    other = {"name": "a", "port": 80}

    def found(*live: dict[str, Any]) -> dict[str, str | None]:
        bodies = [
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": list(ports)}}
            for ports in ((other, port), live)
        ]
        findings = _findings(bodies[0], bodies[1], kind)
        return {one.path: one.live_pointer for one in findings if one.change is Change.REMOVED}

    (pointer,) = found({"name": "b", "port": 81}, other).values()
    assert pointer == "/spec/ports/0/appProtocol"
    # The key was edited, too.
    (pointer,) = found({"name": "b", "port": 8081}, other).values()
    assert pointer == "/spec/ports/0/appProtocol"
    # Nothing is missing.
    assert found(port, other) == {}
