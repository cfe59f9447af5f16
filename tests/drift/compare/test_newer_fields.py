"""A server whose schema has fields that the shipped one lacks; there is no such server to be had, so it is made up."""

import copy
from typing import Any

import pytest

from drift.compare.objects import compare_object
from drift.compare.proof import InSyncProof
from drift.gitops.tracking import reserved_metadata
from drift.schema.facts import known_facts
from drift.schema.shipped import compact_schemas
from drift.schema.types import SchemaDocument, Type

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


def _said(desired: dict[str, Any], live: dict[str, Any]) -> list[tuple[str, ...]]:
    compared = compare_object(desired, live, None, _newer_deployment())
    return [tuple(map(str, judged.difference.path)) for judged in compared.differences]


@pytest.mark.parametrize("zero", [False, 0, ""])
def test_a_zero_of_an_unknown_field_that_was_removed_is_a_finding(zero: Any) -> None:
    live = _live(("kustomize-controller", "Apply", {"f:replicas": {}}), ("kubectl-edit", "Update", {}), replicas=2)

    assert _said(_deployment(replicas=2, fromTheFuture=zero), live) == [("spec", "fromTheFuture")]


def test_a_zero_of_a_known_field_without_a_default_is_as_good_as_none() -> None:
    live = _live(("kustomize-controller", "Apply", {"f:replicas": {}}), replicas=2)

    assert _said(_deployment(replicas=2, paused=False), live) == []


def test_a_zero_of_an_unknown_field_that_is_live_is_in_sync() -> None:
    desired = _deployment(replicas=2, fromTheFuture=False)
    owned: dict[str, Any] = {"f:replicas": {}, "f:fromTheFuture": {}}
    live = _live(("kustomize-controller", "Apply", owned), replicas=2, fromTheFuture=False)

    assert _said(desired, live) == []
    assert InSyncProof(known_facts(), reserved_metadata()).holds(desired, live, None, None, _newer_deployment())
