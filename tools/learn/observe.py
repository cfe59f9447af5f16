"""Observes which fields of an object the API server fills in, and which it leaves absent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from drift.schema.facts import ALLOCATED, Facts
from drift.schema.types import ABSENT, Shape, Type
from tools.learn.client import Client

Json = Any
_IDENTITY: Final = frozenset({"apiVersion", "kind", "metadata", "status"})
_OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@dataclass(frozen=True, slots=True)
class Observation:
    """The result for one field that was not sent.

    Attributes:
        parent: The type of the object that the field belongs to.
        field: Its name.
        siblings: The other fields of that object, as the server returned them.
        value: The value that the server filled in, or `ABSENT`.
        specimen: The observed object, for people.
    """

    parent: Type
    field: str
    siblings: dict[str, Json]
    value: Json
    specimen: str

    @property
    def pair(self) -> tuple[str, str]:
        """The schema type and the field."""
        return self.parent.name, self.field

    @property
    def place(self) -> str:
        """The schema type, the field and the specimen, for people."""
        return f"{self.parent.name}.{self.field} in {self.specimen}"


class Observer:
    """Sends objects to the API server as dry runs, and records what it fills in.

    Args:
        client: The client for the server.
        kinds: The served kinds, as from `drift.schema.types.built_in_kinds`.
        facts: Only the pointers are used.
    """

    def __init__(self, client: Client, kinds: list[dict[str, Any]], facts: Facts) -> None:
        self._client = client
        self._kinds = {(kind["group"], kind["version"], kind["kind"]): kind for kind in kinds}
        self._facts = facts

    def observe(self, sent: dict[str, Json], schema: Type, namespace: str = "default") -> Iterator[Observation]:
        """Returns what the server would fill in if an object were created.

        Raises:
            RefusedError: The object is not valid.
        """
        returned = self._client.create_for_show(self._path(sent, namespace), sent)
        yield from self.compare(sent, returned, schema)

    def compare(self, sent: dict[str, Json], returned: dict[str, Json], schema: Type) -> Iterator[Observation]:
        """Returns what the server filled in, from an object as sent and as returned."""
        name = f"{sent['kind']} {sent['metadata']['name']}"
        yield from self._struct(_without_identity(sent), _without_identity(returned), schema, name)

    def _path(self, body: dict[str, Json], namespace: str) -> str:
        group, _, version = body["apiVersion"].rpartition("/")
        kind = self._kinds[(group, version, body["kind"])]
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        return f"{root}/namespaces/{namespace}/{kind['plural']}" if kind["namespaced"] else f"{root}/{kind['plural']}"

    def _struct(
        self, sent: Mapping[str, Json], returned: Mapping[str, Json], schema: Type, specimen: str
    ) -> Iterator[Observation]:
        for field in sorted({*schema.field_names, *returned} - _identity(schema)):
            # No defaults by type are in metadata.
            if schema.field(field).name == _OBJECT_META:
                continue
            below = _without_nulls(returned.get(field))
            if sent.get(field) is not None:
                yield from self._value(sent[field], below, schema.field(field), specimen)
                continue
            nothing = below is None or (_is_zero(below) and self._facts.is_omitempty(schema, field))
            if schema.shape is Shape.STRUCT:
                siblings = {name: _without_nulls(value) for name, value in returned.items() if name != field}
                yield Observation(schema, field, siblings, ABSENT if nothing else below, specimen)
            # Allocated and derived values have no defaults inside.
            if (
                isinstance(below, dict)
                and (schema.name, field) not in ALLOCATED
                and not _is_mirror(below, returned, field)
            ):
                yield from self._struct({}, below, schema.field(field), specimen)

    def _value(self, sent: Json, returned: Json, schema: Type, specimen: str) -> Iterator[Observation]:
        if isinstance(sent, dict) and isinstance(returned, dict):
            yield from self._struct(sent, returned, schema, specimen)
        elif isinstance(sent, list) and isinstance(returned, list):
            # Admission appends items to a list.
            for item, seen in zip(sent, returned, strict=False):
                yield from self._value(item, seen, schema.items, specimen)


def _identity(schema: Type) -> frozenset[str]:
    """Returns the fields that identify a nested object."""
    return _IDENTITY if _IDENTITY.issubset(schema.field_names) else frozenset()


def _without_identity(body: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in body.items() if name not in _IDENTITY}


def _is_mirror(value: Json, siblings: Mapping[str, Json], field: str) -> bool:
    return any(value == _without_nulls(other) for name, other in siblings.items() if name != field)


def _without_nulls(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    return {name: below for name, below in value.items() if below is not None}


def _is_zero(value: Json) -> bool:
    return value in ({}, [], "", 0, False)
