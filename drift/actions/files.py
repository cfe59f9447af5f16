"""The files that `drift adopt` edits, before and after, the patch between them, and where a new manifest belongs."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher, unified_diff
from typing import Final

from drift.compare.show import contains_redacted
from drift.documents.edit import EditError, add_document, insert_item, lines_of, set_value
from drift.documents.parse import read_documents
from drift.errors import ManifestError
from drift.model import ObjectReport, Report, SourceInfo, SourceKind
from drift.objects import STDIN, Json, Object, as_object
from drift.redaction import is_secret, redact_secret
from drift.sources.kustomizations import KUSTOMIZATIONS

#: Reads a text file, with its line breaks. Raises OSError if it cannot, and UnicodeError if it is not UTF-8.
ReadText = Callable[[str], str]
_NO_FILE: Final = "/dev/null"
#: Fields of a kustomization that do not change the objects added to its resources.
_HARMLESS_FIELDS: Final = frozenset(
    {
        *("apiVersion", "kind", "metadata", "resources", "bases", "configMapGenerator", "secretGenerator"),
        *("generatorOptions", "patches", "patchesStrategicMerge", "patchesJson6902"),
    }
)
#: A manifest of a Secret in a text, as in a patch of a kustomization.
_SECRET_IN_TEXT: Final = re.compile(r"\bkind[\"']?[ \t]*:[ \t]*[\"']?Secret\b")
#: Where a value is in a document.
_Steps = tuple[str | int, ...]
_NOT_IN_A_FILE_NAME: Final = re.compile(r"[^A-Za-z0-9.-]")


class RefusedError(Exception):
    """A finding cannot be adopted. The message is the reason."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """The new content of a file.

    Attributes:
        file: The path as the report has it.
        before: Its text; None if there is no such file.
        after: Its new text; None if the file is to be deleted.
    """

    file: str
    before: str | None
    after: str | None


@dataclass(slots=True)
class Files:
    """The text of files, before and after the edits so far."""

    read: ReadText
    _before: dict[str, str | None] = field(default_factory=dict)
    _after: dict[str, str | None] = field(default_factory=dict)

    def text(self, file: str) -> str:
        """Returns the text of a file after the edits so far.

        Raises:
            RefusedError: It cannot be read, or an edit has deleted it.
        """
        if file not in self._before:
            try:
                self._before[file] = self._after[file] = self.read(file)
            except OSError as error:
                raise RefusedError(f"{file} cannot be read: {error.strerror}") from None
            except UnicodeError:
                raise RefusedError(f"{file} is not UTF-8 text") from None
        text = self._after[file]
        if text is None:
            raise RefusedError(f"{file} no longer holds this object")
        return text

    def exists(self, file: str) -> bool:
        """Returns whether a file can be read, or could be before an edit deleted it."""
        try:
            self.text(file)
        except RefusedError:
            return self._before.get(file) is not None
        return True

    def edit(self, file: str, text: str | None) -> None:
        """Sets the new text of a file; None deletes it."""
        self._before.setdefault(file, None)
        self._after[file] = text

    @property
    def deleted(self) -> Sequence[str]:
        """The files that the edits delete."""
        return [file for file, text in self._after.items() if text is None]

    def changes(self) -> Iterator[FileChange]:
        """Yields the changed files, sorted by path."""
        for file, before in sorted(self._before.items()):
            if self._after[file] != before:
                yield FileChange(file, before, self._after[file])


def patch(changes: Sequence[FileChange]) -> str:
    """Returns the changes as a unified diff for ``git apply`` or ``patch -p1``."""
    return "".join(map(_diff, changes))


def _diff(change: FileChange) -> str:
    lines = unified_diff(
        _lines(change.before or ""),
        _lines(change.after or ""),
        _NO_FILE if change.before is None else f"a/{change.file}",
        _NO_FILE if change.after is None else f"b/{change.file}",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def shows_secrets(change: FileChange) -> bool:
    """Returns whether a patch, which includes the lines around each change, would show values of a Secret."""
    if change.before is None:
        return False
    try:
        hidden = {line for lines in _lines_of_secrets(change.before) for line in lines}
    except (ManifestError, EditError):
        return True
    matcher = SequenceMatcher(a=_lines(change.before), b=_lines(change.after or ""), autojunk=False)
    shown = (range(start, end) for group in matcher.get_grouped_opcodes() for _, start, end, _, _ in group)
    return any(not hidden.isdisjoint(lines) for lines in shown)


def _lines_of_secrets(text: str) -> Iterator[range]:
    lines = _lines(text)
    documents = [*read_documents(text.encode(), "")]
    ends = [*(document.line - 1 for document in documents[1:]), len(lines)]
    for document, end in zip(documents, ends, strict=True):
        hidden = [lines_of(text, document.number, steps) for steps in _hidden_places(document.value)]
        yield from hidden
        if hidden:
            # Values may have been commented out.
            yield from (range(n, n + 1) for n in range(document.line - 1, end) if lines[n].lstrip().startswith("#"))


def _hidden_places(value: Json, steps: _Steps = ()) -> Iterator[_Steps]:
    """Yields where values of Secrets are in a document.

    A Secret may be an item of a list, a part of another object, or the text of one, such as a patch.
    """
    if isinstance(value, str) and _SECRET_IN_TEXT.search(value):
        yield steps
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _hidden_places(item, (*steps, index))
    elif isinstance(value, dict) and _is_secret(value):
        yield from _redacted_places(value, redact_secret(value), steps)
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from [(*steps, name)] if name == "secretGenerator" else _hidden_places(part, (*steps, name))


def _is_secret(value: Object) -> bool:
    api_version, kind = value.get("apiVersion"), value.get("kind")
    is_list = isinstance(value.get("items"), list)
    return isinstance(api_version, str) and isinstance(kind, str) and not is_list and is_secret(api_version, kind)


def _redacted_places(value: Object, shown: Object, steps: _Steps) -> Iterator[_Steps]:
    for name, part in value.items():
        if isinstance(part, dict) and isinstance(shown.get(name), dict) and name != "data":
            yield from _redacted_places(part, shown[name], (*steps, name))
        elif name not in shown or contains_redacted(shown[name]):
            yield *steps, name


def _lines(text: str) -> list[str]:
    # Only a newline ends a line for git; str.splitlines knows others.
    return [line for line in re.split(r"(?<=\n)", text) if line]


# -- new manifests for unmanaged objects, beside the other manifests of their namespace


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

    def file_for(self, item: ObjectReport) -> str:
        name = _NOT_IN_A_FILE_NAME.sub("-", f"{item.kind.lower()}-{item.name}")
        return self.file or _join(self.folder, f"{name}.yaml")


def file_for_manifest(item: ObjectReport, report: Report) -> str:
    """Returns the file for the manifest of an unmanaged object.

    Raises:
        RefusedError: Git has no other manifest of the namespace, or they are rendered and a new file would not be.
    """
    return _place(item, report).file_for(item)


def write_manifest(item: ObjectReport, report: Report, files: Files) -> None:
    """Adds the manifest of an unmanaged object to the files, and to the kustomization in its folder.

    Raises:
        RefusedError: The manifest is not in the report, or there is no place for it.
        EditError: A file does not allow the edit.
    """
    if item.manifest is None:
        raise RefusedError("the report does not show its manifest")
    place = _place(item, report)
    file = place.file_for(item)
    if place.file is not None:
        files.edit(file, add_document(files.text(file), item.manifest))
        return
    if files.exists(file):
        raise RefusedError(f"{file} exists already; add the manifest to it by hand")
    like = files.text(place.neighbour) if files.exists(place.neighbour) else ""
    text = add_document("", item.manifest, like=like)
    for kustomization in (_join(place.folder, name) for name in sorted(KUSTOMIZATIONS)):
        if files.exists(kustomization):
            added = _with_resource(files.text(kustomization), kustomization, file.rpartition("/")[2], item)
            files.edit(kustomization, added)
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
    places = [_place_of_manifest(one, sources) for one in neighbours]
    # Where most manifests are; if several places have as many, the first in the order of the report.
    most, _ = Counter(None if place is None else (place.folder, place.file) for place in places).most_common(1)[0]
    if most is None:
        raise RefusedError("the manifests of its namespace are rendered; add it to what they are rendered from")
    return next(place for place in places if place is not None and (place.folder, place.file) == most)


def _place_of_manifest(item: ObjectReport, sources: Mapping[str, SourceInfo]) -> _Place | None:
    """Returns where the manifest of an object is; None if it is rendered, unless from a local kustomization."""
    file = item.source.file if item.source is not None else ""
    source = next((sources[name] for name in item.origins if name in sources), None)
    if source is not None and source.kind is SourceKind.KUSTOMIZE:
        return _Place((source.path or "").rstrip("/"), None, file)
    if source is not None and source.kind is not SourceKind.FILES:
        return None
    folder = file.rpartition("/")[0]
    return _Place(folder, file if source is not None and source.path == file else None, file)


def _with_resource(text: str, kustomization: str, name: str, item: ObjectReport) -> str:
    """Returns a kustomization with a file added to its resources."""
    try:
        (document,) = read_documents(text.encode(), kustomization)
    except (ManifestError, ValueError):
        raise RefusedError(f"{kustomization} cannot be read") from None
    fields: Object = as_object(document.value)
    changing = sorted(
        field
        for field, value in fields.items()
        if field not in _HARMLESS_FIELDS and not (field == "namespace" and value == item.namespace)
    )
    if changing:
        raise RefusedError(f"{kustomization} would change it ({', '.join(changing)}); add its manifest by hand")
    resources = fields.get("resources")
    if isinstance(resources, list):
        return insert_item(text, 1, ("resources",), len(resources), name)
    return set_value(text, 1, ("resources",), [name])


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
