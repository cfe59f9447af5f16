"""A server whose schema has fields that the shipped schema lacks. The schema is made up: no such server exists yet."""

import copy
from typing import Any

import pytest

from drift.compare.objects import compare_object
from drift.compare.proof import InSyncProof
from drift.gitops.tracking import reserved_metadata
from drift.schema.facts import known_facts
from drift.schema.types import SchemaDocument, Type, compact_schemas

SPEC = "io.k8s.api.apps.v1.DeploymentSpec"


def _newer_deployment() -> Type:
    document = copy.deepcopy(compact_schemas())
    document["components"]["schemas"][SPEC]["properties"]["fromTheFuture"] = {"type": "boolean"}
    found = SchemaDocument(document).kind("apps", "v1", "Deployment")
    assert found is not None
    return found


def _deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def _live(*entries: tuple[str, str, dict[str, Any]], **spec: Any) -> dict[str, Any]:
    body = _deployment(**spec)
    body["metadata"]["managedFields"] = [
        {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": {"f:spec": fields}}
        for manager, operation, fields in entries
    ]
    return body


def _paths(desired: dict[str, Any], live: dict[str, Any]) -> list[tuple[str, ...]]:
    compared = compare_object(desired, live, None, _newer_deployment())
    return [tuple(map(str, found.difference.path)) for found in compared.differences]


@pytest.mark.parametrize("zero", [False, 0, ""])
def test_a_removed_zero_of_an_unknown_field_is_a_difference(zero: Any) -> None:
    live = _live(("kustomize-controller", "Apply", {"f:replicas": {}}), ("kubectl-edit", "Update", {}), replicas=2)

    assert _paths(_deployment(replicas=2, fromTheFuture=zero), live) == [("spec", "fromTheFuture")]


def test_a_zero_of_a_known_omitempty_field_equals_absence() -> None:
    live = _live(("kustomize-controller", "Apply", {"f:replicas": {}}), replicas=2)

    assert _paths(_deployment(replicas=2, paused=False), live) == []


def test_a_live_zero_of_an_unknown_field_is_in_sync() -> None:
    desired = _deployment(replicas=2, fromTheFuture=False)
    owned: dict[str, Any] = {"f:replicas": {}, "f:fromTheFuture": {}}
    live = _live(("kustomize-controller", "Apply", owned), replicas=2, fromTheFuture=False)

    assert _paths(desired, live) == []
    assert InSyncProof(known_facts(), reserved_metadata()).holds(desired, live, None, None, _newer_deployment())
