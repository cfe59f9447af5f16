"""Which objects the fast check finds in sync. tests/conftest.py checks in every test that it is never wrong."""

import copy
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.compare.objects import ObjectComparison, compare_object
from drift.compare.proof import InSyncProof
from drift.gitops.tracking import reserved_metadata
from drift.objects import Object
from drift.scanning import pairs
from drift.schema.facts import known_facts
from drift.schema.types import UNKNOWN, SchemaDocument, Type, compact_schemas
from tests.drift.compare.managed_fields import built_in, compare, entry
from tests.drift.conftest import Application
from tools.sandbox.syncers import TAKING_OVER, Syncer

#: Kinds of the production manifests whose live objects have the same values in another form, such as no zeros.
REWRITTEN = {"NetworkPolicy", "Deployment"}


@pytest.mark.parametrize("syncer", TAKING_OVER, ids=lambda syncer: str(syncer.value))
def test_synced_production_manifests_need_no_comparison(
    application: Application, syncer: Syncer, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.sync(syncer)
    compared: list[str] = []

    def count(desired: Object, *args: Any, **kwargs: Any) -> ObjectComparison:
        compared.append(desired["kind"])
        return compare_object(desired, *args, **kwargs)

    monkeypatch.setattr(pairs, "compare_object", count)
    report = application.report()

    assert report.status == 0
    assert set(compared) <= REWRITTEN


CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}, "data": {"k": "v"}}
APPLIED = {
    "manager": "kustomize-controller",
    "operation": "Apply",
    "apiVersion": "v1",
    "time": "2026-01-01T00:00:00Z",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:data": {"f:k": {}}},
}


def _live(*entries: dict[str, Any] | None, **fields: Any) -> Object:
    metadata = {**CONFIG_MAP["metadata"], "uid": "1", "managedFields": list(entries)}  # type: ignore[dict-item]
    return {**CONFIG_MAP, "metadata": metadata, **fields}


def _holds(live: Object, desired: Object = CONFIG_MAP, base: Object | None = None) -> bool:
    schema = SchemaDocument(compact_schemas()).kind("", "v1", "ConfigMap")
    assert schema is not None
    return InSyncProof(known_facts(), reserved_metadata()).holds(desired, live, base, None, schema)


def test_an_object_that_only_the_applier_wrote_is_in_sync() -> None:
    assert _holds(_live(APPLIED))


@pytest.mark.parametrize(
    "live",
    [
        _live(),
        _live(APPLIED, data={"k": "w"}),
        _live(APPLIED, data={}),
        _live(APPLIED, {**APPLIED, "manager": "kubectl-edit", "fieldsV1": {"f:data": {"f:other": {}}}}),
        _live({**APPLIED, "manager": "editor"}),
        _live({**APPLIED, "fieldsV1": {"f:data": {"f:k": {}, "f:dropped": {}}}}),
        _live({**APPLIED, "apiVersion": "v0"}),
        _live({**APPLIED, "fieldsV1": None}),
        _live({"manager": 1}),
        _live(APPLIED, None),
        _live(APPLIED, {**APPLIED, "manager": 1}),
        _live(APPLIED, metadata=None),
        {},
    ],
)
def test_any_other_object_is_left_to_the_comparison(live: Object) -> None:
    assert not _holds(live)


def test_a_field_that_git_dropped_since_the_last_client_side_apply_is_left_to_the_comparison() -> None:
    updated = {**APPLIED, "manager": "argocd-controller", "operation": "Update"}
    live = _live(updated, data={"k": "v", "dropped": "x"})

    assert _holds(live)
    assert not _holds(live, base={**CONFIG_MAP, "data": {"k": "v", "dropped": "x"}})


POD_SPEC = {"containers": [{"name": "app", "image": "app:1", "resources": {"limits": {"cpu": "1"}}}]}
WORKLOADS = {
    "Deployment": ("apps/v1", {"replicas": 1, "template": {"spec": POD_SPEC}}),
    "CronJob": ("batch/v1", {"suspend": False, "jobTemplate": {"spec": {"template": {"spec": POD_SPEC}}}}),
}


def _workload(kind: str) -> Object:
    version, spec = WORKLOADS[kind]
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": copy.deepcopy(spec)}


def _applied(desired: Object, *edited: dict[str, Any]) -> Object:
    live = copy.deepcopy(desired)
    entries = [entry("kustomize-controller", "Apply", {"spec": desired["spec"]}), *edited]
    live["metadata"]["managedFields"] = [{**one, "apiVersion": desired["apiVersion"]} for one in entries]
    return live


def _rest(desired: Object, live: Object, schema: Type | None = None, base: Object | None = None) -> Sequence[Any]:
    proof = InSyncProof(known_facts(), reserved_metadata())
    schema = schema or built_in(desired["apiVersion"], desired["kind"])
    return proof.without_equal_template(desired, live, base, None, schema)[:2]


