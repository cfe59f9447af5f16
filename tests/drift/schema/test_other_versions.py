"""Servers and dumps of other Kubernetes versions than the one that is shipped: how lists merge, which facts hold."""

import itertools
from typing import Any

import pytest

from drift.schema.facts import known_facts
from drift.schema.shipped import compact_schemas
from drift.schema.types import ABSENT, SchemaDocument, Shape, Type

FLOWCONTROL = "io.k8s.api.flowcontrol.{}.LimitedPriorityLevelConfiguration"
CONTAINER = "io.k8s.api.core.v1.Container"


def _field(schema: dict[str, Any], **others: dict[str, Any]) -> Type:
    kind = {
        "properties": {"field": schema},
        "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}],
    }
    found = SchemaDocument({"components": {"schemas": {"Thing": kind, **others}}}).kind("example.com", "v1", "Thing")
    assert found is not None
    return found.field("field")


def _named(name: str, *fields: str) -> Type:
    schemas = {name: {"type": "object", "properties": {field: {"type": "boolean"} for field in fields}}}
    document = SchemaDocument({"components": {"schemas": schemas}})
    return document.type_of({"$ref": f"#/components/schemas/{name}"})


@pytest.mark.parametrize(
    ("rules", "shape", "keys"),
    [
        ({"patch-strategy": "merge", "patch-merge-key": "name"}, Shape.LIST_MAP, ("name",)),
        ({"patch-strategy": "merge,retainKeys", "patch-merge-key": "name"}, Shape.LIST_MAP, ("name",)),
        ({"patch-strategy": "merge"}, Shape.SET, ()),
        ({"patch-strategy": "replace", "patch-merge-key": "name"}, Shape.ATOMIC_LIST, ()),
        ({"patch-strategy": "retainKeys"}, Shape.ATOMIC_LIST, ()),
        ({"patch-merge-key": "name"}, Shape.ATOMIC_LIST, ()),
        # What a list says of server-side apply counts for more than what it says of patches: so do its owners' keys.
        (
            {
                "list-type": "map",
                "list-map-keys": ["containerPort", "protocol"],
                "patch-strategy": "merge",
                "patch-merge-key": "containerPort",
            },
            Shape.LIST_MAP,
            ("containerPort", "protocol"),
        ),
        ({"list-type": "atomic", "patch-strategy": "merge", "patch-merge-key": "ip"}, Shape.ATOMIC_LIST, ()),
    ],
)
def test_a_list_without_a_type_merges_by_its_patch_strategy(
    rules: dict[str, Any], shape: Shape, keys: tuple[str, ...]
) -> None:
    found = _field({"type": "array", **{f"x-kubernetes-{name}": value for name, value in rules.items()}})

    assert (found.shape, found.keys) == (shape, keys)


@pytest.mark.parametrize("broken", [{"x-kubernetes-patch-merge-key": 1}, {"x-kubernetes-patch-strategy": ["merge"]}])
def test_a_broken_patch_rule_is_no_rule(broken: dict[str, Any]) -> None:
    rules = {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name", **broken}

    assert _field({"type": "array", **rules}).shape is not Shape.LIST_MAP


@pytest.mark.parametrize("refer", [lambda name: {"$ref": name}, lambda name: {"allOf": [{"$ref": name}]}])
def test_a_rule_beside_a_reference_overrides_that_of_the_type(refer: Any) -> None:
    struct = {"properties": {"name": {"type": "string"}}}
    reference = refer("#/components/schemas/Other")

    granular = _field(
        {**reference, "x-kubernetes-map-type": "granular"}, Other={**struct, "x-kubernetes-map-type": "atomic"}
    )
    atomic = _field({**reference, "x-kubernetes-map-type": "atomic"}, Other=struct)
    unchanged = _field(reference, Other={**struct, "x-kubernetes-map-type": "atomic"})

    assert (granular.atomic, atomic.atomic, unchanged.atomic) == (False, True, True)
    assert granular.name == "Other"


def test_the_claim_of_a_shipped_volume_is_owned_field_by_field() -> None:
    volume = SchemaDocument(compact_schemas()).kind("", "v1", "PersistentVolume")
    assert volume is not None

    assert not volume.field("spec").field("claimRef").atomic
    # The same type elsewhere is a whole.
    event = SchemaDocument(compact_schemas()).kind("", "v1", "Event")
    assert event is not None
    assert event.field("involvedObject").atomic


@pytest.mark.parametrize("version", ["v1", "v1beta3", "v1beta2", "v1alpha1"])
def test_defaults_of_a_stable_type_serve_its_earlier_versions(version: str) -> None:
    limited = _named(FLOWCONTROL.format(version), "lendablePercent", "borrowingLimitPercent")

    assert known_facts().default(limited, "nominalConcurrencyShares", {}) == 30
    assert not known_facts().is_omitempty(limited, "borrowingLimitPercent")


def test_rules_of_a_stable_type_serve_its_earlier_versions() -> None:
    policy = _named("io.k8s.api.networking.v1beta1.NetworkPolicySpec", "policyTypes")

    assert known_facts().default(policy, "policyTypes", {"egress": [{}]}) == ["Ingress", "Egress"]


def test_a_type_that_is_no_earlier_version_of_a_known_one_has_no_facts() -> None:
    for name in ("com.example.v1beta3.LimitedPriorityLevelConfiguration", FLOWCONTROL.format("v2beta1")):
        other = _named(name, "x")

        assert known_facts().default(other, "lendablePercent", {}) is ABSENT
        assert not known_facts().is_omitempty(other, "x")


def test_a_zero_counts_in_a_field_that_the_shipped_schema_does_not_have() -> None:
    facts = known_facts()
    newer = _named(CONTAINER, "stdin", "newInSomeRelease")

    assert not facts.is_omitempty(newer, "newInSomeRelease")
    assert facts.is_omitempty(newer, "stdin")


@pytest.mark.parametrize(
    ("group", "kind", "name"),
    [
        ("apps", "Deployment", "io.k8s.api.apps.v1.Deployment"),
        ("extensions", "Ingress", "io.k8s.api.networking.v1.Ingress"),
        ("extensions", "DaemonSet", "io.k8s.api.apps.v1.DaemonSet"),
        ("autoscaling", "HorizontalPodAutoscaler", "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler"),
    ],
)
def test_the_newest_type_of_a_kind(group: str, kind: str, name: str) -> None:
    found = SchemaDocument(compact_schemas()).newest_kind(group, kind)

    assert found is not None
    assert found.name == name


def test_there_is_no_newest_type_of_an_unknown_kind() -> None:
    document = SchemaDocument(compact_schemas())

    assert document.newest_kind("example.com", "Deployment") is None
    assert document.newest_kind("extensions", "Pod") is None


def test_versions_are_ordered_as_kubernetes_does() -> None:
    versions = ["v1alpha1", "v1beta1", "v1beta2", "v2beta1", "v1", "v2", "v10"]
    for older, newer in itertools.pairwise(versions):
        schemas = {
            version: {"x-kubernetes-group-version-kind": [{"group": "g", "version": version, "kind": "K"}]}
            for version in (newer, older)
        }
        found = SchemaDocument({"components": {"schemas": schemas}}).newest_kind("g", "K")
        assert found is not None
        assert found.name == newer
