"""Recognizes kustomizations and Helm charts, whose files are not the manifests that are applied.

A kustomization that only lists files needs no build: the listed files are the manifests. Other kustomizations must be
built with kustomize, and charts rendered with Helm, before they can be compared.
"""

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from posixpath import normpath
from typing import Final, TypeVar

from drift.documents import Document
from drift.documents.files import files_below, has_ending, is_file, is_folder, read_file
from drift.documents.parse import read_documents
from drift.errors import ManifestError, UsageError
from drift.model import SourceKind
from drift.objects import Json, as_object, at
from drift.words import first_few

#: The file names that kustomize looks for, in its order.
KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
CHART: Final = "Chart.yaml"
_GROUP: Final = "kustomize.config.k8s.io/"
#: The fields of a kustomization that only lists files.
LIST_ONLY_FIELDS: Final = frozenset({"apiVersion", "kind", "metadata", "resources"})
#: Objects with this annotation are input for kustomize functions. kustomize does not output them.
_LOCAL_CONFIG: Final = "config.kubernetes.io/local-config"
#: Maximum number of folders in one message.
_MAX_NAMED: Final = 20

_T = TypeVar("_T")

#: Returns the bytes of a file by its path relative to the folder.
ReadFile = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class SelectedFiles:
    """The files of a folder that contain manifests.

    Attributes:
        files: Paths relative to the folder, sorted.
        by_kustomization: The files that a kustomization lists.
        errors: Kustomizations that cannot be read. What they list is not read either.
    """

    files: tuple[str, ...]
    by_kustomization: frozenset[str]
    errors: tuple[ManifestError, ...]


def kind_of_path(path: str) -> SourceKind:
    """Returns how a path is read. A kustomization that only lists files is read as these files."""
    if path == "-":
        return SourceKind.FILES
    folder = folder_of(path)
    if is_chart(folder):
        return SourceKind.HELM_CHART
    if is_folder(folder) and has_kustomization(folder):
        try:
            if not _is_list_only(path, files_below(folder), lambda name: read_file(folder / name)):
                return SourceKind.KUSTOMIZE
        except OSError:
            # Reading the files reports the error.
            return SourceKind.FILES
    return SourceKind.FILES


def folder_of(path: str) -> Path:
    """Returns the folder of a kustomization or chart that is named by its file, else the path itself."""
    file = Path(path)
    return file.parent if file.name in {*KUSTOMIZATIONS, CHART} and is_file(file) else file


def is_chart(path: Path) -> bool:
    """Returns whether a path is the folder or the archive of a chart."""
    return is_file(path / CHART) or (is_file(path) and path.name.endswith((".tgz", ".tar.gz")))


def has_kustomization(folder: Path) -> bool:
    """Returns whether a folder has a file with one of the names that kustomize looks for."""
    return any(is_file(folder / name) for name in KUSTOMIZATIONS)


def with_longest_name(named: Iterable[tuple[str | None, _T]], name: str) -> list[_T]:
    """Returns those that may have had the name of an object before kustomize put a prefix, suffix or hash around it.

    Args:
        named: Each with its name, or None.
        name: The name of the object as kustomize built it.

    Returns:
        Those with the longest name that is a part of it, in their order: of ``web`` and ``web-canary``, only the second
        may have become ``prod-web-canary``.
    """
    found = [(len(part), one) for part, one in named if part and part in name]
    longest = max((length for length, _ in found), default=0)
    return [one for length, one in found if length == longest]


def named_paths(kustomization: Json) -> Iterator[str]:
    """Yields every text of a kustomization that may be a path, including the path of ``key=path``."""
    if isinstance(kustomization, dict | list):
        for item in kustomization.values() if isinstance(kustomization, dict) else kustomization:
            yield from named_paths(item)
    elif isinstance(kustomization, str) and "\n" not in kustomization:
        yield from filter(None, {kustomization, kustomization.rpartition("=")[2]})


def is_kustomize_api(api_version: Json) -> bool:
    """Returns whether an apiVersion belongs to kustomize. That of Flux's Kustomization, a cluster object, does not."""
    return isinstance(api_version, str) and api_version.startswith(_GROUP)


