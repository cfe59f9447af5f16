"""One object into a tree in which equal means equal: lists by key, scalars canonical, noise gone.

The tree of an object consists of dict (fields, maps), `ListMap` (lists with keys, sets), list (atomic lists) and
scalars, some of them `Canonical` or `Redacted`. The input is not changed.
"""

from enum import Enum, auto
from typing import Final

from drift.model import LAST_APPLIED, Json, Object
from drift.paths import ItemKey, set_member
from drift.redaction import Redacted
from drift.schema.allocated import ALLOCATED
from drift.schema.facts import Facts
from drift.schema.types import ABSENT, Scalar, Shape, Type
from drift.schema.values import Canonical, canonical

#: What the API server itself keeps in an object's metadata; never Git's business.
SERVER_METADATA: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generateName",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
_IDENTITY: Final = frozenset({"name", "namespace"})
#: Types of items that the server or its controllers put in an order of their own, in lists that are owned as a whole.
_UNORDERED: Final = frozenset(
    {
        "io.k8s.api.autoscaling.v2.MetricSpec",
        "io.k8s.api.core.v1.EndpointSubset",
        "io.k8s.api.core.v1.EndpointAddress",
        "io.k8s.api.core.v1.EndpointPort",
    }
)
#: Types of items of which only the last one with a key has an effect.
_LAST_WINS: Final = frozenset({"io.k8s.api.core.v1.EnvVar"})
_OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

#: Scalars that have one form only, unless the schema says something else of them.
AS_WRITTEN: Final = frozenset({str, int, bool})


#: A null in a map of texts: the API server reads it as "" or, after a client-side apply, has no such key.
NULL: Final = Canonical("", None)


class ListMap(dict[ItemKey, Json]):
    """A list whose items have keys, in the list's order.

    Attributes:
        positions: Each item's position in the list as it was written.
        duplicates: The keys of items that a later item with the same key replaced, each once.
        is_set: Whether the items are their own keys, in no order.
    """

    __slots__ = ("duplicates", "is_set", "positions")

    def __init__(self, *, is_set: bool) -> None:
        super().__init__()
        self.positions: dict[ItemKey, int] = {}
        self.duplicates: dict[ItemKey, None] = {}
        self.is_set = is_set

    def put(self, key: ItemKey, item: Json, position: int) -> None:
        """Adds an item; one with the same key is replaced."""
        if key in self:
            self.duplicates[key] = None
        self[key] = item
        self.positions[key] = position


def normalize_object(body: Object, schema: Type, facts: Facts, *, keep_zeros: bool = False) -> Object:
    """A whole object; what identifies it, its ``status`` and the server's own metadata are left out.

    Args:
        body: The object as parsed; Secrets with their values redacted.
        schema: The kind's type; `UNKNOWN` where the server has no schema for it.
        facts: What the server does beyond its schema.
        keep_zeros: Whether to keep also the zero values that the server cannot tell from nothing.
    """
    normalizer = _Normalizer(facts, keep_zeros=keep_zeros)
    metadata = body.get("metadata")
    rest = {name: value for name, value in body.items() if name not in {"apiVersion", "kind", "metadata", "status"}}
    tree = normalizer.struct(rest, schema)
    if isinstance(metadata, dict):
        own = {name: value for name, value in metadata.items() if name not in _IDENTITY}
        # Kept even if empty, so that a label that is added is found at the labels rather than at the metadata.
        # Its fields are known whatever the schema says, or where there is none.
        tree["metadata"] = normalizer.struct(own, schema.field("metadata"), is_metadata=True)
    return tree


class _Role(Enum):
    """What a part of a custom resource holds by convention, since few CRDs declare their quantities."""

    ANY = auto()
    RESOURCES = auto()
    #: ``resources.requests`` or ``resources.limits``.
    AMOUNTS = auto()


