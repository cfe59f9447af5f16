"""An empty object that somebody adds is drift wherever its mere presence says something, and nothing elsewhere."""

from typing import Any

import pytest

from drift.compare.objects import compare_object
from drift.paths import render
from drift.schema.shipped import compact_schemas
from drift.schema.types import SchemaDocument
from tests.drift.compare.test_adopted_objects import entry

DOCUMENT = SchemaDocument(compact_schemas())
CRD = "apiextensions.k8s.io/v1"


def found(api_version: str, kind: str, desired: dict[str, Any], live: dict[str, Any], **items: Any) -> list[str]:
    group, _, version = api_version.rpartition("/")
    schema = DOCUMENT.kind(group, version, kind)
    assert schema is not None
    owned = entry("somebody", "Update", {"spec": live})
    owned["fieldsV1"]["f:spec"].update(items)
    owners = [entry("kustomize-controller", "Apply", {"spec": desired}), owned]
    body = {"apiVersion": api_version, "kind": kind}
    compared = compare_object(
        {**body, "metadata": {"name": "one"}, "spec": desired},
        {**body, "metadata": {"name": "one", "managedFields": owners}, "spec": live},
        None,
        schema,
    )
    return [render(judged.difference.path) for judged in compared.differences]


def test_a_selector_of_every_namespace_opens_a_policy() -> None:
    def spec(peer: dict[str, Any]) -> dict[str, Any]:
        return {"podSelector": {"matchLabels": {"app": "a"}}, "ingress": [{"from": [peer]}]}

    desired, live = spec({"podSelector": {}}), spec({"podSelector": {}, "namespaceSelector": {}})

    assert found("networking.k8s.io/v1", "NetworkPolicy", desired, live) == ["spec.ingress"]


def test_a_selector_of_all_pods() -> None:
    assert found("policy/v1", "PodDisruptionBudget", {"minAvailable": 1}, {"minAvailable": 1, "selector": {}}) == [
        "spec.selector"
    ]


def test_a_kind_of_volume() -> None:
    def spec(**source: Any) -> dict[str, Any]:
        return {"volumes": [{"name": "v", **source}]}

    live = spec(downwardAPI={"defaultMode": 420})
    owned: dict[str, Any] = {'k:{"name":"v"}': {"f:downwardAPI": {".": {}, "f:defaultMode": {}}}}

    assert found("v1", "Pod", spec(), live, **{"f:volumes": owned}) == ["spec.volumes[name=v].downwardAPI"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"subresources": {"status": {}}}),
        ({"schema": {"openAPIV3Schema": {}}}, {"schema": {"openAPIV3Schema": {"properties": {"any": {}}}}}),
    ],
)
def test_what_a_definition_declares_without_more_words(before: dict[str, Any], after: dict[str, Any]) -> None:
    def spec(parts: dict[str, Any]) -> dict[str, Any]:
        return {"versions": [{"name": "v1", **parts}]}

    assert found(CRD, "CustomResourceDefinition", spec(before), spec(after)) == ["spec.versions"]


@pytest.mark.parametrize("field", ["affinity", "securityContext"])
def test_settings_that_set_nothing_are_nothing(field: str) -> None:
    assert found("v1", "Pod", {"nodeName": "n"}, {"nodeName": "n", field: {}}) == []
