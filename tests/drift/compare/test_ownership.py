"""Which side changed, by the owners of a field and by the base: the tables of docs/semantics.md.

Each case asks both the comparison and the fast check that skips it.
"""

import json
from typing import Any

import pytest

from drift.compare.classify import APPLIED_EMPTY
from drift.compare.objects import compare_object
from drift.compare.ownership import AS_APPLIER_NOTE, NO_BASE_NOTE, OUT_OF_SYNC_NOTE
from drift.compare.proof import InSyncProof
from drift.gitops.tracking import reserved_metadata
from drift.model import NOT_KEPT
from drift.objects import LAST_APPLIED
from drift.schema.facts import known_facts
from tests.drift.compare.managed_fields import Fields, built_in, causes, compare, entry

FLUX = {"kustomize.toolkit.fluxcd.io/name": "apps"}
ARGOCD = {"argocd.argoproj.io/tracking-id": "apps:/ConfigMap:n/a"}
HELM = {"meta.helm.sh/release-name": "apps"}


def _object(fields: Fields, *entries: Fields, kind: str = "ConfigMap", **metadata: Any) -> Fields:
    api_version = "apps/v1" if kind == "Deployment" else "v1"
    managed = {"managedFields": [{**one, "apiVersion": api_version} for one in entries]} if entries else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", **metadata, **managed}, **fields}


# -- an operator writes the status, the finalizer and defaults of its objects


@pytest.mark.parametrize(("manager", "cause"), [("manager", "controller"), ("kubectl-edit", "manual")])
def test_what_an_operator_writes_beside_the_status(manager: str, cause: str) -> None:
    applied = entry("kustomize-controller", "Apply", {"spec": {"selector": ""}})
    written = entry(manager, "Update", {"spec": {"externalName": ""}, "metadata": {"finalizers": ""}})
    status = {**entry(manager, "Update", {"status": {"conditions": ""}}), "subresource": "status"}
    desired = _object({"spec": {"selector": {"app": "a"}}}, kind="Service")
    live_spec = {"spec": {"selector": {"app": "a"}, "externalName": "x"}}

    def found(*entries: Fields) -> list[tuple[str, str, str, list[str]]]:
        live = _object(live_spec, applied, written, *entries, kind="Service", finalizers=["example.com/clean"])
        return sorted(causes(compare(desired, live)))

    assert [(path, by) for path, _, by, _ in found()] == [("externalName", "manual"), ("finalizers", "manual")]
    assert [(path, by) for path, _, by, _ in found(status)] == [("externalName", cause), ("finalizers", cause)]


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

    assert sorted(causes(compare(desired, live, desired))) == [
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

    assert causes(compare(desired, _object({"data": {"a": "1"}}, before, after, **marks))) == []


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2025-12-31T00:00:00Z", [("b", "added", "pending-sync", ["helm"])]),
        ("2026-01-02T00:00:00Z", [("b", "added", "manual", ["helm"])]),
    ],
    ids=["before", "after"],
)
@pytest.mark.parametrize("has_base", [True, False])
def test_what_a_former_applier_left_behind_is_pending(time: str, expected: list[Any], *, has_base: bool) -> None:
    desired = _object({"data": {"a": "1"}})
    former = {**entry("helm", "Update", {"data": {"a": "", "b": ""}}), "time": time}
    live = _object({"data": {"a": "1", "b": "2"}}, former, entry("kustomize-controller", "Apply", {"data": {"a": ""}}))

    assert causes(compare(desired, live, desired if has_base else None)) == expected


@pytest.mark.parametrize(
    ("time", "cause", "actors"),
    [("2025-12-31T00:00:00Z", "pending-sync", []), ("2026-01-02T00:00:00Z", "manual", ["helm"])],
    ids=["before", "after"],
)
@pytest.mark.parametrize("has_base", [True, False])
def test_a_field_that_git_adds_and_a_former_applier_set_is_pending(
    time: str, cause: str, actors: list[str], *, has_base: bool
) -> None:
    former = {**entry("helm", "Update", {"data": {"a": "", "b": ""}}), "time": time}
    live = _object({"data": {"a": "1", "b": "2"}}, former, entry("kustomize-controller", "Apply", {"data": {"a": ""}}))

    found = compare(_object({"data": {"a": "1", "b": "3"}}), live, _object({"data": {"a": "1"}}) if has_base else None)

    assert causes(found) == [("b", "changed", cause, actors)]


