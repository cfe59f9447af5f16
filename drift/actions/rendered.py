"""What to change if a program renders the manifests: a patch for a kustomization, or the setting of a generator."""

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby
from typing import Annotated, Final, Literal

import msgspec
import yaml
from msgspec import Meta, Struct
from msgspec.structs import replace

from drift.actions.files import Files, RefusedError, folder_of_source, join
from drift.actions.selection import Selected
from drift.advice.commands import typed_key
from drift.advice.refusals import is_patchable, renderer_of, why_not_adopted
from drift.documents.edit import EditError, add_document, lines_of
from drift.documents.parse import read_documents
from drift.errors import ManifestError, UsageError
from drift.model import Change, Finding, ObjectReport, SourceInfo, SourceKey, SourceKind
from drift.objects import Json, Object, as_object, at, objects_at
from drift.paths import OCCURRENCE, SET_FIELD, ItemKey, escape_pointer, is_in_key, parse
from drift.schema.types import built_in_kinds
from drift.sources.kustomizations import KUSTOMIZATIONS
from drift.sources.substitution import escape, has_opted_out

_DELETE: Final = {"$patch": "delete"}
#: What to change in an object that a kind of source renders, given the file that it comes from.
_RENDERED_FROM: Final = {
    SourceKind.HELM_CHART: "the template {file}, or the values that it uses",
    SourceKind.HELM_RELEASE: "the values of the release, or its chart",
    SourceKind.FLUX_HELM_RELEASE: "the values of the HelmRelease, or its chart",
}
#: The map of the folder ``dist`` is ``dist.settings.json``.
SUFFIX: Final = ".settings.json"
#: Fields of a kustomization that kustomize applies after ``patches``.
_AFTER_PATCHES: Final = (
    *("labels", "commonLabels", "commonAnnotations", "patchesJson6902", "replicas", "images", "replacements"),
    "transformers",
)
_PLAIN: Final = re.compile(r"[\w.:/@%+-]+")

#: What a setting is to a field: its value, one of the things it follows from, or what its items come from.
_Effect = Literal["is", "shapes", "fills"]
_STRONGEST_FIRST: Final[Sequence[_Effect]] = ("is", "shapes", "fills")


def how_to_change(item: ObjectReport, renderer: SourceInfo) -> str:
    """Returns what renders an object and what to change, as a sentence without a full stop."""
    file = item.source.file if item.source is not None else "of the chart"
    what = _RENDERED_FROM.get(renderer.built_as or renderer.kind)
    if what is None:
        from_file = f" from {file}" if item.source is not None else ""
        return f"{renderer.name} is built{from_file}; add a patch to its kustomization"
    return f"it is rendered by {renderer.name}; change {what.format(file=file)}"


@dataclass(frozen=True, slots=True)
class Patches:
    """What to add to kustomizations.

    Attributes:
        blocks: Where to add patches and which, as YAML, for each kustomization that builds some of the objects.
        refused: Why no patch can adopt a finding, by the id of the selected finding in Python.
    """

    blocks: tuple[tuple[str, str], ...]
    refused: Mapping[int, str]


def kustomize_patches(findings: Sequence[Selected], sources: Mapping[SourceKey, SourceInfo], files: Files) -> Patches:
    """Returns the patches for findings in rendered objects.

    Args:
        findings: The findings.
        sources: The sources of the report by key.
        files: The files that the report names.
    """
    entries: dict[str, list[Json]] = {}
    refused: dict[int, str] = {}
    # Once for all findings: its lines are found by parsing it.
    read = cache(partial(_Kustomization.read, files=files))
    adoptable = [one for one in findings if why_not_adopted(one.item, one.finding) is None]
    for _, group in groupby(adoptable, key=lambda one: one.item.key):
        selected = list(group)
        item = selected[0].item
        renderer, body = renderer_of(item, sources), _in_file(item, files)
        if renderer is None or renderer.path is None or not is_patchable(renderer) or body is None:
            continue
        folder = folder_of_source(renderer.path)
        known = (join(folder, name) for name in sorted(KUSTOMIZATIONS))
        file = next(filter(files.exists, known), join(folder, "kustomization.yaml"))
        is_substituted = renderer.substitutes and not has_opted_out(body)
        write = partial(_entry, item, body, is_substituted=is_substituted)
        reasons = {
            id(one): why
            for one in selected
            if (why := read(file).why_undone(one.finding) or _why_not_written(one.finding, write)) is not None
        }
        refused.update(reasons)
        kept = [one.finding for one in selected if id(one) not in reasons]
        entry = write(kept) if kept else None
        if entry is not None:
            entries.setdefault(file, []).append(entry)
    return Patches(tuple(_blocks(entries, files)), refused)


