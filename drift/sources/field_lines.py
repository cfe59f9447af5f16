"""Finds the lines of fields in the files of manifests, for the objects that have findings."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drift.documents.files import read_file
from drift.documents.parse import split_documents
from drift.model import Manifest, Source

if TYPE_CHECKING:
    from drift.documents.positions import Node
    from drift.sources.git_revision import Revisions

#: The line of a field in a longer document, such as a list of a thousand objects, is not worth the time.
_MAX_BYTES: Final = 4 * 1024 * 1024
_MAX_FILES: Final = 64
_MAX_DOCUMENTS: Final = 16


class FieldLines:
    """Finds the lines of fields. It reads a file again when it is first asked for it, and keeps the latest ones.

    Args:
        revisions: Reads the files of other commits; None if there are none.
    """

    def __init__(self, revisions: "Revisions | None" = None) -> None:
        self._revisions = revisions
        self._texts = lru_cache(_MAX_FILES)(self._read)
        self._documents = lru_cache(_MAX_DOCUMENTS)(self._document)

    def find(self, manifest: Manifest, path: Sequence[str | int]) -> int | None:
        """Returns the line of a field, or of the innermost part on its path that the file has.

        Args:
            manifest: The manifest.
            path: The keys and list indexes that lead to the field.

        Returns:
            The line, counted from 1; None if it is not known, because the file has changed or is not plain YAML.
        """
        if manifest.source is None:
            return None
        document = self._documents(manifest.source.file, manifest.source.line)
        body = None if document is None else _body(document, manifest)
        if body is None:
            return self._in_template(manifest.source, path)
        node, depth = body.innermost(path)
        if manifest.kind == "Secret" and path[:1] == ("data",):
            # The server merges it into the data.
            other, other_depth = body.innermost(("stringData", *path[1:]))
            node = other if other_depth > depth else node
        return node.line

    def _in_template(self, source: Source, path: Sequence[str | int]) -> int | None:
        """Returns the line of a field in a template of a chart, if only one line there can set it."""
        lines_before, text = self._text_at(source.file, source.line)
        if not path or not isinstance(path[-1], str) or b"{{" not in text:
            return None
        key = re.escape(path[-1].encode("utf-8", "surrogatepass"))
        found = [match.start(1) for match in re.finditer(rb"""^[ -]*(["']?)%b\1[ ]*:""" % key, text, re.MULTILINE)]
        return lines_before + text.count(b"\n", 0, found[0]) + 1 if len(found) == 1 else None

    def _text_at(self, file: str, line: int) -> tuple[int, bytes]:
        """Returns the document at a line, and the number of lines before it."""
        documents = self._texts(file)
        index = bisect_left(documents, line, key=lambda document: document[0]) - 1
        return documents[index] if index >= 0 else (0, b"")

    def _read(self, file: str) -> list[tuple[int, bytes]]:
        try:
            text = read_file(Path(file))
        except OSError:
            # A file of another commit, or standard input, or one that has been removed.
            text = (self._revisions and self._revisions.read(file)) or b""
        return split_documents(text)

    def _document(self, file: str, line: int) -> "Node | None":
        lines_before, text = self._text_at(file, line)
        if not text or len(text) > _MAX_BYTES:
            return None
        # Imported only here: it needs PyYAML, and most reports have no lines to find.
        from drift.documents.positions import first_document  # noqa: PLC0415

        return first_document(text, lines_before)


def _body(document: "Node", manifest: Manifest) -> "Node | None":
    """Returns the part of a document that describes an object; None if the file has changed since it was read."""
    items = document.child("items")
    if items is None or not (_scalar(document, "kind") or "").endswith("List"):
        return document if _describes(document, manifest) else None
    found = [item for item in items.items if _describes(item, manifest)]
    return next((item for item in found if _scalar(item, "metadata", "namespace") == manifest.namespace), None)


def _describes(node: "Node", manifest: Manifest) -> bool:
    name = _scalar(node, "metadata", "name")
    # kustomize may add a prefix and a suffix to the name. The items of a typed list may leave out their kind.
    return bool(name and name in manifest.name) and _scalar(node, "kind") in {None, manifest.kind}


def _scalar(node: "Node", *path: str) -> str | None:
    found, depth = node.innermost(path)
    return found.scalar if depth == len(path) else None
