"""Finds the line of a kustomization, or of a file that it names, that set a field of an object.

kustomize says which kustomizations changed an object, not what each of them did. Each is searched, the last one first,
for an entry that sets the field to the value that was built. An entry that sets another value was overridden later, so
it is skipped.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import PurePath
from posixpath import normpath
from typing import Final, TypeVar

from drift.documents.exact_yaml import Node, first_document
from drift.documents.parse import split_documents
from drift.objects import Incomparable, Json, Manifest, Place, as_object
from drift.redaction import Redacted
from drift.sources.kustomizations import KUSTOMIZATIONS, ReadFile, with_longest_name

_T = TypeVar("_T")

#: The fields that identify an item of a list. The first one that the item has counts.
_ITEM_KEYS: Final = ("name", "containerPort", "port", "mountPath", "devicePath", "ip", "key", "topologyKey", "host")
#: Cached, because an overlay is searched once for each finding.
_document: Final = lru_cache(64)(first_document)
#: What kustomize takes an object without a namespace to be in.
_DEFAULT: Final = "default"
_GENERATORS: Final = {"ConfigMap": "configMapGenerator", "Secret": "secretGenerator"}
_LABEL_FIELDS: Final = frozenset({"labels", "matchLabels", "selector"})
#: ``NAME:TAG@DIGEST``; a registry may have a port.
_IMAGE: Final = re.compile(r"(?P<name>[^@]+?)(?::(?P<newTag>[^:/@]+))?(?:@(?P<digest>.+))?")
#: The parts of a field path of a replacement: ``spec.template.[name=web].image``, where a dot may be escaped.
_FIELD_PATH: Final = re.compile(r"\[[^\]]*\]|(?:\\.|[^.\[\]])+")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object that kustomize built.

    Attributes:
        manifest: The object.
        path: The keys and list indexes that lead to the field; not empty.
    """

    manifest: Manifest
    path: Sequence[str | int]

    @property
    def is_container(self) -> bool:
        """Whether it is a mapping or a list."""
        return isinstance(self.value, dict | list)

    @property
    def value(self) -> Json:
        """What was built; `Incomparable` if it is not known, so that only its name can be searched for."""
        return _follow(self.manifest.body, self.path)

    def is_set_by(self, node: Node | None, *, in_part: bool = False) -> bool:
        """Returns whether a part of a file has the value of the field.

        Args:
            node: The part.
            in_part: Whether the value may also contain it: a name to which kustomize adds a prefix or a hash.
        """
        value = self.value
        if node is None or isinstance(value, Redacted | Incomparable):
            return node is not None
        if isinstance(value, dict | list):
            return node.scalar is None
        text = node.scalar
        if text is None:
            return False
        return text == _text(value) or (in_part and isinstance(value, str) and len(text) > 1 and text in value)

    def find_in(self, node: Node, start: int = 0) -> Node | None:
        """Returns the part of a file at the path of the field.

        Args:
            node: Stands for the field after the first steps.
            start: The number of these steps.
        """
        body = _follow(self.manifest.body, self.path[:start])
        part: Node | None = node
        for step in self.path[start:]:
            if part is None:
                return None
            part = part.child(step) if isinstance(step, str) else _item_like(part, body, step)
            body = _follow(body, (step,))
        return part


def line_in_layers(field: Field, read: ReadFile, own: Node | None = None) -> Place | None:
    """Returns the place in a kustomization, or in a patch or file that it names, that set a field; None if none did.

    Args:
        field: The field.
        read: Returns the content of a file, empty if it cannot be read.
        own: The object in its file; None if it is not there, as when a kustomization generates it.
    """
    for layer in reversed(list(_layers(field.manifest, read, own))):
        place = next(chain.from_iterable(find(field, layer) for find in _FINDERS), None)
        if place is not None:
            return place
    return None


def _layers(manifest: Manifest, read: ReadFile, own: Node | None) -> Iterator["_Layer"]:
    """Yields the kustomizations that changed an object, in the order in which kustomize ran them."""
    source = manifest.source.file if manifest.source is not None else ""
    is_generated = PurePath(source).name in KUSTOMIZATIONS
    first = _generator(manifest, _document(read(source))) if is_generated else own and own.child("metadata")
    name = None if first is None else first.scalar_at("name")
    names = [name] if name else []
    namespaces = [(first and first.scalar_at("namespace")) or _DEFAULT]
    for file in dict.fromkeys([*([source] if is_generated else []), *manifest.layers]):
        kustomization = _document(read(file))
        if kustomization is not None:
            prefix, suffix = (kustomization.scalar_at(key) or "" for key in ("namePrefix", "nameSuffix"))
            names = [*names, *(f"{prefix}{before}{suffix}" for before in names[-1:])]
            namespaces = [*namespaces, kustomization.scalar_at("namespace") or namespaces[-1]]
            yield _Layer(file, kustomization, read, names, namespaces)


