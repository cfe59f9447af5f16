"""The types of custom resources from their definitions, for comparisons without a server that would describe them."""

from collections.abc import Mapping
from typing import Any, Final

from drift.model import Json, Object

_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
_PREFIX: Final = "#/components/schemas/"


def defined_kind(definition: Object) -> tuple[str, str] | None:
    """The group and kind that a CustomResourceDefinition defines; None for what is not one.

    Args:
        definition: Any object.
    """
    spec = definition.get("spec")
    if definition.get("kind") != "CustomResourceDefinition" or not isinstance(spec, dict):
        return None
    kind = (spec.get("names") or {}).get("kind")
    return (str(spec.get("group")), kind) if isinstance(kind, str) else None


def openapi_document(definition: Object, version: str, built_in: Mapping[str, Any]) -> dict[str, Any] | None:
    """The OpenAPI v3 document that an API server would serve for one version of a custom resource.

    Args:
        definition: Its CustomResourceDefinition, ``apiextensions.k8s.io/v1``.
        version: For instance ``v1``.
        built_in: The document of the built-in types, for the metadata.

    Returns:
        None where the definition does not have the version or a schema for it.
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
    shared = {name: type_ for name, type_ in named.items() if name.startswith(_META)}
    scale = {f"/apis/{spec['group']}/{version}/{{name}}/scale": {"get": {"x-kubernetes-group-version-kind": identity}}}
    return {
        "paths": scale if "scale" in (served.get("subresources") or {}) else {},
        "components": {"schemas": {**shared, f"{spec['group']}.{version}.{kind}": root}},
    }
