"""Annotations that take an object out of the syncer's hands are honoured, and said."""

from dataclasses import replace
from typing import Any

import pytest

from drift.model import Cause, Change, Finding, Severity
from drift.policy.opt_out import honour, why_it_may_be_gone

CHANGED = Finding(
    id="0123456789abcdef",
    change=Change.CHANGED,
    path="spec.replicas",
    pointer="/spec/replicas",
    desired=1,
    live=2,
    redacted=False,
    cause=Cause.MANUAL,
    severity=Severity.MEDIUM,
)
FLUX = "kustomize.toolkit.fluxcd.io"
ARGOCD = "argocd.argoproj.io"


def _object(annotations: Any, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": annotations}, **fields}


@pytest.mark.parametrize(
    ("annotation", "value", "covered"),
    [
        (f"{FLUX}/reconcile", "disabled", set(Change)),
        (f"{FLUX}/reconcile", "Disabled", set(Change)),
        (f"{FLUX}/reconcile", "enabled", set()),
        (f"{FLUX}/ssa", "Ignore", set(Change)),
        (f"{FLUX}/ssa", "IfNotPresent", set(Change) - {Change.MISSING}),
        (f"{FLUX}/ssa", "Merge", {Change.ADDED}),
        (f"{FLUX}/prune", "disabled", {Change.UNMANAGED}),
        (f"{ARGOCD}/compare-options", "IgnoreExtraneous", {Change.UNMANAGED}),
        (f"{ARGOCD}/compare-options", "ServerSideDiff=true, IgnoreExtraneous", {Change.UNMANAGED}),
        ("example.com/reconcile", "disabled", set()),
    ],
)
@pytest.mark.parametrize("side", ["manifest", "live"])
def test_what_an_annotation_covers(annotation: str, value: str, covered: set[Change], side: str) -> None:
    body = _object({annotation: value})
    manifest, live = (body, _object({})) if side == "manifest" else (_object({}), body)

    findings = honour(tuple(replace(CHANGED, change=change) for change in Change), manifest, live)

    ignored = {finding.change for finding in findings if finding.ignored is not None}
    assert ignored == covered
    assert all(annotation in finding.ignored.rule for finding in findings if finding.ignored is not None)
    assert not any(finding.is_drift for finding in findings if finding.change in covered)


@pytest.mark.parametrize("annotations", [None, "nonsense", ["x"], {f"{FLUX}/reconcile": 7}])
def test_annotations_that_are_not_as_they_should_be_cover_nothing(annotations: Any) -> None:
    assert honour((CHANGED,), _object(annotations), None) == (CHANGED,)


@pytest.mark.parametrize("hook", [f"{ARGOCD}/hook", "helm.sh/hook"])
def test_a_hook_may_be_gone(hook: str) -> None:
    reason = why_it_may_be_gone(_object({hook: "PreSync"}))

    assert reason is not None
    assert "hook" in reason


def test_a_job_with_a_time_to_live_may_be_gone_and_one_without_may_not() -> None:
    assert why_it_may_be_gone(_object({}, kind="Job", spec={"ttlSecondsAfterFinished": 60})) is not None
    assert why_it_may_be_gone(_object({}, kind="Job", spec={"ttlSecondsAfterFinished": 0})) is not None
    assert why_it_may_be_gone(_object({}, kind="Job", spec={})) is None
    assert why_it_may_be_gone(_object({}, kind="Deployment", spec={"ttlSecondsAfterFinished": 60})) is None
