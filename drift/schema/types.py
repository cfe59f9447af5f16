"""The types of an OpenAPI v3 document, read lazily, and the documents for comparisons without a server.

The shape of a type follows the merge rules of server-side apply, which decide what is owned separately. A list declares
its merge rule with ``x-kubernetes-list-type``. Servers up to Kubernetes 1.29 omit that for containers, env, volumes and
others. Server-side apply then uses the patch strategy, and so does this module, so that keys always match those in
``managedFields`` of the same server.
"""

import gzip
import json
import re
from collections.abc import Mapping
from enum import Enum, auto
from functools import cache
from importlib import resources
from typing import Any, Final

from drift.objects import Json, Object, as_object, at, objects_at

_REF_PREFIX: Final = "#/components/schemas/"
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_DURATION: Final = _META + "Duration"
_SCALE: Final = "io.k8s.api.autoscaling.v1.Scale"
_SCHEMA: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
#: Types without fields that are read as another. In a CRD, ``items`` is a schema, and ``additionalProperties`` a schema
#: or a boolean; a list of schemas is not valid there.
_READ_AS: Final[Mapping[str, str]] = {_SCHEMA + "OrArray": _SCHEMA, _SCHEMA + "OrBool": _SCHEMA}
#: Types whose empty object has a meaning: a selector that matches everything, a volume source, a subresource, a schema.
_MEANINGFUL_WHEN_EMPTY: Final = re.compile(
    r"io\.k8s\.(?:apimachinery\.pkg\.apis\.meta\.v1\.LabelSelector|api\.core\.v1\.\w+VolumeSource"
    r"|apiextensions-apiserver\.pkg\.apis\.apiextensions\.v1\.\w+)"
)
#: The patch strategies of lists that server-side apply merges.
_MERGES: Final = frozenset({"merge", "merge,retainKeys"})
#: Keywords that a schema may add to a reference, to override the type for this use.
_MERGE_RULES: Final = ("x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type")
#: The JSON types of the keywords that this module reads.
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


class Shape(Enum):
    """How server-side apply splits a value into separately owned parts."""

    #: One value without parts.
    SCALAR = auto()
    #: Declared fields, each owned separately.
    STRUCT = auto()
    #: Arbitrary keys, each owned separately.
    MAP = auto()
    #: A list whose items are identified by key fields.
    LIST_MAP = auto()
    #: A list of scalars without an order.
    SET = auto()
    #: A list that has one owner for the whole.
    ATOMIC_LIST = auto()
    #: Not declared: objects are owned by field, lists as a whole.
    UNKNOWN = auto()


class Scalar(Enum):
    """Which forms of a scalar are equal."""

    PLAIN = auto()
    #: Bytes in base64, which the server stores on one line.
    BYTE = auto()
    QUANTITY = auto()
    INT_OR_STRING = auto()
    DURATION = auto()
    TIME = auto()


class Absent(Enum):
    """The type of `ABSENT`."""

    ABSENT = auto()


#: Stands for no value, as opposed to null.
ABSENT: Final = Absent.ABSENT


