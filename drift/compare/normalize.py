"""Normalizes an object so that two trees are equal if Kubernetes sees no difference between the objects.

A normalized tree consists of dict (structs, maps), `ListMap` (list maps, sets), list (atomic lists) and scalars. Some
scalars are `Canonical` or `Redacted`. The input is not changed.
"""

import re
from collections.abc import Iterable
from enum import Enum, auto
from typing import Final

from drift.objects import LAST_APPLIED, Incomparable, Json, Object
from drift.paths import ItemKey, set_member
from drift.redaction import Redacted
from drift.schema.facts import ALLOCATED, Facts
from drift.schema.types import ABSENT, Scalar, Shape, Type
from drift.schema.values import Canonical, canonical, canonical_amount

#: The fields of ``metadata`` that the API server maintains; they are never compared.
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
#: The same for the ``metadata`` of templates and of objects inside others, where the API server uses no generateName.
_SERVER_METADATA_INSIDE: Final = SERVER_METADATA - {"generateName"}
#: The fields of ``metadata`` that identify an object; both sides always have the same.
NAME_FIELDS: Final = frozenset({"name", "namespace"})
#: The fields that every API object has.
OBJECT_FIELDS: Final = frozenset({"apiVersion", "kind", "metadata", "status"})
#: Types of items in atomic lists that the server or its controllers reorder.
_UNORDERED: Final = frozenset(
    {
        "io.k8s.api.autoscaling.v2.MetricSpec",
        "io.k8s.api.core.v1.EndpointSubset",
        "io.k8s.api.core.v1.EndpointAddress",
        "io.k8s.api.core.v1.EndpointPort",
    }
)
#: Types of items for which only the last item with the same key takes effect.
_LAST_WINS: Final = frozenset({"io.k8s.api.core.v1.EnvVar"})
_OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
#: The types whose maps of quantities are of the Go type ``ResourceList``.
_HAS_RESOURCE_LISTS: Final = re.compile(r"io\.k8s\.api\.(?:core\.v1\..+|node\..+\.Overhead)")

#: The names of resources: Kubernetes' own, and extended ones such as ``nvidia.com/gpu``.
_RESOURCE: Final = re.compile(r"cpu|memory|storage|ephemeral-storage|hugepages-.+|.+/.+")

#: Scalars with a single form, unless the schema declares a quantity, a duration or the like.
SINGLE_FORM: Final = frozenset({str, int, bool})

#: What cannot be the key of a list item: paths show the keys, and a hidden value must not be shown. A list with such an
#: item is compared as a whole.
_NO_KEYS: Final = (dict, list, Redacted, Incomparable)
#: Scalars whose null is like that of a string.
_PLAIN: Final = frozenset({Scalar.PLAIN, Scalar.BYTE})

#: A null in a map of strings. The API server stores "" or, after a client-side apply, no key.
NULL: Final = Canonical("", None)
#: A null in a value without a type, which equals no string. The API server stores it or, as above, no key.
UNTYPED_NULL: Final = Canonical("\0null", None)


class ListMap(dict[ItemKey, Json]):
    """A list map or a set: the items by key, in the order of the list.

    Attributes:
        positions: The position of each item in the original list.
        duplicates: The keys that occur more than once; only the last item with such a key is kept.
        is_set: Whether this is a set, whose members are their own keys and have no order.
    """

    __slots__ = ("duplicates", "is_set", "positions")

    def __init__(self, *, is_set: bool) -> None:
        super().__init__()
        self.positions: dict[ItemKey, int] = {}
        self.duplicates: dict[ItemKey, None] = {}
        self.is_set = is_set

    def put(self, key: ItemKey, item: Json, position: int) -> None:
        """Adds an item, or replaces the item with the same key."""
        if key in self:
            self.duplicates[key] = None
        self[key] = item
        self.positions[key] = position


