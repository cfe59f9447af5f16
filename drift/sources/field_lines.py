"""Finds the lines of fields in the files of manifests, for the objects that have findings."""

import os
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drift.documents.files import read_file
from drift.documents.parse import split_documents
from drift.objects import Json, Manifest, Object, Place, Source
from drift.sources.kustomizations import KUSTOMIZATIONS, with_longest_name

if TYPE_CHECKING:
    from drift.documents.exact_yaml import Node
    from drift.sources.git import Revisions

#: The line of a field in a longer document, such as a list of a thousand objects, is not worth the time.
_MAX_BYTES: Final = 4 * 1024 * 1024
_MAX_FILES: Final = 64
#: Objects come kind by kind, so that each file of an application is asked for as often as it has kinds.
_MAX_SPLIT_FILES: Final = 4096
_MAX_DOCUMENTS: Final = 16
#: The marker at the beginning of a document.
_MARKER: Final = re.compile(rb"\n---[ \t]*(?=\n)")
#: The indentation of the next line with content.
_CONTENT: Final = re.compile(rb"\n( *)(?=[^ \n#])")


class FieldLines:
    """Finds the lines of fields. It reads a file again when it is first asked for it, and keeps the latest ones.

    Args:
        revisions: Reads the files of other commits; None if there are none.
    """

    def __init__(self, revisions: "Revisions | None" = None) -> None:
        self._revisions = revisions
        self._bytes = lru_cache(_MAX_FILES)(self._read)
        self._texts = lru_cache(_MAX_SPLIT_FILES)(self._split)
        self._blocks = lru_cache(_MAX_DOCUMENTS)(self._block)
        self._documents = lru_cache(_MAX_DOCUMENTS)(self._document)

    def find(self, manifest: Manifest, path: Sequence[str | int]) -> Place | None:
        """Returns the file and the line of a field.

        Args:
            manifest: The manifest.
            path: The keys and list indexes that lead to the field.

        Returns:
            For a manifest that is as in its file, the line of the field, or of the innermost part on its path that the
            file has. Of what kustomize or Helm made, the line that set the field, in whatever file it is, else the file
            of the manifest without a line. None if the manifest has no file.
        """
        source = manifest.source
        if source is None:
            return None
        # Imported only here: most reports are about manifests as they are in Git.
        if manifest.is_template:
            from drift.sources.template_lines import line_in_template  # noqa: PLC0415

            text = self._bytes(source.file)
            return Place(source.file, line_in_template(text, manifest, path) if path else source.line)
        is_generated = os.path.basename(source.file) in KUSTOMIZATIONS  # noqa: PTH119
        if manifest.layers or is_generated:
            return self._built(manifest, source, path) if path else Place(source.file, source.line)
        return Place(source.file, self._line(manifest, source, path) or source.line)

    def _built(self, manifest: Manifest, source: Source, path: Sequence[str | int]) -> Place:
        from drift.sources.kustomize_lines import Field, line_in_layers  # noqa: PLC0415

        field = Field(manifest, path)
        document = self._documents(source.file, source.line)
        body = None if document is None else _body(document, manifest)
        found = None if body is None else field.find_in(body)
        own = Place(source.file, found.line) if found is not None and field.is_set_by(found, in_part=True) else None
        # Where a kustomization adds to a part of an object, the part begins in the file of the object.
        if own is not None and field.is_container:
            return own
        return line_in_layers(field, self._bytes, body) or own or Place(source.file, None)

    def _line(self, manifest: Manifest, source: Source, path: Sequence[str | int]) -> int | None:
        block = self._blocks(source.file, source.line)
        line = None if block is None else block.line(manifest, path)
        if line is not None:
            return line
        document = self._documents(source.file, source.line)
        body = None if document is None else _body(document, manifest)
        if body is None:
            return None
        node, depth = body.innermost(path)
        if manifest.kind == "Secret" and path[:1] == ("data",):
            # The server merges it into the data.
            other, other_depth = body.innermost(("stringData", *path[1:]))
            node = other if other_depth > depth else node
        return node.line

    def _read(self, file: str) -> bytes:
        try:
            return read_file(Path(file))
        except OSError:
            # A file of another commit, or standard input, or one that has been removed.
            return (self._revisions and self._revisions.read(file)) or b""

    def _split(self, file: str) -> list[tuple[int, bytes]]:
        return split_documents(self._bytes(file))

    def _text(self, file: str, line: int) -> tuple[int, bytes] | None:
        """Returns the text of the document at a line, with the number of lines before it."""
        documents = self._texts(file)
        index = bisect_left(documents, line, key=lambda document: document[0]) - 1
        return None if index < 0 or len(documents[index][1]) > _MAX_BYTES else documents[index]

    def _block(self, file: str, line: int) -> "_BlockYaml | None":
        text = self._text(file, line)
        return None if text is None else _BlockYaml(*text)

    def _document(self, file: str, line: int) -> "Node | None":
        text = self._text(file, line)
        if text is None:
            return None
        # Imported only here: it needs PyYAML, which takes 10 ms to load.
        from drift.documents.exact_yaml import first_document  # noqa: PLC0415

        return first_document(text[1], text[0])


