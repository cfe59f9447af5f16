"""An added empty object is drift if it has a meaning, and no difference otherwise."""

from typing import Any

import pytest

from drift.compare.objects import compare_object
from drift.paths import render
from drift.schema.types import SchemaDocument, compact_schemas
from tests.drift.compare.managed_fields import entry

DOCUMENT = SchemaDocument(compact_schemas())
CRD = "apiextensions.k8s.io/v1"


def paths(api_version: str, kind: str, desired: dict[str, Any], live: dict[str, Any], **items: Any) -> list[str]:
    group, _, version = api_version.rpartition("/")
    schema = DOCUMENT.kind(group, version, kind)
    assert schema is not None
    owned = entry("kubectl-edit", "Update", {"spec": live})
    owned["fieldsV1"]["f:spec"].update(items)
    owners = [entry("kustomize-controller", "Apply", {"spec": desired}), owned]
    body = {"apiVersion": api_version, "kind": kind}
    compared = compare_object(
        {**body, "metadata": {"name": "one"}, "spec": desired},
        {**body, "metadata": {"name": "one", "managedFields": owners}, "spec": live},
        None,
        schema,
    )
    return [render(found.difference.path) for found in compared.differences]


def test_an_empty_namespace_selector_that_opens_a_policy() -> None:
    def spec(peer: dict[str, Any]) -> dict[str, Any]:
        return {"podSelector": {"matchLabels": {"app": "a"}}, "ingress": [{"from": [peer]}]}

    desired, live = spec({"podSelector": {}}), spec({"podSelector": {}, "namespaceSelector": {}})

    assert paths("networking.k8s.io/v1", "NetworkPolicy", desired, live) == ["spec.ingress"]


def test_an_empty_pod_selector() -> None:
    assert paths("policy/v1", "PodDisruptionBudget", {"minAvailable": 1}, {"minAvailable": 1, "selector": {}}) == [
        "spec.selector"
    ]


def test_a_volume_source_of_defaults() -> None:
    def spec(**source: Any) -> dict[str, Any]:
        return {"volumes": [{"name": "v", **source}]}

    live = spec(downwardAPI={"defaultMode": 420})
    owned: dict[str, Any] = {'k:{"name":"v"}': {"f:downwardAPI": {".": {}, "f:defaultMode": {}}}}

    assert paths("v1", "Pod", spec(), live, **{"f:volumes": owned}) == ["spec.volumes[name=v].downwardAPI"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"subresources": {"status": {}}}),
        ({"schema": {"openAPIV3Schema": {}}}, {"schema": {"openAPIV3Schema": {"properties": {"any": {}}}}}),
    ],
)
def test_an_empty_object_in_a_custom_resource_definition(before: dict[str, Any], after: dict[str, Any]) -> None:
    def spec(parts: dict[str, Any]) -> dict[str, Any]:
        return {"versions": [{"name": "v1", **parts}]}

    assert paths(CRD, "CustomResourceDefinition", spec(before), spec(after)) == ["spec.versions"]


@pytest.mark.parametrize("field", ["affinity", "securityContext"])
def test_an_empty_settings_object_is_no_difference(field: str) -> None:
    assert paths("v1", "Pod", {"nodeName": "n"}, {"nodeName": "n", field: {}}) == []
