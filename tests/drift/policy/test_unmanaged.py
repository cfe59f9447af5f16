"""Which live objects without a manifest are unmanaged, and who created the others."""

from typing import Any, Final

import pytest

from drift.model import Cause
from drift.policy.unmanaged import ManagedScope, UnmanagedObject, judge_unmanaged

CREATED = "2026-11-20T10:00:00Z"
LATER = "2026-11-29T10:00:00Z"


def _entry(manager: str, time: str = CREATED, operation: str = "Update", **rest: str) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "time": time, "fieldsV1": {"f:data": {}}, **rest}


def _judge(kind: str, *entries: dict[str, Any], **metadata: Any) -> UnmanagedObject | str:
    metadata = {"name": "a", "namespace": "shop", "creationTimestamp": CREATED, **metadata}
    body = {"apiVersion": "v1", "kind": kind, "metadata": {**metadata, "managedFields": list(entries)}}
    return judge_unmanaged(kind, body, ManagedScope())


@pytest.mark.parametrize(
    "entries",
    [
        [_entry("kube-controller-manager"), _entry("kubectl-edit", LATER)],
        # It has bound the claim since.
        [_entry("kube-controller-manager", LATER), _entry("kubectl-edit", LATER)],
        [_entry("cert-manager-certificates-issuing", operation="Apply"), _entry("kubectl-annotate", LATER)],
        [_entry("kube-controller-manager"), _entry("k9s", LATER)],
        [_entry("kube-controller-manager", "2026-11-20T09:59:58Z"), _entry("kubectl-client-side-apply", LATER)],
        [_entry("kube-controller-manager")],
        [_entry("k3s"), _entry("kubectl-edit", LATER)],
        # An unknown operator: it writes the status.
        [_entry("acme-operator"), _entry("acme-operator", LATER, subresource="status")],
        [_entry("manager", operation="Apply"), _entry("manager", subresource="status"), _entry("kubectl-edit", LATER)],
    ],
)
def test_what_a_controller_created_stays_its_own_when_a_person_edits_it(entries: list[dict[str, Any]]) -> None:
    assert _judge("PersistentVolumeClaim", *entries) == "controllers created it"


@pytest.mark.parametrize(
    "entries",
    [
        [_entry("kubectl-create"), _entry("kube-controller-manager", LATER)],
        [_entry("k9s"), _entry("kube-controller-manager", LATER)],
        # In the same second: a controller completes at once what a person creates.
        [_entry("k9s"), _entry("kube-controller-manager")],
        # Both have changed the object since.
        [_entry("k9s", LATER), _entry("kube-controller-manager", LATER)],
        [_entry("kubectl-edit", LATER), _entry("kube-controller-manager", subresource="status")],
        [_entry("kubectl-edit", LATER)],
        # Tools of people may write the status, too.
        [_entry("kubectl-edit", LATER, subresource="status"), _entry("kubectl-create")],
        [_entry("k9s"), _entry("k9s", LATER, subresource="status")],
        [_entry("our-pipeline"), _entry("kube-controller-manager", LATER, subresource="status")],
    ],
)
def test_what_a_person_may_have_created_is_unmanaged(entries: list[dict[str, Any]]) -> None:
    found = _judge("PersistentVolumeClaim", *entries)

    assert isinstance(found, UnmanagedObject)
    assert found.cause is Cause.MANUAL
    assert [actor.manager for actor in found.actors] == [
        entry["manager"] for entry in entries if entry["manager"] != "kube-controller-manager"
    ]


def test_what_a_person_created_for_an_operator_is_unmanaged() -> None:
    operator = (_entry("acme-operator", LATER), _entry("acme-operator", LATER, subresource="status"))

    found = _judge("Widget", _entry("kubectl-create"), *operator)

    assert isinstance(found, UnmanagedObject)
    assert (found.cause, [actor.manager for actor in found.actors]) == (Cause.MANUAL, ["kubectl-create"])


def test_without_a_time_of_creation_a_user_interface_may_have_created_an_object() -> None:
    entries = [_entry("kube-controller-manager"), _entry("k9s", LATER)]

    assert isinstance(_judge("ConfigMap", *entries, creationTimestamp=None), UnmanagedObject)


