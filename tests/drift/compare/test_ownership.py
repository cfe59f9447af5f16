"""Which side changed, by the owners of a field and by the base: the tables of docs/semantics.md.

Each case asks both the comparison and the fast check that skips it.
"""

import json
from typing import Any

import pytest

from drift.compare.objects import ObjectComparison, compare_object
from drift.compare.ownership import AS_APPLIER_NOTE, NO_BASE_NOTE, OUT_OF_SYNC_NOTE
from drift.compare.proof import InSyncProof
from drift.gitops.tracking import reserved_metadata
from drift.kube.live import read_live
from drift.model import LAST_APPLIED
from drift.schema.facts import known_facts
from drift.schema.shipped import compact_schemas
from drift.schema.types import SchemaDocument, Type
from tests.drift.compare.managed_fields import entry

DOCUMENT = SchemaDocument(compact_schemas())
Fields = dict[str, Any]
FLUX = {"kustomize.toolkit.fluxcd.io/name": "apps"}
ARGOCD = {"argocd.argoproj.io/tracking-id": "apps:/ConfigMap:n/a"}
HELM = {"meta.helm.sh/release-name": "apps"}


def _type(api_version: str, kind: str) -> Type:
    group, _, version = api_version.rpartition("/")
    found = DOCUMENT.kind(group, version, kind)
    assert found is not None
    return found


def _object(fields: Fields, *entries: Fields, kind: str = "ConfigMap", **metadata: Any) -> Fields:
    api_version = "apps/v1" if kind == "Deployment" else "v1"
    managed = {"managedFields": [{**one, "apiVersion": api_version} for one in entries]} if entries else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", **metadata, **managed}, **fields}


def _compare(
    desired: Fields, live: Fields, base: Fields | None = None, *, out_of_sync: bool = False
) -> ObjectComparison:
    read = read_live(live, desired["apiVersion"], desired["kind"])
    schema = _type(desired["apiVersion"], desired["kind"])
    compared = compare_object(desired, read.body, read.last_applied, schema, synced=base, out_of_sync=out_of_sync)
    proof = InSyncProof(known_facts(), reserved_metadata())
    if proof.holds(desired, read.body, base, read.last_applied, schema):
        assert not compared.differences
        assert not compared.has_admitted
    return compared


def _causes(compared: ObjectComparison) -> list[tuple[str, str, str, list[str]]]:
    return [
        (
            str(found.difference.path[-1]),
            found.difference.change.value,
            found.cause.value,
            [actor.manager for actor in found.actors],
        )
        for found in compared.differences
    ]


# -- one program applies an object; what another applier wrote is an edit by hand


@pytest.mark.parametrize(
    ("applier", "operation", "marks"),
    [
        ("kustomize-controller", "Apply", {"labels": FLUX}),
        ("kustomize-controller", "Apply", {}),
        ("argocd-controller", "Apply", {"annotations": ARGOCD}),
        ("argocd-controller", "Update", {"annotations": ARGOCD}),
        ("helm-controller", "Update", {"annotations": HELM}),
        ("argocd-controller", "Update", {}),
    ],
)
@pytest.mark.parametrize("hand", ["helm", "Terraform", "pulumi-kubernetes-1a", "kluctl"])
def test_an_edit_under_the_name_of_another_applier_is_manual(
    applier: str, operation: str, marks: Fields, hand: str
) -> None:
    if applier == "helm-controller" and hand == "helm":
        pytest.skip("both are Helm")
    desired = _object({"data": {"a": "1", "b": "2", "c": "3"}})
    applied = entry(applier, operation, {"data": {"b": "", "c": ""}, "metadata": {"labels": {"x": ""}}})
    edited = entry(hand, "Update", {"data": {"a": "", "added": ""}})
    live = _object({"data": {"a": "9", "b": "2", "c": "3", "added": "x"}}, applied, edited, **marks)

    assert sorted(_causes(_compare(desired, live, desired))) == [
        ("a", "changed", "manual", [hand]),
        ("added", "added", "manual", [hand]),
    ]


@pytest.mark.parametrize(
    ("former", "marks", "applier"),
    [
        ("helm", {"annotations": HELM}, "argocd-controller"),
        ("argocd-controller", {"annotations": ARGOCD}, "kustomize-controller"),
    ],
)
def test_the_tracking_of_a_former_applier_is_silent(former: str, marks: Fields, applier: str) -> None:
    desired = _object({"data": {"a": "1"}})
    before = entry(former, "Update", {"data": {"a": ""}, "metadata": marks})
    after = entry(applier, "Apply", {"data": {"a": ""}})

    assert _causes(_compare(desired, _object({"data": {"a": "1"}}, before, after, **marks))) == []


def test_a_tracking_label_added_by_hand_is_reported() -> None:
    applied = entry("kustomize-controller", "Apply", {"data": {"a": ""}})
    edited = entry("kubectl-label", "Update", {"metadata": {"annotations": HELM}})
    live = _object({"data": {"a": "1"}}, applied, edited, annotations=HELM)

    found = _causes(_compare(_object({"data": {"a": "1"}}), live))

    assert found == [("annotations", "added", "manual", ["kubectl-label"])]