def _blocks(entries: Mapping[str, list[Json]], files: Files) -> Iterator[tuple[str, str]]:
    for file, patches in entries.items():
        block = add_document("", {"patches": patches})
        if _has_patches(file, files):
            # Given twice, the key would hide the patches that are there.
            yield f"`patches` of {file}", block.partition("\n")[2]
        else:
            yield file, block


def _entry(item: ObjectReport, body: Object, findings: Sequence[Finding], *, is_substituted: bool) -> Object | None:
    """Returns an entry of ``patches``; None and arguments as for `_patch`.

    Raises:
        EditError: YAML cannot hold a value.
    """
    patch = _patch(item, findings, body, is_substituted=is_substituted)
    entry = None if patch is None else {"patch": patch}
    if entry is not None:
        add_document("", {"patches": [entry]})
    return entry


def _why_not_written(finding: Finding, write: Callable[[Sequence[Finding]], Object | None]) -> str | None:
    try:
        write([finding])
    except EditError as error:
        return f"no patch can be written: {error}"
    return None


@dataclass(frozen=True, slots=True)
class _Kustomization:
    """What a kustomization applies after patches.

    Attributes:
        file: Its file.
        fields: Its content; {} if it cannot be read.
        lines: The lines of each field of `_AFTER_PATCHES`, from 0.
    """

    file: str
    fields: Object
    lines: Mapping[str, range]

    @classmethod
    def read(cls, file: str, files: Files) -> "_Kustomization":
        try:
            text = files.text(file)
            lines = {name: lines_of(text, 1, (name,)) for name in _AFTER_PATCHES}
            fields = as_object(next((one.value for one in read_documents(text.encode(), "")), None))
        except (RefusedError, EditError, ManifestError, yaml.YAMLError):
            return cls(file, {}, {})
        return cls(file, fields, lines)

    def why_undone(self, finding: Finding) -> str | None:
        """Returns which entry would undo a patch of a finding; None if it has none."""
        if self.lines.get("transformers"):
            return f"kustomize runs `transformers` of {self.file} after patches, and they may undo one; change them"
        name, line = self._added_by(finding), finding.line
        if name is not None:
            line = self.lines[name].start + 1
        elif line is not None and finding.file is not None and _is_same(finding.file, self.file):
            name = next((name for name, found in self.lines.items() if line - 1 in found), None)
        return name and f"kustomize would undo a patch; change the entry of `{name}` in {self.file}:{line}"

    def _added_by(self, finding: Finding) -> str | None:
        """Returns the field that adds some of the labels or annotations that are all gone."""
        *_, last = parse(finding.path) or ("",)
        if finding.change is not Change.REMOVED or not isinstance(finding.desired, dict):
            return None
        added = {"commonAnnotations": [at(self.fields, "commonAnnotations")]}
        if last != "annotations":
            pairs = [one.get("pairs") for one in objects_at(self.fields, "labels")]
            added = {"labels": pairs, "commonLabels": [at(self.fields, "commonLabels")]}
        is_known = last in {"annotations", "labels", "matchLabels", "selector"}
        names = (name for name, maps in added.items() for one in maps if as_object(one).keys() & finding.desired.keys())
        return next(names, None) if is_known else None


def _is_same(file: str, other: str) -> bool:
    return posixpath.normpath(file) == posixpath.normpath(other)


def _has_patches(file: str, files: Files) -> bool:
    try:
        return any("patches" in as_object(one.value) for one in read_documents(files.text(file).encode(), ""))
    except (RefusedError, ManifestError):
        return False


def _in_file(item: ObjectReport, files: Files) -> Object | None:
    """Returns an object before kustomize changes it; None if no file has it."""
    if item.source is None:
        return None
    try:
        documents = [document.value for document in read_documents(files.text(item.source.file).encode(), "")]
    except (RefusedError, ManifestError):
        return None
    body = as_object(documents[item.source.document - 1]) if item.source.document <= len(documents) else {}
    name = as_object(body.get("metadata")).get("name")
    return body if body.get("kind") == item.kind and name and isinstance(name, str) else None


