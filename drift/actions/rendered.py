"""Says what to change where a manifest is rendered: the patch for a kustomization, or the chart."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from drift.actions.files import Files, RefusedError
from drift.actions.selection import Selected
from drift.advice.refusals import renderer_of, why_not_adopted
from drift.documents.edit import add_document
from drift.documents.parse import read_documents
from drift.errors import ManifestError
from drift.model import Change, Finding, Json, Object, ObjectReport, SourceInfo, SourceKind, as_object
from drift.paths import OCCURRENCE, SET_FIELD, ItemKey, parse
from drift.schema.types import built_in_kinds
from drift.sources.kustomizations import KUSTOMIZATIONS

_DELETE: Final = {"$patch": "delete"}


#: What to change in an object that a kind of source renders, given the file that it comes from.
_RENDERED_FROM: Final = {
    SourceKind.HELM_CHART: "the template {file}, or the values that it uses",
    SourceKind.HELM_RELEASE: "the values of the release, or its chart",
    SourceKind.FLUX_HELM_RELEASE: "the values of the HelmRelease, or its chart",
}


def how_to_change(item: ObjectReport, renderer: SourceInfo) -> str:
    """Returns what renders an object and what to change, as a sentence without a full stop."""
    file = item.source.file if item.source is not None else "of the chart"
    what = _RENDERED_FROM.get(renderer.kind)
    if what is None:
        from_file = f" from {file}" if item.source is not None else ""
        return f"{renderer.name} is built{from_file}; add a patch to its kustomization"
    return f"it is rendered by {renderer.name}; change {what.format(file=file)}"


def kustomize_patches(
    findings: Sequence[Selected], sources: Mapping[str, SourceInfo], files: Files
) -> Iterator[tuple[str, str]]:
    """Yields what to add to which kustomization, as YAML, for each object that kustomize builds.

    Args:
        findings: The findings in rendered objects.
        sources: The sources of the report by name.
        files: The files that the report names.
    """
    adoptable = [one for one in findings if why_not_adopted(one.item, one.finding) is None]
    for _, group in groupby(adoptable, key=lambda one: one.item.key):
        selected = list(group)
        item = selected[0].item
        renderer, name = renderer_of(item, sources), _name_in_file(item, files)
        if renderer is None or renderer.path is None or renderer.kind in _RENDERED_FROM or name is None:
            continue
        text = _patch(item, [one.finding for one in selected], name)
        if text is not None:
            folder = renderer.path.rstrip("/")
            known = (f"{folder}/{name}" for name in sorted(KUSTOMIZATIONS))
            yield next(filter(files.exists, known), f"{folder}/kustomization.yaml"), text


def _name_in_file(item: ObjectReport, files: Files) -> str | None:
    """Returns the name of an object before kustomize gives it prefixes; None if no file has it."""
    if item.source is None:
        return None
    try:
        documents = [document.value for document in read_documents(files.text(item.source.file).encode(), "")]
    except (RefusedError, ManifestError):
        return None
    body = as_object(documents[item.source.document - 1]) if item.source.document <= len(documents) else {}
    name = as_object(body.get("metadata")).get("name")
    return name if body.get("kind") == item.kind and isinstance(name, str) else None


def _patch(item: ObjectReport, findings: Sequence[Finding], name: str) -> str | None:
    """Returns an entry for ``patches`` of a kustomization; None if a strategic merge patch cannot say it.

    Args:
        item: The object.
        findings: What the patch is to adopt.
        name: The name of the object in its file.
    """
    changes: dict[str | ItemKey, Json] = {}
    for finding in findings:
        if finding.change is Change.MISSING:
            changes.update(_DELETE)
        elif not _can_be_patched(item, finding):
            return None
        else:
            *path, last = parse(finding.path)
            parent = changes
            for element in path:
                parent = parent.setdefault(element, {})
            removed: Json = _DELETE if isinstance(last, ItemKey) else None
            parent[last] = removed if finding.change is Change.REMOVED else finding.live
    metadata = {"name": name, **_written(changes.pop("metadata", {}))}
    # kustomize strips the end of a patch, which must therefore not be that of a text.
    patch = {"apiVersion": item.api_version, "kind": item.kind, **_written(changes), "metadata": metadata}
    return add_document("", {"patches": [{"patch": add_document("", patch)}]})


def _can_be_patched(item: ObjectReport, finding: Finding) -> bool:
    keys = [element for element in parse(finding.path) if isinstance(element, ItemKey)]
    # kustomize knows no keys for lists of custom resources; members of sets and repeated items have none at all.
    if keys and not any(kind["group"] == item.key.group and kind["kind"] == item.kind for kind in built_in_kinds()):
        return False
    if any(name in {SET_FIELD, OCCURRENCE} for key in keys for name, _ in key):
        return False
    # A patch would keep what only Git has of a map.
    return finding.change is not Change.CHANGED or not isinstance(finding.live, dict)


def _written(tree: Json) -> Json:
    """Returns changes as they are written in a patch: list items are named by their keys."""
    if not isinstance(tree, dict):
        return tree
    items = [_item(key, value) for key, value in tree.items() if isinstance(key, ItemKey)]
    return items or {name: _written(value) for name, value in tree.items()}


def _item(key: ItemKey, changes: Json) -> Object:
    # Of the keys of Kubernetes' lists, only ports are numbers.
    fields = {name: int(value) if name.lower().endswith("port") else value for name, value in key}
    written: Object = _written(changes)
    # A new item may leave out the defaults among its keys.
    return written if any(name in written for name in fields) else {**fields, **written}