def test_the_last_applied_annotation_tells_the_applier_of_two_programs() -> None:
    body = _object({"data": {"a": "1"}})
    applied = entry("argocd-controller", "Update", {"metadata": {"annotations": {LAST_APPLIED: ""}}})
    edited = entry("helm", "Update", {"data": {"a": "", "b": "", "c": ""}})
    live = _object(
        {"data": {"a": "1", "b": "x", "c": "y"}}, applied, edited, annotations={LAST_APPLIED: json.dumps(body)}
    )

    assert _causes(_compare(body, live)) == [("b", "added", "manual", ["helm"]), ("c", "added", "manual", ["helm"])]


# -- what admission explains, the GitOps controller can contradict


def test_what_the_applier_updated_beyond_git_is_reported_once_the_object_is_out_of_sync() -> None:
    desired = _object({"data": {"a": "1"}})
    live = _object({"data": {"a": "1", "b": "x"}}, entry("argocd-controller", "Update", {"data": {"a": "", "b": ""}}))

    in_sync = _compare(desired, live, desired)
    out_of_sync = _compare(desired, live, desired, out_of_sync=True)

    assert _causes(in_sync) == []
    assert in_sync.has_admitted
    assert _causes(out_of_sync) == [("b", "added", "unknown", ["argocd-controller"])]
    assert out_of_sync.differences[0].note == OUT_OF_SYNC_NOTE


