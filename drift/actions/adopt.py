"""Changes manifests so that they say what is live: the edits of files for findings of a saved report."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drift.actions.files import (
    FileChange,
    Files,
    ReadText,
    RefusedError,
    check_is_not_generated,
    check_is_not_the_last,
    file_for_manifest,
    is_path,
    kustomizations_around,
    write_manifest,
)
from drift.actions.rendered import SettingsMap, how_to_change, instruction, kustomize_patches
from drift.actions.selection import Refused, Selected
from drift.advice.refusals import is_patchable, renderer_of, why_not_adopted
from drift.documents.edit import EditError, insert_item, remove, remove_document, set_value
from drift.documents.parse import read_documents
from drift.errors import ManifestError
from drift.gitops.flux_values import has_metadata
from drift.model import Change, Finding, ObjectReport, Report, SourceInfo, SourceKind
from drift.objects import Json, ObjectKey, Source, as_object
from drift.paths import OCCURRENCE, SET_FIELD, ItemKey, Path, is_in_key, parse
from drift.schema.types import ABSENT
from drift.sources.substitution import escape, has_opted_out

#: Where list items are whose key has been changed, by object and path: the path no longer finds them.
_Renamed = dict[tuple[ObjectKey, Path], tuple[str | int, ...]]


@dataclass(frozen=True, slots=True)
class Adoption:
    """The result of adopting findings.

    Attributes:
        changes: The changed files, sorted by path.
        adopted: The findings that the changes end.
        refused: The other findings, and why.
        patches: For objects that are built by kustomize, what to add to which kustomization, as YAML.
    """

    changes: tuple[FileChange, ...]
    adopted: tuple[Selected, ...]
    refused: tuple[Refused, ...]
    patches: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Generator:
    """What synthesizes a file.

    Attributes:
        place: The file that names it: its own settings, or its map.
        command: The command that synthesizes.
        settings: The map, if there is one.
    """

    place: str
    command: str
    settings: SettingsMap | None = None


#: Returns what synthesizes a file; None if people edit it.
GeneratorOf = Callable[[str], Generator | None]


def adopt(
    findings: Sequence[Selected],
    report: Report,
    read: ReadText,
    generator_of: GeneratorOf,
    is_plain: Callable[[str], bool] = lambda _: False,
) -> Adoption:
    """Returns the edits of files after which Git says what is live.

    Args:
        findings: The findings to adopt.
        report: The report that has them.
        read: Reads the files that the report names.
        generator_of: Returns what synthesizes a file.
        is_plain: Returns whether the files of a folder are its manifests, so that nothing has to be built.
    """
    files = Files(read)
    sources = {source.key: source for source in report.sources}
    rendered = {
        id(one): source
        for one in findings
        if (source := renderer_of(one.item, sources)) is not None
        and not (one.item.source is not None and _is_plain(source, is_plain))
    }
    refused = [Refused(one, reason) for one in findings if (reason := _why_not(one, rendered.get(id(one)))) is not None]
    adopted: list[Selected] = []
    renamed: _Renamed = {}
    is_refused = {id(one.selected) for one in refused}
    for selected in sorted((one for one in findings if id(one) not in is_refused), key=_edit_order):
        try:
            _adopt(selected, report, files, generator_of, renamed)
            adopted.append(selected)
        except (RefusedError, EditError) as error:
            renderer = renderer_of(selected.item, sources)
            changed = f"; or {renderer.name} changes what the file has" if renderer is not None else ""
            refused.append(Refused(selected, f"{error}{changed}"))
    for deleted in files.deleted:
        _remove_from_kustomizations(deleted, files)
    patches = kustomize_patches([one for one in findings if id(one) in rendered], sources, files)
    refused = [Refused(one.selected, patches.refused.get(id(one.selected), one.reason)) for one in refused]
    order = {id(selected): number for number, selected in enumerate(findings)}
    return Adoption(
        tuple(files.changes()),
        tuple(sorted(adopted, key=lambda one: order[id(one)])),
        tuple(sorted(refused, key=lambda one: order[id(one.selected)])),
        patches.blocks,
    )


def _is_plain(source: SourceInfo, is_plain: Callable[[str], bool]) -> bool:
    """Whether a controller applies the files of a source as they are."""
    if source.path is None or not is_patchable(source):
        return False
    return source.built_as is SourceKind.FILES or is_plain(source.path)


def _adopt(selected: Selected, report: Report, files: Files, generator_of: GeneratorOf, renamed: _Renamed) -> None:
    if selected.finding.change is Change.UNMANAGED:
        file = file_for_manifest(selected.item, report)
        generator = generator_of(file)
        if generator is not None:
            raise RefusedError(f"{file} would be synthesized; {_change_settings(generator)}")
        write_manifest(selected.item, report, files)
        return
    file = _source(selected.item).file
    _check_is_edited_by_people(generator_of(file), files, selected)
    renderer = renderer_of(selected.item, {source.key: source for source in report.sources})
    is_substituted = renderer is not None and renderer.substitutes
    edited = _edited(files.text(file), selected, renamed, is_substituted=is_substituted)
    if edited is None:
        check_is_not_the_last(file, files)
    files.edit(file, edited)


def _remove_from_kustomizations(deleted: str, files: Files) -> None:
    """Takes a deleted file out of the kustomizations that list it, which otherwise could not be built."""
    for kustomization in kustomizations_around(deleted, files):
        with contextlib.suppress(EditError):
            text = files.text(kustomization.file)
            for index, entry in reversed(list(enumerate(kustomization.resources))):
                if is_path(entry, kustomization.name):
                    text = remove(text, 1, ("resources", index))
            files.edit(kustomization.file, text)


def _edit_order(selected: Selected) -> tuple[str, int, bool, bool, int]:
    """Sort key of edits: no edit moves what a later one has to find.

    The last document of a file comes first. Items come into a list after others have left it, in its live order. The
    keys of list items change last.
    """
    source, finding = selected.item.source, selected.finding
    file, document = ("", 0) if source is None else (source.file, source.document)
    return file, -document, is_in_key(parse(finding.path)), finding.change is Change.ADDED, _live_index(finding)


def _live_index(finding: Finding) -> int:
    last = finding.pointer.rpartition("/")[2]
    return int(last) if last.isdecimal() else 0


def _why_not(selected: Selected, renderer: SourceInfo | None) -> str | None:
    item, finding = selected.item, selected.finding
    reason = why_not_adopted(item, finding)
    return reason if reason is not None or renderer is None else how_to_change(item, renderer)


def _check_is_edited_by_people(generator: Generator | None, files: Files, selected: Selected) -> None:
    if generator is None:
        return
    item, finding, source = selected.item, selected.finding, _source(selected.item)
    if generator.settings is None:
        way_out = _change_settings(generator)
    else:
        root, _, _ = _manifest(files.text(source.file), source, item)
        steps = _place(root, parse(finding.path), is_added=finding.change is Change.ADDED)
        way_out = instruction(generator.settings, item, finding, steps)
    raise RefusedError(f"{source.file} is synthesized; {way_out}")


def _change_settings(generator: Generator) -> str:
    return f"change the settings of the program beside {generator.place}, and run `{generator.command}`"


def _source(item: ObjectReport) -> Source:
    if item.source is None:
        raise RefusedError("no file holds its manifest")
    return item.source


def _edited(text: str, selected: Selected, renamed: _Renamed, *, is_substituted: bool) -> str | None:
    """Returns the file with what is live; None if nothing is left of it.

    Args:
        text: The file.
        selected: The finding to adopt.
        renamed: Where list items are whose key has been changed.
        is_substituted: Whether Flux replaces variables in the file.
    """
    source = _source(selected.item)
    check_is_not_generated(source.file, text)
    root, prefix, count = _manifest(text, source, selected.item)
    finding = selected.finding
    if finding.change is Change.MISSING:
        if prefix:
            return remove(text, source.document, prefix)
        return None if count == 1 else remove_document(text, source.document)
    steps, holds_item = _steps_to(root, selected, renamed)
    document = source.document
    live, desired = finding.live, finding.desired
    if is_substituted and not has_opted_out(root):
        live, desired = escape(live), escape(desired)
    if finding.change is Change.ADDED:
        if holds_item is not None:
            return insert_item(text, document, (*prefix, *steps), _live_index(finding), live)
        present = _value(root, steps)
        if not _is_empty(present):
            raise RefusedError(_changed_since(source.file))
        # The report leaves out the empty parts of both sides.
        merged = {**as_object(present), **live} if isinstance(live, dict) else live
        return set_value(text, document, (*prefix, *steps), merged)
    if holds_item is not None or not is_as_reported(_value(root, steps), desired):
        raise RefusedError(_changed_since(source.file))
    if finding.change is Change.REMOVED:
        return remove(text, document, (*prefix, *steps))
    return set_value(text, document, (*prefix, *steps), live)


def _steps_to(root: Json, selected: Selected, renamed: _Renamed) -> tuple[tuple[str | int, ...], ItemKey | None]:
    """Like `_steps`, and keeps where a list item is before its key changes."""
    path, finding = parse(selected.finding.path), selected.finding
    item, name = (selected.item.key, path[:-1]), path[-1]
    if item in renamed and isinstance(name, str):
        return (*renamed[item], name), None
    steps, holds_item = _steps(root, path, is_added=finding.change is Change.ADDED)
    if is_in_key(path):
        renamed[item] = steps[:-1]
    return steps, holds_item


def _changed_since(file: str) -> str:
    return f"{file} has changed since the report was made; make it again"


def _manifest(text: str, source: Source, item: ObjectReport) -> tuple[Json, tuple[str | int, ...], int]:
    """Returns the manifest of an object, where it is in its document, and the number of objects in the file."""
    try:
        read = list(read_documents(text.encode(), source.file))
    except ManifestError:
        raise RefusedError(f"{source.file} can no longer be read; see `drift report {source.file}`") from None
    documents = [document.value for document in read]
    found = documents[source.document - 1] if source.document <= len(documents) else None
    if has_metadata(found):
        raise RefusedError(f"SOPS signs the values in {source.file}; change it there with `sops edit`")
    if found is not None and (lines := read[source.document - 1].repeated_keys):
        raise RefusedError(f"{source.file}:{lines[0]} repeats a key; remove one of them first")
    count = sum(document is not None for document in documents)
    if isinstance(found, dict) and isinstance(items := found.get("items"), list):
        for index, body in enumerate(items):
            if _is_manifest_of(body, item):
                return body, ("items", index), count + len(items) - 1
    if not _is_manifest_of(found, item):
        raise RefusedError(f"{source.file} no longer holds this object")
    return found, (), count


def _is_manifest_of(body: Json, item: ObjectReport) -> bool:
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if not isinstance(metadata, dict) or metadata.get("name") != item.name:
        return False
    # The API server ignores the namespace of a cluster-scoped object.
    is_there = item.namespace is None or (metadata.get("namespace") or item.namespace) == item.namespace
    return body.get("kind") == item.kind and is_there


# -- from a path of the report to keys and indexes


def value_at_path(root: Json, path: Path) -> Json:
    """Returns the value in a manifest at the parsed path of a finding, or `ABSENT`."""
    try:
        steps, holds_item = _steps(root, path)
    except RefusedError:
        return ABSENT
    if holds_item is not None or (isinstance(steps[-1], str) and steps[-1] not in _value(root, steps[:-1])):
        return ABSENT
    return _value(root, steps)


def _steps(root: Json, path: Path, *, is_added: bool = False) -> tuple[tuple[str | int, ...], ItemKey | None]:
    """Returns where a path is in a manifest. If its last element is a list item that is not there, returns that too.

    Args:
        root: The manifest.
        path: The path.
        is_added: Whether only the cluster has what is at the path.
    """
    steps: list[str | int] = []
    value = root
    for number, element in enumerate(path, start=1):
        is_last = number == len(path)
        if isinstance(element, ItemKey):
            index = _index(value, element, needs_all=is_last and is_added)
            if index is None:
                if not is_last or not isinstance(value, list):
                    raise RefusedError("the manifest does not have the list item")
                return tuple(steps), element
            steps.append(index)
            value = value[index]
        else:
            if not isinstance(value, dict) or (element not in value and not is_last):
                raise RefusedError("the manifest does not have the field that holds it")
            steps.append(element)
            value = value.get(element)
    return tuple(steps), None


def _place(root: Json, path: Path, *, is_added: bool) -> tuple[str | int, ...]:
    """Returns where a path is in a manifest, or would be; for a list item that is not there, where the list is."""
    steps: list[str | int] = []
    value = root
    for number, element in enumerate(path, start=1):
        if isinstance(element, ItemKey):
            index = _index(value, element, needs_all=is_added and number == len(path))
            if index is None:
                break
            steps.append(index)
            value = value[index]
        else:
            steps.append(element)
            value = value.get(element) if isinstance(value, dict) else None
    return tuple(steps)


def _index(items: Json, key: ItemKey, *, needs_all: bool) -> int | None:
    if not isinstance(items, list):
        return None
    fields = [(name, value) for name, value in key if name != OCCURRENCE]
    occurrence = int(dict(key).get(OCCURRENCE, 1))
    matches = [_matching_fields(item, fields) for item in items]
    # A key may include defaults that the manifest leaves out, such as the protocol of a port.
    best = len(fields) if needs_all else max(matches, default=0)
    found = [index for index, count in enumerate(matches) if count == best > 0]
    return found[occurrence - 1] if occurrence <= len(found) else None


def _matching_fields(item: Json, fields: Sequence[tuple[str, Json]]) -> int:
    """Returns how many fields of a key an item has; 0 if it has another value for one of them."""
    if [name for name, _ in fields] == [SET_FIELD]:
        return int(_as_in_path(item) == fields[0][1])
    if not isinstance(item, dict):
        return 0
    has = [_as_in_path(item[name]) == value for name, value in fields if name in item]
    return len(has) if all(has) else 0


def _as_in_path(value: Json) -> Json:
    """Returns a scalar as a path has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _value(value: Json, steps: Sequence[str | int]) -> Json:
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else value[step]
    return value


def is_as_reported(value: Json, reported: Json) -> bool:
    """Returns whether a value in a manifest is a value of a report.

    The report leaves out nulls and empty parts, and sorts lists of mappings whose order has no meaning.
    """
    if isinstance(value, dict) and isinstance(reported, dict):
        return all(is_as_reported(value.get(name), part) for name, part in reported.items()) and all(
            name in reported or _is_empty(part) for name, part in value.items()
        )
    if isinstance(value, list) and isinstance(reported, list):
        return len(value) == len(reported) and _has_items(value, reported)
    return bool(_as_in_path(value) == _as_in_path(reported))


def _has_items(value: Sequence[Json], reported: Sequence[Json]) -> bool:
    """Returns whether two lists of one length have the same items. Only the order of mappings may differ."""
    if not all(isinstance(item, dict) for item in (*value, *reported)):
        return all(map(is_as_reported, value, reported))
    rest = list(value)
    for other in reported:
        found = next((index for index, item in enumerate(rest) if is_as_reported(item, other)), None)
        if found is None:
            return False
        del rest[found]
    return True


def _is_empty(value: Json) -> bool:
    if isinstance(value, dict):
        return all(map(_is_empty, value.values()))
    return not value
