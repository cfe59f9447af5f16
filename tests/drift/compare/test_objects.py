"""Compares small manifests and live objects: which differences are reported, and with what cause."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.compare.normalize import normalize_object
from drift.compare.objects import ObjectComparison, compare_object
from drift.compare.show import to_json
from drift.kube.live import read_live
from drift.model import Finding
from drift.objects import ObjectKey
from drift.policy.findings import object_findings
from drift.schema.facts import known_facts
from drift.schema.types import SchemaDocument, Type, compact_schemas

DOCUMENT = SchemaDocument(compact_schemas())
Owner = tuple[str, str, dict[str, Any]]
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


def _type(api_version: str, kind: str) -> Type:
    group, _, version = api_version.rpartition("/")
    found = DOCUMENT.kind(group, version, kind)
    assert found is not None
    return found


def _compare(desired: Any, live: Any, synced: Any = None) -> ObjectComparison:
    read = read_live(live, desired["apiVersion"], desired["kind"])
    schema = _type(desired["apiVersion"], desired["kind"])
    return compare_object(desired, read.body, read.last_applied, schema, synced_manifest=synced)


def _findings(desired: Any, live: Any, synced: Any = None) -> tuple[Finding, ...]:
    key = ObjectKey("", desired["kind"], None, desired["metadata"]["name"])
    return object_findings(_compare(desired, live, synced), key, "cluster")


def _reported(desired: Any, live: Any, synced: Any = None) -> list[tuple[str, str, str]]:
    return [(f.change.value, f.path, f.cause.value) for f in _findings(desired, live, synced)]


def _owned(body: Any, *entries: Owner) -> Any:
    """The object with these ``managedFields`` entries: manager, operation, field set."""
    body = copy.deepcopy(body)
    body["metadata"]["managedFields"] = [
        {"manager": manager, "operation": operation, "apiVersion": body["apiVersion"], "fieldsV1": fields}
        for manager, operation, fields in entries
    ]
    return body


def _with(body: Any, *path: Any, value: Any) -> Any:
    changed = copy.deepcopy(body)
    node = changed
    for part in path[:-1]:
        node = node.setdefault(part, {}) if isinstance(node, dict) else node[part]
    node[path[-1]] = value
    return changed


CONFIG_MAP: Any = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}
SERVICE: Any = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "a"},
    "spec": {"selector": {"app": "a"}, "ports": [{"port": 80, "targetPort": 8080}, {"port": 443}]},
}
DEPLOYMENT: Any = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "a", "labels": {"app": "a"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "a"}},
        "template": {
            "metadata": {"labels": {"app": "a"}},
            "spec": {
                "containers": [
                    {
                        "name": "app",
                        "image": "app:1",
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
                        "securityContext": {"privileged": False},
                    },
                    {"name": "helper", "image": "helper:1"},
                ]
            },
        },
    },
}
POLICY: Any = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "a"},
    "spec": {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "a"}}}]}]},
}
CONTAINER = ("spec", "template", "spec", "containers", 0)
IN_CONTAINER = "spec.template.spec.containers[name=app]"


@pytest.mark.parametrize("body", [CONFIG_MAP, SERVICE, DEPLOYMENT, POLICY], ids=lambda body: body["kind"])
def test_an_object_is_in_sync_with_itself(body: Any) -> None:
    assert _reported(body, body) == []


def test_the_first_label_is_reported_at_metadata_labels() -> None:
    live = _with(CONFIG_MAP, "metadata", "labels", value={"team": "x"})
    owner: Owner = ("kubectl-label", "Update", {"f:metadata": {"f:labels": {".": {}, "f:team": {}}}})

    found = _findings(CONFIG_MAP, _owned(live, owner))

    assert [(f.change, f.path, f.pointer, f.severity) for f in found] == [
        ("added", "metadata.labels", "/metadata/labels", "low")
    ]


def test_the_removed_last_label_is_reported_at_metadata_labels() -> None:
    desired = _with(CONFIG_MAP, "metadata", "labels", value={"team": "x"})

    assert [(change, path) for change, path, _ in _reported(desired, CONFIG_MAP)] == [("removed", "metadata.labels")]


def test_an_empty_selector_next_to_another_is_not_a_default() -> None:
    # It opens the port to the pods of every namespace.
    open_to_all = _with(POLICY, "spec", "ingress", 0, "from", 0, "namespaceSelector", value={})

    assert [(change, path) for change, path, _ in _reported(POLICY, open_to_all)] == [("changed", "spec.ingress")]


@pytest.mark.parametrize(
    ("path", "value", "change", "rendered"),
    [
        (("spec", "replicas"), 3, "changed", "spec.replicas"),
        ((*CONTAINER, "image"), "app:2", "changed", f"{IN_CONTAINER}.image"),
        ((*CONTAINER, "env", 0, "value"), "9", "changed", f"{IN_CONTAINER}.env[name=A].value"),
        ((*CONTAINER, "resources", "limits", "cpu"), "2", "changed", f"{IN_CONTAINER}.resources.limits.cpu"),
        ((*CONTAINER, "securityContext", "privileged"), True, "changed", f"{IN_CONTAINER}.securityContext.privileged"),
        (("metadata", "labels", "app"), "a\n", "changed", "metadata.labels.app"),
        (("metadata", "labels", "__x"), "1", "added", "metadata.labels.__x"),
    ],
)
def test_one_edit_is_one_finding(path: Any, value: Any, change: str, rendered: str) -> None:
    live = _with(DEPLOYMENT, *path, value=value)

    assert [(change, path) for change, path, _ in _reported(DEPLOYMENT, live)] == [(change, rendered)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*CONTAINER, "resources", "limits"), {"cpu": "1000m", "memory": "1024Mi"}),
        (("metadata", "creationTimestamp"), None),
        (("metadata", "uid"), "x"),
        (("metadata", "resourceVersion"), "5"),
        (("status",), {"replicas": 2}),
        (("metadata", "annotations"), {"deployment.kubernetes.io/revision": "3"}),
        (("spec", "template", "spec", "restartPolicy"), "Always"),
        (("spec", "template", "spec", "nodeSelector"), {}),
        (("spec", "template", "spec", "volumes"), []),
    ],
)
def test_equal_values_in_another_form_are_not_reported(path: Any, value: Any) -> None:
    assert _reported(DEPLOYMENT, _with(DEPLOYMENT, *path, value=value)) == []


def test_true_differs_from_one() -> None:
    custom = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": 1}}

    assert [path for _, path, _ in _reported(custom, _with(custom, "data", "k", value=True))] == ["data.k"]


def test_list_map_items_in_another_order_are_one_reordered_finding() -> None:
    live = copy.deepcopy(DEPLOYMENT)
    live["spec"]["template"]["spec"]["containers"].reverse()

    assert [(change, path) for change, path, _ in _reported(DEPLOYMENT, live)] == [
        ("reordered", "spec.template.spec.containers")
    ]


def test_the_last_sync_tells_which_side_reordered() -> None:
    other = copy.deepcopy(DEPLOYMENT)
    other["spec"]["template"]["spec"]["containers"].reverse()

    def cause(synced: Any) -> list[str]:
        return [cause for *_, cause in _reported(DEPLOYMENT, other, synced)]

    assert cause(DEPLOYMENT) == ["manual"]
    assert cause(other) == ["pending-sync"]
    assert cause(None) == ["unknown"]


def test_an_edited_key_field_of_a_list_item_is_one_change() -> None:
    live = _with(SERVICE, "spec", "ports", 0, "port", value=81)

    assert [(change, path) for change, path, _ in _reported(SERVICE, live)] == [
        ("changed", "spec.ports[port=80,protocol=TCP].port")
    ]


ALIASES = [{"ip": "192.0.2.1", "hostnames": ["a", "b"]}, {"ip": "192.0.2.2", "hostnames": ["c"]}]
SPREAD = [
    {
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "maxSkew": 1,
        "labelSelector": {"matchLabels": {"app": "a"}},
    }
]


@pytest.mark.parametrize(
    ("field", "items", "name", "value", "path"),
    [
        ("hostAliases", ALIASES, "ip", "192.0.2.9", "hostAliases[ip=192.0.2.1].ip"),
        (
            "topologySpreadConstraints",
            SPREAD,
            "whenUnsatisfiable",
            "ScheduleAnyway",
            "topologySpreadConstraints[topologyKey=zone,whenUnsatisfiable=DoNotSchedule].whenUnsatisfiable",
        ),
    ],
)
def test_an_edited_key_of_an_item_without_a_name_is_one_change(
    field: str, items: Any, name: str, value: str, path: str
) -> None:
    desired = _with(DEPLOYMENT, "spec", "template", "spec", field, value=items)
    live = _with(desired, "spec", "template", "spec", field, 0, name, value=value)

    assert [(change, path) for change, path, _ in _reported(desired, live)] == [
        ("changed", f"spec.template.spec.{path}")
    ]


def test_an_edited_port_with_a_node_port_in_git_is_one_change() -> None:
    desired = _with(SERVICE, "spec", "ports", 0, "nodePort", value=30080)
    live = _with(desired, "spec", "ports", 0, "port", value=81)

    assert [(change, path) for change, path, _ in _reported(desired, live)] == [
        ("changed", "spec.ports[port=80,protocol=TCP].port")
    ]


@pytest.mark.parametrize("owner", ["kustomize-controller", "kubectl-edit"])
def test_an_edited_protocol_is_found_although_git_omits_it(owner: str) -> None:
    ports = [{"name": "dns", "port": 53}]
    live = _with(SERVICE, "spec", "ports", value=[{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}])
    fields: Any = {"f:spec": {"f:ports": {'k:{"port":53,"protocol":"UDP"}': {".": {}, "f:name": {}, "f:port": {}}}}}

    found = _reported(_with(SERVICE, "spec", "ports", value=ports), _owned(live, (owner, "Update", fields)))

    assert [path for _, path, _ in found] != []


def test_a_renamed_container_is_removed_and_added() -> None:
    live = _with(DEPLOYMENT, "spec", "template", "spec", "containers", 1, "name", value="other")

    assert {(change, path) for change, path, _ in _reported(DEPLOYMENT, live)} == {
        ("added", "spec.template.spec.containers[name=other]"),
        ("removed", "spec.template.spec.containers[name=helper]"),
    }


def test_maps_that_share_few_keys_are_compared_key_by_key() -> None:
    desired = _with(CONFIG_MAP, "data", value={f"a{n}": "x" for n in range(9)} | {"same": "x"})
    live = _with(CONFIG_MAP, "data", value={f"b{n}": "x" for n in range(9)} | {"same": "x"})

    assert len(_reported(desired, live)) == 18


def test_the_most_severe_part_of_an_added_value_sets_the_severity() -> None:
    volume = {"name": "root", "hostPath": {"path": "/"}}
    harmless = {"name": "scratch", "emptyDir": {"medium": "Memory"}}

    found = _findings(DEPLOYMENT, _with(DEPLOYMENT, "spec", "template", "spec", "volumes", value=[volume]))
    other = _findings(DEPLOYMENT, _with(DEPLOYMENT, "spec", "template", "spec", "volumes", value=[harmless]))

    assert [(f.change, f.severity) for f in (*found, *other)] == [("added", "critical"), ("added", "medium")]


@pytest.mark.parametrize(
    ("manager", "operation", "cause"),
    [
        ("kubectl-edit", "Update", "manual"),
        ("kustomize-controller", "Apply", "pending-sync"),
        ("kube-controller-manager", "Update", "controller"),
    ],
)
def test_the_owner_of_a_field_determines_the_cause(manager: str, operation: str, cause: str) -> None:
    live = _with(CONFIG_MAP, "data", value={"k": "other", "more": "x"})
    applier: Owner = ("kustomize-controller", "Apply", {"f:metadata": {}})
    owner: Owner = (manager, operation, {"f:data": {"f:k": {}, "f:more": {}}})

    assert _reported(CONFIG_MAP, _owned(live, applier, owner)) == [
        ("changed", "data.k", cause),
        ("added", "data.more", cause),
    ]


def test_a_live_only_field_without_an_owner_is_a_default() -> None:
    live = _with(CONFIG_MAP, "data", "more", value="x")

    assert _reported(CONFIG_MAP, _owned(live, ("kustomize-controller", "Apply", {"f:data": {"f:k": {}}}))) == []


def test_labels_added_by_different_managers_are_reported_separately() -> None:
    live = _with(CONFIG_MAP, "metadata", "labels", value={"a": "1", "b": "2"})
    human: Owner = ("kubectl-label", "Update", {"f:metadata": {"f:labels": {"f:a": {}}}})
    controller: Owner = ("kube-controller-manager", "Update", {"f:metadata": {"f:labels": {"f:b": {}}}})

    applier: Owner = ("flux", "Apply", {"f:data": {"f:k": {}}})

    assert _reported(CONFIG_MAP, _owned(live, applier, human, controller)) == [
        ("added", "metadata.labels.a", "manual"),
        ("added", "metadata.labels.b", "controller"),
    ]


def test_a_rollout_restart_has_a_note() -> None:
    live = _with(DEPLOYMENT, "spec", "template", "metadata", "annotations", value={RESTARTED_AT: "2026-01-01"})

    assert [f.note for f in _findings(DEPLOYMENT, live)] == ["caused by `kubectl rollout restart`"]


def test_a_duplicate_env_name_is_a_remark() -> None:
    desired = _with(DEPLOYMENT, *CONTAINER, "env", value=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}])

    remarks = _compare(desired, _with(DEPLOYMENT, *CONTAINER, "env", value=[{"name": "A", "value": "2"}])).remarks

    assert remarks == (f"{IN_CONTAINER}.env[name=A] is given twice; the last one counts",)


GARBAGE = ["x", 5, True, [1], [None], [[1]], [{}], {"a": {"b": [None]}}, {"": ""}]
PLACES = [
    ("metadata", "labels"),
    ("metadata", "annotations"),
    ("metadata", "managedFields"),
    ("metadata", "ownerReferences"),
    ("metadata", "finalizers"),
    ("spec",),
    ("spec", "selector"),
    ("spec", "template"),
    ("spec", "template", "metadata"),
    ("spec", "template", "spec"),
    ("spec", "template", "spec", "containers"),
    (*CONTAINER, "env"),
    (*CONTAINER, "resources"),
    (*CONTAINER, "image"),
]


@pytest.mark.parametrize("place", PLACES, ids=repr)
@pytest.mark.parametrize("garbage", GARBAGE, ids=repr)
def test_malformed_values_are_compared_without_an_error(place: Any, garbage: Any) -> None:
    broken = _with(DEPLOYMENT, *place, value=garbage)

    assert _reported(broken, broken) == []
    assert _reported(broken, DEPLOYMENT) or place[-1] == "managedFields"
    assert isinstance(_reported(DEPLOYMENT, broken), list)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "1", "1000m", "1Gi", "TCP", "x\n"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "port", "value", "a", "__b", "c.d/e"]), inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECTS = st.sampled_from([CONFIG_MAP, SERVICE, DEPLOYMENT, POLICY]).flatmap(
    lambda body: st.tuples(st.just(body), st.sampled_from(PLACES), VALUES).map(
        lambda drawn: (
            _with(drawn[0], *drawn[1], value=drawn[2])
            if drawn[0] is DEPLOYMENT
            else {**drawn[0], "data" if drawn[0] is CONFIG_MAP else "spec": drawn[2]}
        )
    )
)


@given(body=OBJECTS)
@settings(max_examples=200, deadline=None)
def test_no_object_differs_from_itself(body: Any) -> None:
    assert _reported(body, copy.deepcopy(body)) == []


@given(one=OBJECTS, other=OBJECTS)
@settings(max_examples=150, deadline=None)
def test_findings_are_sorted_and_stable_and_have_unique_ids(one: Any, other: Any) -> None:
    other = {**other, "apiVersion": one["apiVersion"], "kind": one["kind"]}

    found = _findings(one, other)

    assert found == _findings(copy.deepcopy(one), copy.deepcopy(other))
    assert [f.path for f in found] == sorted(f.path for f in found)
    assert len({f.id for f in found}) == len(found)


@given(body=OBJECTS)
@settings(max_examples=150, deadline=None)
def test_normalizing_the_json_of_a_normalized_tree_changes_nothing(body: Any) -> None:
    schema = _type(body["apiVersion"], body["kind"])
    tree = normalize_object(body, schema, known_facts())

    assert normalize_object(to_json(tree), schema, known_facts()) == tree


@given(order=st.permutations(range(4)))
@settings(deadline=None)
def test_any_order_of_list_map_items_is_at_most_reordered(order: list[int]) -> None:
    items = [{"name": name, "value": name} for name in "ABCD"]
    desired = _with(DEPLOYMENT, *CONTAINER, "env", value=items)
    live = _with(DEPLOYMENT, *CONTAINER, "env", value=[items[index] for index in order])

    expected = [] if order == sorted(order) else [("reordered", f"{IN_CONTAINER}.env")]
    assert [(change, path) for change, path, _ in _reported(desired, live)] == expected