def test_a_default_stays_silent_while_the_object_is_out_of_sync() -> None:
    service: Fields = {"spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]}}
    desired = _object(service, kind="Service")
    defaults = {"sessionAffinity": "None", "type": "ClusterIP"}
    owned = entry("argocd-controller", "Update", {"spec": {**service["spec"], **defaults}})
    live = _object({"spec": {**service["spec"], **defaults}}, owned, kind="Service")

    assert _causes(_compare(desired, live, desired, out_of_sync=True)) == []


def test_without_a_base_what_the_applier_updated_beyond_git_is_unknown() -> None:
    live = _object({"data": {"a": "1", "b": "x"}}, entry("helm", "Update", {"data": {"a": "", "b": ""}}))

    found = _compare(_object({"data": {"a": "1"}}), live)

    assert _causes(found) == [("b", "added", "unknown", ["helm"])]
    assert found.differences[0].note == NO_BASE_NOTE


# -- Git dropped what the base has

PORT: Fields = {"name": "web", "port": 80}
PORTS: Fields = {"selector": {"app": "a"}, "ports": [PORT]}


@pytest.mark.parametrize("owner", [None, "argocd-controller", "kube-controller-manager"])
@pytest.mark.parametrize(
    ("kind", "kept", "dropped"),
    [
        ("Service", {"spec": PORTS}, {"spec": {**PORTS, "ports": [{**PORT, "nodePort": 30080}]}}),
        ("Service", {"spec": PORTS}, {"spec": {**PORTS, "externalName": "a.example.com"}}),
        ("ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "1", "b": "x"}}),
        ("Deployment", {"spec": {"minReadySeconds": 3}}, {"spec": {"minReadySeconds": 3, "replicas": 4}}),
    ],
    ids=["nodePort", "externalName", "key", "replicas"],
)
def test_a_field_that_git_dropped_is_pending_for_any_owner(
    kind: str, kept: Fields, dropped: Fields, owner: str | None
) -> None:
    others = () if owner is None else (entry(owner, "Update", {"metadata": {"labels": ""}, **_owned(dropped)}),)
    live = _object(dropped, entry("kustomize-controller", "Update", _owned(kept)), *others, kind=kind)

    found = _compare(_object(kept, kind=kind), live, _object(dropped, kind=kind))

    assert [(change, cause) for _, change, cause, _ in _causes(found)] == [("added", "pending-sync")]


def _owned(value: Any) -> Any:
    """The fields of an object by which an entry owns it, with list items by name."""
    if not isinstance(value, dict):
        return ""
    return {name: _owned(below) for name, below in value.items() if not isinstance(below, list)}


def test_a_field_that_git_dropped_and_a_user_changed_is_manual() -> None:
    live = _object(
        {"data": {"a": "1", "b": "y"}},
        entry("kustomize-controller", "Apply", {"data": {"a": ""}}),
        entry("kubectl-edit", "Update", {"data": {"b": ""}}),
    )

    found = _compare(_object({"data": {"a": "1"}}), live, _object({"data": {"a": "1", "b": "x"}}))

    assert _causes(found) == [("b", "added", "manual", ["kubectl-edit"])]


def test_a_field_dropped_from_a_list_item_that_moved_is_not_proven_in_sync() -> None:
    def pod(*containers: Fields) -> Fields:
        template: Fields = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": list(containers)}}
        return {"spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template}}

    with_tty: Fields = {"name": "one", "image": "i:1", "stdin": True}
    without: Fields = {"name": "one", "image": "i:1"}
    other: Fields = {"name": "two", "image": "i:1", "stdin": True}
    base = _object(pod(other, with_tty), kind="Deployment")
    desired = _object(pod(without, other), kind="Deployment")
    applied = entry("kustomize-controller", "Apply", {"spec": {"selector": ""}})
    live = _object(pod(with_tty, other), applied, kind="Deployment")

    assert ("stdin", "added", "pending-sync", []) in _causes(_compare(desired, live, base))


# -- changed values


@pytest.mark.parametrize(
    ("base", "desired", "live", "expected"),
    [
        ("1", "2", "1", [("a", "changed", "pending-sync", ["kube-controller-manager"])]),
        ("1", "1", "2", [("a", "changed", "controller", ["kube-controller-manager"])]),
        ("1", "2", "3", [("a", "changed", "controller", ["kube-controller-manager"])]),
        (None, "1", "2", [("a", "changed", "controller", ["kube-controller-manager"])]),
    ],
    ids=["git", "cluster", "both", "no base"],
)
def test_a_controllers_field(base: str | None, desired: str, live: str, expected: list[Any]) -> None:
    found = _compare(
        _object({"data": {"a": desired, "b": "1"}}),
        _object(
            {"data": {"a": live, "b": "1"}},
            entry("kustomize-controller", "Apply", {"data": {"b": ""}}),
            entry("kube-controller-manager", "Update", {"data": {"a": ""}}),
        ),
        None if base is None else _object({"data": {"a": base, "b": "1"}}),
    )

    assert _causes(found) == expected


# -- what people do under the applier's name

LAST: Fields = {"f:metadata": {"f:annotations": {f"f:{LAST_APPLIED}": {}}}}


def _client_side(manager: str, live: Fields, sent: Fields) -> Fields:
    """A live object that its applier sent with client-side apply."""
    owned = entry(manager, "Update", {"data": dict.fromkeys(live["data"], "")})
    owned["fieldsV1"].update(LAST)
    return _object(live, owned, annotations={LAST_APPLIED: json.dumps(_object(sent))})


@pytest.mark.parametrize("applier", ["kubectl-client-side-apply", "argocd-controller", "kapp"])
def test_what_the_applier_sent_is_no_work_of_a_webhook(applier: str) -> None:
    desired, live = _object({"data": {"a": "1"}}), {"data": {"a": "evil", "b": "x"}}

    found = _compare(desired, _client_side(applier, live, live), desired)

    assert sorted(_causes(found)) == [("a", "changed", "unknown", [applier]), ("b", "added", "unknown", [applier])]
    assert {one.note for one in found.differences} == {AS_APPLIER_NOTE}


@pytest.mark.parametrize("applier", ["kubectl-client-side-apply", "argocd-controller", "kapp"])
def test_what_the_applier_did_not_send_is_the_work_of_a_webhook(applier: str) -> None:
    desired = _object({"data": {"a": "1"}})

    found = _compare(desired, _client_side(applier, {"data": {"a": "2", "b": "x"}}, {"data": {"a": "1"}}), desired)

    assert _causes(found) == []
    assert found.has_admitted


@pytest.mark.parametrize("applier", ["helm", "Terraform", "pulumi-kubernetes-1a"])
def test_a_command_that_people_run_is_not_explained_without_what_it_sent(applier: str) -> None:
    desired = _object({"data": {"a": "1"}})
    live = _object({"data": {"a": "2", "b": "x"}}, entry(applier, "Update", {"data": {"a": "", "b": ""}}))

    found = _causes(_compare(desired, live, desired))
    of_release = compare_object(desired, live, None, _type("v1", "ConfigMap"), synced=desired, is_sent=True)

    assert sorted(found) == [("a", "changed", "unknown", [applier]), ("b", "added", "unknown", [applier])]
    assert not of_release.differences
    assert of_release.has_admitted


@pytest.mark.parametrize(
    ("applied", "edited"),
    [
        ("kubectl", "kubectl-client-side-apply"),
        ("kustomize-controller", "kustomize-controller"),
    ],
)
def test_an_update_beside_server_side_apply_is_no_work_of_a_webhook(applied: str, edited: str) -> None:
    desired = _object({"data": {"a": "1", "b": "2"}})
    live = _object(
        {"data": {"a": "9", "b": "2"}},
        entry(applied, "Apply", {"data": {"b": ""}}),
        entry(edited, "Update", {"data": {"a": ""}}),
    )

    assert _causes(_compare(desired, live, desired)) == [("a", "changed", "unknown", [edited])]


def test_flux_suspend_is_manual() -> None:
    desired = _object({"data": {"suspend": "false", "path": "x"}})
    live = _object(
        {"data": {"suspend": "true", "path": "x"}},
        entry("kustomize-controller", "Apply", {"data": {"path": ""}}),
        entry("flux", "Update", {"data": {"suspend": ""}}),
        labels=FLUX,
    )

    assert _causes(_compare(desired, live, desired)) == [("suspend", "changed", "manual", ["flux"])]
