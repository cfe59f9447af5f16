"""What Git had and no longer has stays a finding, however much it looks like something that the server fills in."""

from typing import Any

import pytest

from drift.compare.objects import compare_object
from drift.model import Cause
from drift.schema.shipped import compact_schemas
from drift.schema.types import SchemaDocument
from tests.drift.compare.test_adopted_objects import entry

DOCUMENT = SchemaDocument(compact_schemas())


def causes(
    kind: str, desired: dict[str, Any], applied: dict[str, Any], live: dict[str, Any]
) -> list[tuple[str, Cause]]:
    """The last element of each path and its cause; the syncer owns what it applied, nobody the rest."""
    schema = DOCUMENT.kind("", "v1", kind)
    assert schema is not None
    metadata = {"name": "one", "managedFields": [entry("kustomize-controller", "Apply", applied)]}
    compared = compare_object({"metadata": {"name": "one"}, **desired}, {"metadata": metadata, **live}, None, schema)
    return [(str(judged.difference.path[-1]), judged.cause) for judged in compared.differences]


@pytest.mark.parametrize(
    ("field", "value"), [("serviceAccountName", "keeper"), ("priority", 1000), ("hostname", "one")]
)
def test_a_field_of_a_pod(field: str, value: object) -> None:
    base: dict[str, Any] = {"nodeName": "n"}
    twins = {"serviceAccount": value} if field == "serviceAccountName" else {}

    found = causes("Pod", {"spec": base}, {"spec": {**base, field: value}}, {"spec": {**base, **twins, field: value}})

    assert found == [(field, Cause.PENDING_SYNC)]


def test_a_cluster_ip() -> None:
    spec = {"selector": {"app": "a"}}
    headless = {"spec": {**spec, "clusterIP": "None"}}

    assert causes("Service", {"spec": spec}, headless, headless) == [("clusterIP", Cause.PENDING_SYNC)]


def test_a_key_without_a_text() -> None:
    before = {"data": {"mode": "on", "note": ""}}

    assert causes("ConfigMap", {"data": {"mode": "on"}}, before, before) == [("note", Cause.PENDING_SYNC)]


def test_the_deprecated_spelling_of_a_service_account_is_no_difference() -> None:
    desired = {"spec": {"serviceAccount": "keeper"}}
    live = {"spec": {"serviceAccount": "keeper", "serviceAccountName": "keeper"}}

    assert causes("Pod", desired, live, live) == []


def test_an_empty_cluster_ip_asks_for_any() -> None:
    desired: dict[str, Any] = {"spec": {"clusterIP": ""}}

    assert causes("Service", desired, desired, {"spec": {"clusterIP": "10.0.0.7"}}) == []