@pytest.mark.parametrize("kind", WORKLOADS)
def test_an_equal_pod_template_is_left_out_of_the_comparison(kind: str) -> None:
    desired = _workload(kind)
    live = _applied(desired, entry("kubectl-scale", "Update", {"spec": {"replicas": 5, "suspend": True}}))
    live["spec"] |= {"replicas": 5, "suspend": True}

    rest = _rest(desired, live)

    assert not any("app:1" in str(one["spec"]) for one in rest)
    assert desired == _workload(kind)


@pytest.mark.parametrize("kind", WORKLOADS)
def test_any_other_pod_template_is_compared(kind: str) -> None:
    desired = _workload(kind)
    owner = entry("kubectl-edit", "Update", {"spec": {}})
    owner["fieldsV1"] = json.loads(
        json.dumps(_applied(desired)["metadata"]["managedFields"][0]["fieldsV1"]).replace("f:containers", "f:hostPID")
    )
    edited, added = _applied(desired), _applied(desired, owner)
    for live, name, value in ((edited, "containers", []), (added, "hostPID", True)):
        _pod_spec(live)[name] = value
    dropped = _workload(kind)
    _pod_spec(dropped)["nodeSelector"] = {"disk": "fast"}

    for live, schema, base in (
        (edited, None, None),
        (added, None, None),
        (_applied(desired), UNKNOWN, None),
        (_applied(desired), None, dropped),
        (_workload(kind), None, None),
    ):
        rest = _rest(desired, live, schema, base)
        assert rest[0] is desired
        assert rest[1] is live


def _pod_spec(body: Object) -> Object:
    part: Object = body["spec"]
    while "containers" not in part:
        part = part.get("template") or part.get("jobTemplate") or part["spec"]
    return part


# -- allocated fields: the check never contradicts the comparison

#: The fields of a claim and of a Service, with values that are allocated, chosen, empty or missing (None).
CLAIM: dict[str, list[Any]] = {
    "accessModes": [["RWO"]],
    "storageClassName": [None, "", "fast"],
    "volumeName": [None, "", "pv-1"],
}
SERVICE: dict[str, list[Any]] = {
    "selector": [{"app": "a"}],
    "clusterIP": [None, "", "None", "10.0.0.7"],
    "healthCheckNodePort": [None, 0, 30001],
}
PORT: dict[str, list[Any]] = {"name": ["web"], "nodePort": [None, 0, 30000]}
#: The kinds that have such an object: its fields, and where it is in ``spec``.
ALLOCATING = {
    "PersistentVolumeClaim": ("v1", CLAIM, ()),
    "Pod": ("v1", CLAIM, ("volumes", "v", "ephemeral", "volumeClaimTemplate", "spec")),
    "Deployment": ("apps/v1", CLAIM, ("template", "spec", "volumes", "v", "ephemeral", "volumeClaimTemplate", "spec")),
    "StatefulSet": ("apps/v1", CLAIM, ("volumeClaimTemplates", "v", "spec")),
    "Service": ("v1", SERVICE, ()),
    "Service port": ("v1", PORT, ("ports", "80")),
}
MANAGERS = [("kustomize-controller", "Apply"), ("argocd-controller", "Update"), ("kubectl-edit", "Update")]
_KEYS: dict[str, dict[str, Any]] = {"v": {"name": "v"}, "80": {"port": 80, "protocol": "TCP"}}


def _nested(path: Sequence[str], fields: dict[str, Any]) -> dict[str, Any]:
    body: Any = fields
    for name in reversed(path):
        body = [{**_KEYS[name], **body}] if name in _KEYS else {name: body}
    return body  # type: ignore[no-any-return]


def _owned(path: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    owned: dict[str, Any] = {f"f:{name}": {} for name in names}
    for index, name in reversed(list(enumerate(path))):
        # The server has the claims of a StatefulSet in an atomic list.
        if path[: index + 1] == ("volumeClaimTemplates",):
            owned = {}
        owned = {f"k:{json.dumps(_KEYS[name])}" if name in _KEYS else f"f:{name}": owned}
    return {"f:spec": owned}


@pytest.mark.parametrize("kind", ALLOCATING)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_the_check_agrees_with_the_comparison_on_allocated_fields(kind: str, data: st.DataObject) -> None:
    version, choices, path = ALLOCATING[kind]

    def body(*entries: dict[str, Any]) -> Object:
        chosen = {name: data.draw(st.sampled_from(values)) for name, values in choices.items()}
        spec = _nested(path, {name: value for name, value in chosen.items() if value is not None})
        server = {"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": list(entries)} if entries else {}
        metadata = {"name": "a", **server}
        return {"apiVersion": version, "kind": kind.partition(" ")[0], "metadata": metadata, "spec": spec}

    entries = [
        {
            **entry(manager, operation, {}),
            "apiVersion": version,
            "time": f"2026-01-0{day}T00:00:00Z",
            "fieldsV1": _owned(path, data.draw(st.lists(st.sampled_from(list(choices)), unique=True))),
        }
        for day, (manager, operation) in enumerate(
            data.draw(st.lists(st.sampled_from(MANAGERS), min_size=1, unique=True)), start=1
        )
    ]
    base = body() if data.draw(st.booleans()) else None

    compare(body(), body(*entries), base)
