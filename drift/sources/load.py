"""Reads manifests from files, folders and standard input.

Like kubectl, it reads files ending in .yaml, .yml or .json, and descends into folders in sorted order. A document that
cannot be read is an error in the result; the others are read nevertheless.
"""

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

import orjson

from drift.documents import Document
from drift.documents.files import (
    files_below,
    is_excluded,
    is_folder,
    mode_of,
    path_order,
    read_file,
    read_stream,
    standard_input,
)
from drift.documents.parse import number_documents, read_valid_documents
from drift.errors import ManifestError, UnreadableManifestsError, UsageError
from drift.gitops.flux_values import example_name, mask_encrypted
from drift.gitops.opt_outs import hook_of
from drift.globs import FileGlob
from drift.model import API_VERSION
from drift.objects import STDIN, Incomparable, Json, Manifest, Object, PackedObject, Source, as_object
from drift.redaction import is_name, is_secret, redact_secret
from drift.sources.kustomizations import (
    KUSTOMIZATIONS,
    ReadFile,
    check_kustomize_output,
    is_kustomize_api,
    select_files,
    stands_for_folder,
)
from drift.sources.parallel import ParallelReader, PlainFiles
from drift.words import first_few

#: The number of skipped files that a note names.
_NAMED_FILES: Final = 3
#: A name or a namespace that is not given: the fields are texts, and Kubernetes takes an empty one for none.
_UNSET: Final = (None, "")
_NOT_AN_OBJECT: Final = "not a Kubernetes object (a mapping with apiVersion and kind)"


@dataclass(frozen=True, slots=True)
class LoadedManifests:
    """The manifests that were read.

    Attributes:
        manifests: In the order of the paths and files.
        skipped: Files and documents that are not manifests, a sentence each.
        notes: Remarks for the report, a sentence each.
        errors: What could not be read, a line each that begins with ``file:line:column`` if that is known.
        paths: As the user named them; empty for `load_texts`.
        exclude: The files and folders that were left out.
    """

    manifests: tuple[Manifest, ...]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]
    errors: tuple[str, ...]
    paths: tuple[str, ...]
    exclude: tuple[FileGlob, ...]


def load_manifests(
    paths: Sequence[str],
    reader: ParallelReader | None = None,
    exclude: Sequence[FileGlob] = (),
    may_be_gone: Collection[str] = (),
) -> LoadedManifests:
    """Reads all manifests below some paths.

    Args:
        paths: Files, folders, or ``-`` for standard input.
        reader: Reads files in a second process; None for none.
        exclude: Files and folders to leave out.
        may_be_gone: The paths that need not exist or have a manifest.

    Raises:
        UsageError: Another path does not exist or has no manifest, or a chart or kustomization must be rendered first.
        UnreadableManifestsError: No document can be read.
    """
    loading = _Loading()
    present = [path for path in paths if path not in may_be_gone or exists(path)]
    files = _read_all(present, {} if reader is None else reader.read(), exclude)
    for file in files if len(paths) == 1 else _each_once(files, loading.other_paths):
        loading.add(file)
    loaded = loading.result(paths, exclude)
    if not loaded.manifests and loaded.errors:
        raise UnreadableManifestsError(loaded.errors)
    required = [path for path in dict.fromkeys(paths) if path not in may_be_gone]
    if not loaded.manifests and required:
        raise UsageError(_nothing_to_compare(paths, loading.generated_names))
    # A volume that is not mounted must not be in sync because of another path.
    useful = loading.useful_paths
    empty = [path for path in required if path not in useful and not _is_emptied(path, exclude)]
    if empty:
        raise UsageError(_nothing_to_compare(empty, ()))
    return loaded


def exists(path: str) -> bool:
    """Returns whether a path exists; True if it may not be looked at: reading it says so."""
    try:
        return mode_of(Path(path)) is not None
    except OSError:
        return True


def _is_emptied(path: str, exclude: Sequence[FileGlob]) -> bool:
    """Whether a path has no manifests because some of its files are left out on purpose."""
    if path == "-" or not exclude:
        return False
    if not is_folder(Path(path)):
        return is_excluded(path, exclude)
    every, kept = (files_below(Path(path), globs, on_error=lambda _: None) for globs in ((), exclude))
    return len(kept) < len(every)


def _nothing_to_compare(paths: Sequence[str], generated_names: Sequence[str]) -> str:
    if generated_names:
        more = f" (and {len(generated_names) - 1} more)" if len(generated_names) > 1 else ""
        return f"{generated_names[0]}{more}, and there is no other manifest"
    if [*paths] == ["-"]:
        return "no manifest on standard input; check the command before the pipe"
    return f"no manifest found in {', '.join(paths)} (looked at files ending in .yaml, .yml and .json)"


