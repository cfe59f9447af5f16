"""Values of allocated fields that nothing allocates: the creator of the object chose them."""

from typing import Any

import pytest

from drift.compare.objects import export
from drift.schema.facts import ALLOCATED, known_facts
from drift.schema.types import Shape
from tests.drift.compare.managed_fields import DOCUMENT, Fields, built_in, causes, compare, entry

SPEC = {"selector": {"app": "a"}}
HEADLESS = {"clusterIP": "None", "clusterIPs": ["None"]}
FILLED_IN = {"type": "ClusterIP", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None"}
SYNCED = entry("kustomize-controller", "Apply", {"spec": {"selector": {"app": ""}}})


def _service(*entries: Fields, **fields: Any) -> Fields:
    metadata = {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": list(entries)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {**SPEC, **fields}}


def _by(manager: str, *fields: str, operation: str = "Update") -> Fields:
    return entry(manager, operation, {"spec": {"selector": {"app": ""}, **dict.fromkeys(fields, "")}})


@pytest.mark.parametrize(
    ("entries", "cause", "managers"),
    [
        # Git dropped it, and the server kept it.
        ([SYNCED], "unknown", []),
        # Recreated by hand.
        ([SYNCED, _by("kubectl-replace", "clusterIP", "clusterIPs")], "manual", ["kubectl-replace"]),
        ([_by("kubectl-create", "clusterIP")], "manual", ["kubectl-create"]),
        ([_by("kustomize-controller", "clusterIP", operation="Apply")], "pending-sync", ["kustomize-controller"]),
        ([_by("helm", "clusterIP", "clusterIPs")], "unknown", ["helm"]),
    ],
)
def test_a_headless_service_that_git_does_not_ask_for(entries: list[Fields], cause: str, managers: list[str]) -> None:
    live = _service(*entries, **HEADLESS, **FILLED_IN)

    assert causes(compare(_service(), live)) == [("clusterIP", "added", cause, managers)]


@pytest.mark.parametrize("manager", ["kustomize-controller", "helm"])
def test_admission_does_not_explain_a_headless_service(manager: str) -> None:
    live = _service(_by(manager, "clusterIP", "clusterIPs"), **HEADLESS)

    assert causes(compare(_service(), live, _service())) == [("clusterIP", "added", "unknown", [manager])]


def test_an_empty_cluster_ip_asks_for_one_and_not_for_a_headless_service() -> None:
    found = compare(_service(clusterIP=""), _service(SYNCED, **HEADLESS))

    assert [(path, change) for path, change, _, _ in causes(found)] == [("clusterIP", "changed")]
    assert causes(compare(_service(clusterIP=""), _service(SYNCED, clusterIP="10.0.0.7"))) == []


@pytest.mark.parametrize(
    "in_git", [{"clusterIP": "None"}, {"clusterIPs": ["None"]}, {"clusterIP": "None", "clusterIPs": ["None"]}]
)
@pytest.mark.parametrize("by", ["kustomize-controller", "kubectl-create"])
def test_a_headless_service_that_git_asks_for(in_git: Fields, by: str) -> None:
    live = _service(SYNCED, _by(by, "clusterIP", "clusterIPs"), **HEADLESS, **FILLED_IN)

    assert causes(compare(_service(**in_git), live)) == []


@pytest.mark.parametrize("by", ["kustomize-controller", "kubectl-create"])
def test_an_allocated_address(by: str) -> None:
    address = {"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"]}
    live = _service(SYNCED, _by(by, "clusterIP", "clusterIPs"), **address, **FILLED_IN)

    assert causes(compare(_service(), live)) == []


def _claim(*entries: Fields, **fields: Any) -> Fields:
    metadata = {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": list(entries)}
    spec = {"accessModes": ["ReadWriteOnce"], **fields}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def test_a_claim_for_a_volume_without_a_class() -> None:
    created = _by("kubectl-create", "storageClassName")

    assert causes(compare(_claim(), _claim(SYNCED, created, storageClassName="fast"))) == []
    assert causes(compare(_claim(storageClassName=""), _claim(SYNCED, created, storageClassName=""))) == []
    assert causes(compare(_claim(), _claim(SYNCED, created, storageClassName=""))) == [
        ("storageClassName", "added", "manual", ["kubectl-create"])
    ]


# -- an empty value in Git that asks for an allocated one, before the cluster has allocated it

_CLAIM = {"accessModes": ["ReadWriteOnce"]}


def _pod(claim: Fields) -> Fields:
    return {"volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": claim}}}]}


def _pods(claim: Fields) -> Fields:
    return {"selector": {}, "serviceName": "a", "template": {}, "volumeClaimTemplates": [{"spec": claim}]}