def _patch(item: ObjectReport, findings: Sequence[Finding], body: Object, *, is_substituted: bool) -> str | None:
    """Returns a patch for a kustomization; None if a strategic merge patch cannot say it.

    Args:
        item: The object.
        findings: What the patch is to adopt.
        body: The object in its file, by whose name and namespace kustomize finds it.
        is_substituted: Whether Flux replaces variables in what kustomize builds.
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
            live = escape(finding.live) if is_substituted else finding.live
            parent[last] = removed if finding.change is Change.REMOVED else live
    in_file = body["metadata"]
    names = {field: in_file[field] for field in ("name", "namespace") if in_file.get(field)}
    metadata = {**names, **_written(changes.pop("metadata", {}))}
    # kustomize strips the end of a patch, which must therefore not be that of a text.
    patch = {"apiVersion": item.api_version, "kind": item.kind, **_written(changes), "metadata": metadata}
    return add_document("", patch)


def _can_be_patched(item: ObjectReport, finding: Finding) -> bool:
    path = parse(finding.path)
    keys = [element for element in path if isinstance(element, ItemKey)]
    if is_in_key(path):
        # An item with another key is another item to kustomize, which would keep both.
        return False
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
    fields = {name: typed_key(name, value) for name, value in key}
    written: Object = _written(changes)
    # A new item may leave out the defaults among its keys.
    return written if any(name in written for name in fields) else {**fields, **written}


# -- the map that a generator writes beside its manifests; docs/fixing.md describes it for authors of generators


class _Manifest(Struct, frozen=True, rename="camel"):
    """The fields of an object that follow from a setting, by JSON pointers into the manifest."""

    api_version: str
    kind: str
    name: str
    fields: Mapping[str, _Effect]
    namespace: str | None = None

    def describes(self, item: ObjectReport) -> bool:
        same = (self.api_version, self.kind, self.name) == (item.api_version, item.kind, item.name)
        return same and self.namespace in {None, item.namespace}


class Setting(Struct, frozen=True):
    """A setting of a generator.

    Attributes:
        setting: Its name, as users of the generator know it.
        file: The file in which it is set, or could be, from the folder of the map.
        line: The line.
        manifests: What follows from it.
    """

    setting: str
    file: str
    line: Annotated[int, Meta(ge=1)]
    manifests: Sequence[_Manifest]


class SettingsMap(Struct, frozen=True):
    """The settings of a generator, and the command that synthesizes."""

    version: Literal[1]
    command: str
    settings: Sequence[Setting]


def read_settings_map(text: bytes, name: str) -> SettingsMap:
    """Returns the map in a file, with the files of the settings beside it.

    Args:
        text: The content of the map.
        name: Its path.

    Raises:
        UsageError: It is not such a map.
    """
    folder = posixpath.dirname(name)
    try:
        found = msgspec.json.decode(text, type=SettingsMap)
        settings = [replace(each, file=posixpath.join(folder, each.file)) for each in found.settings]
        return replace(found, settings=settings)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UsageError(f"{name}: not a map of settings: {error}; synthesize it again") from None


def instruction(found: SettingsMap, item: ObjectReport, finding: Finding, steps: Sequence[str | int]) -> str:
    """Returns what to change so that the manifests say what is live.

    Args:
        found: The map.
        item: The object.
        finding: What differs.
        steps: Where that is in the manifest.
    """
    pointer = "".join(f"/{escape_pointer(str(step))}" for step in steps)
    fields = _fields(found, item)
    settings = _deciding(fields, pointer, is_added=finding.change is Change.ADDED)
    if not settings:
        return "no setting decides this; change the code that synthesizes it, or revert it with `drift revert`"
    is_value = "is" in fields.get(pointer, {}) and len(settings) == 1
    to = "" if not is_value or isinstance(finding.live, dict | list | None) else f" to {_scalar_text(finding.live)}"
    places = [
        f"{_any_of([setting.setting for setting in group])} in {file}:{line}"
        for (file, line), group in groupby(settings, key=lambda setting: (setting.file, setting.line))
    ]
    return f"{'set' if to else 'change'} {_any_of(places)}{to}, and run `{found.command}`"


def _fields(found: SettingsMap, item: ObjectReport) -> Mapping[str, Mapping[_Effect, Sequence[Setting]]]:
    """Returns the settings of each field of an object."""
    fields: dict[str, dict[_Effect, list[Setting]]] = {}
    for setting in found.settings:
        for manifest in setting.manifests:
            if manifest.describes(item):
                for pointer, effect in manifest.fields.items():
                    fields.setdefault(pointer, {}).setdefault(effect, []).append(setting)
    return fields


def _deciding(
    fields: Mapping[str, Mapping[_Effect, Sequence[Setting]]], pointer: str, *, is_added: bool
) -> Sequence[Setting]:
    """Returns the settings of a field, or of the fields in it, or of what a new field is put into."""
    if pointer in fields:
        places = [pointer]
    elif is_added:
        around = (place for place in fields if place and pointer.startswith(f"{place}/"))
        places = sorted(around, key=len)[-1:]
    else:
        places = [place for place in fields if pointer and place.startswith(f"{pointer}/")]
    decisive = [
        next(fields[place][effect] for effect in _STRONGEST_FIRST if effect in fields[place]) for place in places
    ]
    return list({setting.setting: setting for settings in decisive for setting in settings}.values())


def _any_of(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _scalar_text(value: str | float | bool) -> str:
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