def _generator(manifest: Manifest, kustomization: Node | None) -> Node | None:
    """Returns the entry of a kustomization that generates an object."""
    entries = [] if kustomization is None else _items(kustomization, _GENERATORS.get(manifest.kind, ""))
    found = with_longest_name([(one.scalar_at("name"), one) for one in entries], manifest.name)
    return next((one for one in found if one.scalar_at("namespace") == manifest.namespace), found[0] if found else None)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A kustomization that changed an object.

    Attributes:
        file: Its file.
        kustomization: The content of its file.
        read: As for `line_in_layers`.
        names: The names that the object has had so far, without the hash of a generator: kustomize finds it by each of
            them. Empty if they are not known.
        namespaces: The same for its namespaces.
    """

    file: str
    kustomization: Node
    read: ReadFile
    names: Sequence[str]
    namespaces: Sequence[str]

    def entries(self, name: str) -> Iterator[Node]:
        """Returns the items of one of its lists, the last one first, because it wins."""
        return reversed(_items(self.kustomization, name))

    def about(self, named: Sequence[tuple[str | None, str | None, _T]], manifest: Manifest) -> list[_T]:
        """Returns those that are about an object, by the name and the namespace that each gives; None is any."""
        if self.names:
            return [
                one
                for name, namespace, one in named
                if name in self.names and (namespace is None or namespace in self.namespaces)
            ]
        return with_longest_name([(name, one) for name, _, one in named], manifest.name)

    def selects(self, target: Node, manifest: Manifest) -> bool:
        """Returns whether the target of a patch or of a replacement selects an object, by regular expressions."""
        kind, namespace, name = (target.scalar_at(field) for field in ("kind", "namespace", "name"))
        try:
            if not _is_one(kind, [manifest.kind]):
                return False
            if self.names:
                return _is_one(name, self.names) and _is_one(namespace, self.namespaces)
            return re.search(name or "", manifest.name) is not None
        except re.error:
            return False

    def file_at(self, path: str) -> str:
        """Returns the file at a path that it names, in the form of the source of a manifest (``COMMIT:PATH``)."""
        commit, colon, inside = self.file.rpartition(":")
        return f"{commit}{colon}{normpath(PurePath(inside).parent / path)}"


def _is_one(pattern: str | None, texts: Sequence[str]) -> bool:
    return not pattern or any(re.fullmatch(pattern, text) for text in texts)


# -- patches


def _patched(field: Field, layer: _Layer) -> Iterator[Place]:
    manifest = field.manifest
    patches = [
        (entry.child("target"), where, node)
        for name in ("patches", "patchesStrategicMerge", "patchesJson6902")
        for entry in layer.entries(name)
        for where, node in _patches(entry, layer)
    ]
    named = [
        (node.scalar_at("metadata", "name"), node.scalar_at("metadata", "namespace") or _DEFAULT, node)
        for target, _, node in patches
        if target is None and node.scalar_at("kind") == manifest.kind
    ]
    about = layer.about(named, manifest)
    for target, where, node in patches:
        if layer.selects(target, manifest) if target is not None else node in about:
            line = _line_in_operations(field, node) if node.items else _line_in(field, node)
            if line is not None:
                yield Place(where, line)


def _patches(entry: Node, layer: _Layer) -> Iterator[tuple[str, Node]]:
    """Yields the file and the documents of a patch, the last one first."""
    path = entry.scalar or entry.scalar_at("path")
    inline = entry if entry.scalar and "\n" in entry.scalar else entry.child("patch")
    if inline is not None:
        block = inline.block
        if block is None:
            return
        where, text, lines_before = layer.file, block[0].encode(), block[1]
    elif path is not None:
        where = layer.file_at(path)
        text, lines_before = layer.read(where), 0
    else:
        return
    for lines, part in reversed(split_documents(text)):
        node = _document(part, lines_before + lines)
        if node is not None:
            yield where, node


def _line_in(field: Field, node: Node) -> int | None:
    found = field.find_in(node)
    return found.line if found is not None and field.is_set_by(found) else None


def _line_in_operations(field: Field, patch: Node) -> int | None:
    """Returns the line of the last operation of a JSON patch (RFC 6902) that set a field."""
    for operation in reversed(patch.items):
        pointer = (operation.scalar_at("path") or "").split("/")[1:]
        steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer]
        value = operation.child("value")
        is_on_path = len(steps) <= len(field.path) and all(
            step in {str(wanted), "-"} for step, wanted in zip(steps, field.path, strict=False)
        )
        if value is None or not steps or not is_on_path:
            continue
        is_item = isinstance(field.path[len(steps) - 1], int)
        if is_item and not _is_like(value, _follow(field.manifest.body, field.path[: len(steps)])):
            continue
        found = field.find_in(value, len(steps))
        if found is not None and field.is_set_by(found):
            return found.line
    return None


# -- other fields of a kustomization


def _replaced(field: Field, layer: _Layer) -> Iterator[Place]:
    keys = [step for step in field.path if isinstance(step, str)]
    for entry in layer.entries("replacements"):
        path = entry.scalar_at("path")
        where = layer.file if path is None else layer.file_at(path)
        document = entry if path is None else _document(layer.read(where))
        for replacement in [] if document is None else document.items or [document]:
            for target in _items(replacement, "targets"):
                select = target.child("select")
                for item in _items(target, "fieldPaths") if select and layer.selects(select, field.manifest) else ():
                    parts = [part.replace("\\.", ".") for part in _FIELD_PATH.findall(item.scalar or "")]
                    if [part for part in parts if not part.startswith("[") and not part.isdigit()] == keys:
                        yield Place(where, item.line)


def _image(field: Field, layer: _Layer) -> Iterator[Place]:
    image = _IMAGE.fullmatch(str(field.value))
    if image is None or field.path[-1] != "image":
        return
    changes = (("newTag", image["newTag"]), ("digest", image["digest"]), ("newName", image["name"]))
    for entry in layer.entries("images"):
        if image["name"] in {entry.scalar_at("name"), entry.scalar_at("newName")}:
            parts = [(entry.child(name), wanted) for name, wanted in changes]
            found = (part.line for part, wanted in parts if part is not None and part.scalar == wanted)
            yield from (Place(layer.file, line) for line in found)


def _replicas(field: Field, layer: _Layer) -> Iterator[Place]:
    if tuple(field.path) != ("spec", "replicas"):
        return
    for entry in layer.about([(one.scalar_at("name"), None, one) for one in layer.entries("replicas")], field.manifest):
        count = entry.child("count")
        if count is not None and field.is_set_by(count):
            yield Place(layer.file, count.line)


def _common(field: Field, layer: _Layer) -> Iterator[Place]:
    """Yields the lines of labels and annotations that a kustomization adds."""
    if len(field.path) < 2:  # noqa: PLR2004
        return
    parent = field.path[-2]
    maps = [layer.kustomization.child("commonAnnotations")] if parent == "annotations" else []
    if parent in _LABEL_FIELDS:
        pairs = (entry.child("pairs") for entry in layer.entries("labels"))
        maps = [*pairs, layer.kustomization.child("commonLabels")]
    for values in maps:
        found = None if values is None else values.child(field.path[-1])
        if found is not None and field.is_set_by(found):
            yield Place(layer.file, found.line)


def _generated(field: Field, layer: _Layer) -> Iterator[Place]:
    generator = _GENERATORS.get(field.manifest.kind)
    if generator is None or field.path[0] not in {"data", "binaryData"} or len(field.path) != 2:  # noqa: PLR2004
        return
    key = str(field.path[1])
    named = [(one.scalar_at("name"), one.scalar_at("namespace"), one) for one in layer.entries(generator)]
    for entry in layer.about(named, field.manifest):
        for name in ("literals", "files"):
            for item in reversed(_items(entry, name)):
                text = item.scalar or ""
                if text.startswith(f"{key}=") or (name == "files" and "=" not in text and PurePath(text).name == key):
                    yield Place(layer.file, item.line)
        for item in reversed([*_items(entry, "envs"), *filter(None, [entry.child("env")])]):
            where = layer.file_at(item.scalar or "")
            for number, line in enumerate(layer.read(where).decode("utf-8", "replace").splitlines(), start=1):
                if line.strip().startswith(f"{key}="):
                    yield Place(where, number)


_FINDERS: Final = (_patched, _replaced, _image, _replicas, _common, _generated)


# -- parts of files and objects


def _items(node: Node, name: str) -> list[Node]:
    found = node.child(name)
    return [] if found is None else found.items


def _item_like(node: Node, body: Json, index: int) -> Node | None:
    """Returns the item of a list that describes an item of the object. Its index may differ."""
    item = _follow(body, (index,))
    is_only = isinstance(body, list) and len(body) == 1 == len(node.items)
    found = node.items if is_only else [one for one in node.items if _is_like(one, item)]
    return found[0] if len(found) == 1 else None


def _is_like(node: Node, item: Json) -> bool:
    if not isinstance(item, dict):
        return node.scalar is not None and node.scalar == _text(item)
    key = next((name for name in _ITEM_KEYS if name in item), None)
    return key is not None and node.scalar_at(key) == _text(item[key])


def _follow(body: Json, path: Sequence[str | int]) -> Json:
    for step in path:
        has_item = isinstance(step, int) and isinstance(body, list) and step < len(body)
        if not has_item and step not in as_object(body):
            return Incomparable("not built")
        body = body[step]
    return body


def _text(value: Json) -> str:
    """Returns a scalar as YAML writes it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
