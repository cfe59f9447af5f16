"""Labels, annotations and finalizers that controllers write for their own use, and the same names written by hand."""

from typing import Any

import pytest

from drift.schema.types import UNKNOWN
from tests.drift.compare.managed_fields import Fields, causes, compare, entry

FLUX = {"kustomize.toolkit.fluxcd.io/name": "flux-system"}
FLUX_FINALIZER = "finalizers.fluxcd.io"
#: Rancher's server and its agent in the cluster.
NOTIFIED = "notified.notifications.argoproj.io"
RANCHER = ["rancher", "agent"]
LOAD_BALANCER = "service.kubernetes.io/load-balancer-cleanup"


def _object(*entries: Fields, api_version: str, kind: str, **metadata: Any) -> Fields:
    managed = {"managedFields": [{**one, "apiVersion": api_version} for one in entries]} if entries else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", **metadata, **managed}, "spec": {}}


def _added(manager: str, field: str, name: str, api_version: str, kind: str) -> list[tuple[str, str, str, list[str]]]:
    """The differences if a manager adds a label, annotation or finalizer to an object of Flux."""
    applied = entry("kustomize-controller", "Apply", {"metadata": {"labels": FLUX}})
    added = entry(manager, "Update", {})
    element = f'v:"{name}"' if field == "finalizers" else f"f:{name}"
    added["fieldsV1"] = {"f:metadata": {f"f:{field}": {".": {}, element: {}}}}
    value: Any = [name] if field == "finalizers" else {name: "x"}
    value = {**FLUX, **value} if field == "labels" else value
    live = _object(applied, added, api_version=api_version, kind=kind, **{"labels": FLUX, field: value})
    schema = UNKNOWN if "fluxcd" in api_version else None
    return causes(compare(_object(api_version=api_version, kind=kind), live, schema=schema))


@pytest.mark.parametrize(
    ("api_version", "kind", "field", "name", "managers"),
    [
        (
            "kustomize.toolkit.fluxcd.io/v1",
            "Kustomization",
            "finalizers",
            FLUX_FINALIZER,
            ["kustomize-controller", "gotk-kustomize-controller"],
        ),
        (
            "source.toolkit.fluxcd.io/v1",
            "GitRepository",
            "finalizers",
            FLUX_FINALIZER,
            ["source-controller", "gotk-source-controller"],
        ),
        (
            "helm.toolkit.fluxcd.io/v2",
            "HelmRelease",
            "finalizers",
            FLUX_FINALIZER,
            ["helm-controller", "gotk-helm-controller"],
        ),
        (
            "source.toolkit.fluxcd.io/v1",
            "GitRepository",
            "annotations",
            "reconcile.fluxcd.io/requestedAt",
            ["flux", "notification-controller", "kubectl-annotate", "flux-client-side-apply"],
        ),
        (
            "v1",
            "Service",
            "finalizers",
            LOAD_BALANCER,
            ["cloud-controller-manager", "aws-cloud-controller-manager", "controller", "before-first-apply"],
        ),
        ("v1", "PersistentVolumeClaim", "finalizers", "kubernetes.io/pvc-protection", ["kubectl-create"]),
        ("apps/v1", "Deployment", "annotations", "deployment.kubernetes.io/revision", ["before-first-apply"]),
        ("apps/v1", "Deployment", "annotations", "field.cattle.io/publicEndpoints", RANCHER),
        ("apps/v1", "Deployment", "annotations", NOTIFIED, ["argocd-notifications", "argocd-notifications-controller"]),
        ("v1", "Namespace", "annotations", "cattle.io/status", RANCHER),
        ("v1", "Namespace", "annotations", "field.cattle.io/projectId", RANCHER),
        ("v1", "Namespace", "annotations", "lifecycle.cattle.io/create.namespace-auth", RANCHER),
        ("v1", "Namespace", "annotations", "management.cattle.io/no-default-sa-token", RANCHER),
        ("v1", "Namespace", "finalizers", "controller.cattle.io/namespace-auth", RANCHER),
        ("v1", "Namespace", "labels", "field.cattle.io/projectId", RANCHER),
        ("v1", "Namespace", "annotations", "openshift.io/sa.scc.uid-range", ["cluster-policy-controller"]),
    ],
)
def test_what_controllers_write_is_silent(
    api_version: str, kind: str, field: str, name: str, managers: list[str]
) -> None:
    found = {manager: _added(manager, field, name, api_version, kind) for manager in managers}

    assert not any(found.values()), found


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("finalizers", "orphan"),
        ("finalizers", FLUX_FINALIZER),
        ("finalizers", LOAD_BALANCER),
        ("annotations", "control-plane.alpha.kubernetes.io/leader"),
        ("annotations", "deployment.kubernetes.io/revision"),
        ("annotations", "openshift.io/sa.scc.uid-range"),
        ("annotations", "field.cattle.io/other"),
        ("annotations", NOTIFIED),
        ("finalizers", "controller.cattle.io/namespace-auth"),
    ],
)
@pytest.mark.parametrize("manager", ["kubectl-edit", "node-fetch"])
def test_the_same_names_written_by_hand_are_reported(manager: str, field: str, name: str) -> None:
    assert _added(manager, field, name, "v1", "Service") == [(field, "added", "manual", [manager])]


@pytest.mark.parametrize("manager", ["source-controller", "gotk-source-controller", "hcloud-cloud-controller-manager"])
def test_other_metadata_of_these_controllers_is_information(manager: str) -> None:
    assert _added(manager, "annotations", "example.com/x", "v1", "Service") == [
        ("annotations", "added", "controller", [manager])
    ]