def load_texts(texts: Iterable[tuple[str, bytes]], path: str | None = None) -> LoadedManifests:
    """Reads manifests from texts.

    Args:
        texts: The name of each text, for messages, and its bytes.
        path: The path of the user that they belong to, or None.

    Raises:
        UnreadableManifestsError: A document cannot be read.
    """
    return load_documents(((name, read_valid_documents(text, name)) for name, text in texts), path)


def load_documents(
    files: Iterable[tuple[str, Iterable[Document | ManifestError]]], path: str | None = None
) -> LoadedManifests:
    """Reads manifests from parsed documents, for example those that a program rendered.

    Args:
        files: The documents, by the name of the file that describes them.
        path: The path of the user that they belong to, or None.

    Raises:
        UnreadableManifestsError: A document is not a manifest.
    """
    loading = _Loading()
    for name, documents in files:
        loading.add(_File(name, documents, path=path))
    loaded = loading.result((), ())
    if loaded.errors:
        raise UnreadableManifestsError(loaded.errors)
    return loaded


@dataclass(frozen=True, slots=True)
class _File:
    """A file that was read.

    Attributes:
        name: For messages.
        documents: Its documents, and the errors of those that cannot be read.
        is_named: Whether the user named it, so that it must contain manifests.
        path: The path of the user that it belongs to, or None.
        folder_links: If it is a folder, the links to folders below it, which are not followed.
    """

    name: str
    documents: Iterable[Document | ManifestError]
    is_named: bool = False
    path: str | None = None
    folder_links: Sequence[str] = ()


@dataclass(slots=True)
class _Loading:
    """The result so far."""

    manifests: list[Manifest] = field(default_factory=list)
    generated_names: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    files_without_objects: list[str] = field(default_factory=list)
    folder_links: list[str] = field(default_factory=list)
    #: The paths of the user that a file belongs to, other than the first, by the name of the file.
    other_paths: dict[str, list[str]] = field(default_factory=dict)
    #: The files in which there is something to compare, or an error, and the path of the user that each belongs to.
    useful_files: dict[str, str | None] = field(default_factory=dict)

    @property
    def useful_paths(self) -> frozenset[str | None]:
        """The paths of the user in which there is something to compare, or an error."""
        return frozenset(
            path for name, first in self.useful_files.items() for path in (first, *self.other_paths.get(name, ()))
        )

    def add(self, file: _File) -> None:
        before = self._count()
        self._add(file)
        if self._count() > before:
            self.useful_files[file.name] = file.path

    def _count(self) -> int:
        return len(self.manifests) + len(self.errors) + len(self.generated_names)

    def _add(self, file: _File) -> None:
        self.folder_links += file.folder_links
        documents = [one for one in file.documents if isinstance(one, ManifestError) or one.value is not None]
        is_foreign = all(isinstance(document, Document) and _is_foreign(document, file) for document in documents)
        if documents and is_foreign and not file.is_named:
            self.files_without_objects.append(file.name)
            return
        for document in documents:
            if isinstance(document, ManifestError):
                self.errors.append(str(document))
            else:
                self._add_document(document, file)

    def _add_document(self, document: Document, file: _File) -> None:
        name = file.name
        value = mask_encrypted(document.value)
        if value is not document.value:
            document = replace(document, value=value)
        self.notes += [
            f"{name}:{line}: this key is given twice; as for kubectl, the last one counts"
            for line in document.repeated_keys
        ]
        for index, body in enumerate(_objects(document)):
            item = "" if body is document.value else f": items[{index}]"
            try:
                self._add_object(body, document, file, f"{name}:{document.line}:1{item}")
            except ManifestError as error:
                self.errors.append(str(error))

    def _add_object(self, body: Json, document: Document, file: _File, place: str) -> None:
        name = file.name
        position = f"{name}:{document.line}"
        is_item = body is not document.value
        if not isinstance(body, dict) or not (is_item or _has_type(body) or _is_kustomization(None, name)):
            raise ManifestError(f"{place}: {_NOT_AN_OBJECT}")
        if _is_kustomization(body.get("apiVersion"), name):
            self.skipped.append(f"{position}: this Kustomization is input for kustomize, not a cluster object")
        elif _has_generated_name(body):
            hook = hook_of(body)
            reason = f"is a hook ({hook}) with" if hook else "has"
            kind = _word(body.get("kind"), "kind", place)
            problem = f"it {reason} generateName, so each sync creates another object"
            self.generated_names.append(f"{position}: {kind} is not compared: {problem}")
        else:
            self.manifests.append(_manifest(body, document, file, place))

    def result(self, paths: Sequence[str], exclude: Sequence[FileGlob]) -> LoadedManifests:
        return LoadedManifests(
            tuple(map(self._with_other_paths, self.manifests) if self.other_paths else self.manifests),
            skipped=(
                *self.skipped,
                *(f"{name}: no Kubernetes object in it" for name in self.files_without_objects),
                *(f"{name}: a link to a folder" for name in self.folder_links),
            ),
            notes=(
                *self.generated_names,
                *self.notes,
                *_foreign_note(self.files_without_objects),
                *_link_note(self.folder_links),
                *_unread_note(self.errors),
            ),
            errors=tuple(self.errors),
            paths=tuple(paths),
            exclude=tuple(exclude),
        )

    def _with_other_paths(self, manifest: Manifest) -> Manifest:
        others = self.other_paths.get(manifest.source.file) if manifest.source is not None else None
        return manifest if others is None else replace(manifest, origins=(*manifest.origins, *others))


