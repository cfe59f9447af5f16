"""Schemas for comparisons without a server: the shipped copy of Kubernetes' own, and those of CRDs."""

import gzip
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

from drift.model import Json, Object
from drift.schema.types import SchemaDocument, Type

_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
_PREFIX: Final = "#/components/schemas/"


@cache
def _compact() -> dict[str, Any]:
    data = resources.files(__package__).joinpath("data/schemas.json.gz").read_bytes()
    compact: dict[str, Any] = json.loads(gzip.decompress(data))
    return compact


def compact_schemas() -> dict[str, Any]:
    """Returns one OpenAPI v3 document of all built-in types, without descriptions."""
    document: dict[str, Any] = _compact()["document"]
    return document


def built_in_kinds() -> list[dict[str, Any]]:
    """Returns every built-in kind: group, version, kind, plural, namespaced, verbs."""
    kinds: list[dict[str, Any]] = _compact()["kinds"]
    return kinds


@cache
def object_meta() -> Type:
    """Returns the type of ``metadata`` that every kind has, also one without a schema."""
    named: Mapping[str, Json] = compact_schemas()["components"]["schemas"]
    return SchemaDocument({"components": {"schemas": _shared(named)}}).metadata


def _shared(named: Mapping[str, Json]) -> dict[str, Json]:
    """Returns the types that all groups share: those of the metadata."""
    return {name: schema for name, schema in named.items() if name.startswith(_META)}


def schema_version() -> str:
    """Returns the Kubernetes version of the schemas."""
    return str(_compact()["version"])


def defined_kind(definition: Object) -> tuple[str, str] | None:
    """Returns the group and kind that a CustomResourceDefinition defines, or None for any other object."""
    spec = definition.get("spec")
    if definition.get("kind") != "CustomResourceDefinition" or not isinstance(spec, dict):
        return None
    kind = (spec.get("names") or {}).get("kind")
    return (str(spec.get("group")), kind) if isinstance(kind, str) else None


def openapi_document(definition: Object, version: str, built_in: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the OpenAPI v3 document that an API server would serve for one version of a custom resource.

    ``built_in`` describes the metadata.

    Returns:
        The document, or None if the definition lacks the version or a schema for it.
    """
    spec = definition["spec"]
    versions = (entry for entry in spec.get("versions") or () if isinstance(entry, dict))
    served: Mapping[str, Json] = next((entry for entry in versions if entry.get("name") == version), {})
    schema = (served.get("schema") or {}).get("openAPIV3Schema")
    if not isinstance(schema, dict):
        return None
    kind = spec["names"]["kind"]
    named: Mapping[str, Json] = built_in["components"]["schemas"]
    properties = {**(schema.get("properties") or {}), "metadata": {"$ref": f"{_PREFIX}{_META}ObjectMeta"}}
    identity = {"group": spec["group"], "version": version, "kind": kind}
    root = {
        **schema,
        "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, **properties},
        "x-kubernetes-group-version-kind": [identity],
    }
    scale = {f"/apis/{spec['group']}/{version}/{{name}}/scale": {"get": {"x-kubernetes-group-version-kind": identity}}}
    return {
        "paths": scale if "scale" in (served.get("subresources") or {}) else {},
        "components": {"schemas": {**_shared(named), f"{spec['group']}.{version}.{kind}": root}},
    }
