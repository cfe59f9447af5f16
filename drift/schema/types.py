"""Types as the comparison needs them, read lazily from OpenAPI v3 documents.

The structure follows the merge rules of server-side apply: they decide what is owned separately, so they also decide
what can be told apart here. A list says how it merges with ``x-kubernetes-list-type``. Servers up to Kubernetes 1.29
leave that out for containers, env, volumes and others; server-side apply then goes by the patch strategy, and so does
this module. The keys therefore always agree with those in ``managedFields`` of the same server.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from drift.model import Json

_REF_PREFIX: Final = "#/components/schemas/"
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_DURATION: Final = _META + "Duration"
_SCALE: Final = "io.k8s.api.autoscaling.v1.Scale"
#: Types whose empty object says something: a selector of everything, a kind of volume, a subresource, a schema.
_SAYING_WHEN_EMPTY: Final = re.compile(
    r"io\.k8s\.(?:apimachinery\.pkg\.apis\.meta\.v1\.LabelSelector|api\.core\.v1\.\w+VolumeSource"
    r"|apiextensions-apiserver\.pkg\.apis\.apiextensions\.v1\.\w+)"
)


class Shape(Enum):
    """How a value is taken apart."""

    #: Not at all.
    SCALAR = auto()
    #: Declared fields, each by itself.
    STRUCT = auto()
    #: Any keys, each by itself.
    MAP = auto()
    #: A list whose items are known by some of their fields.
    LIST_MAP = auto()
    #: A list of scalars in no order.
    SET = auto()
    #: A list that is owned as a whole.
    ATOMIC_LIST = auto()
    #: The schema does not say: objects field by field, lists as a whole.
    UNKNOWN = auto()


class Scalar(Enum):
    """Which texts of a scalar mean the same."""

    PLAIN = auto()
    QUANTITY = auto()
    INT_OR_STRING = auto()
    DURATION = auto()
    TIME = auto()


class _Absent(Enum):
    ABSENT = auto()


#: Told from null.
ABSENT: Final = _Absent.ABSENT
Absent = _Absent


class Type:
    """One node of a schema.

    Attributes:
        name: The schema's name, for instance ``io.k8s.api.core.v1.Container``; "" for an inline schema.
        shape: How values are taken apart.
        scalar: Which texts mean the same; `Scalar.PLAIN` for what is not a scalar.
        atomic: Whether it is owned as a whole, be it a list, a map or a struct.
        keys: The fields that name an item of a keyed list, sorted; empty for other shapes.
        default: What the schema says the server fills in; `ABSENT` where it says nothing.
        keeps_empty: Whether an empty object differs from none.
        is_custom: Whether it belongs to a custom resource: the server then stores what it is sent, zeros included.
        is_scalable: Whether it is the type of a kind of custom resource that has the ``scale`` subresource.
    """

    __slots__ = (
        "_children",
        "_document",
        "_items",
        "_schema",
        "atomic",
        "default",
        "is_custom",
        "is_scalable",
        "keeps_empty",
        "keys",
        "name",
        "scalar",
        "shape",
    )

    def __init__(self, document: "SchemaDocument", schema: Mapping[str, Json], name: str, default: Json) -> None:
        self._document = document
        schema = self._schema = _readable(schema)
        self._children: dict[str, Type] = {}
        self._items: Type | None = None
        self.name = name
        self.default = default
        self.scalar = _scalar(schema, name)
        self.shape = _shape(schema, self.scalar)
        self.atomic = self.shape is Shape.ATOMIC_LIST or schema.get("x-kubernetes-map-type") == "atomic"
        self.keys = _list_keys(schema) if self.shape is Shape.LIST_MAP else ()
        self.is_custom = document.is_custom
        self.is_scalable = document.is_custom and name in document.scalable
        says_something = document.is_custom or _SAYING_WHEN_EMPTY.fullmatch(name) is not None
        self.keeps_empty = self.shape is Shape.UNKNOWN or (self.shape is Shape.STRUCT and says_something)

    def __repr__(self) -> str:
        return f"Type({self.name or '-'}, {self.shape.name}, {self.scalar.name})"

    def field(self, name: str) -> "Type":
        """The type of one field or map value; `UNKNOWN` for one that the schema does not declare."""
        child = self._children.get(name)
        if child is None:
            child = self._children[name] = self._make_field(name)
        return child

    def _make_field(self, name: str) -> "Type":
        properties = self._schema.get("properties")
        if properties is not None and name in properties:
            return self._document.type_of(properties[name])
        if name == "metadata" and self._schema.get("x-kubernetes-embedded-resource"):
            return self._document.metadata
        additional = self._schema.get("additionalProperties")
        if isinstance(additional, Mapping):
            return self._document.type_of(additional)
        return UNKNOWN

    def declares(self, name: str) -> bool:
        """Whether an object may have a field of this name: the schema declares it, or leaves open which there are."""
        return (
            self.shape is not Shape.STRUCT
            or name in self._schema.get("properties", ())
            or bool(self._schema.get("additionalProperties"))
            or bool(self._schema.get("x-kubernetes-preserve-unknown-fields"))
        )

    @property
    def field_names(self) -> tuple[str, ...]:
        """The declared fields; empty for maps and for what the schema leaves open."""
        return tuple(self._schema.get("properties", ()))

    @property
    def items(self) -> "Type":
        """The type of a list's items; `UNKNOWN` where the schema does not say."""
        if self._items is None:
            items = self._schema.get("items")
            self._items = self._document.type_of(items) if isinstance(items, Mapping) else UNKNOWN
        return self._items