@pytest.mark.parametrize("marks", [{"annotations": HELM}, {"labels": FLUX}, {"annotations": ARGOCD}])
def test_a_tracking_mark_put_by_hand_on_an_object_of_kubectl_is_reported(marks: Fields) -> None:
    applied = entry("kubectl-client-side-apply", "Update", {"data": {"a": "", "b": ""}})
    marked = entry("kubectl-annotate", "Update", {"metadata": marks})
    (field,) = marks

    same = compare(_object({"data": {"a": "1"}}), _object({"data": {"a": "1"}}, applied, marked, **marks))
    changed = compare(_object({"data": {"a": "2"}}), _object({"data": {"a": "1"}}, applied, marked, **marks))

    assert causes(same) == [(field, "added", "manual", ["kubectl-annotate"])]
    assert ("a", "changed", "pending-sync", ["kubectl-client-side-apply"]) in causes(changed)


def test_an_object_that_kubectl_made_from_a_tracked_one_has_no_applier() -> None:
    made = entry("kubectl-client-side-apply", "Update", {"data": {"a": ""}, "metadata": {"labels": FLUX}})

    found = compare(_object({"data": {"a": "2"}}), _object({"data": {"a": "1"}}, made, labels=FLUX))

    assert causes(found) == [("a", "changed", "manual", ["kubectl-client-side-apply"])]


def test_a_tracking_label_added_by_hand_is_reported() -> None:
    applied = entry("kustomize-controller", "Apply", {"data": {"a": ""}})
    edited = entry("kubectl-label", "Update", {"metadata": {"annotations": HELM}})
    live = _object({"data": {"a": "1"}}, applied, edited, annotations=HELM)

    found = causes(compare(_object({"data": {"a": "1"}}), live))

    assert found == [("annotations", "added", "manual", ["kubectl-label"])]


def test_the_last_applied_annotation_tells_the_applier_of_two_programs() -> None:
    body = _object({"data": {"a": "1"}})
    applied = entry("argocd-controller", "Update", {"metadata": {"annotations": {LAST_APPLIED: ""}}})
    edited = entry("helm", "Update", {"data": {"a": "", "b": "", "c": ""}})
    live = _object(
        {"data": {"a": "1", "b": "x", "c": "y"}}, applied, edited, annotations={LAST_APPLIED: json.dumps(body)}
    )

    assert causes(compare(body, live)) == [("b", "added", "manual", ["helm"]), ("c", "added", "manual", ["helm"])]


# -- what admission explains, the GitOps controller can contradict


def test_what_the_applier_updated_beyond_git_is_reported_once_the_object_is_out_of_sync() -> None:
    desired = _object({"data": {"a": "1"}})
    live = _object({"data": {"a": "1", "b": "x"}}, entry("argocd-controller", "Update", {"data": {"a": "", "b": ""}}))

    in_sync = compare(desired, live, desired)
    out_of_sync = compare(desired, live, desired, out_of_sync=True)

    assert causes(in_sync) == []
    assert in_sync.assumes_admission
    assert causes(out_of_sync) == [("b", "added", "unknown", ["argocd-controller"])]
    assert out_of_sync.differences[0].note == OUT_OF_SYNC_NOTE


