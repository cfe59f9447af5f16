"""Folders whose files are not the manifests but what these are made of: kustomizations and charts.

A kustomization that does nothing but list files can be read as it is: those files are the manifests. Any other has to
be built by kustomize first, and a chart to be rendered by Helm; read raw, they would say something else than what is
applied.
"""

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from posixpath import normpath
from typing import Final

from drift.documents.files import ENDINGS
from drift.documents.parse import Document, read_documents
from drift.errors import UsageError
from drift.model import Json

#: The names that kustomize looks for.
KUSTOMIZATIONS: Final = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
CHART: Final = "Chart.yaml"
_GROUP: Final = "kustomize.config.k8s.io/"
_LISTING: Final = frozenset({"apiVersion", "kind", "metadata", "resources"})
#: Objects with this annotation are input of kustomize's functions; it does not put them out.
_LOCAL: Final = "config.kubernetes.io/local-config"
#: Folders that one message names.
_MOST_NAMED: Final = 20

#: The bytes of a file, by its path below the folder.
Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Listed:
    """What is to be read of a folder.

    Attributes:
        files: Paths below the folder, sorted.
        by_kustomization: Those of them that are read because a kustomization lists them.
    """

    files: tuple[str, ...]
    by_kustomization: frozenset[str]


def is_kustomize_api(api_version: Json) -> bool:
    """Whether an apiVersion is kustomize's own. That of Flux's Kustomization, an object of the cluster, is not."""
    return isinstance(api_version, str) and api_version.startswith(_GROUP)


def select_files(folder: str, files: Collection[str], read: Read) -> Listed:
    """The files of a folder that hold manifests.

    Args:
        folder: As the user named it, for messages.
        files: All files below it, as paths relative to it with ``/``.
        read: Reads one of them.

    Raises:
        UsageError: A folder in it has to be rendered first; names the command.
        ManifestError: A kustomization is not YAML.
    """
    return _Selection(folder, files, read).select()


def kept_by_kustomize(documents: Iterable[Document], file: str) -> Iterator[Document]:
    """The documents of a file that a kustomization lists.

    Raises:
        UsageError: One of them is among what kustomize leaves out.
    """
    for document in documents:
        if _is_local(document.value):
            folder = shlex.quote(str(PurePath(file).parent))
            raise UsageError(
                f"{file}:{document.line}: kustomize leaves out what has the annotation {_LOCAL}; "
                f"compare what it makes: kubectl kustomize {folder} | drift report -"
            )
        yield document


def _is_local(value: Json) -> bool:
    pending = [value]
    while pending:
        body = pending.pop()
        if not isinstance(body, dict):
            continue
        metadata = body.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        if isinstance(annotations, dict) and _LOCAL in annotations:
            return True
        items = body.get("items")
        pending += items if isinstance(items, list) else []
    return False


def check_file(folder: str, name: str, files: Collection[str], read: Read) -> None:
    """Refuses a file that the user named if it is a chart's, or a kustomization that does more than list files.

    Args:
        folder: That of the file.
        name: The file's name in it.
        files: As for `select_files`.
        read: As for `select_files`.

    Raises:
        UsageError: The folder has to be rendered first; names the command.
        ManifestError: The kustomization is not YAML.
    """
    if name == CHART:
        select_files(folder, {CHART}, read)
    elif name in KUSTOMIZATIONS and _Selection(folder, {name}, read).has_kustomization:
        select_files(folder, files, read)