def _scalar(schema: Mapping[str, Json], name: str) -> Scalar:
    if name == _QUANTITY:
        return Scalar.QUANTITY
    if name == _INT_OR_STRING or schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        # CRDs declare quantities as int-or-string with a pattern that allows the SI suffixes.
        return Scalar.QUANTITY if "KMGTPE" in str(schema.get("pattern", "")) else Scalar.INT_OR_STRING
    if name == _DURATION or schema.get("format") == "duration":
        return Scalar.DURATION
    if schema.get("format") == "date-time":
        return Scalar.TIME
    return Scalar.PLAIN


def _shape(schema: Mapping[str, Json], scalar: Scalar) -> Shape:
    if scalar is not Scalar.PLAIN:
        return Shape.SCALAR
    kind = schema.get("type")
    if kind == "array":
        return _list_shape(schema)
    if schema.get("properties"):
        return Shape.STRUCT
    if isinstance(schema.get("additionalProperties"), Mapping):
        return Shape.MAP
    if kind in {"string", "integer", "number", "boolean"}:
        return Shape.SCALAR
    return Shape.UNKNOWN


def _list_shape(schema: Mapping[str, Json]) -> Shape:
    list_type = schema.get("x-kubernetes-list-type")
    if list_type is None and schema.get("x-kubernetes-patch-strategy") in _MERGES:
        list_type = "map" if "x-kubernetes-patch-merge-key" in schema else "set"
    if list_type == "map" and _list_keys(schema):
        return Shape.LIST_MAP
    return Shape.SET if list_type == "set" else Shape.ATOMIC_LIST


def _list_keys(schema: Mapping[str, Json]) -> tuple[str, ...]:
    """The keys of a list of type map, sorted; empty where the schema does not name them."""
    if "x-kubernetes-list-type" not in schema:
        return (schema["x-kubernetes-patch-merge-key"],)
    keys = schema.get("x-kubernetes-list-map-keys", ())
    return tuple(sorted(keys)) if all(isinstance(key, str) for key in keys) else ()


#: The patch strategies of lists that server-side apply merges.
_MERGES: Final = frozenset({"merge", "merge,retainKeys"})
#: What a schema may say beside a reference about this one use of the type, in place of what the type says.
_MERGE_RULES: Final = ("x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type")
#: What the keywords that are looked at have to be.
_KEYWORDS: Final[Mapping[str, type]] = {
    "$ref": str,
    "allOf": list,
    "format": str,
    "items": dict,
    "properties": dict,
    "type": str,
    "x-kubernetes-group-version-kind": list,
    "x-kubernetes-list-map-keys": list,
    "x-kubernetes-list-type": str,
    "x-kubernetes-map-type": str,
    "x-kubernetes-patch-merge-key": str,
    "x-kubernetes-patch-strategy": str,
}


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _readable(schema: Json) -> Mapping[str, Json]:
    """A schema without what is not as OpenAPI has it: nobody says that a server's answer is well made."""
    known = _mapping(schema)
    broken = [name for name, kind in _KEYWORDS.items() if name in known and not isinstance(known[name], kind)]
    return {name: value for name, value in known.items() if name not in broken} if broken else known