def test_a_default_stays_silent_while_the_object_is_out_of_sync() -> None:
    service: Fields = {"spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]}}
    desired = _object(service, kind="Service")
    defaults = {"sessionAffinity": "None", "type": "ClusterIP"}
    owned = entry("argocd-controller", "Update", {"spec": {**service["spec"], **defaults}})
    live = _object({"spec": {**service["spec"], **defaults}}, owned, kind="Service")

    assert causes(compare(desired, live, desired, out_of_sync=True)) == []


def test_without_a_base_what_the_applier_updated_beyond_git_is_unknown() -> None:
    live = _object({"data": {"a": "1", "b": "x"}}, entry("helm", "Update", {"data": {"a": "", "b": ""}}))

    found = compare(_object({"data": {"a": "1"}}), live)

    assert causes(found) == [("b", "added", "unknown", ["helm"])]
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

    found = compare(_object(kept, kind=kind), live, _object(dropped, kind=kind))

    assert [(change, cause) for _, change, cause, _ in causes(found)] == [("added", "pending-sync")]


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

    found = compare(_object({"data": {"a": "1"}}), live, _object({"data": {"a": "1", "b": "x"}}))

    assert causes(found) == [("b", "added", "manual", ["kubectl-edit"])]


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

    assert ("stdin", "added", "pending-sync", []) in causes(compare(desired, live, base))


# -- changed values


@pytest.mark.parametrize(
    ("base", "desired", "live", "expected"),
    [
        ("1", "2", "1", [("a", "changed", "pending-sync", [])]),
        ("1", "1", "2", [("a", "changed", "controller", ["kube-controller-manager"])]),
        ("1", "2", "3", [("a", "changed", "controller", ["kube-controller-manager"])]),
        (None, "1", "2", [("a", "changed", "controller", ["kube-controller-manager"])]),
    ],
    ids=["git", "cluster", "both", "no base"],
)
def test_a_controllers_field(base: str | None, desired: str, live: str, expected: list[Any]) -> None:
    found = compare(
        _object({"data": {"a": desired, "b": "1"}}),
        _object(
            {"data": {"a": live, "b": "1"}},
            entry("kustomize-controller", "Apply", {"data": {"b": ""}}),
            entry("kube-controller-manager", "Update", {"data": {"a": ""}}),
        ),
        None if base is None else _object({"data": {"a": base, "b": "1"}}),
    )

    assert causes(found) == expected


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

    found = compare(desired, _client_side(applier, live, live), desired)

    assert sorted(causes(found)) == [("a", "changed", "unknown", [applier]), ("b", "added", "unknown", [applier])]
    assert {one.note for one in found.differences} == {AS_APPLIER_NOTE}


@pytest.mark.parametrize("applier", ["kubectl-client-side-apply", "argocd-controller", "kapp"])
def test_what_the_applier_did_not_send_is_the_work_of_a_webhook(applier: str) -> None:
    desired = _object({"data": {"a": "1"}})

    found = compare(desired, _client_side(applier, {"data": {"a": "2", "b": "x"}}, {"data": {"a": "1"}}), desired)

    assert causes(found) == []
    assert found.assumes_admission


@pytest.mark.parametrize("applier", ["helm", "Terraform", "pulumi-kubernetes-1a"])
def test_a_command_that_people_run_is_not_explained_without_what_it_sent(applier: str) -> None:
    desired = _object({"data": {"a": "1"}})
    live = _object({"data": {"a": "2", "b": "x"}}, entry(applier, "Update", {"data": {"a": "", "b": ""}}))

    found = causes(compare(desired, live, desired))
    of_release = compare_object(desired, live, None, built_in("v1", "ConfigMap"), synced_manifest=desired, is_sent=True)

    assert sorted(found) == [("a", "changed", "unknown", [applier]), ("b", "added", "unknown", [applier])]
    assert not of_release.differences
    assert of_release.assumes_admission


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

    assert causes(compare(desired, live, desired)) == [("a", "changed", "unknown", [edited])]


def test_flux_suspend_is_manual() -> None:
    desired = _object({"data": {"suspend": "false", "path": "x"}})
    live = _object(
        {"data": {"suspend": "true", "path": "x"}},
        entry("kustomize-controller", "Apply", {"data": {"path": ""}}),
        entry("flux", "Update", {"data": {"suspend": ""}}),
        labels=FLUX,
    )

    assert causes(compare(desired, live, desired)) == [("suspend", "changed", "manual", ["flux"])]


# -- a controller keeps its state in an object that others apply


@pytest.mark.parametrize(
    ("manager", "state"),
    [
        ("argocd-application-controller", {"f:status": {"f:sync": {}}}),
        ("argocd-application-controller", {"f:status": {}, "f:operation": {}}),
        ("helm-controller", {"f:metadata": {"f:finalizers": {".": {}, 'v:"finalizers.fluxcd.io"': {}}}}),
    ],
)
@pytest.mark.parametrize(("applier", "operation"), [("kubectl-client-side-apply", "Update"), ("kubectl", "Apply")])
def test_a_change_in_git_of_an_object_with_the_state_of_a_controller_is_pending(
    applier: str, operation: str, manager: str, state: Fields
) -> None:
    sent = {"data": {"a": "1", "b": "1"}}
    applied = entry(applier, operation, {"data": {"a": ""}})
    kept = {**entry(manager, "Update", {}), "fieldsV1": state}
    finalizers: Fields = {"finalizers": ["finalizers.fluxcd.io"]} if "f:metadata" in state else {}
    edited = entry("kubectl-edit", "Update", {"data": {"b": ""}})

    def found(desired: Fields, fields: Fields, *entries: Fields) -> list[tuple[str, str, str, list[str]]]:
        live = _object({**fields, "status": {"sync": "x"}}, applied, *entries, kept, **finalizers)
        return causes(compare(_object(desired), live, _object(sent)))

    assert found(sent, sent) == []
    assert found({"data": {"a": "2", "b": "1"}}, sent) == [("a", "changed", "pending-sync", [applier])]
    assert found(sent, {"data": {"a": "1", "b": "2"}}, edited) == [("b", "changed", "manual", ["kubectl-edit"])]


def test_an_object_with_the_state_of_a_controller_is_not_taken_for_one_that_it_applies() -> None:
    desired = _object({"data": {"a": "1"}})
    proof = InSyncProof(known_facts(), reserved_metadata())
    schema = built_in("v1", "ConfigMap")
    made = entry("kubectl-create", "Update", {"data": {"a": ""}})
    manager = "argocd-application-controller"

    def holds(fields: Fields) -> bool:
        written = {**entry(manager, "Update", {}), "fieldsV1": fields}
        return proof.holds(desired, _object({"data": {"a": "1"}}, made, written), None, None, schema)

    # The managers are the same, and the roles are not.
    for _ in range(2):
        assert not holds({"f:status": {}})
        assert holds({"f:data": {"f:a": {}}})


# -- Git sets a field that the last sync did not have


def _service(*entries: Fields, **fields: Any) -> Fields:
    return _object({"spec": {"selector": {"app": "a"}, "ports": [PORT], **fields}}, *entries, kind="Service")


SYNCED = entry("kustomize-controller", "Apply", {"spec": {"selector": {"app": ""}}})


def _by_hand(manager: str, *fields: str) -> Fields:
    return entry(manager, "Update", {"spec": dict.fromkeys(fields, "")})


@pytest.mark.parametrize("creator", [None, "kubectl-create", "helm", "kube-controller-manager"])
@pytest.mark.parametrize(
    ("field", "in_git", "filled_in"),
    [("type", "NodePort", "ClusterIP"), ("sessionAffinity", "ClientIP", "None"), ("clusterIP", "10.0.0.7", "10.0.0.9")],
)
def test_a_field_that_git_adds_to_one_that_the_server_filled_in_is_pending(
    field: str, in_git: str, filled_in: str, creator: str | None
) -> None:
    creators = () if creator is None else (_by_hand(creator, field),)

    found = compare(_service(**{field: in_git}), _service(*creators, SYNCED, **{field: filled_in}), _service())

    assert causes(found) == [(field, "changed", "pending-sync", [])]


@pytest.mark.parametrize(
    ("time", "live", "expected"),
    [
        ("2025-12-31T00:00:00Z", "ClusterIP", ("pending-sync", [])),
        ("2025-12-31T00:00:00Z", "LoadBalancer", ("manual", ["kubectl-create"])),
        ("2026-01-02T00:00:00Z", "ClusterIP", ("manual", ["kubectl-create"])),
    ],
    ids=["a default", "no default", "after the apply"],
)
def test_without_a_base_a_default_from_before_the_apply_is_no_edit(time: str, live: str, expected: Any) -> None:
    creator = {**_by_hand("kubectl-create", "type"), "time": time}

    found = causes(compare(_service(type="NodePort"), _service(creator, SYNCED, type=live)))

    assert found == [("type", "changed", *expected)]


@pytest.mark.parametrize("owned", [True, False])
def test_a_default_that_git_spells_out_and_a_user_changed_is_manual(*, owned: bool) -> None:
    def deployment(*entries: Fields, **spec: Any) -> Fields:
        return _object({"spec": {"selector": {"matchLabels": {"app": "a"}}, **spec}}, *entries, kind="Deployment")

    # Scaling records no owner of replicas that had none.
    edited = _by_hand("kubectl-edit", "replicas") if owned else _by_hand("kubectl-edit", "paused")

    found = causes(compare(deployment(replicas=1), deployment(SYNCED, edited, replicas=4), deployment()))

    assert found == [("replicas", "changed", "manual", ["kubectl-edit"] if owned else [])]


def test_a_field_that_git_adds_and_a_user_changed_has_the_cause_of_its_owner() -> None:
    edited = _by_hand("kubectl-edit", "type")

    found = compare(_service(type="NodePort"), _service(SYNCED, edited, type="LoadBalancer"), _service())

    assert causes(found) == [("type", "changed", "manual", ["kubectl-edit"])]


# -- the applier owns a field that is not live


def _pods(*, ready: int | None = None, **pod: Any) -> Fields:
    spec: Fields = {"selector": {"matchLabels": {"app": "a"}}, "template": {"spec": {"restartPolicy": "Always", **pod}}}
    return {"spec": spec if ready is None else {**spec, "minReadySeconds": ready}}


APPLIED_EMPTY_FIELDS = [
    ("Deployment", "hostNetwork", _pods(hostNetwork=False), _pods(hostNetwork=True)),
    ("Deployment", "volumes", _pods(volumes=[]), _pods(volumes=[{"name": "v", "emptyDir": {}}])),
    ("Deployment", "nodeSelector", _pods(nodeSelector={}), _pods(nodeSelector={"disk": "ssd"})),
    ("Deployment", "minReadySeconds", _pods(ready=0), _pods(ready=5)),
    ("ConfigMap", "labels", {"metadata": {"labels": {}}}, {"metadata": {"labels": {"a": "b"}}}),
    ("ConfigMap", "data", {"data": {}}, {"data": {"a": "b"}}),
]


def _with(fields: Fields, *entries: Fields, kind: str) -> Fields:
    rest = {name: value for name, value in fields.items() if name != "metadata"}
    return _object(rest, *entries, kind=kind, generation=3, **fields.get("metadata", {}))


@pytest.mark.parametrize(("kind", "field", "before", "now"), APPLIED_EMPTY_FIELDS)
@pytest.mark.parametrize("has_base", [True, False])
def test_a_value_that_git_gives_to_a_field_that_was_empty_is_pending(
    kind: str, field: str, before: Fields, now: Fields, *, has_base: bool
) -> None:
    applied = entry("kustomize-controller", "Apply", _leaves(before))

    found = compare(
        _with(now, kind=kind),
        _with(_pods() if kind == "Deployment" else {}, applied, kind=kind),
        _with(before, kind=kind) if has_base else None,
    )

    assert causes(found) == [(field, "removed", "pending-sync", [])]
    assert found.differences[0].note == (None if has_base else APPLIED_EMPTY)


def test_a_field_that_the_server_dropped_after_an_edit_of_another_is_not_pending() -> None:
    desired = _service(type="NodePort", externalTrafficPolicy="Local")
    applied = _by_hand("kustomize-controller", "externalTrafficPolicy")
    edited = {**_by_hand("kubectl-edit", "type"), "time": "2026-01-02T00:00:00Z"}
    live = _service({**applied, "operation": "Apply"}, edited, type="ClusterIP")

    assert sorted(causes(compare(desired, live))) == [
        ("externalTrafficPolicy", "removed", "unknown", []),
        ("type", "changed", "manual", ["kubectl-edit"]),
    ]


@pytest.mark.parametrize(("kind", "field", "before", "now"), APPLIED_EMPTY_FIELDS)
def test_what_a_user_removes_after_it_was_applied_is_manual(kind: str, field: str, before: Fields, now: Fields) -> None:
    del before
    applied = entry("kustomize-controller", "Apply", {"metadata": {"annotations": {"x": ""}}})
    edited = {**entry("kubectl-edit", "Update", {"spec": {"paused": ""}}), "time": "2026-01-02T00:00:00Z"}
    live = _with(_pods() if kind == "Deployment" else {}, applied, edited, kind=kind)

    assert causes(compare(_with(now, kind=kind), live, _with(now, kind=kind))) == [
        (field, "removed", "manual", ["kubectl-edit"])
    ]


@pytest.mark.parametrize("has_base", [True, False])
def test_a_pointer_that_the_applier_owns_and_the_cluster_lacks_is_not_kept(*, has_base: bool) -> None:
    pods = _pods(hostUsers=False)
    applied = entry("kustomize-controller", "Apply", pods)

    found = compare(
        _with(pods, kind="Deployment"),
        _with(_pods(), applied, kind="Deployment"),
        _with(pods, kind="Deployment") if has_base else None,
    )

    assert causes(found) == [("hostUsers", "removed", "unknown", [])]
    assert found.differences[0].note == NOT_KEPT


def test_a_field_that_the_schema_lacks_suggests_the_one_that_was_meant() -> None:
    found = compare(_with(_pods(hostNetwrok=True), kind="Deployment"), _with(_pods(), kind="Deployment"))

    assert found.differences[0].note == f"{NOT_KEPT}; did you mean 'hostNetwork'?"


def _leaves(value: Any) -> Any:
    return {name: _leaves(below) for name, below in value.items()} if isinstance(value, dict) and value else ""


# -- an entry that cannot be read


@pytest.mark.parametrize(
    "odd",
    [
        None,
        {"manager": 7},
        {"manager": "helm", "operation": "Update", "fieldsType": "FieldsV2"},
        {"manager": "helm", "operation": "Update", "fieldsV1": {"k:{": {}}},
        {"manager": "helm", "operation": "Update", "fieldsV1": {"f:data": 3}},
    ],
)
def test_beside_an_entry_that_cannot_be_read_the_others_tell_who_wrote(odd: Fields | None) -> None:
    desired = _object({"data": {"a": "1", "b": "2"}})
    applied = entry("kustomize-controller", "Apply", {"data": {"b": ""}})
    edited = entry("kubectl-edit", "Update", {"data": {"a": "", "added": ""}})
    live = _object({"data": {"a": "9", "b": "2", "added": "x", "unowned": "x"}}, applied, edited)
    in_sync = _object({"data": {"a": "1", "b": "2"}}, entry("kustomize-controller", "Apply", desired["data"]))
    for each in (live, in_sync):
        each["metadata"]["managedFields"].insert(1, odd)

    compared = compare(desired, live)

    assert sorted(causes(compared)) == [
        ("a", "changed", "manual", ["kubectl-edit"]),
        ("added", "added", "manual", ["kubectl-edit"]),
        # The odd entry may own it.
        ("unowned", "added", "unknown", []),
    ]
    assert [remark for remark in compared.remarks if "managedFields cannot be read in full" in remark]
    assert causes(compare(desired, in_sync)) == []
