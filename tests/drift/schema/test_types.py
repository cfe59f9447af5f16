"""Types of small OpenAPI documents (shapes, list keys, scalars, references), and of custom resources."""

from typing import Any

import pytest

from drift.schema.types import (
    ABSENT,
    UNKNOWN,
    Scalar,
    SchemaDocument,
    Shape,
    Type,
    compact_schemas,
    defined_kind,
    openapi_document,
)

GVK = {"group": "example.com", "version": "v1", "kind": "Thing"}


def _type(schema: dict[str, Any], **others: dict[str, Any]) -> Type:
    """The type of ``field`` in a kind that declares it."""
    kind = {"properties": {"field": schema}, "x-kubernetes-group-version-kind": [GVK]}
    found = SchemaDocument({"components": {"schemas": {"Thing": kind, **others}}}).kind("example.com", "v1", "Thing")
    assert found is not None
    return found.field("field")


@pytest.mark.parametrize(
    ("schema", "shape"),
    [
        ({"type": "string"}, Shape.SCALAR),
        ({"type": "object", "properties": {"a": {}}}, Shape.STRUCT),
        ({"type": "object", "additionalProperties": {"type": "string"}}, Shape.MAP),
        ({"type": "array", "items": {"type": "string"}}, Shape.ATOMIC_LIST),
        ({"type": "array", "x-kubernetes-list-type": "atomic"}, Shape.ATOMIC_LIST),
        ({"type": "array", "x-kubernetes-list-type": "set"}, Shape.SET),
        ({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"]}, Shape.LIST_MAP),
        ({"type": "array", "x-kubernetes-list-type": "map"}, Shape.ATOMIC_LIST),
        ({"type": "object"}, Shape.UNKNOWN),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, Shape.UNKNOWN),
        ({}, Shape.UNKNOWN),
    ],
)
def test_the_shape_of_a_value(schema: dict[str, Any], shape: Shape) -> None:
    assert _type(schema).shape is shape


@pytest.mark.parametrize(
    ("schema", "scalar"),
    [
        ({"type": "string"}, Scalar.PLAIN),
        ({"x-kubernetes-int-or-string": True}, Scalar.INT_OR_STRING),
        ({"x-kubernetes-int-or-string": True, "pattern": "^([+-]?[0-9.]+)([eEinumkKMGTPE]*)$"}, Scalar.QUANTITY),
        ({"type": "string", "format": "int-or-string"}, Scalar.INT_OR_STRING),
        ({"type": "string", "format": "duration"}, Scalar.DURATION),
        ({"type": "string", "format": "date-time"}, Scalar.TIME),
        ({"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity"}, Scalar.QUANTITY),
        ({"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.Duration"}, Scalar.DURATION),
    ],
)
def test_the_scalar_type_of_a_value(schema: dict[str, Any], scalar: Scalar) -> None:
    named = {
        f"io.k8s.apimachinery.pkg.{name}": {"type": "string"}
        for name in ("api.resource.Quantity", "apis.meta.v1.Duration")
    }

    assert _type(schema, **named).scalar is scalar


def test_bytes_are_in_base64_only_in_a_built_in_type() -> None:
    assert _type({"type": "string", "format": "byte"}).scalar is Scalar.PLAIN
    assert SchemaDocument(compact_schemas()).type_of({"type": "string", "format": "byte"}).scalar is Scalar.BYTE


def test_the_keys_of_a_list_are_sorted() -> None:
    schema = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["protocol", "port"],
        "items": {"properties": {"port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}}},
    }

    assert _type(schema).keys == ("port", "protocol")
    assert _type(schema).items.field("protocol").default == "TCP"


def test_a_map_may_be_atomic() -> None:
    schema = {"additionalProperties": {"type": "string"}, "x-kubernetes-map-type": "atomic"}

    assert _type(schema).atomic
    assert not _type({"additionalProperties": {"type": "string"}}).atomic


def test_a_reference_may_have_a_default() -> None:
    part = {"properties": {"a": {"type": "string"}}}
    reference = {"$ref": "#/components/schemas/Part"}

    with_default = _type({"allOf": [reference], "default": {}}, Part=part)

    assert (with_default.name, with_default.default) == ("Part", {})
    assert _type(reference, Part=part).default is ABSENT


def test_a_broken_reference_is_unknown() -> None:
    assert _type({"$ref": "#/components/schemas/Nowhere"}) is UNKNOWN


def test_a_recursive_type_is_read_on_demand() -> None:
    node = {"properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    found = _type({"$ref": "#/components/schemas/Node"}, Node=node)

    for _ in range(1000):
        found = found.field("next")
    assert found.name == "Node"


def test_undeclared_fields_and_kinds_are_unknown() -> None:
    assert _type({"properties": {"a": {}}}).field("b") is UNKNOWN
    assert UNKNOWN.field("a").items.field("b") is UNKNOWN
    assert SchemaDocument({}).kind("example.com", "v1", "Thing") is None


def test_documents_of_custom_resources_are_recognized() -> None:
    built_in: dict[str, Any] = {"io.k8s.api.core.v1.Thing": {}}

    assert _type({}).is_custom
    assert not _type({}, **built_in).is_custom


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


@pytest.mark.parametrize("names", ["w", ["w"], 7, None])
def test_a_definition_without_readable_names_defines_no_kind(names: object) -> None:
    assert defined_kind({**DEFINITION, "spec": {**DEFINITION["spec"], "names": names}}) is None


@pytest.mark.parametrize(
    "version",
    [
        {"schema": "x"},
        {"schema": ["x"]},
        {"schema": {"openAPIV3Schema": ["x"]}},
        {"schema": {"openAPIV3Schema": {"properties": [1]}}, "subresources": 7},
    ],
)
def test_a_malformed_definition_describes_what_can_be_read(version: dict[str, Any]) -> None:
    spec = {"names": {"kind": "Widget"}, "versions": ["x", {"name": "v1", **version}]}
    document = openapi_document({**DEFINITION, "spec": spec}, "v1", compact_schemas())

    kind = None if document is None else SchemaDocument(document).kind("None", "v1", "Widget")
    assert kind is None or kind.field_names == ("apiVersion", "kind", "metadata")
    assert openapi_document({**DEFINITION, "spec": {**spec, "versions": 7}}, "v1", compact_schemas()) is None


def test_a_version_without_a_schema_has_no_document() -> None:
    assert openapi_document(DEFINITION, "v2", compact_schemas()) is None
    assert openapi_document(DEFINITION, "v3", compact_schemas()) is None
