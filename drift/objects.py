"""Kubernetes objects, read from Git or from the cluster: their JSON, their identity, and manifests."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

#: A parsed JSON value: dict, list, str, int, float, bool or None. Values of Secrets are `Redacted` instead.
Json = Any
#: A Kubernetes object as parsed JSON.
Object = dict[str, Json]

#: The file of an object that was read from standard input.
STDIN: Final = "<stdin>"
#: The annotation in which ``kubectl apply`` stores the manifest that it applied last.
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_HALF_SURROGATES: Final = re.compile("[\ud800-\udfff]")
#: A dataclass among the values, such as `Incomparable`, is an error.
_JSON_OPTIONS: Final = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATACLASS


def as_object(value: Json) -> Object:
    """Returns the value if it is a JSON object, else an empty one: Git and the cluster may hold anything."""
    return value if isinstance(value, dict) else {}


def at(value: Json, *path: str) -> Json:
    """Returns the value at a path of keys; None if it is missing. Without keys, returns the value itself."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text_at(value: Json, *path: str) -> str:
    """Returns the string at a path of keys; "" if it is missing or no string."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def texts_at(value: Json, *path: str) -> list[str]:
    """Returns the strings in the list at a path of keys; [] if it is missing or no list."""
    found = at(value, *path)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def objects_at(value: Json, *path: str) -> list[Object]:
    """Returns the objects in the list at a path of keys; [] if it is missing or no list."""
    found = at(value, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def indented_json(value: Json) -> str:
    r"""Returns a JSON document as text, indented by two spaces and ending in a newline.

    Half of a surrogate pair, as in a file name that is not UTF-8, becomes the text ``\udcff``, for example.

    Raises:
        TypeError: It holds a value that JSON does not have.
    """
    try:
        return orjson.dumps(value, option=_JSON_OPTIONS).decode()
    except TypeError:
        # A number of more than 64 bits, or half of a surrogate pair. With an indent, this takes twenty times as long.
        text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        # Neither UTF-8 nor most readers of JSON have them. They can only be inside of strings.
        return _HALF_SURROGATES.sub(lambda match: f"\\\\u{ord(match[0]):04x}", text)


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """The identity of an object. It has no version, because the same object can be read in several versions.

    Attributes:
        group: The API group, "" for the core group.
        kind: The kind, as in a manifest.
        namespace: None for a cluster-scoped object.
        name: ``metadata.name``.
    """

    group: str
    kind: str
    namespace: str | None
    name: str

    @property
    def order(self) -> tuple[str, str, str, str]:
        """Sort key: cluster-scoped objects first, then by namespace."""
        return (self.namespace or "", self.group, self.kind, self.name)

    def __str__(self) -> str:
        """Returns ``Kind.group namespace/name``, which kubectl accepts on its command line."""
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace is not None else f"{kind} {self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """The place in a file where a manifest begins.

    Attributes:
        file: The path as the user gave it, or below the folder that the user gave; `STDIN` for ``-``.
        document: The number of the YAML document in the file, counted from 1.
        line: The line on which the object begins, counted from 1.
    """

    file: str
    document: int
    line: int

    def __str__(self) -> str:
        """Returns ``file:line``."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a field in the files that people edit.

    Attributes:
        file: As in a `Source`.
        line: Counted from 1; None if it is not known.
    """

    file: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Incomparable:
    """Replaces a value in a manifest that can neither be compared nor shown.

    Only the existence of the field is compared. Like a redacted value, it cannot be serialized to JSON.

    Attributes:
        reason: Why, as a sentence without a full stop: encrypted in Git, or different in each rendering.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class PackedObject:
    """A Kubernetes object as JSON text, which takes a sixth of the memory of parsed JSON."""

    json: bytes

    @staticmethod
    def pack(body: Object) -> "Object | PackedObject":
        """Returns an object packed, or as it is if JSON cannot represent it: redacted values, for example."""
        try:
            dumped = orjson.dumps(body, option=orjson.OPT_PASSTHROUGH_DATACLASS)
        except TypeError:
            return body
        # orjson returns bytes that keep its larger buffer. A copy does not.
        return PackedObject(bytes(memoryview(dumped)))

    def unpack(self) -> Object:
        """Returns a new copy of the object."""
        unpacked: Object = orjson.loads(self.json)
        return unpacked


@dataclass(frozen=True, slots=True)
class Manifest:
    """One desired object.

    Attributes:
        api_version: ``apiVersion``, for example ``apps/v1``.
        kind: ``kind``.
        namespace: ``metadata.namespace``, or None if the manifest does not set it.
        name: ``metadata.name``.
        source: The place in the file that people edit; None for an object that a program generated.
        content: The whole object, packed or not. The values of a Secret are redacted; other values may be
            `Incomparable`.
        origins: The names of the sources that describe it, as in `SourceInfo`; empty if it was not read for a source.
        layers: The files of the kustomizations that changed it, in the order in which kustomize ran them.
        is_template: Whether its file is a template of a chart.
    """

    api_version: str
    kind: str
    namespace: str | None
    name: str
    source: Source | None
    content: "Object | PackedObject" = field(repr=False)
    origins: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    is_template: bool = False

    @property
    def body(self) -> Object:
        """The whole object, unpacked at each call."""
        return self.content.unpack() if isinstance(self.content, PackedObject) else self.content

    @property
    def group(self) -> str:
        """The API group, "" for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def key(self) -> ObjectKey:
        """The object, as far as the manifest names it: the cluster may have it in a default namespace, or in none."""
        return ObjectKey(self.group, self.kind, self.namespace, self.name)

    @property
    def place(self) -> str:
        """Where it is described, for messages: its file and line, or the source that generated it."""
        return str(self.source) if self.source is not None else ", ".join(self.origins)
