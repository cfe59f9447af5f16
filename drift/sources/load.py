"""Reads manifests from files, folders and standard input.

Like kubectl, it reads files ending in .yaml, .yml or .json, and descends into folders in sorted order.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from drift.documents.files import files_below, read_file, read_stream
from drift.documents.parse import Document, number_documents, read_documents
from drift.errors import ManifestError, UsageError
from drift.gitops.hooks import hook_of
from drift.model import Json, Manifest, Object, Source
from drift.redaction import is_name, is_secret, redact_secret
from drift.sources.kustomizations import (
    CHART,
    KUSTOMIZATIONS,
    check_file,
    check_kustomize_output,
    is_kustomize_api,
    select_files,
)
from drift.sources.parallel import ParallelReader, PlainFiles


@dataclass(frozen=True, slots=True)
class LoadedManifests:
    """The manifests that were read.

    Attributes:
        manifests: In the order of the paths and files.
        skipped: Documents that are not manifests, a sentence each.
        unnamed: Manifests with ``generateName``, which create another object with each sync, a sentence each.
        paths: As the user named them; empty for `load_texts`.
    """

    manifests: tuple[Manifest, ...]
    skipped: tuple[str, ...]
    unnamed: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


def load_manifests(paths: Sequence[str], reader: ParallelReader | None = None) -> LoadedManifests:
    """Reads all manifests below some paths.

    Args:
        paths: Files, folders, or ``-`` for standard input.
        reader: Files that a second process reads already.

    Raises:
        UsageError: A path does not exist, or there is no manifest.
        ManifestError: A file cannot be read as manifests.
    """
    loaded = load_documents(_read_all(paths, {} if reader is None else reader.read()))
    if not loaded.manifests and not loaded.unnamed:
        raise UsageError(f"no manifest found in {', '.join(paths)} (looked at files ending in .yaml, .yml and .json)")
    return replace(loaded, paths=tuple(paths))


def load_texts(texts: Iterable[tuple[str, bytes]]) -> LoadedManifests:
    """Reads manifests from texts.

    Args:
        texts: The name of each text, for messages, and its bytes.

    Raises:
        ManifestError: A text cannot be read as manifests.
    """
    return load_documents((name, read_documents(text, name)) for name, text in texts)


def load_documents(files: Iterable[tuple[str, Iterable[Document]]]) -> LoadedManifests:
    """Reads manifests from parsed documents, for example those that a program rendered.

    Args:
        files: The documents, by the name of the file that describes them.

    Raises:
        ManifestError: A document is not a manifest.
    """
    manifests: list[Manifest] = []
    skipped: list[str] = []
    unnamed: list[str] = []
    for name, documents in files:
        for document in documents:
            for body in _objects(document, name):
                position = f"{name}:{document.line}"
                if _is_kustomization(body.get("apiVersion"), name):
                    skipped.append(f"{position}: this Kustomization is input for kustomize, not a cluster object")
                elif _has_generated_name(body):
                    hook = hook_of(body)
                    reason = f"is a hook ({hook}) with" if hook else "has"
                    kind = _word(body.get("kind"), "kind", f"{position}:1")
                    problem = f"it {reason} generateName, so each sync creates another object"
                    unnamed.append(f"{position}: {kind} is not compared: {problem}")
                else:
                    manifests.append(_manifest(body, document, name))
    return LoadedManifests(tuple(manifests), tuple(skipped), tuple(unnamed))


def _has_generated_name(body: Object) -> bool:
    metadata = body.get("metadata")
    return isinstance(metadata, dict) and "name" not in metadata and bool(metadata.get("generateName"))


def _is_kustomization(api_version: Json, name: str) -> bool:
    if api_version is None:
        # A kustomization needs neither apiVersion nor kind, because its file has a fixed name.
        return Path(name).name in KUSTOMIZATIONS
    return is_kustomize_api(api_version)


def _read_all(paths: Sequence[str], plain: PlainFiles) -> Iterator[tuple[str, Iterable[Document]]]:
    for path in paths:
        if path == "-":
            yield "<stdin>", read_documents(_stdin(), "<stdin>")
        else:
            yield from _read_path(Path(path), path, plain)


def _stdin() -> bytes:
    try:
        return read_stream(sys.stdin.buffer)
    except OSError as error:
        raise ManifestError(f"standard input: cannot be read: {error.strerror}") from None


def _read_path(path: Path, as_written: str, plain: PlainFiles) -> Iterator[tuple[str, Iterable[Document]]]:
    if not path.exists():
        raise UsageError(f"{as_written}: no such file or folder")
    if not path.is_dir():
        if path.name in {*KUSTOMIZATIONS, CHART}:
            folder = path.parent
            check_file(str(folder), path.name, files_below(folder), lambda name: _bytes(folder / name))
        yield _documents(path, plain, named=True)
        return
    selected = select_files(as_written, files_below(path), lambda name: _bytes(path / name))
    for name in sorted(selected.files, key=Path):
        file, documents = _documents(path / name, plain)
        by_kustomization = name in selected.by_kustomization
        yield file, check_kustomize_output(documents, file) if by_kustomization else documents


def _documents(file: Path, plain: PlainFiles, *, named: bool = False) -> tuple[str, Iterable[Document]]:
    documents = plain.pop(file, None)
    if documents is not None:
        return str(file), number_documents(documents)
    return str(file), read_documents(_bytes(file, named=named), str(file))


def _bytes(file: Path, *, named: bool = False) -> bytes:
    try:
        return read_file(file, named=named)
    except OSError as error:
        raise ManifestError(f"{file}: cannot be read: {error.strerror}") from None


def _objects(document: Document, name: str) -> Iterator[Object]:
    value = document.value
    if value is None:
        return
    position = f"{name}:{document.line}:1"
    if not isinstance(value, dict):
        raise ManifestError(f"{position}: not a Kubernetes object (a mapping with apiVersion and kind)")
    if _is_list(value):
        for item in value["items"] or []:
            if not isinstance(item, dict):
                raise ManifestError(f"{position}: an item of the list is not an object")
            # The items of a typed list may leave out apiVersion and kind.
            yield {**_item_type(value), **item}
    else:
        yield value


def _item_type(value: Object) -> Object:
    kind, api_version = str(value["kind"]).removesuffix("List"), value.get("apiVersion")
    return {"apiVersion": api_version, "kind": kind} if kind and isinstance(api_version, str) else {}


def _is_list(value: Object) -> bool:
    kind = value.get("kind")
    return isinstance(kind, str) and kind.endswith("List") and isinstance(value.get("items", 0), list | None)


def _manifest(body: Object, document: Document, name: str) -> Manifest:
    position = f"{name}:{document.line}:1"
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    api_version = _word(body.get("apiVersion"), "apiVersion", position)
    kind = _word(body.get("kind"), "kind", position)
    may_be_secret = is_secret(api_version, kind)
    object_name = _name(metadata.get("name"), "metadata.name", position, strict=may_be_secret)
    namespace = metadata.get("namespace")
    if namespace is not None:
        namespace = _name(namespace, "metadata.namespace", position, strict=may_be_secret)
    return Manifest(
        api_version=api_version,
        kind=kind,
        namespace=namespace,
        name=object_name,
        source=Source(name, document.number, document.line),
        body=redact_secret(body) if may_be_secret else body,
    )


# These messages do not quote values: a misplaced value may belong to a Secret.


def _name(value: Json, field: str, position: str, *, strict: bool) -> str:
    name = _string(value, field, position)
    if strict and not is_name(name):
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
    raise ManifestError(
        f"{position}: {field} {'is missing' if value in (None, '') else f'must be a string, not {_type(value)}'}"
    )


def _type(value: Json) -> str:
    if isinstance(value, bool):
        return "a boolean"
    return "a number" if isinstance(value, int | float) else "a list" if isinstance(value, list) else "a mapping"