def _version_rank(version: str) -> tuple[int, int, int]:
    """Orders versions as Kubernetes does: v2, v1, v2beta1, v1beta2, v1beta1, v1alpha1."""
    parts = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if parts is None:
        return -1, 0, 0
    major, stage, step = parts.groups()
    return ("alpha", "beta", None).index(stage), int(major), int(step or 0)


class SchemaDocument:
    """One OpenAPI v3 document: the types of one group and version.

    Args:
        document: As the API server serves it below ``/openapi/v3``. Of its paths, only ``/scale`` is looked at.
    """

    def __init__(self, document: Mapping[str, Json]) -> None:
        self._schemas = _mapping(_mapping(document.get("components")).get("schemas"))
        self._types: dict[str, Type] = {}
        self._kinds = self._index_kinds()
        #: The schemas of kinds that have the ``scale`` subresource.
        self.scalable = self._find_scalable(_mapping(document.get("paths")))
        # Custom resources' documents declare none of the built-in API types, only the metadata they share, and the
        # Scale that a kind with that subresource answers with.
        self.is_custom = not any(
            name.startswith(("io.k8s.api.", "io.k8s.kube-", "io.k8s.apiext")) and not name.startswith(_SCALE)
            for name in self._schemas
        )

    def _index_kinds(self) -> dict[tuple[str, str, str], str]:
        kinds: dict[tuple[str, str, str], str] = {}
        for name, schema in self._schemas.items():
            for claim in _readable(schema).get("x-kubernetes-group-version-kind", ()):
                # Options and Status types claim every group; the kind itself claims one.
                group, version, kind = map(_mapping(claim).get, ("group", "version", "kind"))
                if isinstance(group, str) and isinstance(version, str) and isinstance(kind, str):
                    kinds.setdefault((group, version, kind), name)
        return kinds

    def _find_scalable(self, paths: Mapping[str, Json]) -> frozenset[str | None]:
        return frozenset(
            self._kinds.get((str(kind.get("group")), str(kind.get("version")), str(kind.get("kind"))))
            for path, operations in paths.items()
            if path.endswith("/{name}/scale")
            # The document calls it an operation of the object's kind, in the object's group.
            for kind in [_mapping(_mapping(_mapping(operations).get("get")).get("x-kubernetes-group-version-kind"))]
        )

    def kind(self, group: str, version: str, kind: str) -> Type | None:
        """The type of a kind; None where the document does not have it."""
        name = self._kinds.get((group, version, kind))
        return None if name is None else self._named(name, ABSENT)

    def newest_kind(self, group: str, kind: str) -> Type | None:
        """The type of a kind in its newest version, stable ones first; None where the document does not have it.

        Kinds of the former group ``extensions`` are looked for in the groups that they moved to.
        """
        versions = [
            (found_version, name)
            for (found_group, found_version, found_kind), name in self._kinds.items()
            if found_kind == kind and (found_group == group or (group == "extensions" and found_group))
        ]
        newest = max(versions, key=lambda found: _version_rank(found[0]), default=None)
        return None if newest is None else self._named(newest[1], ABSENT)

    @property
    def metadata(self) -> Type:
        """The type of ``metadata``; `UNKNOWN` where the document does not have it."""
        return self._named(_META + "ObjectMeta", ABSENT)

    def type_of(self, schema: Mapping[str, Json]) -> Type:
        """The type that a schema in this document, or a reference to one, stands for."""
        schema = _readable(schema)
        default = schema.get("default", ABSENT)
        reference = schema.get("$ref")
        if reference is None and len(schema.get("allOf", ())) == 1:
            # How a reference is given a description and a default.
            reference = _readable(schema["allOf"][0]).get("$ref")
        if reference is not None:
            rules = {name: schema[name] for name in _MERGE_RULES if name in schema}
            return self._named(reference.removeprefix(_REF_PREFIX), default, rules)
        return Type(self, schema, "", default)

    def _named(self, name: str, default: Json, rules: Mapping[str, Json] | None = None) -> Type:
        if name not in self._schemas:
            return UNKNOWN
        if default is not ABSENT or rules:
            return Type(self, {**_mapping(self._schemas[name]), **(rules or {})}, name, default)
        known = self._types.get(name)
        if known is None:
            known = self._types[name] = Type(self, self._schemas[name], name, ABSENT)
        return known


#: The type of what no schema describes.
UNKNOWN: Final = Type(SchemaDocument({}), {}, "", ABSENT)
