"""Finds the local files from which sources are rendered, so that a watch notices when one of them changes."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from drift.config.settings import RequestKind, SourceRequest
from drift.documents.files import files_below, read_file
from drift.documents.parse import read_documents
from drift.errors import DriftError
from drift.model import Json, SourceKind
from drift.sources.checkouts import checkout_files
from drift.sources.kustomizations import KUSTOMIZATIONS, folder_of, kind_of_path


def rendered_files(requests: Iterable[SourceRequest], checkouts: Sequence[str]) -> tuple[str, ...]:
    """Returns the files from which sources are rendered, and folders in which any YAML or JSON file may be one.

    Other new files have no effect until one of these names them. Manifests that are read as they are do not count.

    Args:
        requests: The sources.
        checkouts: Local Git work trees, as ``PATH`` or ``URL=PATH``.
    """
    return tuple(dict.fromkeys(file for request in requests for file in _files(request, checkouts)))


def _files(request: SourceRequest, checkouts: Sequence[str]) -> Iterator[str]:
    if request.kind in {RequestKind.FLUX, RequestKind.ARGOCD}:
        yield from checkout_files(checkouts)
    elif request.kind is RequestKind.PATH:
        folder = folder_of(request.target)
        kind = kind_of_path(request.target)
        if kind is SourceKind.KUSTOMIZE:
            yield from _of_kustomization(folder)
        elif kind is SourceKind.HELM_CHART:
            yield from (str(folder), *_below(folder), *request.values)


def _below(folder: Path) -> Iterator[str]:
    with suppress(OSError):
        yield from (str(folder / name) for name in files_below(folder))


def _of_kustomization(folder: Path) -> Sequence[str]:
    """Returns the folder of a kustomization and everything outside it that it names, in any number of steps."""
    found: dict[str, None] = {}
    waiting = [str(folder)]
    while waiting:
        path = os.path.normpath(waiting.pop())
        if path not in found:
            found[path] = None
            waiting += [place for name in _named(Path(path)) if os.path.exists(place := f"{path}/{name}")]  # noqa: PTH110
    return [*found]


def _named(folder: Path) -> Iterator[str]:
    """Yields every text in the kustomization of a folder that may be a relative path, such as ``key=file``."""
    for file in KUSTOMIZATIONS:
        try:
            values = [document.value for document in read_documents(read_file(folder / file), file)]
        except (OSError, DriftError):
            continue
        for text in _texts(values):
            yield from (part for part in {text, text.rpartition("=")[2]} if part and not part.startswith("/"))


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