def normalize_object(body: Object, schema: Type, facts: Facts, *, keep_zeros: bool = False) -> Object:
    """Normalizes a whole object, without its identity, its ``status`` and the metadata that the server maintains.

    Args:
        body: The object as parsed; the values of Secrets redacted.
        schema: The kind's type; `UNKNOWN` if the server has no schema for it.
        facts: Defaults and omitempty fields that the schema does not declare.
        keep_zeros: Whether to keep zero values of omitempty fields, which the server drops.
    """
    normalizer = _Normalizer(facts, keep_zeros=keep_zeros, has_schema=bool(schema.field_names))
    metadata = body.get("metadata")
    rest = {name: value for name, value in body.items() if name not in OBJECT_FIELDS}
    tree = normalizer.struct(rest, schema)
    if isinstance(metadata, dict):
        own = {name: value for name, value in metadata.items() if name not in NAME_FIELDS}
        # Keep metadata even if it is empty, so that a first label is reported at metadata.labels and not at metadata.
        # Its fields are known even without a schema.
        tree["metadata"] = normalizer.struct(own, schema.field("metadata"), is_metadata=True)
    return tree


class _Part(Enum):
    """The position of a value among the amounts of resources."""

    NONE = auto()
    #: A ``ResourceList`` of a built-in type.
    RESOURCE_LIST = auto()
    #: The amount of one resource in it.
    ROUNDED_AMOUNT = auto()
    #: The ``resources`` of a custom resource. Few CRDs declare that these are quantities.
    RESOURCES = auto()
    #: ``resources.requests`` or ``resources.limits``.
    AMOUNTS = auto()
    #: The amount of one resource.
    AMOUNT = auto()


class _Normalizer:
    def __init__(self, facts: Facts, *, keep_zeros: bool, has_schema: bool) -> None:
        self._facts = facts
        self._has_schema = has_schema
        self._is_in_list = False
        self._keep_zeros = keep_zeros

    def value(self, value: Json, schema: Type, part: _Part = _Part.NONE) -> Json:
        if isinstance(value, dict):
            return self.struct(value, schema, part)
        if isinstance(value, list):
            return self._list(value, schema)
        if isinstance(value, Redacted | Incomparable):
            return value
        if part is _Part.ROUNDED_AMOUNT:
            return canonical_amount(value)
        return canonical(value, Scalar.QUANTITY if part is _Part.AMOUNT else schema.scalar)

    def struct(self, value: Object, schema: Type, part: _Part = _Part.NONE, *, is_metadata: bool = False) -> Object:
        tree: Object = {}
        ignored = SERVER_METADATA if is_metadata else _SERVER_METADATA_INSIDE
        is_metadata |= schema.name == _OBJECT_META
        is_embedded = "metadata" in value and schema.shape is Shape.STRUCT and _is_embedded_object(schema)
        for name, field_value in value.items():
            if is_metadata and name in ignored:
                continue
            if field_value is None:
                null = self._null(schema, name)
                if null is not None:
                    tree[name] = null
                continue
            if is_embedded and name in {"apiVersion", "kind", "status"}:
                continue
            child = schema.field(name)
            if (
                field_value
                and type(field_value) in SINGLE_FORM
                and child.scalar is Scalar.PLAIN
                and not child.is_custom
            ):
                # The fast path: most fields are plain scalars.
                tree[name] = field_value
                continue
            normalized = self.value(field_value, child, _resources_part(name, child, schema, part))
            if not self._equals_absence(normalized, schema, name, child):
                tree[name] = normalized
        annotations = tree.get("annotations")
        if is_metadata and isinstance(annotations, dict) and LAST_APPLIED in annotations:
            tree["annotations"] = {name: text for name, text in annotations.items() if name != LAST_APPLIED}
            if not tree["annotations"]:
                del tree["annotations"]
        return tree

    def _equals_absence(self, value: Json, parent: Type, name: str, child: Type) -> bool:
        """Whether a normalized value means the same as no value."""
        if isinstance(value, dict | list):
            if value or child.replaces_absence:
                return False
            if isinstance(value, list) and self._is_untyped(parent, name):
                # The server stores it as it is. In the values of a HelmRelease, it replaces the list of the chart.
                return False
            return (
                isinstance(value, ListMap | list) or child.shape is Shape.MAP or self._facts.is_omitempty(parent, name)
            )
        if (parent.name, name) in ALLOCATED:
            # Git asks the server to allocate a value, which is not the same as having dropped the field.
            return False
        is_zero = value is False or value == "" or (value == 0 and not isinstance(value, bool))
        return is_zero and not self._keep_zeros and self._facts.is_omitempty(parent, name)

    def _null(self, parent: Type, name: str) -> Canonical | None:
        """Returns what a null in a field is, or None if it equals no value."""
        if parent.shape is Shape.MAP and _is_plain_scalar(parent.field(name)):
            return NULL
        # Programs in Go write a creationTimestamp of null wherever they write metadata.
        is_value = name != "creationTimestamp" and not self._is_in_list and self._is_untyped(parent, name)
        return UNTYPED_NULL if is_value else None

    def _is_untyped(self, parent: Type, name: str) -> bool:
        """Whether the schema of the kind allows a field of any type here, without a default."""
        child = parent.field(name)
        return self._has_schema and child.shape is Shape.UNKNOWN and child.default is ABSENT and parent.declares(name)

    def _list(self, value: list[Json], schema: Type) -> Json:
        if schema.shape is Shape.LIST_MAP:
            list_map = self._list_map(value, schema)
            if list_map is not None:
                return list_map
        elif schema.shape is Shape.SET and not any(isinstance(item, _NO_KEYS) for item in value):
            members = ListMap(is_set=True)
            for position, item in enumerate(value):
                members.put(set_member(item), item, position)
            return members
        # Lists without keys are compared as a whole, so that a null that the server dropped would be a difference.
        was_in_list, self._is_in_list = self._is_in_list, True
        items = [self.value(item, schema.items) for item in value]
        self._is_in_list = was_in_list
        if schema.items.name in _UNORDERED or schema.shape is Shape.SET:
            items.sort(key=_sort_key)
        return items

    def _list_map(self, value: list[Json], schema: Type) -> ListMap | None:
        """Returns the items by key, or None if an item lacks a key field, as in an invalid list."""
        items = ListMap(is_set=False)
        counts: dict[ItemKey, int] = {}
        for position, item in enumerate(value):
            key = self._key(item, schema)
            if key is None:
                return None
            if key in items and schema.items.name not in _LAST_WINS:
                # Duplicates are valid here: two host ports may map to one container port.
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
            if part is ABSENT or isinstance(part, _NO_KEYS):
                return None
            parts.append((name, part))
        return ItemKey(parts)