class _Selection:
    def __init__(self, folder: str, files: Collection[str], read: Read) -> None:
        self._folder = folder
        self._files = frozenset(files)
        self._read = read
        self._to_render: dict[str, str] = {}
        self._by_kustomization: set[str] = set()
        self._kustomizations: dict[str, list[str]] = {}
        for file in sorted(self._files):
            parent, name = _split(file)
            if name in KUSTOMIZATIONS and not self._is_object(file):
                self._kustomizations.setdefault(parent, []).append(file)

    @property
    def has_kustomization(self) -> bool:
        """Whether there is any."""
        return bool(self._kustomizations)

    def select(self) -> Listed:
        charts = sorted(parent for parent, name in map(_split, self._files) if name == CHART)
        tops = [place for place in sorted(self._kustomizations) if not self._is_below(place, self._kustomizations)]
        for chart in charts:
            if not self._is_below(chart, charts) and not self._is_below(chart, tops):
                self._to_render[chart] = f"helm template RELEASE {self._path(chart)} | drift report -"
        for top in tops:
            if not self._is_below(top, charts) and top not in charts and not self._follow(top, set()):
                self._to_render[top] = f"kubectl kustomize {self._path(top)} | drift report -"
        if self._to_render:
            raise UsageError(self._message())
        free = {
            file
            for file in self._files
            if PurePath(file).suffix in ENDINGS and not self._is_governed(_split(file)[0], tops)
        }
        heads = {file for found in self._kustomizations.values() for file in found if _split(file)[0] in tops}
        return Listed(tuple(sorted(free | heads | self._by_kustomization)), frozenset(self._by_kustomization))

    def _follow(self, place: str, seen: set[str]) -> bool:
        """Takes what the kustomization of a folder lists; False where this takes kustomize."""
        if place in seen:
            return True
        seen.add(place)
        entries = self._entries(place)
        if entries is None:
            return False
        self._by_kustomization.update(path for path in entries if path in self._files)
        return all(self._follow(path, seen) for path in entries if path not in self._files)

    def _entries(self, place: str) -> Sequence[str] | None:
        """The files and folders that a kustomization lists; None where it does anything else, or is none."""
        found = self._kustomizations.get(place, [])
        if len(found) != 1:
            return None
        value = self._only_document(found[0])
        if not isinstance(value, dict) or not value.keys() <= _LISTING:
            return None
        if value.get("kind", "Kustomization") != "Kustomization" or not is_kustomize_api(
            value.get("apiVersion", _GROUP)
        ):
            return None
        entries = value.get("resources")
        # kustomize builds nothing of a kustomization that is empty.
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, str) for entry in entries):
            return None
        paths = ["" if path == "." else path for path in (normpath(f"{place or '.'}/{entry}") for entry in entries)]
        return paths if all(path in self._files or path in self._kustomizations for path in paths) else None

    def _only_document(self, file: str) -> Json:
        documents = [document.value for document in read_documents(self._read(file), self._path(file))]
        return documents[0] if len(documents) == 1 else None

    def _is_object(self, file: str) -> bool:
        """Whether a file that is called like a kustomization holds objects, such as Flux's Kustomization."""
        documents = list(read_documents(self._read(file), self._path(file)))
        return bool(documents) and all(
            isinstance(document.value, dict)
            and isinstance(document.value.get("apiVersion"), str)
            and not is_kustomize_api(document.value["apiVersion"])
            for document in documents
        )

    def _is_governed(self, place: str, tops: Collection[str]) -> bool:
        """Whether a kustomization at or above a folder says what is read of it."""
        return place in tops or self._is_below(place, tops)

    @staticmethod
    def _is_below(place: str, others: Collection[str]) -> bool:
        return any(above in others for above in _above(place))

    def _path(self, path: str) -> str:
        return shlex.quote(normpath(f"{self._folder}/{path}") if path else self._folder)

    def _message(self) -> str:
        commands = [self._to_render[place] for place in sorted(self._to_render)]
        named = "; ".join(commands[:_MOST_NAMED])
        more = len(commands) - _MOST_NAMED
        rest = f"; and {more} more" if more > 0 else ""
        return (
            f"{self._folder}: holds what has to be rendered before it can be compared, a kustomization that does more "
            f"than list files or a chart: {named}{rest}"
        )


def _split(file: str) -> tuple[str, str]:
    folder, _, name = file.rpartition("/")
    return folder, name


def _above(place: str) -> Iterator[str]:
    while place:
        place = place.rpartition("/")[0]
        yield place
