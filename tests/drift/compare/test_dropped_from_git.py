"""A field that Git dropped is reported even if it looks like one that the server fills in."""

from typing import Any

import pytest

from drift.compare.objects import compare_object
from drift.model import Cause
from drift.schema.types import SchemaDocument, compact_schemas
from tests.drift.compare.managed_fields import entry

DOCUMENT = SchemaDocument(compact_schemas())


def causes(
    kind: str, desired: dict[str, Any], applied: dict[str, Any], live: dict[str, Any]
) -> list[tuple[str, Cause]]:
    """The last element of each path, and its cause. Flux owns what it applied; the rest has no owner."""
    schema = DOCUMENT.kind("", "v1", kind)
    assert schema is not None
    metadata = {"name": "one", "managedFields": [entry("kustomize-controller", "Apply", applied)]}
    compared = compare_object({"metadata": {"name": "one"}, **desired}, {"metadata": metadata, **live}, None, schema)
    return [(str(found.difference.path[-1]), found.cause) for found in compared.differences]


@pytest.mark.parametrize(
    ("field", "value"), [("serviceAccountName", "keeper"), ("priority", 1000), ("hostname", "one")]
)
def test_a_dropped_pod_field(field: str, value: object) -> None:
    base: dict[str, Any] = {"nodeName": "n"}
    mirrored = {"serviceAccount": value} if field == "serviceAccountName" else {}

    found = causes(
        "Pod", {"spec": base}, {"spec": {**base, field: value}}, {"spec": {**base, **mirrored, field: value}}
    )

    assert found == [(field, Cause.PENDING_SYNC)]


def test_a_dropped_cluster_ip() -> None:
    spec = {"selector": {"app": "a"}}
    headless = {"spec": {**spec, "clusterIP": "None"}}

    assert causes("Service", {"spec": spec}, headless, headless) == [("clusterIP", Cause.PENDING_SYNC)]


def test_a_dropped_key_with_an_empty_value() -> None:
    before = {"data": {"mode": "on", "note": ""}}

    assert causes("ConfigMap", {"data": {"mode": "on"}}, before, before) == [("note", Cause.PENDING_SYNC)]


def test_the_deprecated_alias_of_a_service_account_is_no_difference() -> None:
    desired = {"spec": {"serviceAccount": "keeper"}}
    live = {"spec": {"serviceAccount": "keeper", "serviceAccountName": "keeper"}}

    assert causes("Pod", desired, live, live) == []


def test_an_empty_cluster_ip_accepts_any_allocated_one() -> None:
    desired: dict[str, Any] = {"spec": {"clusterIP": ""}}

    assert causes("Service", desired, desired, {"spec": {"clusterIP": "10.0.0.7"}}) == []
