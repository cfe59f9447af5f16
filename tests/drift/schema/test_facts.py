"""Facts for other versions of Kubernetes, and defaults that depend on other fields, which may be hostile."""

import itertools
from typing import Any

import pytest

from drift.schema.facts import RULES, filled_in, known_facts
from drift.schema.types import ABSENT, SchemaDocument, Shape, Type, compact_schemas

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
        # The list type takes precedence over the patch strategy, as it does in managedFields.
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
def test_a_malformed_patch_rule_is_ignored(broken: dict[str, Any]) -> None:
    rules = {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name", **broken}

    assert _field({"type": "array", **rules}).shape is not Shape.LIST_MAP


@pytest.mark.parametrize("refer", [lambda name: {"$ref": name}, lambda name: {"allOf": [{"$ref": name}]}])
def test_a_keyword_next_to_a_reference_overrides_the_type(refer: Any) -> None:
    struct = {"properties": {"name": {"type": "string"}}}
    reference = refer("#/components/schemas/Other")

    granular = _field(
        {**reference, "x-kubernetes-map-type": "granular"}, Other={**struct, "x-kubernetes-map-type": "atomic"}
    )
    atomic = _field({**reference, "x-kubernetes-map-type": "atomic"}, Other=struct)
    unchanged = _field(reference, Other={**struct, "x-kubernetes-map-type": "atomic"})

    assert (granular.atomic, atomic.atomic, unchanged.atomic) == (False, True, True)
    assert granular.name == "Other"


def test_the_claim_reference_of_a_volume_is_owned_by_field() -> None:
    volume = SchemaDocument(compact_schemas()).kind("", "v1", "PersistentVolume")
    assert volume is not None

    assert not volume.field("spec").field("claimRef").atomic
    # In other places, the same type is atomic.
    event = SchemaDocument(compact_schemas()).kind("", "v1", "Event")
    assert event is not None
    assert event.field("involvedObject").atomic


@pytest.mark.parametrize("version", ["v1", "v1beta3", "v1beta2", "v1alpha1"])
def test_earlier_versions_of_a_type_have_its_stable_defaults(version: str) -> None:
    limited = _named(FLOWCONTROL.format(version), "lendablePercent", "borrowingLimitPercent")

    assert known_facts().default(limited, "nominalConcurrencyShares", {}) == 30
    assert not known_facts().is_omitempty(limited, "borrowingLimitPercent")


def test_earlier_versions_of_a_type_have_its_stable_default_rules() -> None:
    policy = _named("io.k8s.api.networking.v1beta1.NetworkPolicySpec", "policyTypes")

    assert known_facts().default(policy, "policyTypes", {"egress": [{}]}) == ["Ingress", "Egress"]


def test_an_unrelated_or_later_type_has_no_facts() -> None:
    for name in ("com.example.v1beta3.LimitedPriorityLevelConfiguration", FLOWCONTROL.format("v2beta1")):
        other = _named(name, "x")

        assert known_facts().default(other, "lendablePercent", {}) is ABSENT
        assert not known_facts().is_omitempty(other, "x")


def test_a_field_that_the_shipped_schema_lacks_is_not_omitempty() -> None:
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


def test_an_unknown_kind_has_no_newest_type() -> None:
    document = SchemaDocument(compact_schemas())

    assert document.newest_kind("example.com", "Deployment") is None
    assert document.newest_kind("extensions", "Pod") is None


def test_versions_are_ordered_as_in_kubernetes() -> None:
    versions = ["v1alpha1", "v1beta1", "v1beta2", "v2beta1", "v1", "v2", "v10"]
    for older, newer in itertools.pairwise(versions):
        schemas = {
            version: {"x-kubernetes-group-version-kind": [{"group": "g", "version": version, "kind": "K"}]}
            for version in (newer, older)
        }
        found = SchemaDocument({"components": {"schemas": schemas}}).newest_kind("g", "K")
        assert found is not None
        assert found.name == newer


@pytest.mark.parametrize(
    ("reference", "policy"), [("pictures:3", "IfNotPresent"), ("pictures", "Always"), ("", "IfNotPresent")]
)
def test_the_pull_policy_of_an_image_volume_depends_on_its_reference(reference: str, policy: str) -> None:
    pod = SchemaDocument(compact_schemas()).kind("", "v1", "Pod")
    assert pod is not None
    image = pod.field("spec").field("volumes").items.field("image")

    assert known_facts().default(image, "pullPolicy", {"reference": reference}) == policy


class Malformed(dict[str, Any]):
    """An object in which every field has the same value."""

    def __init__(self, value: object) -> None:
        super().__init__({"name": "a"})
        self._value = value

    def get(self, key: str, default: Any = None) -> Any:
        del key, default
        return self._value


@pytest.mark.parametrize("value", [{"x": ["y"]}, [{"x": "y"}], {}, [], "", "x", 7, 1.5, True, None], ids=repr)
def test_no_value_of_another_field_breaks_a_default(value: object) -> None:
    for (parent, field), rule in RULES.items():
        rule(Malformed(value))
        filled_in(parent, field, Malformed(value))
