"""The API server's schemas without descriptions, as one document for all built-in types."""

import gzip
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tools.learn.client import Client

_AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
#: The keys that `drift.schema.types` reads; the others are descriptions or validation rules.
_READ: Final = frozenset(
    {
        "$ref",
        "additionalProperties",
        "allOf",
        "default",
        "format",
        "items",
        "properties",
        "type",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-preserve-unknown-fields",
    }
)
_GVK: Final = "x-kubernetes-group-version-kind"

Json = Any


def learn_schemas(client: Client) -> dict[str, Any]:
    """Returns the content of ``schemas.json.gz``."""
    custom = _custom_groups(client)
    kinds = [kind for kind in _kinds(client) if kind["group"] not in custom]
    served = {(kind["group"], kind["version"], kind["kind"]) for kind in kinds}
    schemas: dict[str, Json] = {}
    for path, entry in client.get("/openapi/v3")["paths"].items():
        if path.startswith(("api/", "apis/")):
            document = client.get(entry["serverRelativeURL"])
            for name, schema in document.get("components", {}).get("schemas", {}).items():
                schemas.setdefault(name, _pruned_named(schema, served))
    return {
        "version": client.get("/version")["gitVersion"],
        "document": {"components": {"schemas": _reachable(schemas)}},
        "kinds": sorted(kinds, key=lambda kind: (kind["group"], kind["version"], kind["kind"])),
    }


def packed(content: Mapping[str, Any]) -> bytes:
    """Packs the content reproducibly into the bytes of the shipped file."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def _custom_groups(client: Client) -> frozenset[str]:
    definitions = client.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
    return frozenset(definition["spec"]["group"] for definition in definitions)


def _kinds(client: Client) -> Iterator[dict[str, Any]]:
    for root in ("/api", "/apis"):
        for group in client.get(root, _AGGREGATED)["items"]:
            for version in group["versions"]:
                for resource in version["resources"]:
                    yield {
                        "group": group["metadata"].get("name", ""),
                        "version": version["version"],
                        "kind": resource["responseKind"]["kind"],
                        "plural": resource["resource"],
                        "namespaced": resource["scope"] == "Namespaced",
                        "verbs": sorted(resource["verbs"]),
                    }


def _pruned_named(schema: Mapping[str, Json], served: set[tuple[str, str, str]]) -> dict[str, Json]:
    pruned = _pruned(schema)
    # Lists and options declare kinds, too; only objects are looked up by kind.
    claimed = [gvk for gvk in schema.get(_GVK, ()) if (gvk["group"], gvk["version"], gvk["kind"]) in served]
    if claimed:
        pruned[_GVK] = claimed
    return pruned


def _pruned(schema: Mapping[str, Json]) -> dict[str, Json]:
    pruned: dict[str, Json] = {}
    for name, value in schema.items():
        if name not in _READ:
            continue
        if name == "properties":
            pruned[name] = {field: _pruned(below) for field, below in value.items()}
        elif name == "allOf":
            pruned[name] = [_pruned(below) for below in value]
        elif name in {"items", "additionalProperties"} and isinstance(value, dict):
            pruned[name] = _pruned(value)
        else:
            pruned[name] = value
    return pruned


def _reachable(schemas: Mapping[str, Json]) -> dict[str, Json]:
    """Returns the schemas of the served kinds, and all schemas that they refer to."""
    kept: dict[str, Json] = {}
    waiting = [name for name, schema in schemas.items() if _GVK in schema]
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept[name] = schemas[name]
            waiting += _references(schemas[name])
    return kept


def _references(schema: Json) -> Iterator[str]:
    if isinstance(schema, dict):
        for name, value in schema.items():
            # One type has a field with this name: a schema, not a reference.
            if name == "$ref" and isinstance(value, str):
                yield value.rpartition("/")[2]
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _references(item)