def _sort_key(item: Json) -> str:
    """Orders items by content, independent of the order of their fields."""
    if isinstance(item, dict):
        return "".join(f"{name}:{_sort_key(item[name])};" for name in sorted(item, key=str))
    if isinstance(item, list):
        return "".join(map(_sort_key, item))
    # All redacted values are the same text.
    return str(hash(item)) if isinstance(item, Redacted) else str(item)


def _is_plain_scalar(schema: Type) -> bool:
    return schema.shape is Shape.SCALAR and schema.scalar in _PLAIN and not schema.is_custom


def _is_embedded_object(schema: Type) -> bool:
    """Whether a struct with metadata is an API object inside another, such as a StatefulSet's claim template."""
    return OBJECT_FIELDS.issubset(schema.field_names)


def _resources_part(name: str, schema: Type, parent_schema: Type, parent: _Part) -> _Part:
    """Returns the position of a field, given the type and the position of the object that has it.

    An amount that a CRD declares as a string or a number is stored as it was written, and so is a value that does not
    have the name of a resource.
    """
    if not schema.is_custom:
        if parent is _Part.RESOURCE_LIST:
            return _Part.ROUNDED_AMOUNT
        return _Part.RESOURCE_LIST if _is_resource_list(schema, parent_schema) else _Part.NONE
    if parent is _Part.AMOUNTS:
        is_declared = schema.shape is Shape.SCALAR and schema.scalar is Scalar.PLAIN
        return _Part.AMOUNT if _RESOURCE.fullmatch(name) and not is_declared else _Part.NONE
    if parent is _Part.RESOURCES and name in {"requests", "limits"}:
        return _Part.AMOUNTS
    return _Part.RESOURCES if name == "resources" else _Part.NONE


def _is_resource_list(schema: Type, parent: Type) -> bool:
    is_map_of_quantities = schema.shape is Shape.MAP and schema.field("").scalar is Scalar.QUANTITY
    return is_map_of_quantities and _HAS_RESOURCE_LISTS.fullmatch(parent.name) is not None


def value_at(tree: Json, path: Iterable[str | ItemKey]) -> Json:
    """Returns the part of a normalized tree at a path, or `ABSENT`. A tree of None has no parts."""
    if tree is None:
        return ABSENT
    for element in path:
        if not isinstance(tree, dict) or element not in tree:
            return ABSENT
        tree = tree[element]
    return tree