class Type:
    """One node of a schema.

    Attributes:
        name: The schema's name, for instance ``io.k8s.api.core.v1.Container``; "" for an inline schema.
        shape: How values are split into separately owned parts.
        scalar: Which forms of a value are equal; `Scalar.PLAIN` for other shapes than scalars.
        atomic: Whether the list, map or struct is owned as a whole.
        keys: The key fields of a list map, sorted; empty for other shapes.
        default: The default that the schema declares, or `ABSENT`.
        empty_has_meaning: Whether an empty object differs from no object.
        replaces_absence: Whether the server puts content in the place of an absent list or map of a custom resource, by
            the schema's default. It stores an empty one as it is.
        is_custom: Whether the type belongs to a custom resource. The server stores its zero values.
        is_scalable: Whether this is the type of a custom resource with the ``scale`` subresource.
    """

    __slots__ = (
        "_children",
        "_document",
        "_items",
        "_schema",
        "atomic",
        "default",
        "empty_has_meaning",
        "is_custom",
        "is_scalable",
        "keys",
        "name",
        "replaces_absence",
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
        self.scalar = _scalar(schema, name, is_custom=document.is_custom)
        self.shape = _shape(schema, self.scalar)
        self.atomic = self.shape is Shape.ATOMIC_LIST or schema.get("x-kubernetes-map-type") == "atomic"
        self.keys = _list_keys(schema) if self.shape is Shape.LIST_MAP else ()
        self.is_custom = document.is_custom
        self.is_scalable = document.is_custom and name in document.scalable
        self.replaces_absence = document.is_custom and isinstance(default, dict | list) and bool(default)
        is_meaningful_struct = document.is_custom or _MEANINGFUL_WHEN_EMPTY.fullmatch(name) is not None
        self.empty_has_meaning = self.shape is Shape.UNKNOWN or (self.shape is Shape.STRUCT and is_meaningful_struct)

    def __repr__(self) -> str:
        return f"Type({self.name or '-'}, {self.shape.name}, {self.scalar.name})"

    def field(self, name: str) -> "Type":
        """Returns the type of a field or map value; `UNKNOWN` if the schema does not declare it."""
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
        """Whether the schema declares a field of this name or allows any field."""
        return (
            self.shape is not Shape.STRUCT
            or name in self._schema.get("properties", ())
            or bool(self._schema.get("additionalProperties"))
            or bool(self._schema.get("x-kubernetes-preserve-unknown-fields"))
        )

    def with_metadata(self) -> "Type":
        """Returns this type, with the common type of ``metadata`` if it declares none (a resource without a schema)."""
        if self.field("metadata") is not UNKNOWN:
            return self
        described = Type(self._document, self._schema, self.name, self.default)
        described._children["metadata"] = _object_meta()
        return described

    @property
    def field_names(self) -> tuple[str, ...]:
        """The declared fields; empty for maps and for types that allow any field."""
        return tuple(self._schema.get("properties", ()))

    @property
    def items(self) -> "Type":
        """The type of a list's items; `UNKNOWN` if the schema does not declare it."""
        if self._items is None:
            items = self._schema.get("items")
            self._items = self._document.type_of(items) if isinstance(items, Mapping) else UNKNOWN
        return self._items


def _scalar(schema: Mapping[str, Json], name: str, *, is_custom: bool) -> Scalar:
    if name == _QUANTITY:
        return Scalar.QUANTITY
    if name == _INT_OR_STRING or schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        # CRDs declare quantities as int-or-string with a pattern that allows the SI suffixes.
        return Scalar.QUANTITY if "KMGTPE" in str(schema.get("pattern", "")) else Scalar.INT_OR_STRING
    if name == _DURATION or schema.get("format") == "duration":
        return Scalar.DURATION
    if schema.get("format") == "date-time":
        return Scalar.TIME
    if schema.get("format") == "byte" and not is_custom:
        # Of a custom resource, the server stores what was written.
        return Scalar.BYTE
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
    """Returns the sorted keys of a list map; empty if the schema does not declare them."""
    if "x-kubernetes-list-type" not in schema:
        return (schema["x-kubernetes-patch-merge-key"],)
    keys = schema.get("x-kubernetes-list-map-keys", ())
    return tuple(sorted(keys)) if all(isinstance(key, str) for key in keys) else ()


def _readable(schema: Json) -> Mapping[str, Json]:
    """Returns a schema without keywords of the wrong JSON type, since a server's answer may be malformed."""
    keywords = as_object(schema)
    broken = [name for name, kind in _KEYWORDS.items() if name in keywords and not isinstance(keywords[name], kind)]
    return {name: value for name, value in keywords.items() if name not in broken} if broken else keywords


def _version_rank(version: str) -> tuple[int, int, int]:
    """Returns a sort key that orders versions as Kubernetes does: v2, v1, v2beta1, v1beta2, v1beta1, v1alpha1."""
    parts = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if parts is None:
        return -1, 0, 0
    major, stage, step = parts.groups()
    return ("alpha", "beta", None).index(stage), int(major), int(step or 0)


class SchemaDocument:
    """One OpenAPI v3 document: the types of one group and version.

    Args:
        document: The document as the API server serves it below ``/openapi/v3``. Of its paths, only ``/scale`` is read.
    """

    def __init__(self, document: Mapping[str, Json]) -> None:
        self._schemas = as_object(as_object(document.get("components")).get("schemas"))
        self._types: dict[str, Type] = {}
        self._kinds = self._index_kinds()
        #: The names of the types that have the ``scale`` subresource.
        self.scalable = self._find_scalable(as_object(document.get("paths")))
        # Documents of custom resources declare no built-in API types except metadata and Scale.
        self.is_custom = not any(
            name.startswith(("io.k8s.api.", "io.k8s.kube-", "io.k8s.apiext")) and not name.startswith(_SCALE)
            for name in self._schemas
        )

    def _index_kinds(self) -> dict[tuple[str, str, str], str]:
        kinds: dict[tuple[str, str, str], str] = {}
        for name, schema in self._schemas.items():
            for identity in _readable(schema).get("x-kubernetes-group-version-kind", ()):
                # Types such as DeleteOptions and Status name every group; other kinds name one.
                group, version, kind = map(as_object(identity).get, ("group", "version", "kind"))
                if isinstance(group, str) and isinstance(version, str) and isinstance(kind, str):
                    kinds.setdefault((group, version, kind), name)
        return kinds

    def _find_scalable(self, paths: Mapping[str, Json]) -> frozenset[str | None]:
        found = set()
        for path, operations in paths.items():
            if path.endswith("/{name}/scale"):
                # The document gives the kind of the object here, not Scale.
                kind = as_object(as_object(as_object(operations).get("get")).get("x-kubernetes-group-version-kind"))
                found.add(self._kinds.get((str(kind.get("group")), str(kind.get("version")), str(kind.get("kind")))))
        return frozenset(found)

    def kind(self, group: str, version: str, kind: str) -> Type | None:
        """Returns the type of a kind, or None if the document lacks it."""
        name = self._kinds.get((group, version, kind))
        return None if name is None else self._named(name, ABSENT)

    def newest_kind(self, group: str, kind: str) -> Type | None:
        """Returns the type of a kind in its newest version, preferring stable ones, or None if the document lacks it.

        Finds kinds of the former group ``extensions`` in the groups to which they moved.
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
        """The type of ``metadata``; `UNKNOWN` if the document lacks it."""
        return self._named(_META + "ObjectMeta", ABSENT)

    def type_of(self, schema: Mapping[str, Json]) -> Type:
        """Returns the type of a schema in this document, or of a reference to one."""
        schema = _readable(schema)
        default = schema.get("default", ABSENT)
        reference = schema.get("$ref")
        if reference is None and len(schema.get("allOf", ())) == 1:
            # Kubernetes adds a description and a default to a reference this way.
            reference = _readable(schema["allOf"][0]).get("$ref")
        if reference is not None:
            rules = {name: schema[name] for name in _MERGE_RULES if name in schema}
            return self._named(reference.removeprefix(_REF_PREFIX), default, rules)
        return Type(self, schema, "", default)

    def _named(self, name: str, default: Json, rules: Mapping[str, Json] | None = None) -> Type:
        name = _READ_AS.get(name, name)
        if name not in self._schemas:
            return UNKNOWN
        if default is not ABSENT or rules:
            return Type(self, {**as_object(self._schemas[name]), **(rules or {})}, name, default)
        known = self._types.get(name)
        if known is None:
            known = self._types[name] = Type(self, self._schemas[name], name, ABSENT)
        return known


#: The type of a value that no schema describes.
UNKNOWN: Final = Type(SchemaDocument({}), {}, "", ABSENT)


@cache
def _compact() -> dict[str, Any]:
    data = resources.files(__package__).joinpath("data/schemas.json.gz").read_bytes()
    compact: dict[str, Any] = json.loads(gzip.decompress(data))
    return compact


def compact_schemas() -> dict[str, Any]:
    """Returns one OpenAPI v3 document of all built-in types, without descriptions."""
    document: dict[str, Any] = _compact()["document"]
    return document


@cache
def built_in_types() -> SchemaDocument:
    """Returns the types of the document of `compact_schemas`."""
    return SchemaDocument(compact_schemas())


def built_in_kinds() -> list[dict[str, Any]]:
    """Returns every built-in kind: group, version, kind, plural, namespaced, verbs."""
    kinds: list[dict[str, Any]] = _compact()["kinds"]
    return kinds


@cache
def _object_meta() -> Type:
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
    kind = as_object(spec.get("names")).get("kind")
    return (str(spec.get("group")), kind) if isinstance(kind, str) else None


def openapi_document(definition: Object, version: str, built_in: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the OpenAPI v3 document that an API server would serve for one version of a custom resource.

    Args:
        definition: The CustomResourceDefinition.
        version: The version.
        built_in: A document that describes the metadata.

    Returns:
        The document, or None if the definition lacks the version or a schema for it.
    """
    spec = definition["spec"]
    versions = objects_at(spec, "versions")
    served: Mapping[str, Json] = next((entry for entry in versions if entry.get("name") == version), {})
    schema = at(served, "schema", "openAPIV3Schema")
    if not isinstance(schema, dict):
        return None
    group, kind = str(spec.get("group")), spec["names"]["kind"]
    named: Mapping[str, Json] = built_in["components"]["schemas"]
    properties = {**as_object(schema.get("properties")), "metadata": {"$ref": f"{_REF_PREFIX}{_META}ObjectMeta"}}
    identity = {"group": group, "version": version, "kind": kind}
    root = {
        **schema,
        "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, **properties},
        "x-kubernetes-group-version-kind": [identity],
    }
    scale = {f"/apis/{group}/{version}/{{name}}/scale": {"get": {"x-kubernetes-group-version-kind": identity}}}
    return {
        "paths": scale if "scale" in as_object(served.get("subresources")) else {},
        "components": {"schemas": {**_shared(named), f"{group}.{version}.{kind}": root}},
    }
