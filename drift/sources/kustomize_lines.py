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
from typing import Final

from drift.documents.exact_yaml import Node, first_document
from drift.documents.parse import split_documents
from drift.objects import Incomparable, Json, Manifest, Place, as_object
from drift.redaction import Redacted
from drift.sources.kustomizations import KUSTOMIZATIONS, ReadFile

#: The fields that identify an item of a list. The first one that the item has counts.
_ITEM_KEYS: Final = ("name", "containerPort", "port", "mountPath", "devicePath", "ip", "key", "topologyKey", "host")
#: Cached, because an overlay is searched once for each finding.
_document: Final = lru_cache(64)(first_document)
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


def line_in_layers(field: Field, read: ReadFile) -> Place | None:
    """Returns the place in a kustomization, or in a patch or file that it names, that set a field; None if none did.

    Args:
        field: The field.
        read: Returns the content of a file, empty if it cannot be read.
    """
    manifest = field.manifest
    generated_by = manifest.source.file if manifest.source is not None else ""
    files = [*([generated_by] if PurePath(generated_by).name in KUSTOMIZATIONS else []), *manifest.layers]
    for file in reversed(files):
        kustomization = _document(read(file))
        if kustomization is not None:
            layer = _Layer(file, kustomization, read)
            place = next(chain.from_iterable(find(field, layer) for find in _FINDERS), None)
            if place is not None:
                return place
    return None


@dataclass(frozen=True, slots=True)
class _Layer:
    """A kustomization that changed an object.

    Attributes:
        file: Its file.
        kustomization: The content of its file.
        read: As for `line_in_layers`.
    """

    file: str
    kustomization: Node
    read: ReadFile

    def entries(self, name: str) -> Iterator[Node]:
        """Returns the items of one of its lists, the last one first, because it wins."""
        return reversed(_items(self.kustomization, name))

    def file_at(self, path: str) -> str:
        """Returns the file at a path that it names, in the form of the source of a manifest (``COMMIT:PATH``)."""
        commit, colon, inside = self.file.rpartition(":")
        return f"{commit}{colon}{normpath(PurePath(inside).parent / path)}"


# -- patches


def _patched(field: Field, layer: _Layer) -> Iterator[Place]:
    for name in ("patches", "patchesStrategicMerge", "patchesJson6902"):
        for entry in layer.entries(name):
            target = entry.child("target")
            for where, node in _patches(entry, layer):
                if _selects(target, field.manifest) if target is not None else _is_about(node, field.manifest):
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


def _selects(target: Node, manifest: Manifest) -> bool:
    kind, name = target.scalar_at("kind"), target.scalar_at("name")
    try:
        return kind in {None, manifest.kind} and re.search(name or "", manifest.name) is not None
    except re.error:
        return False


def _is_about(node: Node, manifest: Manifest) -> bool:
    name = node.scalar_at("metadata", "name")
    # kustomize may add a prefix and a suffix to the name.
    return bool(name and name in manifest.name) and node.scalar_at("kind") == manifest.kind


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
                for item in _items(target, "fieldPaths") if select and _selects(select, field.manifest) else ():
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
    for entry in layer.entries("replicas") if tuple(field.path) == ("spec", "replicas") else ():
        count, name = entry.child("count"), entry.scalar_at("name")
        if count is not None and name and name in field.manifest.name and field.is_set_by(count):
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
    for entry in layer.entries(generator):
        if (entry.scalar_at("name") or "?") not in field.manifest.name:
            continue
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