_EMPTY: Any = [
    *(("v1", "Service", field, lambda more: {**SPEC, **more}) for field in ("clusterIP", "healthCheckNodePort")),
    ("v1", "Service", "nodePort", lambda more: {**SPEC, "ports": [{"name": "a", "port": 80, **more}]}),
    ("v1", "PersistentVolumeClaim", "volumeName", lambda more: {**_CLAIM, **more}),
    ("v1", "Pod", "volumeName", lambda more: _pod({**_CLAIM, **more})),
    ("apps/v1", "StatefulSet", "volumeName", lambda more: _pods({**_CLAIM, **more})),
    *(
        ("v1", "PersistentVolume", field, lambda more: {"claimRef": {"name": "a", "namespace": "n", **more}})
        for field in ("uid", "resourceVersion")
    ),
    *(
        ("certificates.k8s.io/v1", "CertificateSigningRequest", field, lambda more: {"signerName": "a/b", **more})
        for field in ("uid", "username")
    ),
]


def _asking(version: str, kind: str, spec: Fields, *entries: Fields) -> Fields:
    server = {"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": list(entries)} if entries else {}
    metadata = {"name": "a", **server}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(("version", "kind", "field", "spec"), _EMPTY, ids=[f"{one[1]} {one[2]}" for one in _EMPTY])
@pytest.mark.parametrize("manager", ["kustomize-controller", "argocd-controller", "kubectl-create"])
def test_an_empty_value_is_no_drift_while_nothing_is_allocated(
    version: str, kind: str, field: str, spec: Any, manager: str
) -> None:
    zero = 0 if field.endswith("Port") else ""
    live = _asking(version, kind, spec({}), entry(manager, "Apply", {"spec": spec({})}))

    assert causes(compare(_asking(version, kind, spec({field: zero})), live)) == []
    assert causes(compare(_asking(version, kind, spec({field: 7 if zero == 0 else "x"})), live)) != []


def test_every_allocated_field_that_may_be_empty_is_tested() -> None:
    facts = known_facts()
    types = {name: DOCUMENT.type_of({"$ref": f"#/components/schemas/{name}"}) for name, _ in ALLOCATED}
    may_be_empty = {
        field
        for name, field in ALLOCATED
        if facts.is_omitempty(types[name], field) and types[name].field(field).shape is Shape.SCALAR
    }

    assert may_be_empty == {field for _, _, field, _ in _EMPTY}


def test_an_empty_reference_in_an_atomic_value_is_no_drift() -> None:
    def account(*entries: Fields, **reference: str) -> Fields:
        metadata = {"name": "a", "managedFields": list(entries)}
        secrets = [{"name": "s", **reference}]
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "secrets": secrets}

    live = account(entry("kustomize-controller", "Apply", {"secrets": ""}))

    assert causes(compare(account(uid=""), live)) == []
    assert causes(compare(account(uid="x"), live)) != []


@pytest.mark.parametrize("manager", ["kubectl-edit", "an-operator"])
def test_a_volume_that_a_manager_put_into_a_template_is_reported(manager: str) -> None:
    live = _asking("v1", "Pod", _pod({**_CLAIM, "volumeName": "pv-1"}))
    volume: Any = {"f:ephemeral": {"f:volumeClaimTemplate": {"f:spec": {"f:volumeName": {}}}}}
    edited = {**entry(manager, "Update", {}), "time": "2026-01-02T00:00:00Z"}
    edited["fieldsV1"] = {"f:spec": {"f:volumes": {'k:{"name":"v"}': volume}}}
    live["metadata"]["managedFields"] = [entry("kustomize-controller", "Apply", {}), edited]

    found = compare(_asking("v1", "Pod", _pod({**_CLAIM, "volumeName": ""})), live)

    assert causes(found) == [("volumeName", "changed", "manual", [manager])]


@pytest.mark.parametrize("manager", [None, "kustomize-controller"])
def test_an_empty_class_in_a_template_is_not_chosen_when_the_object_is_created(manager: str | None) -> None:
    live = _asking("v1", "Pod", _pod({**_CLAIM, "storageClassName": ""}))
    template: Any = {"f:ephemeral": {"f:volumeClaimTemplate": {"f:spec": {"f:storageClassName": {}}}}}
    owner = entry("kustomize-controller", "Apply", {})
    if manager is not None:
        owner["fieldsV1"] = {"f:spec": {"f:volumes": {'k:{"name":"v"}': template}}}
    live["metadata"]["managedFields"] = [owner]

    found = compare(_asking("v1", "Pod", _pod(_CLAIM)), live)

    assert causes(found) == ([] if manager is None else [("storageClassName", "added", "pending-sync", [manager])])


def _exported(live: Fields) -> Any:
    manifest = export(live, built_in("v1", live["kind"]))
    return None if manifest is None else manifest["spec"]


FAMILIES = {"ipFamilies": ["IPv6"], "ipFamilyPolicy": "SingleStack"}