# Compared and hashed by identity, which is faster.
@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A key of a mapping or an item of a list, in the text of a document.

    Attributes:
        line: Its line, counted from 1.
        value: Where its value begins: after the colon or the dash.
        end: Where the next entry begins.
        is_item: Whether it is an item.
    """

    line: int
    value: int
    end: int
    is_item: bool = False


class _BlockYaml:
    """Finds lines in a document in YAML's block style, as most are, much faster than PyYAML.

    It recognizes keys and items by their indentation. It gives up if the manifest has other ones, as with flow style,
    quoted keys, merge keys, and scalars on several lines that look like keys.
    """

    def __init__(self, lines_before: int, text: bytes) -> None:
        self._text = bytearray(b"\n" + text)
        marker = _MARKER.match(self._text)
        self._root = _Entry(lines_before + (marker is not None), marker.end() if marker else 0, len(self._text))
        self._known: dict[_Entry, Mapping[str | int, _Entry]] = {}
        self._body: Object | None = None

    def line(self, manifest: Manifest, path: Sequence[str | int]) -> int | None:
        """Returns the line of a field of a manifest, or None if it gives up."""
        if self._body is None:
            self._body = manifest.body
        names = (self._find(self._body, wanted) for wanted in (("kind",), ("metadata", "name")))
        if [entry and self._rest_of_line(entry) for entry in names] != [manifest.kind, manifest.name]:
            return None
        entry = self._find(self._body, path)
        if entry is None or not path:
            return None
        # An item without content on the line of its dash begins on a later line.
        return None if entry.is_item and self._rest_of_line(entry)[:1] in {"", "#"} else entry.line

    def _rest_of_line(self, entry: _Entry) -> str:
        end = self._text.find(b"\n", entry.value)
        return self._text[entry.value : len(self._text) if end < 0 else end].decode(errors="replace").strip()

    def _find(self, body: Json, path: Sequence[str | int]) -> _Entry | None:
        entry = self._root
        for step in path:
            entries = self._known.get(entry)
            if entries is None:
                entries = self._entries(entry)
                names = body.keys() if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else ()
                self._known[entry] = entries = entries if entries.keys() == set(names) else {}
            if step not in entries:
                return None
            entry, body = entries[step], body[step]
        return entry

    def _entries(self, parent: _Entry) -> Mapping[str | int, _Entry]:
        """Returns the entries of a value; none if it is a scalar, or has an entry that is not plain block style."""
        text, begin, line = self._text, parent.value, parent.line
        if parent.is_item:
            # The first key of the item is on the line of the dash.
            text[begin - 1] = ord(" ")
            begin, line = text.rindex(b"\n", 0, begin), line - 1
        elif parent is not self._root and self._rest_of_line(parent):
            return {}
        first = _CONTENT.search(text, begin, parent.end)
        if first is None:
            return {}
        matches = list(_entry_pattern(len(first[1])).finditer(text, begin, parent.end))
        is_list = matches[0]["dash"] is not None
        # The items of a list may have the indentation of the key that holds the list.
        matches = [match for match in matches if is_list or match["dash"] is None]
        entries: dict[str | int, _Entry] = {}
        for number, (match, following) in enumerate(zip_longest(matches, matches[1:])):
            if match["dash" if is_list else "key"] is None:
                return {}
            line += text.count(b"\n", begin, match.end())
            begin = match.end()
            step = number if is_list else match["key"].decode(errors="replace")
            entries[step] = _Entry(line, begin, following.start() if following else parent.end, is_list)
        # A key that is repeated may be a part of a scalar.
        return entries if len(entries) == len(matches) else {}


@cache
def _entry_pattern(indentation: int) -> re.Pattern[bytes]:
    """Returns what finds the dashes, the keys and everything else with an indentation."""
    return re.compile(rb"\n {%d}(?:(?P<dash>-)(?=[ \n])|(?P<key>[\w./][^\s:]*):(?=[ \n]|\Z)|(?=[^ \n#]))" % indentation)


def _body(document: "Node", manifest: Manifest) -> "Node | None":
    """Returns the part of a document that describes an object; None if the file has changed since it was read."""
    items = document.child("items") if (document.scalar_at("kind") or "").endswith("List") else None
    parts = [document] if items is None else items.items
    # The items of a typed list may leave out their kind.
    named = [
        (one.scalar_at("metadata", "name"), one) for one in parts if one.scalar_at("kind") in {None, manifest.kind}
    ]
    found = with_longest_name(named, manifest.name)
    if items is not None:
        namespaces = [one.scalar_at("metadata", "namespace") or None for one in found]
        # An applier may have given an object that names no namespace its own.
        namespace = manifest.namespace if manifest.namespace in namespaces else None
        found = [one for one, its in zip(found, namespaces, strict=True) if its == namespace]
    return found[0] if found else None