SYSTEM: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("ClusterRoleBinding", {"labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}, "namespace": None}),
    ("ClusterRoleBinding", {"name": "system:jane", "namespace": None}),
    ("ClusterRole", {"name": "system:all", "namespace": None}),
    ("Secret", {"annotations": {"kubernetes.io/service-account.name": "admin"}}),
    ("Endpoints", {}),
    ("EndpointSlice", {"labels": {"kubernetes.io/service-name": "web"}}),
    ("APIService", {"labels": {"kube-aggregator.kubernetes.io/automanaged": "true"}}),
    ("FlowSchema", {"annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}}),
    ("IPAddress", {"labels": {"ipaddress.kubernetes.io/managed-by": "jane"}}),
)


@pytest.mark.parametrize(("kind", "metadata"), SYSTEM)
@pytest.mark.parametrize(
    "manager", ["kubectl-create", "kubectl-client-side-apply", "k9s", "terraform-provider-kubectl"]
)
def test_what_a_person_created_is_reported_although_it_looks_like_part_of_the_cluster(
    manager: str, kind: str, metadata: dict[str, Any]
) -> None:
    assert isinstance(_judge(kind, _entry(manager), **metadata), UnmanagedObject)


@pytest.mark.parametrize(("kind", "metadata"), SYSTEM)
@pytest.mark.parametrize(
    "entries",
    [
        [],
        *([_entry(manager)] for manager in ("kube-apiserver", "kubeadm", "k3s", "deploy@node-1", "kubelite")),
        [_entry("kube-apiserver"), _entry("k9s", LATER)],
        [_entry("kube-apiserver", LATER), _entry("kubectl-edit", LATER)],
        [_entry("kube-controller-manager"), _entry("kubectl-edit")],
    ],
)
def test_what_the_cluster_created_is_left_out(
    kind: str, metadata: dict[str, Any], entries: list[dict[str, Any]]
) -> None:
    assert isinstance(_judge(kind, *entries, **metadata), str)


@pytest.mark.parametrize(
    ("kind", "metadata"),
    [
        ("ServiceAccount", {"name": "default"}),
        ("ConfigMap", {"name": "kube-root-ca.crt"}),
        ("ConfigMap", {"name": "sh.helm.release.v1.web.v1", "labels": {"owner": "helm"}}),
        ("ClusterRole", {"name": "system:gke", "labels": {"addonmanager.kubernetes.io/mode": "Reconcile"}}),
    ],
)
def test_what_every_cluster_has_is_left_out_even_if_a_person_created_it(kind: str, metadata: dict[str, Any]) -> None:
    assert isinstance(_judge(kind, _entry("kubectl-create"), **metadata), str)


def test_a_label_alone_makes_no_record_of_helm() -> None:
    assert isinstance(_judge("ConfigMap", _entry("kubectl-create"), labels={"owner": "helm"}), UnmanagedObject)


def _judge_namespace(manager: str, name: str = "shop", operation: str = "Update") -> UnmanagedObject | str:
    metadata = {"name": name, "creationTimestamp": CREATED, "managedFields": [_entry(manager, operation=operation)]}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    return judge_unmanaged("Namespace", body, ManagedScope(used_namespaces=frozenset({"shop"})), ("argocd-controller",))


@pytest.mark.parametrize("manager", ["argocd-controller", "helm", "helm-controller", "terraform-provider-kubernetes"])
def test_a_namespace_that_an_applier_created_for_its_objects_needs_no_manifest(manager: str) -> None:
    assert _judge_namespace(manager) == "created for the objects in it"


@pytest.mark.parametrize("manager", ["kubectl-create", "k9s"])
def test_a_namespace_that_a_person_created_for_objects_of_git_is_unmanaged(manager: str) -> None:
    found = _judge_namespace(manager)

    assert isinstance(found, UnmanagedObject)
    assert (found.cause, found.note) == (Cause.MANUAL, "objects of the manifests are in it")


def test_a_namespace_without_objects_of_git_is_unmanaged() -> None:
    assert isinstance(_judge_namespace("helm", "tools"), UnmanagedObject)
    found = _judge_namespace("kubectl-create", "tools")
    assert isinstance(found, UnmanagedObject)
    assert found.note is None


@pytest.mark.parametrize(
    ("name", "creator"), [("argocd-initial-admin-secret", "argocd-server"), ("argocd-redis", "argocd")]
)
def test_the_secrets_that_argocd_creates_are_left_out_unless_a_person_wrote_to_them(name: str, creator: str) -> None:
    assert _judge("Secret", _entry(creator), name=name) == "created by Argo CD"
    for entries in ([_entry(creator), _entry("kubectl-edit", LATER)], [_entry("kubectl-create")]):
        assert isinstance(_judge("Secret", *entries, name=name), UnmanagedObject)
    assert isinstance(_judge("Secret", _entry(creator), name="argocd-repository"), UnmanagedObject)


def test_what_the_flux_operator_applies_has_another_applier() -> None:
    labels = {f"resourceset.fluxcd.controlplane.io/{name}": "apps" for name in ("name", "namespace")}

    found = _judge("ConfigMap", _entry("flux-operator", operation="Apply"), _entry("kubectl-edit"), labels=labels)

    assert found == "another applier manages it (label resourceset.fluxcd.controlplane.io/name)"
    # The labels can be copied.
    assert isinstance(_judge("ConfigMap", _entry("kubectl-create"), labels=labels), UnmanagedObject)


@pytest.mark.parametrize(
    "manager",
    [
        "argocd-applicationset-controller",
        "argocd-notifications",
        "argocd-notifications-controller",
        "flagger",
        "rollouts-controller",
    ],
)
def test_what_a_controller_of_argo_or_flagger_creates_is_left_out(manager: str) -> None:
    assert _judge("Service", _entry(manager)) == "controllers created it"
    assert isinstance(_judge("Service", _entry("kubectl-create"), _entry(manager, LATER)), UnmanagedObject)


@pytest.mark.parametrize("manager", ["helm", "helm3", "helm-controller", "argocd-controller"])
def test_a_hook_of_an_applier_that_runs_hooks_needs_no_manifest(manager: str) -> None:
    hook = {"annotations": {"helm.sh/hook": "pre-install"}}

    assert "a hook" in str(_judge("Job", _entry(manager), **hook))
    assert isinstance(_judge("Job", _entry("kubectl-create"), **hook), UnmanagedObject)
