"""A reader of the server's OpenAPI v3 document that is independent of the code under test."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from drift.objects import Json

_PREFIX: Final = "#/components/schemas/"


class Node:
    """One type of the document, with references followed."""

    def __init__(self, document: Mapping[str, Json], schema: Mapping[str, Json], name: str = "") -> None:
        self._document = document
        self.raw = schema
        self.name = name

    @classmethod
    def of_kind(cls, document: Mapping[str, Json], group: str, version: str, kind: str) -> "Node":
        wanted = {"group": group, "version": version, "kind": kind}
        for name, schema in document["components"]["schemas"].items():
            if wanted in schema.get("x-kubernetes-group-version-kind", ()):
                return cls(document, schema, name)
        raise LookupError(f"the document has no {wanted}")

    def _follow(self, schema: Mapping[str, Json]) -> "Node":
        reference = schema.get("$ref")
        if reference is None and len(schema.get("allOf", ())) == 1:
            reference = schema["allOf"][0].get("$ref")
        if reference is None:
            return Node(self._document, schema)
        name = reference.removeprefix(_PREFIX)
        return Node(self._document, self._document["components"]["schemas"][name], name)

    @cached_property
    def properties(self) -> Mapping[str, "Node"]:
        return {name: self._follow(schema) for name, schema in self.raw.get("properties", {}).items()}

    @property
    def required(self) -> frozenset[str]:
        return frozenset(self.raw.get("required", ()))

    @cached_property
    def values(self) -> "Node | None":
        """The type of a map's values, or None if this is not a map."""
        additional = self.raw.get("additionalProperties")
        return self._follow(additional) if isinstance(additional, Mapping) else None

    @cached_property
    def items(self) -> "Node":
        return self._follow(self.raw.get("items", {}))

    def below(self, field: str) -> "Node":
        """Returns the type of a field or of a map's value; an empty type if the document has none."""
        found = self.properties.get(field) or self.values
        return found or Node(self._document, {})

    @property
    def is_list(self) -> bool:
        return self.raw.get("type") == "array"

    @property
    def keys(self) -> tuple[str, ...]:
        """The key fields of a list map, sorted; empty for other types."""
        is_keyed = self.raw.get("x-kubernetes-list-type") == "map"
        return tuple(sorted(self.raw.get("x-kubernetes-list-map-keys", ()))) if is_keyed else ()

    @property
    def is_set(self) -> bool:
        return self.raw.get("x-kubernetes-list-type") == "set"

    @property
    def is_atomic(self) -> bool:
        is_atomic_list = self.is_list and not self.keys and not self.is_set
        return is_atomic_list or self.raw.get("x-kubernetes-map-type") == "atomic"

    @property
    def is_struct(self) -> bool:
        return bool(self.properties)

    @property
    def is_map(self) -> bool:
        return self.values is not None and not self.properties

    @property
    def scalar(self) -> str:
        """The type of a leaf: ``any`` if the document leaves it open, "" if this is not a leaf."""
        last = self.name.rpartition(".")[2]
        named: dict[str, str] = {"Quantity": "quantity", "IntOrString": "int-or-string", "MicroTime": "micro-time"}
        kind: Any = self.raw.get("type")
        if last in named:
            return named[last]
        if self.raw.get("x-kubernetes-int-or-string") or self.raw.get("format") == "int-or-string":
            return "quantity" if "pattern" in self.raw else "int-or-string"
        if self.raw.get("format") in {"date-time", "byte", "duration"}:
            return str(self.raw["format"])
        if kind in {"string", "integer", "number", "boolean"}:
            return str(kind)
        return "" if self.is_list or self.is_struct or self.is_map else "any"
