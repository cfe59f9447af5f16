"""Writes the manifest of an object that Git does not have, beside the other manifests of its namespace."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from drift.actions.files import Files, RefusedError
from drift.advice.refusals import STDIN
from drift.documents.edit import add_document, insert_item, set_value
from drift.documents.parse import read_documents
from drift.errors import ManifestError
from drift.model import Object, ObjectReport, Report, SourceInfo, SourceKind, as_object
from drift.sources.kustomizations import KUSTOMIZATIONS

#: What a kustomization may have and still leave objects as they are that are added to its resources.
_HARMLESS: Final = frozenset(
    {
        *("apiVersion", "kind", "metadata", "resources", "bases", "configMapGenerator", "secretGenerator"),
        *("generatorOptions", "patches", "patchesStrategicMerge", "patchesJson6902"),
    }
)
_NOT_IN_A_FILE_NAME: Final = re.compile(r"[^A-Za-z0-9.-]")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a manifest belongs.

    Attributes:
        folder: The folder for a new file; "" for the working directory.
        file: The file to which the manifest is added, because the user named it and not its folder; else None.
        neighbour: A file that shows how manifests are written there.
    """

    folder: str
    file: str | None
    neighbour: str


def place_of(item: ObjectReport, report: Report) -> str:
    """Returns the file for the manifest of an unmanaged object.

    Raises:
        RefusedError: Git has no other manifest of the namespace, or they are rendered in a way that a file cannot join.
    """
    place = _place(item, report)
    name = _NOT_IN_A_FILE_NAME.sub("-", f"{item.kind.lower()}-{item.name}")
    return place.file or _join(place.folder, f"{name}.yaml")


def write_manifest(item: ObjectReport, report: Report, files: Files) -> None:
    """Adds the manifest of an unmanaged object to the files, and to the kustomization in its folder.

    Raises:
        RefusedError: The manifest is not in the report, or does not fit there.
        EditError: A file does not allow the edit.
    """
    if item.manifest is None:
        raise RefusedError("the report does not show its manifest")
    place, file = _place(item, report), place_of(item, report)
    if place.file is not None:
        files.edit(file, add_document(files.text(file), item.manifest))
        return
    if files.exists(file):
        raise RefusedError(f"{file} exists already; add the manifest to it by hand")
    like = files.text(place.neighbour) if files.exists(place.neighbour) else ""
    text = add_document("", item.manifest, like=like)
    for kustomization in (_join(place.folder, name) for name in sorted(KUSTOMIZATIONS)):
        if files.exists(kustomization):
            listed = _listed(files.text(kustomization), kustomization, file.rpartition("/")[2], item)
            files.edit(kustomization, listed)
    files.edit(file, text)


def _place(item: ObjectReport, report: Report) -> _Place:
    sources = {source.name: source for source in report.sources}
    neighbours = [
        one
        for one in report.objects
        if one.namespace == item.namespace and one.source is not None and one.source.file != STDIN
    ]
    if not neighbours:
        where = f"of namespace {item.namespace}" if item.namespace else "of a cluster-scoped object"
        raise RefusedError(f"no file holds another manifest {where}, which would tell where this one belongs")
    places = [_beside(one, sources) for one in neighbours]
    # The folder of most manifests; of several, the first in the order of the report.
    folder, _ = Counter(None if place is None else (place.folder, place.file) for place in places).most_common(1)[0]
    if folder is None:
        raise RefusedError("the manifests of its namespace are rendered; add it to what they are rendered from")
    return next(place for place in places if place is not None and (place.folder, place.file) == folder)


def _beside(item: ObjectReport, sources: Mapping[str, SourceInfo]) -> _Place | None:
    """Returns the place of an object's manifest; None if it is rendered from something else than listed files."""
    file = item.source.file if item.source is not None else ""
    source = next((sources[name] for name in item.origins if name in sources), None)
    if source is not None and source.kind is SourceKind.KUSTOMIZE:
        return _Place((source.path or "").rstrip("/"), None, file)
    if source is not None and source.kind is not SourceKind.FILES:
        return None
    folder = file.rpartition("/")[0]
    return _Place(folder, file if source is not None and source.path == file else None, file)


def _listed(text: str, kustomization: str, name: str, item: ObjectReport) -> str:
    """Returns a kustomization that also lists a file."""
    try:
        (document,) = read_documents(text.encode(), kustomization)
    except (ManifestError, ValueError):
        raise RefusedError(f"{kustomization} cannot be read") from None
    fields: Object = as_object(document.value)
    changing = sorted(
        field
        for field, value in fields.items()
        if field not in _HARMLESS and not (field == "namespace" and value == item.namespace)
    )
    if changing:
        raise RefusedError(f"{kustomization} would change it ({', '.join(changing)}); add its manifest by hand")
    resources = fields.get("resources")
    if isinstance(resources, list):
        return insert_item(text, 1, ("resources",), len(resources), name)
    return set_value(text, 1, ("resources",), [name])


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
