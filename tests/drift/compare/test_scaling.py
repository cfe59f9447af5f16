"""Custom resources with the ``scale`` subresource, for which the API server may record no owner of the replicas."""

from typing import Any

import pytest

from drift.schema.types import SchemaDocument, Type, compact_schemas, openapi_document
from tests.drift.compare.managed_fields import Fields, causes, compare, entry


def _scalable() -> Type:
    spec = {"type": "object", "properties": {name: {"type": "integer"} for name in ("size", "port", "replicas")}}
    version = {
        "name": "v1",
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
        "subresources": {"scale": {"specReplicasPath": ".spec.replicas"}},
    }
    definition = {"spec": {"group": "example.com", "names": {"kind": "Thing"}, "versions": [version]}}
    document = openapi_document(definition, "v1", compact_schemas())
    assert document is not None
    found = SchemaDocument(document).kind("example.com", "v1", "Thing")
    assert found is not None
    assert found.is_scalable
    return found


def _thing(spec: Fields, *entries: Fields, generation: Any = None) -> Fields:
    managed = [{**one, "apiVersion": "example.com/v1"} for one in entries]
    metadata: Fields = {"name": "t", "managedFields": managed, "generation": generation}
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(("generation", "is_found"), [(1, False), (2, True), (None, True), ("1", True)])
def test_an_integer_without_an_owner(generation: Any, *, is_found: bool) -> None:
    applied = entry("kustomize-controller", "Apply", {"spec": {"size": ""}})
    live = _thing({"size": 1, "port": 8080}, applied, generation=generation)

    # Nothing has scaled an object of generation 1: a webhook set the integer when the object was created.
    expected: list[Any] = [("port", "added", "unknown", [])] if is_found else []
    assert causes(compare(_thing({"size": 1}), live, schema=_scalable())) == expected


def test_an_integer_of_a_user() -> None:
    applied = entry("kustomize-controller", "Apply", {"spec": {"size": ""}})
    created = entry("kubectl-create", "Update", {"spec": {"size": "", "replicas": ""}})
    live = _thing({"size": 1, "replicas": 3}, applied, created, generation=1)

    assert causes(compare(_thing({"size": 1}), live, schema=_scalable())) == [
        ("replicas", "added", "manual", ["kubectl-create"])
    ]
