"""Finds the lines of fields in the files of manifests, for the objects that have findings."""

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from drift.documents.files import read_file
from drift.documents.parse import split_documents
from drift.model import Manifest, Place, Source
from drift.sources.kustomizations import KUSTOMIZATIONS

if TYPE_CHECKING:
    from drift.documents.positions import Node
    from drift.sources.git import Revisions

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
        self._bytes = lru_cache(_MAX_FILES)(self._read)
        self._texts = lru_cache(_MAX_FILES)(self._split)
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
        is_generated = PurePath(source.file).name in KUSTOMIZATIONS
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
        return line_in_layers(field, self._bytes) or own or Place(source.file, None)

    def _line(self, manifest: Manifest, source: Source, path: Sequence[str | int]) -> int | None:
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

    def _document(self, file: str, line: int) -> "Node | None":
        documents = self._texts(file)
        index = bisect_left(documents, line, key=lambda document: document[0]) - 1
        if index < 0 or len(documents[index][1]) > _MAX_BYTES:
            return None
        # Imported only here: it needs PyYAML, and most reports have no lines to find.
        from drift.documents.positions import first_document  # noqa: PLC0415

        lines_before, text = documents[index]
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
