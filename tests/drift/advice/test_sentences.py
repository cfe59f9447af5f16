"""The sentence that says what to do about a finding."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.advice.refusals import is_immutable
from drift.advice.sentences import advice
from drift.model import NOT_KEPT, Cause, Change, Finding, ObjectReport, Security, SourceInfo, SourceKind
from drift.objects import Json, ObjectKey
from tests.drift.advice.test_commands import FINDING, OBJECT

ACTIVE = SourceInfo(SourceKind.FLUX_KUSTOMIZATION, "Kustomization a/{b}", suspended=False, ready=True)
SUSPENDED = replace(ACTIVE, suspended=True)
FAILING = replace(ACTIVE, ready=False)
# An Application that is out of sync is not ready.
MANUAL = SourceInfo(SourceKind.ARGOCD_APPLICATION, "Application a/{b}", suspended=True, ready=False)


def _object(key: ObjectKey) -> ObjectReport:
    return replace(OBJECT, key=key)


@pytest.mark.parametrize(
    ("changes", "source", "expected"),
    [
        ({}, None, "sync to undo it, or commit the live value to Git to keep it"),
        ({}, SUSPENDED, "revert it, or commit it to Git before you resume Kustomization a/{b}: "),
        ({"cause": Cause.PENDING_SYNC}, None, "sync, or find out why your GitOps controller"),
        ({"cause": Cause.PENDING_SYNC}, ACTIVE, "wait for the next sync of Kustomization a/{b}"),
        ({"cause": Cause.PENDING_SYNC}, SUSPENDED, "resume Kustomization a/{b}, which is suspended"),
        ({"cause": Cause.PENDING_SYNC}, MANUAL, "sync Application a/{b}, whose automatic sync is off, to deploy this"),
        ({"change": Change.MISSING}, MANUAL, "sync Application a/{b}, whose automatic sync is off, to create it again"),
        ({}, MANUAL, "sync to undo it, or commit the live value to Git to keep it"),
        ({"cause": Cause.PENDING_SYNC}, replace(MANUAL, suspended=False), "fix what Application a/{b} reports"),
        ({"cause": Cause.PENDING_SYNC}, FAILING, "fix what Kustomization a/{b} reports"),
        ({"cause": Cause.PENDING_SYNC, "change": Change.UNMANAGED}, None, "delete it, or let your GitOps controller"),
        ({"change": Change.UNMANAGED}, ACTIVE, "delete it, commit it to Git, or ignore it"),
        (
            {"change": Change.UNMANAGED, "security": Security.LOOSENS},
            None,
            "delete it, or find out who needs it and commit it to Git: it loosens security",
        ),
        ({"change": Change.MISSING}, None, "sync to create it again"),
        ({"change": Change.MISSING}, SUSPENDED, "resume Kustomization a/{b}"),
        ({"change": Change.MISSING, "cause": Cause.UNKNOWN}, SUSPENDED, "check in the history of its file"),
        ({"change": Change.ADDED}, None, "remove it in the cluster, as a sync may not"),
        ({"cause": Cause.UNKNOWN}, None, "check the history of the file in Git before you sync"),
        ({"change": Change.REMOVED, "note": f"{NOT_KEPT}; did you mean 'a'?"}, ACTIVE, "correct the field in Git"),
        ({"change": Change.REMOVED, "note": "another note"}, ACTIVE, "sync to undo it"),
        ({"redacted": True}, None, "sync to restore the value in Git"),
        ({"change": Change.REORDERED}, None, "sync to restore the order in Git"),
        ({"path": "metadata.deletionTimestamp", "change": Change.ADDED}, None, "wait until its finalizers are done"),
    ],
)
def test_it_depends_on_cause_change_and_syncer(
    changes: dict[str, object], source: SourceInfo | None, expected: str
) -> None:
    found = advice(replace(FINDING, **changes), _object(ObjectKey("", "ConfigMap", "shop", "a")), source)  # type: ignore[arg-type]

    assert found is not None
    assert found.startswith(expected)


def test_a_field_of_an_item_that_git_has_dropped_waits_for_a_sync() -> None:
    item = "spec.template.spec.containers[name=self]"
    key = replace(FINDING, change=Change.ADDED, path=f"{item}.name", cause=Cause.PENDING_SYNC)
    field = replace(FINDING, change=Change.ADDED, path=f"{item}.image")

    assert str(advice(field, replace(OBJECT, findings=(key, field)), ACTIVE)).startswith("wait for the next sync of")
    assert str(advice(field, replace(OBJECT, findings=(field,)), ACTIVE)).startswith("remove it in the cluster")


def test_no_advice_is_to_commit_a_secret_as_it_is() -> None:
    for change, redacted in ((Change.UNMANAGED, False), (Change.ADDED, True), (Change.CHANGED, True)):
        found = advice(
            replace(FINDING, change=change, redacted=redacted), _object(ObjectKey("", "Secret", "shop", "a")), None
        )

        assert found is not None
        assert "in encrypted form" in found or "change it there by hand" in found


def test_no_advice_is_to_sync_what_the_api_server_refuses_to_change() -> None:
    deployment = _object(ObjectKey("apps", "Deployment", "shop", "a"))
    for change in (Change.CHANGED, Change.ADDED, Change.REMOVED):
        finding = replace(FINDING, change=change, path="spec.selector")

        assert advice(finding, deployment, ACTIVE) == (
            "recreate it from Git, or change it there by hand: the API server refuses to change this field"
        )
        assert "sync" in str(advice(replace(finding, path="spec.paused"), deployment, ACTIVE))


@pytest.mark.parametrize("cause", [Cause.MANUAL, Cause.UNKNOWN])
@pytest.mark.parametrize(
    ("key", "path"),
    [
        (ObjectKey("", "PersistentVolume", None, "data"), "spec.csi.volumeHandle"),
        (ObjectKey("", "PersistentVolumeClaim", "shop", "data"), "spec.storageClassName"),
        (ObjectKey("", "Service", "shop", "web"), "spec.clusterIP"),
        (ObjectKey("apiextensions.k8s.io", "CustomResourceDefinition", None, "as.b"), "spec.scope"),
        (ObjectKey("apps", "StatefulSet", "shop", "db"), "spec.serviceName"),
    ],
)
def test_no_advice_is_to_recreate_what_holds_data(cause: Cause, key: ObjectKey, path: str) -> None:
    found = advice(replace(FINDING, cause=cause, path=path), _object(key), ACTIVE)

    assert found is not None
    assert found.startswith("keep it in Git, or back up what the object holds before you recreate it")


@pytest.mark.parametrize(
    ("in_git", "live", "immutable"),
    [
        (["IPv4", "IPv6"], ["IPv4"], False),
        (["IPv4"], ["IPv4", "IPv6"], False),
        (["IPv6", "IPv4"], ["IPv4"], True),
        (["IPv6"], ["IPv4"], True),
        (None, ["IPv4"], True),
    ],
)
def test_a_second_address_of_a_service_can_be_changed(in_git: Json, live: Json, immutable: bool) -> None:
    service = _object(ObjectKey("", "Service", "shop", "web"))
    for path in ("spec.ipFamilies", "spec.clusterIPs"):
        assert is_immutable(service, replace(FINDING, path=path, desired=in_git, live=live)) is immutable


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
)


@given(_JSON, _JSON, _JSON)
def test_malformed_values_are_no_traceback(in_git: Json, live: Json, selector: Json) -> None:
    """Git may have a variable of Flux there, and a dump anything."""
    malformed: list[Json] = [selector, {"matchLabels": selector}, {"matchExpressions": [{"key": selector}]}]
    for kind, path in (
        ("Pod", "spec.activeDeadlineSeconds"),
        ("Pod", "spec.tolerations"),
        ("Service", "spec.ipFamilies"),
    ):
        finding = replace(FINDING, path=path, desired=in_git, live=live)
        assert isinstance(is_immutable(_object(ObjectKey("", kind, "shop", "a")), finding), bool)
    for value in malformed:
        labels = replace(FINDING, path="spec.template.metadata.labels.app", desired=in_git, live=live)
        findings = (replace(FINDING, path="spec.selector", live=value), labels)
        item = replace(_object(ObjectKey("apps", "Deployment", "shop", "a")), findings=findings)
        assert isinstance(is_immutable(item, labels), bool)


def test_every_drift_has_advice_and_nothing_else_has() -> None:
    for cause, change, source in product(Cause, Change, (None, ACTIVE, SUSPENDED, FAILING, MANUAL)):
        finding: Finding = replace(FINDING, cause=cause, change=change)
        assert (advice(finding, _object(ObjectKey("", "ConfigMap", "shop", "a")), source) is None) == (
            cause is Cause.CONTROLLER
        )


@pytest.mark.parametrize("cause", [Cause.MANUAL, Cause.PENDING_SYNC])
@pytest.mark.parametrize(
    ("key", "more"),
    [
        (ObjectKey("", "Namespace", None, "shop"), "all objects in it"),
        (ObjectKey("", "PersistentVolumeClaim", "shop", "data"), "the data in its volume"),
        (ObjectKey("apiextensions.k8s.io", "CustomResourceDefinition", None, "as.b"), "all objects of its kind"),
        (ObjectKey("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "apps"), "what it deploys"),
        (ObjectKey("apps", "StatefulSet", "shop", "db"), "its claims and the data in them"),
    ],
)
def test_no_advice_is_to_delete_what_takes_other_objects_along(cause: Cause, key: ObjectKey, more: str) -> None:
    finding = replace(FINDING, change=Change.UNMANAGED, cause=cause, path="", security=Security.LOOSENS)

    found = advice(finding, _object(key), None)

    assert found is not None
    assert not found.startswith("delete it")
    assert found.endswith(f"may also delete {more}")