def _foreign_note(files: Sequence[str]) -> Iterator[str]:
    if files:
        count = "one file" if len(files) == 1 else f"{len(files)} files"
        hint = " (-v lists them)" if len(files) > _NAMED_FILES else ""
        yield f"skipped {count} without a Kubernetes object: {first_few(files, _NAMED_FILES)}{hint}"


def _link_note(links: Sequence[str]) -> Iterator[str]:
    if links:
        subject = "one link to a folder was" if len(links) == 1 else f"{len(links)} links to folders were"
        hint = " (-v lists them)" if len(links) > _NAMED_FILES else ""
        yield (
            f"as with kubectl, {subject} not followed: {first_few(links, _NAMED_FILES)}{hint}; "
            "to compare what is in a linked folder, name the folder itself"
        )


def _unread_note(errors: Sequence[str]) -> Iterator[str]:
    if errors:
        count = "one document" if len(errors) == 1 else f"{len(errors)} documents"
        yield (
            f"{count} could not be read, so what else Git wants is not known: no object is called unmanaged, and no "
            "finding counts as resolved; --exclude GLOB leaves out files that are not manifests"
        )


def _is_foreign(document: Document, file: _File) -> bool:
    """Whether a document is not meant to be a Kubernetes object: a values file, a workflow, a JSON patch."""
    value = document.value
    return not (isinstance(value, dict) and (_has_type(value) or _is_kustomization(None, file.name)))


def _has_type(body: Object) -> bool:
    """Returns whether a mapping is meant to be a Kubernetes object. A report that was saved among manifests is not."""
    return ("apiVersion" in body or "kind" in body) and body.get("apiVersion") != API_VERSION


def _has_generated_name(body: Object) -> bool:
    metadata = as_object(body.get("metadata"))
    return metadata.get("name") in _UNSET and bool(metadata.get("generateName"))


def _is_kustomization(api_version: Json, name: str) -> bool:
    if api_version is None:
        # A kustomization needs neither apiVersion nor kind, because its file has a fixed name.
        return Path(name).name in KUSTOMIZATIONS
    return is_kustomize_api(api_version)


def _read_all(paths: Sequence[str], plain: PlainFiles, exclude: Sequence[FileGlob]) -> Iterator[_File]:
    for path in dict.fromkeys(paths):
        if path == "-":
            yield _File(STDIN, _stdin(), is_named=True, path=path)
        elif _is_folder(path):
            yield from _read_folder(path, path, plain, exclude)
        elif not is_excluded(path, exclude):
            file = Path(path)
            if stands_for_folder(file, _reader(file.parent)):
                yield from _read_folder(str(file.parent), path, plain, exclude)
            else:
                yield _File(path, _documents(file, plain, named=True), is_named=True, path=path)


def _is_folder(path: str) -> bool:
    """Returns whether a path is a folder, not a file.

    Raises:
        UsageError: It does not exist, or may not be looked at.
    """
    try:
        mode = mode_of(Path(path))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    if mode is None:
        raise UsageError(f"{path}: no such file or folder")
    return stat.S_ISDIR(mode)


def _each_once(files: Iterable[_File], other_paths: dict[str, list[str]]) -> Iterator[_File]:
    """Leaves out files that an earlier path of the user has too: their documents are the same, not defined twice.

    Args:
        files: The files of all paths.
        other_paths: Gets the paths whose files are left out, by the name of the file that is not.
    """
    first: dict[str, tuple[str, str | None]] = {}
    for file in files:
        name, path = first.setdefault(os.path.realpath(file.name), (file.name, file.path))
        if path == file.path:
            yield file
        elif file.path is not None and file.path not in other_paths.setdefault(name, []):
            other_paths[name].append(file.path)