def select_files(
    folder: str, files: Collection[str], read: ReadFile, every: Callable[[], Collection[str]] | None = None
) -> SelectedFiles:
    """Selects the files of a folder that contain manifests.

    Args:
        folder: As the user named it, for messages.
        files: The files below the folder, as relative paths with ``/``.
        read: Reads a file.
        every: Returns the files with those that the user excludes; None if that is nothing.

    Raises:
        UsageError: A subfolder must be rendered first, and the message names the command; or what the user excludes is
            a part of a kustomization.
    """
    try:
        return _Selector(folder, files, read).select()
    except UsageError:
        parts = [] if every is None else _excluded_parts(folder, files, read, every())
        if not parts:
            raise
        named = first_few([shlex.quote(normpath(f"{folder}/{part}")) for part in parts], _MAX_NAMED)
        raise UsageError(
            f"exclude cannot leave out what a kustomization lists: {named}; exclude the whole folder of the "
            "kustomization, or exclude nothing of it and ignore the objects with a rule in drift.yaml"
        ) from None


def _excluded_parts(folder: str, files: Collection[str], read: ReadFile, every: Collection[str]) -> list[str]:
    """Returns the excluded files that kustomizations list, if these only list files."""
    try:
        selected = _Selector(folder, every, read).select()
    except UsageError:
        return []
    return sorted(selected.by_kustomization.difference(files))


def _is_list_only(folder: str, files: Collection[str], read: ReadFile) -> bool:
    """Returns whether the kustomization of a folder, if it has one, only lists files, which can be read as they are."""
    selector = _Selector(folder, files, read)
    if not selector.has_root:
        return True
    try:
        selected = selector.select()
    except UsageError:
        return False
    # kustomize leaves out some objects; the search may find the word elsewhere, which only costs a build.
    return not any(_LOCAL_CONFIG.encode() in read(name) for name in selected.by_kustomization)


def check_kustomize_output(
    documents: Iterable[Document | ManifestError], file: str
) -> Iterator[Document | ManifestError]:
    """Returns the documents of a file that a kustomization lists, and the errors of those that cannot be read.

    Raises:
        UsageError: kustomize would leave out one of them.
    """
    for document in documents:
        if isinstance(document, Document) and _is_local_config(document.value):
            folder = shlex.quote(str(PurePath(file).parent))
            raise UsageError(
                f"{file}:{document.line}: kustomize leaves out objects with the annotation {_LOCAL_CONFIG}; "
                f"compare its output: kubectl kustomize {folder} | drift report -"
            )
        yield document


def _is_local_config(value: Json) -> bool:
    pending = [value]
    while pending:
        body = pending.pop()
        if not isinstance(body, dict):
            continue
        if _LOCAL_CONFIG in as_object(at(body, "metadata", "annotations")):
            return True
        items = body.get("items")
        pending += items if isinstance(items, list) else []
    return False


def stands_for_folder(file: Path, read: ReadFile) -> bool:
    """Returns whether a file that the user names is a kustomization or the description of a chart.

    Args:
        file: The file.
        read: Reads a file of its folder.
    """
    if file.name not in KUSTOMIZATIONS:
        return file.name == CHART
    return _Selector(str(file.parent), {file.name}, read).has_kustomization


