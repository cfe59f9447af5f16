"""Schemas of custom resources, read from their CustomResourceDefinitions."""

from typing import Any

from drift.schema.shipped import compact_schemas, defined_kind, openapi_document
from drift.schema.types import SchemaDocument, Shape

DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "docks.harbor.example.com"},
    "spec": {
        "group": "harbor.example.com",
        "names": {"kind": "Dock", "plural": "docks"},
        "versions": [
            {
                "name": "v1",
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "depth": {"type": "string", "default": "10m"},
                                    "gates": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["port"],
                                        "items": {"type": "object", "properties": {"port": {"type": "integer"}}},
                                    },
                                },
                            }
                        },
                    }
                },
            },
            {"name": "v2"},
        ],
    },
}


def test_the_kind_that_a_definition_defines() -> None:
    assert defined_kind(DEFINITION) == ("harbor.example.com", "Dock")
    assert defined_kind({"kind": "ConfigMap", "data": {}}) is None


def test_a_definition_declares_list_keys_and_defaults() -> None:
    document = openapi_document(DEFINITION, "v1", compact_schemas())
    assert document is not None
    dock = SchemaDocument(document).kind("harbor.example.com", "v1", "Dock")
    assert dock is not None

    assert dock.is_custom
    assert dock.field("spec").field("depth").default == "10m"
    assert dock.field("spec").field("gates").keys == ("port",)
    assert dock.field("metadata").field("labels").shape is Shape.MAP


def test_a_version_without_a_schema_has_no_document() -> None:
    assert openapi_document(DEFINITION, "v2", compact_schemas()) is None
    assert openapi_document(DEFINITION, "v3", compact_schemas()) is None