class _Normalizer:
    def __init__(self, facts: Facts, *, keep_zeros: bool) -> None:
        self._facts = facts
        self._keep_zeros = keep_zeros

    def value(self, value: Json, schema: Type, role: _Role = _Role.ANY) -> Json:
        if isinstance(value, dict):
            return self.struct(value, schema, role)
        if isinstance(value, list):
            return self._list(value, schema)
        if isinstance(value, Redacted):
            return value
        return canonical(value, Scalar.QUANTITY if role is _Role.AMOUNTS else schema.scalar)

    def struct(self, value: Object, schema: Type, role: _Role = _Role.ANY, *, is_metadata: bool = False) -> Object:
        tree: Object = {}
        is_metadata |= schema.name == _OBJECT_META
        is_embedded = "metadata" in value and schema.shape is Shape.STRUCT and _is_embedded_object(schema)
        for name, below in value.items():
            if is_metadata and name in SERVER_METADATA:
                continue
            if below is None:
                if schema.shape is Shape.MAP and _is_plain_text(schema.field(name)):
                    tree[name] = NULL
                continue
            if is_embedded and name in {"apiVersion", "kind", "status"}:
                continue
            child = schema.field(name)
            if below and type(below) in AS_WRITTEN and child.scalar is Scalar.PLAIN and not child.is_custom:
                # Most of an object is what it is.
                tree[name] = below
                continue
            normalized = self.value(below, child, _role(name, role) if child.is_custom else _Role.ANY)
            if not self._is_nothing(normalized, schema, name, child):
                tree[name] = normalized
        annotations = tree.get("annotations")
        if is_metadata and isinstance(annotations, dict) and LAST_APPLIED in annotations:
            tree["annotations"] = {name: text for name, text in annotations.items() if name != LAST_APPLIED}
            if not tree["annotations"]:
                del tree["annotations"]
        return tree

    def _is_nothing(self, value: Json, parent: Type, name: str, child: Type) -> bool:
        """Whether a normalized value means the same as the field's absence."""
        if isinstance(value, ListMap | list):
            return not value
        if isinstance(value, dict):
            if value:
                return False
            return child.shape is Shape.MAP or self._facts.is_omitempty(parent, name)
        if (parent.name, name) in ALLOCATED:
            # Git asks for an allocated value; had it been dropped from Git, that would be something else.
            return False
        is_zero = value is False or value == "" or (value == 0 and not isinstance(value, bool))
        return is_zero and not self._keep_zeros and self._facts.is_omitempty(parent, name)

    def _list(self, value: list[Json], schema: Type) -> Json:
        if schema.shape is Shape.LIST_MAP:
            keyed = self._keyed(value, schema)
            if keyed is not None:
                return keyed
        elif schema.shape is Shape.SET and not any(isinstance(item, dict | list) for item in value):
            members = ListMap(is_set=True)
            for position, item in enumerate(value):
                members.put(set_member(item), item, position)
            return members
        items = [self.value(item, schema.items) for item in value]
        if schema.items.name in _UNORDERED:
            items.sort(key=_sort_key)
        return items

    def _keyed(self, value: list[Json], schema: Type) -> ListMap | None:
        """The items by key; None where an item has no key, which only an invalid list has."""
        items = ListMap(is_set=False)
        counts: dict[ItemKey, int] = {}
        for position, item in enumerate(value):
            key = self._key(item, schema)
            if key is None:
                return None
            if key in items and schema.items.name not in _LAST_WINS:
                # The first one counts too: two host ports may lead to one container port.
                counts[key] = counts.get(key, 1) + 1
                key = key.occurrence(counts[key])
            items.put(key, self.value(item, schema.items), position)
        return items

    def _key(self, item: Json, schema: Type) -> ItemKey | None:
        if not isinstance(item, dict):
            return None
        parts = []
        for name in schema.keys:
            part = item.get(name)
            if part is None:
                part = self._facts.default(schema.items, name, item)
            if part is ABSENT or isinstance(part, dict | list):
                return None
            parts.append((name, part))
        return ItemKey(parts)


def _sort_key(item: Json) -> str:
    """Orders items by their content, whatever order their fields were written in."""
    if isinstance(item, dict):
        return "".join(f"{name}:{_sort_key(item[name])};" for name in sorted(item, key=str))
    return "".join(map(_sort_key, item)) if isinstance(item, list) else str(item)


def _is_plain_text(schema: Type) -> bool:
    return schema.shape is Shape.SCALAR and schema.scalar is Scalar.PLAIN and not schema.is_custom


def _is_embedded_object(schema: Type) -> bool:
    """Whether what has metadata is an API object inside another, such as a StatefulSet's claim template."""
    return {"apiVersion", "kind", "metadata", "status"}.issubset(schema.field_names)


def _role(name: str, parent: _Role) -> _Role:
    if name == "resources":
        return _Role.RESOURCES
    is_amounts = parent is _Role.AMOUNTS or (parent is _Role.RESOURCES and name in {"requests", "limits"})
    return _Role.AMOUNTS if is_amounts else _Role.ANY