class _Selector:
    """Selects the files of one folder. Folders are relative paths, "" for the folder itself."""

    def __init__(self, folder: str, files: Collection[str], read: ReadFile) -> None:
        self._folder = folder
        self._files = frozenset(files)
        self._read = read
        self._render_commands: dict[str, str] = {}
        self._by_kustomization: set[str] = set()
        self._kustomizations: dict[str, list[str]] = {}
        self._errors: dict[str, ManifestError] = {}
        for file in sorted(self._files):
            parent, name = _split(file)
            if name in KUSTOMIZATIONS and not self._has_objects(file):
                self._kustomizations.setdefault(parent, []).append(file)

    @property
    def has_kustomization(self) -> bool:
        """Whether the folder contains a kustomization."""
        return bool(self._kustomizations)

    @property
    def has_root(self) -> bool:
        """Whether the folder itself has a kustomization."""
        return "" in self._kustomizations

    def select(self) -> SelectedFiles:
        charts = sorted(parent for parent, name in map(_split, self._files) if name == CHART)
        # The outermost kustomizations. One below is read only if one of these lists it.
        roots = [folder for folder in sorted(self._kustomizations) if not _is_below(folder, self._kustomizations)]
        for chart in charts:
            if not _is_below(chart, charts) and not _is_below(chart, roots):
                self._render_commands[chart] = f"drift report {self._path(chart)}"
        for root in roots:
            seen: set[str] = set()
            is_of_chart = _is_in_or_below(root, charts)
            if not is_of_chart and not self._resolve(root, seen) and seen.isdisjoint(self._errors):
                self._render_commands[root] = f"drift report {self._path(root)}"
        if self._render_commands:
            raise UsageError(self._message())
        outside = {file for file in self._files if has_ending(file) and not _is_in_or_below(_split(file)[0], roots)}
        kustomizations = {file for root in roots if root not in self._errors for file in self._kustomizations[root]}
        files = outside | kustomizations | self._by_kustomization
        return SelectedFiles(tuple(sorted(files)), frozenset(self._by_kustomization), tuple(self._errors.values()))

    def _resolve(self, folder: str, seen: set[str]) -> bool:
        """Selects what the kustomization of a folder lists. Returns False if it must be built with kustomize."""
        if folder in seen:
            return True
        seen.add(folder)
        resources = self._resources(folder)
        if resources is None:
            return False
        self._by_kustomization.update(path for path in resources if path in self._files)
        return all(self._resolve(path, seen) for path in resources if path not in self._files)

    def _resources(self, folder: str) -> Sequence[str] | None:
        """Returns the files and folders that a kustomization lists, or None if it does anything else."""
        kustomizations = self._kustomizations.get(folder, [])
        if len(kustomizations) != 1:
            return None
        value = self._only_document(kustomizations[0])
        if not isinstance(value, dict) or not value.keys() <= LIST_ONLY_FIELDS:
            return None
        if value.get("kind", "Kustomization") != "Kustomization" or not is_kustomize_api(
            value.get("apiVersion", _GROUP)
        ):
            return None
        resources = value.get("resources")
        # kustomize refuses to build an empty kustomization.
        if not isinstance(resources, list) or not resources or not all(isinstance(name, str) for name in resources):
            return None
        paths = ["" if path == "." else path for path in (normpath(f"{folder or '.'}/{name}") for name in resources)]
        return paths if all(path in self._files or path in self._kustomizations for path in paths) else None

    def _only_document(self, file: str) -> Json:
        documents = self._documents(file)
        # kustomize refuses a repeated key.
        return documents[0].value if len(documents) == 1 and not documents[0].repeated_keys else None

    def _documents(self, file: str) -> Sequence[Document]:
        try:
            return list(read_documents(self._read(file), normpath(f"{self._folder}/{file}")))
        except ManifestError as error:
            self._errors[_split(file)[0]] = error
            return ()

    def _has_objects(self, file: str) -> bool:
        """Whether a file with the name of a kustomization contains cluster objects, such as Flux's Kustomization."""
        documents = self._documents(file)
        return bool(documents) and all(
            isinstance(document.value, dict)
            and isinstance(document.value.get("apiVersion"), str)
            and not is_kustomize_api(document.value["apiVersion"])
            for document in documents
        )

    def _path(self, path: str) -> str:
        return shlex.quote(normpath(f"{self._folder}/{path}") if path else self._folder)

    def _message(self) -> str:
        commands = [self._render_commands[folder] for folder in sorted(self._render_commands)]
        named = "; ".join(commands[:_MAX_NAMED])
        more = len(commands) - _MAX_NAMED
        rest = f"; and {more} more" if more > 0 else ""
        return (
            f"{self._folder}: contains kustomizations or Helm charts, whose files are not what is deployed; name those "
            f"that are deployed, or use --flux or --argocd: {named}{rest}"
        )


def _split(file: str) -> tuple[str, str]:
    folder, _, name = file.rpartition("/")
    return folder, name


def _is_in_or_below(folder: str, others: Collection[str]) -> bool:
    return folder in others or _is_below(folder, others)


def _is_below(folder: str, others: Collection[str]) -> bool:
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in others:
            return True
    return False
