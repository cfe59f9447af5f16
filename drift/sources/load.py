"""Files, folders and standard input into `Manifest` objects, each with the place it was read from.

Which files count is kubectl's rule: those ending in .yaml, .yml or .json, folders descended into in sorted order.
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
    is_kustomize_api,
    kept_by_kustomize,
    select_files,
)
from drift.sources.parallel import ParallelReader, Plain


@dataclass(frozen=True, slots=True)
class LoadedManifests:
    """What was read.

    Attributes:
        manifests: In the order of the paths and files.
        skipped: Files and documents that are no manifests, one sentence each.
        unnamed: Manifests that cannot be looked for, as they have no name but get one at each sync; a sentence each.
        paths: As the user named them; empty for texts that are no files.
    """

    manifests: tuple[Manifest, ...]
    skipped: tuple[str, ...]
    unnamed: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


def load_manifests(paths: Sequence[str], ahead: ParallelReader | None = None) -> LoadedManifests:
    """Reads every manifest below the given paths.

    Args:
        paths: Files, folders, or ``-`` for standard input.
        ahead: Files that are being read already.

    Raises:
        UsageError: A path does not exist, or no manifest was found at all.
        ManifestError: A file cannot be read as manifests.
    """
    loaded = _load(_read_all(paths, {} if ahead is None else ahead.plain()))
    if not loaded.manifests and not loaded.unnamed:
        raise UsageError(f"no manifest found in {', '.join(paths)} (looked at files ending in .yaml, .yml and .json)")
    return replace(loaded, paths=tuple(paths))


def load_texts(texts: Iterable[tuple[str, bytes]]) -> LoadedManifests:
    """Reads manifests from texts.

    Args:
        texts: The name of each, for messages, and its content.

    Raises:
        ManifestError: A text cannot be read as manifests.
    """
    return _load((name, read_documents(text, name)) for name, text in texts)


def _load(files: Iterable[tuple[str, Iterable[Document]]]) -> LoadedManifests:
    manifests: list[Manifest] = []
    skipped: list[str] = []
    unnamed: list[str] = []
    for name, documents in files:
        for document in documents:
            for body in _objects(document, name):
                api_version = body.get("apiVersion")
                if _is_for_kustomize(api_version, name):
                    skipped.append(f"{name}:{document.line}: Kustomization is for kustomize, not for the cluster")
                elif _gets_its_name_later(body):
                    hook = hook_of(body)
                    what = f"it is a hook ({hook}) with" if hook else "it has"
                    kind = _word(body.get("kind"), "kind", f"{name}:{document.line}:1")
                    unnamed.append(
                        f"{name}:{document.line}: {kind} is not compared: {what} generateName, "
                        "so each sync creates another object"
                    )
                else:
                    manifests.append(_manifest(body, document, name))
    return LoadedManifests(tuple(manifests), tuple(skipped), tuple(unnamed))


def _gets_its_name_later(body: Object) -> bool:
    metadata = body.get("metadata")
    return isinstance(metadata, dict) and "name" not in metadata and bool(metadata.get("generateName"))


def _is_for_kustomize(api_version: Json, name: str) -> bool:
    if api_version is None:
        # kustomize lets its own file, which has a fixed name, do without apiVersion and kind.
        return Path(name).name in KUSTOMIZATIONS
    return is_kustomize_api(api_version)


def _read_all(paths: Sequence[str], plain: Plain) -> Iterator[tuple[str, Iterable[Document]]]:
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


def _read_path(path: Path, as_written: str, plain: Plain) -> Iterator[tuple[str, Iterable[Document]]]:
    if not path.exists():
        raise UsageError(f"{as_written}: no such file or folder")
    if not path.is_dir():
        if path.name in {*KUSTOMIZATIONS, CHART}:
            folder = path.parent
            check_file(str(folder), path.name, files_below(folder), lambda name: _bytes(folder / name))
        yield _documents(path, plain, named=True)
        return
    listed = select_files(as_written, files_below(path), lambda name: _bytes(path / name))
    for name in sorted(listed.files, key=Path):
        file, documents = _documents(path / name, plain)
        is_listed = name in listed.by_kustomization
        yield file, kept_by_kustomize(documents, file) if is_listed else documents


def _documents(file: Path, plain: Plain, *, named: bool = False) -> tuple[str, Iterable[Document]]:
    read = plain.pop(file, None)
    if read is not None:
        return str(file), number_documents(read)
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
    place = f"{name}:{document.line}:1"
    if not isinstance(value, dict):
        raise ManifestError(f"{place}: not a Kubernetes object (a mapping with apiVersion and kind)")
    if _is_list(value):
        for item in value["items"] or []:
            if not isinstance(item, dict):
                raise ManifestError(f"{place}: an item of the list is not an object")
            # The items of a typed list may leave out what the list says of them all.
            yield {**_said_by_list(value), **item}
    else:
        yield value


def _said_by_list(value: Object) -> Object:
    kind, api_version = str(value["kind"]).removesuffix("List"), value.get("apiVersion")
    return {"apiVersion": api_version, "kind": kind} if kind and isinstance(api_version, str) else {}


def _is_list(value: Object) -> bool:
    kind = value.get("kind")
    return isinstance(kind, str) and kind.endswith("List") and isinstance(value.get("items", 0), list | None)


def _manifest(body: Object, document: Document, name: str) -> Manifest:
    place = f"{name}:{document.line}:1"
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    api_version = _word(body.get("apiVersion"), "apiVersion", place)
    kind = _word(body.get("kind"), "kind", place)
    may_be_secret = is_secret(api_version, kind)
    object_name = _name(metadata.get("name"), "metadata.name", place, strict=may_be_secret)
    namespace = metadata.get("namespace")
    if namespace is not None:
        namespace = _name(namespace, "metadata.namespace", place, strict=may_be_secret)
    return Manifest(
        api_version=api_version,
        kind=kind,
        namespace=namespace,
        name=object_name,
        source=Source(name, document.number, document.line),
        body=redact_secret(body) if may_be_secret else body,
    )


# The values are not quoted in these messages: where one stands in the wrong place, it may be a Secret's.


def _name(value: Json, field: str, place: str, *, strict: bool) -> str:
    name = _string(value, field, place)
    if strict and not is_name(name):
        raise ManifestError(
            f"{place}: {field} is not a name that a Secret can have (lower case letters, digits, - and .)"
        )
    return name


def _word(value: Json, field: str, place: str) -> str:
    word = _string(value, field, place)
    if len(word.split()) != 1 or not word.isprintable():
        raise ManifestError(f"{place}: {field} must be one word; is the line below it indented too far?")
    return word


def _string(value: Json, field: str, place: str) -> str:
    if isinstance(value, str) and value:
        return value
    raise ManifestError(
        f"{place}: {field} {'is missing' if value in (None, '') else f'must be a string, not {_type(value)}'}"
    )


def _type(value: Json) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a number" if isinstance(value, int | float) else "a list" if isinstance(value, list) else "a mapping"
