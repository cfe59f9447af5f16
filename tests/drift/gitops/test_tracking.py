"""The labels and annotations that appliers and Kubernetes put on objects."""

from typing import Any

import pytest

from drift.gitops.argocd_tracking import argocd_tracking
from drift.gitops.tracked_by import trackers_of
from drift.gitops.tracking import reserved_metadata


@pytest.mark.parametrize(
    ("group", "field", "name"),
    [
        ("tracking", "annotations", "argocd.argoproj.io/tracking-id"),
        ("tracking", "labels", "kustomize.toolkit.fluxcd.io/name"),
        ("tracking", "annotations", "meta.helm.sh/release-name"),
        ("tracking", "labels", "kapp.k14s.io/app"),
        ("bookkeeping", "annotations", "deployment.kubernetes.io/revision"),
        ("bookkeeping", "finalizers", "finalizers.fluxcd.io"),
        ("any_writer", "annotations", "reconcile.fluxcd.io/requestedAt"),
        ("any_writer", "labels", "kubernetes.io/metadata.name"),
    ],
)
def test_a_reserved_name_is_known_only_in_its_field(group: str, field: str, name: str) -> None:
    names_by_field = getattr(reserved_metadata(), group)

    assert name in names_by_field[field]
    assert not any(name in names for other, names in names_by_field.items() if other != field)


@pytest.mark.parametrize("name", ["team", "kubectl.kubernetes.io/restartedAt", "argocd.argoproj.io/sync-wave", 5, None])
def test_other_names_are_not_reserved(name: object) -> None:
    assert not any(
        name in names for names in (*reserved_metadata().tracking.values(), *reserved_metadata().bookkeeping.values())
    )


@pytest.mark.parametrize(("value", "is_tracking"), [("Helm", True), ("argocd", False), (None, False)])
def test_a_common_label_is_tracking_only_with_the_value_of_an_applier(value: object, is_tracking: bool) -> None:
    assert reserved_metadata().is_tracking("labels", "app.kubernetes.io/managed-by", value) is is_tracking
    assert reserved_metadata().is_tracking("annotations", "app.kubernetes.io/managed-by", value) is False


APPLIED = {"manager": "argocd-controller", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"}


@pytest.mark.parametrize(
    "managed_fields",
    [
        [APPLIED, {}],
        [APPLIED, None],
        ["x", APPLIED],
        [APPLIED, {"manager": 7}],
        [APPLIED, {"manager": {}}],
        [APPLIED, {"manager": "m", "fieldsV1": "x"}],
        [{**APPLIED, "fieldsType": "FieldsV2"}],
        [{**APPLIED, "fieldsV1": {"x:": {}}}],
    ],
)
def test_an_object_of_argo_cd_stays_its_own_if_an_entry_of_its_managed_fields_cannot_be_read(
    managed_fields: list[Any],
) -> None:
    metadata = {
        "annotations": {"argocd.argoproj.io/tracking-id": "shop:/ConfigMap:n/a"},
        "managedFields": managed_fields,
    }

    tracking = argocd_tracking({"metadata": metadata})

    assert tracking is not None
    assert tracking.application == "shop"
    assert trackers_of({"metadata": metadata}) == {("annotation argocd.argoproj.io/tracking-id", "shop")}


@pytest.mark.parametrize("managed_fields", [[{"manager": "helm"}, None], [None], "x", []])
def test_an_entry_that_cannot_be_read_makes_no_object_argo_cds(managed_fields: Any) -> None:
    assert argocd_tracking({"metadata": {"managedFields": managed_fields}}) is None


FLUX = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
STATE = {"manager": "helm-controller", "operation": "Update", "apiVersion": "helm.toolkit.fluxcd.io/v2"}


@pytest.mark.parametrize(
    ("written", "is_tracked"),
    [
        ({"fieldsV1": {"f:metadata": {"f:finalizers": {}}}}, False),
        ({"fieldsV1": {"f:status": {}}, "subresource": "status"}, False),
        ({"fieldsV1": {"f:spec": {}}}, True),
        ({"fieldsV1": {"f:spec": {}}, "manager": "kustomize-controller", "operation": "Apply"}, True),
    ],
)
def test_a_copied_label_is_no_tracker_where_a_controller_only_keeps_its_state(
    written: dict[str, Any], *, is_tracked: bool
) -> None:
    made = {
        "manager": "kubectl-create",
        "operation": "Update",
        "fieldsV1": {"f:spec": {}, "f:metadata": {"f:labels": {}}},
    }
    metadata = {"labels": FLUX, "managedFields": [made, {**STATE, **written}]}

    assert bool(trackers_of({"metadata": metadata})) is is_tracked