@pytest.mark.parametrize("creator", ["kubectl-create", "helm", "kubectl-client-side-apply", "an-operator"])
def test_the_manifest_of_an_unmanaged_object_has_what_its_creator_chose(creator: str) -> None:
    def service(*chosen: str, **fields: Any) -> Any:
        return _exported(_service(_by(creator, *chosen), **fields, type="ClusterIP", sessionAffinity="None"))

    assert service("clusterIP", "clusterIPs", **HEADLESS) == {**SPEC, "clusterIP": "None"}
    assert service(**HEADLESS, **FAMILIES) == {**SPEC, "clusterIP": "None"}
    assert service(clusterIP="10.0.0.7", **FAMILIES) == SPEC
    assert service("clusterIP", *FAMILIES, clusterIP="10.0.0.7", **FAMILIES) == {**SPEC, **FAMILIES}

    claimed = _by(creator, "accessModes", "storageClassName", "volumeName")
    bound = _by("kube-controller-manager", "volumeName")
    claim = _claim(storageClassName="fast")["spec"]
    assert _exported(_claim(claimed, bound, **claim, volumeName="pv-1")) == claim
    assert _exported(_claim(_by(creator, "accessModes"), bound, **claim, volumeName="pv-1")) == _claim()["spec"]


def test_what_a_controller_chose_is_in_no_manifest() -> None:
    live = _service(_by("kubectl-create"), _by("kube-controller-manager", *FAMILIES), clusterIP="10.0.0.7", **FAMILIES)

    assert _exported(live) == SPEC


def test_the_manifest_lacks_only_the_parts_that_controllers_set() -> None:
    external = {"externalIPs": ["192.0.2.1"], "loadBalancerClass": "example.com/lb"}
    by_controller = entry(
        "service-controller", "Update", {"spec": {"loadBalancerClass": ""}, "metadata": {"labels": {"region": ""}}}
    )
    by_hand = entry("kubectl-edit", "Update", {"metadata": {"labels": {"team": ""}}})
    live = _service(_by("kubectl-create", "externalIPs"), by_controller, by_hand, **external)
    live["metadata"]["labels"] = {"team": "a", "region": "x"}

    assert export(live, built_in("v1", "Service")) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a", "labels": {"team": "a"}},
        "spec": {**SPEC, "externalIPs": ["192.0.2.1"]},
    }


def test_a_list_item_that_is_kept_in_part_has_its_key() -> None:
    ports = [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]
    sidecar = {"name": "p", "image": "p:2", "command": ["run"], "ports": ports}
    containers = [{"name": "c", "image": "c:1", "imagePullPolicy": "IfNotPresent"}, sidecar]
    item: Any = 'k:{"name":"p"}'
    opened: Any = {
        'k:{"containerPort":80,"protocol":"TCP"}': {"f:hostPort": {}},
        'k:{"containerPort":53,"protocol":"UDP"}': {".": {}, "f:containerPort": {}, "f:protocol": {}},
    }

    def exported(injector: Fields | None) -> Any:
        by_hand = entry("kubectl-set", "Update", {})
        by_hand["fieldsV1"] = {"f:spec": {"f:containers": {item: {"f:image": {}, "f:ports": opened}}}}
        creator = entry("kubectl-create", "Update", {})
        creator["fieldsV1"] = {"f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:name": {}, "f:image": {}}}}}
        injected = [] if injector is None else [injector]
        live = _asking("v1", "Pod", {"containers": containers}, creator, by_hand, *injected)
        return _exported(live)["containers"]

    by_controller = entry("kube-controller-manager", "Update", {})
    owned: Any = {".": {}, "f:name": {}, "f:command": {}, "f:ports": {key: {".": {}} for key in opened}}
    by_controller["fieldsV1"] = {"f:spec": {"f:containers": {item: owned}}}
    kept = [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 53, "protocol": "UDP"}]
    for injector in (None, by_controller):
        found = exported(injector)
        assert found == [{"name": "c", "image": "c:1"}, {"name": "p", "image": "p:2", "ports": kept}]
        # The key comes first, as people write it.
        assert [next(iter(one)) for one in found] == ["name", "name"]


@pytest.mark.parametrize(
    ("labels", "kept"), [({"app": "a"}, None), ({"app": "a", "team": "b"}, True), ({"app": "c"}, True), ({}, None)]
)
def test_labels_that_are_not_only_those_of_the_template_are_all_kept(labels: Fields, kept: bool | None) -> None:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"restartPolicy": "Never"}}
    owned = {"metadata": {"labels": dict.fromkeys(labels, "")}, "spec": {"template": template}}
    live = _asking("batch/v1", "Job", {"template": template}, entry("kubectl-create", "Update", owned))
    live["metadata"]["labels"] = labels

    manifest = export(live, built_in("batch/v1", "Job"))

    assert manifest is not None
    assert manifest["metadata"].get("labels") == (labels if kept else None)
