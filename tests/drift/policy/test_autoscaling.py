"""Replicas are drift only outside the range of the autoscaler."""

from typing import Any

import pytest

from drift.model import Cause, Change, Finding, ObjectKey, Severity
from drift.policy.autoscaling import Autoscaler, concerns_replicas, judge_replicas, read_autoscaler

KEY = ObjectKey("apps", "Deployment", "shop", "web")
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