def _read_folder(as_written: str, path: str, plain: PlainFiles, exclude: Sequence[FileGlob]) -> Iterator[_File]:
    """Reads the files of a folder, for the path of the user that is or names it."""
    folder = Path(as_written)
    errors: list[OSError] = []
    links: list[str] = []
    files = files_below(folder, exclude, errors.append, links.append)
    every = partial(files_below, folder, on_error=lambda _: None) if exclude else None
    selected = select_files(as_written, files, _reader(folder), every)
    unread = [ManifestError(f"{error.filename}: cannot be read: {error.strerror}") for error in errors]
    folder_links = [str(folder / name) for name in sorted(links)]
    yield _File(as_written, [*unread, *selected.errors], path=path, folder_links=folder_links)
    for name in sorted(selected.files, key=path_order):
        file = folder / name
        by_kustomization = name in selected.by_kustomization
        documents = _documents(file, plain, by_kustomize=by_kustomization)
        documents = check_kustomize_output(documents, str(file)) if by_kustomization else documents
        yield _File(str(file), documents, path=path)


def _stdin() -> Iterator[Document | ManifestError]:
    try:
        text = read_stream(standard_input())
    except OSError as error:
        yield ManifestError(f"standard input: cannot be read: {error.strerror}")
    else:
        yield from read_valid_documents(text, STDIN)


def _documents(
    file: Path, plain: PlainFiles, *, named: bool = False, by_kustomize: bool = False
) -> Iterator[Document | ManifestError]:
    content = plain.pop(file, None)
    if content is not None:
        yield from number_documents(orjson.loads(content))
        return
    try:
        text = _bytes(file, named=named)
    except ManifestError as error:
        yield error
    else:
        yield from read_valid_documents(text, str(file), by_kustomize=by_kustomize)


def _reader(folder: Path) -> ReadFile:
    return lambda name: _bytes(folder / name)


def _bytes(file: Path, *, named: bool = False) -> bytes:
    try:
        return read_file(file, named=named)
    except OSError as error:
        raise ManifestError(f"{file}: cannot be read: {error.strerror}") from None


def _objects(document: Document) -> Iterator[Json]:
    """Yields the value of a document, or the items of a list. They may be anything."""
    value = document.value
    if isinstance(value, dict) and _is_list(value):
        for item in value["items"] or []:
            # The items of a typed list may leave out apiVersion and kind.
            yield {**_item_type(value), **item} if isinstance(item, dict) else item
    else:
        yield value


def _item_type(value: Object) -> Object:
    kind, api_version = str(value["kind"]).removesuffix("List"), value.get("apiVersion")
    return {"apiVersion": api_version, "kind": kind} if kind and isinstance(api_version, str) else {}


def _is_list(value: Object) -> bool:
    kind = value.get("kind")
    return isinstance(kind, str) and kind.endswith("List") and isinstance(value.get("items", 0), list | None)


def _manifest(body: Object, document: Document, file: _File, place: str) -> Manifest:
    metadata = as_object(body.get("metadata"))
    api_version = _word(body.get("apiVersion"), "apiVersion", place)
    kind = _word(body.get("kind"), "kind", place)
    may_be_secret = is_secret(api_version, kind)
    object_name = _name(metadata.get("name"), "metadata.name", place, strict=may_be_secret)
    namespace = metadata.get("namespace")
    namespace = None if namespace in _UNSET else _name(namespace, "metadata.namespace", place, strict=may_be_secret)
    return Manifest(
        api_version=api_version,
        kind=kind,
        namespace=namespace,
        name=object_name,
        source=Source(file.name, document.number, document.line),
        content=redact_secret(body) if may_be_secret else PackedObject.pack(body),
        origins=() if file.path is None else (file.path,),
    )


# These messages do not quote values: a misplaced value may belong to a Secret.


def _name(value: Json, field: str, position: str, *, strict: bool) -> str:
    name = _string(value, field, position)
    if strict and not is_name(example_name(name)):
        raise ManifestError(
            f"{position}: {field} is not a valid name for a Secret (lower-case letters, digits, - and .)"
        )
    return name


def _word(value: Json, field: str, position: str) -> str:
    word = _string(value, field, position)
    if len(word.split()) != 1 or not word.isprintable():
        raise ManifestError(f"{position}: {field} must be one word; is the line below it indented too far?")
    return word


def _string(value: Json, field: str, position: str) -> str:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, Incomparable):
        raise ManifestError(
            f"{position}: {field} is {value.reason}, so the object is not known; encrypt only its values "
            "(encrypted_regex), or leave the file out with --exclude"
        )
    raise ManifestError(
        f"{position}: {field} {'is missing' if value in _UNSET else f'must be a string, not {_type(value)}'}"
    )


def _type(value: Json) -> str:
    if isinstance(value, bool):
        return "a boolean"
    return "a number" if isinstance(value, int | float) else "a list" if isinstance(value, list) else "a mapping"
