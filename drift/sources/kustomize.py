"""Builds a folder with a kustomization, as ``kustomize build`` does, and finds the file of each object.

kustomize says where an object comes from if its kustomization asks for it. So that no file of the user is changed, the
folder is built through another kustomization in a temporary folder, which lists only the folder and asks for origins
and for the kustomizations that changed the object. These annotations are removed again before it is compared.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Final

from drift.documents.exact_yaml import locate
from drift.documents.files import read_file
from drift.documents.parse import read_documents
from drift.errors import DriftError, SourceError
from drift.objects import Json, Manifest, Object, Source, as_object, at, objects_at, text_at, texts_at
from drift.sources.kustomizations import KUSTOMIZATIONS, has_kustomization, named_paths
from drift.sources.load import load_documents
from drift.sources.programs import Program, Runner
from drift.sources.scratch import temporary_folder

_ORIGIN: Final = "config.kubernetes.io/origin"
_TRANSFORMATIONS: Final = "alpha.config.kubernetes.io/transformations"
#: The annotations in which kustomize says where an object comes from and what changed it, if ``buildMetadata`` asks.
ANNOTATIONS: Final = {"originAnnotations": _ORIGIN, "transformerAnnotations": _TRANSFORMATIONS}
_GENERATED_ENDINGS: Final = frozenset({".yaml", ".yml"})
#: The fields of a kustomization that list generators, by the kind that origins give.
_GENERATORS: Final = {"ConfigMapGenerator": "configMapGenerator", "SecretGenerator": "secretGenerator"}


@dataclass(frozen=True, slots=True)
class Built:
    """What kustomize printed. It contains the values of Secrets.

    Attributes:
        output: The objects as YAML, each with its origin as an annotation.
        folder: The folder that was built, without links.
        root: The folder to which the files of origins are relative.
        masked: The same with a placeholder for each value of a Secret that Flux put there; None if there is none.
        kept: The values of ``buildMetadata`` for which the kustomization of the user asks, so that they are deployed.
    """

    output: bytes = field(repr=False)
    folder: Path
    root: Path
    kept: frozenset[str] = frozenset()
    masked: bytes | None = field(default=None, repr=False)


def build(folder: Path, runner: Runner, *, any_file: bool = False) -> Built:
    """Runs kustomize.

    Args:
        folder: A folder with a kustomization.
        runner: Runs programs.
        any_file: Whether its kustomizations may read files outside their folders, as Flux allows.

    Raises:
        SourceError: No program is installed, or it fails. The message does not name the folder.
    """
    program = _program(runner)
    arguments = ["build"] if program.name == "kustomize" else ["kustomize"]
    arguments += ["--load-restrictor=LoadRestrictionsNone"] if any_file else []
    target = folder.resolve()
    kept = _build_metadata(target)
    if not kept.isdisjoint(ANNOTATIONS):
        return Built(runner.run(program, [*arguments, str(target)]), target, target, kept)
    with temporary_folder() as root:
        # JSON is YAML, and has a form for every path.
        wrapper = {"resources": [os.path.relpath(target, root)], "buildMetadata": [*ANNOTATIONS, *sorted(kept)]}
        (root / "kustomization.yaml").write_text(json.dumps(wrapper), encoding="utf-8")
        try:
            return Built(runner.run(program, [*arguments, str(root)]), target, root, kept)
        except SourceError as error:
            if "failed: " in str(error):
                # Fails again, with a message that is about the folder of the user alone.
                runner.run(program, [*arguments, str(target)])
            raise


def _program(runner: Runner) -> Program:
    program = runner.find("kustomize", "kubectl")
    if program is None:
        raise SourceError(
            "needs kustomize or kubectl, and neither is on PATH; install one of them, or pipe the built manifests "
            "from elsewhere: kustomize build | drift report -"
        )
    return program


def read_built(
    built: Built, shown: str, finish: Callable[[Object, Json], Object] | None = None
) -> tuple[Manifest, ...]:
    """Returns the manifests that kustomize printed, each with the place in the file that describes it.

    Args:
        built: The result of `build`.
        shown: The folder as the user named it. The files of manifests are named relative to it.
        finish: Changes each object before anything else reads it, given the same object of `Built.masked`, or None.

    Raises:
        SourceError: kustomize printed something that is not a manifest.
    """
    origins = _Origins(built, shown)
    manifests: list[Manifest] = []
    try:
        documents = read_documents(built.output, shown)
        masks = repeat(None) if built.masked is None else (mask.value for mask in read_documents(built.masked, shown))
        for document, mask in zip(documents, masks, strict=False):
            body = document.value
            if isinstance(body, dict):
                body = body if finish is None else finish(body, mask)
                source = origins.source(body)
                layers = origins.layers(body)
                body = _without_annotations(body, {ANNOTATIONS[name] for name in ANNOTATIONS.keys() - built.kept})
                loaded = load_documents([(source.file if source else shown, [replace(document, value=body)])])
                manifests += [replace(manifest, source=source, layers=layers) for manifest in loaded.manifests]
    except SourceError:
        raise
    except DriftError as error:
        if built.masked is not None:
            # The error may quote a value.
            raise SourceError("with the values of a Secret of substituteFrom, an object is not valid") from None
        raise SourceError(f"kustomize printed something that is not a manifest: {error}") from None
    return tuple(manifests)


def _build_metadata(folder: Path) -> frozenset[str]:
    values = (value for name in KUSTOMIZATIONS for value in _values(folder / name))
    return frozenset(item for value in values for item in texts_at(value, "buildMetadata"))


def _without_annotations(body: Object, names: Collection[str]) -> Object:
    metadata = as_object(body.get("metadata"))
    annotations = {name: text for name, text in as_object(metadata.get("annotations")).items() if name not in names}
    rest = {name: value for name, value in metadata.items() if name != "annotations"}
    return {**body, "metadata": {**rest, "annotations": annotations} if annotations else rest}


@dataclass(frozen=True, slots=True)
class _Described:
    """An object in a file: what identifies it, and where it begins."""

    group: str
    kind: str
    namespace: str
    name: str
    document: int
    line: int


class _Origins:
    """Finds the place of each object in the files that the user edits. Reads each file once.

    Args:
        built: The result of `build`.
        shown: The folder as the user named it.
    """

    def __init__(self, built: Built, shown: str) -> None:
        self._root = built.root
        self._folder = built.folder
        self._shown = shown
        self._described: dict[Path, Sequence[_Described]] = {}

    def source(self, body: Object) -> Source | None:
        """Returns the place of an object that kustomize printed; None if no local file describes it."""
        origin = as_object(_annotation(body, _ORIGIN))
        if not origin or "repo" in origin:
            return None
        path, generated_by = origin.get("path"), origin.get("configuredIn")
        if isinstance(path, str):
            return self._in_file(self._absolute(path), body)
        if isinstance(generated_by, str):
            field_name = _GENERATORS.get(str(as_object(origin.get("configuredBy")).get("kind")), "")
            return self._in_kustomization(self._absolute(generated_by), field_name, body)
        return None

    def layers(self, body: Object) -> tuple[str, ...]:
        """Returns the local files of the kustomizations that changed an object, in the order in which they did."""
        changes = objects_at({"": _annotation(body, _TRANSFORMATIONS)}, "")
        files = [str(one["configuredIn"]) for one in changes if "configuredIn" in one and "repo" not in one]
        return tuple(self._named(self._absolute(file)) for file in dict.fromkeys(files))

    def _absolute(self, path: str) -> Path:
        return Path(os.path.normpath(self._root / path))

    def _named(self, file: Path) -> str:
        return os.path.normpath(f"{self._shown}/{os.path.relpath(file, self._folder)}")

    def _in_file(self, file: Path, body: Object) -> Source:
        if file not in self._described:
            self._described[file] = _objects_in(file)
        group, kind, name = _group(body), body.get("kind"), _name(body)
        same_kind = [found for found in self._described[file] if (found.group, found.kind) == (group, kind)]

        def likeness(item: _Described) -> tuple[int, bool]:
            # kustomize may have put a prefix, a suffix or a hash around the name, and may have set the namespace.
            return len(item.name) if item.name in name else -1, item.namespace == _namespace(body)

        found = max(same_kind, key=likeness, default=None)
        return Source(self._named(file), found.document, found.line) if found else Source(self._named(file), 1, 1)

    def _in_kustomization(self, file: Path, field_name: str, body: Object) -> Source:
        text, name = _text(file), _name(body)
        generators = at(next(iter(_values(file)), None), field_name)
        names = [
            (len(text_at(generator, "name")), text_at(generator, "namespace") == _namespace(body), index)
            for index, generator in enumerate(generators if isinstance(generators, list) else ())
            if text_at(generator, "name") and text_at(generator, "name") in name
        ]
        position = (
            locate(text, (field_name, max(names)[-1], "name") if names else (field_name,)) if field_name else None
        )
        return Source(self._named(file), 1, position[0] if position else 1)


def _objects_in(file: Path) -> Sequence[_Described]:
    try:
        documents = list(read_documents(_text(file), str(file)))
    except DriftError:
        # kustomize could read it; only the line is unknown.
        return ()
    return [
        _Described(_group(body), str(body.get("kind")), _namespace(body), _name(body), document.number, document.line)
        for document in documents
        for body in (as_object(document.value), *objects_at(document.value, "items"))
    ]


def _annotation(body: Object, name: str) -> Json:
    text = text_at(body, "metadata", "annotations", name)
    return next((document.value for document in read_documents(text.encode(), name)), None)


def _values(file: Path) -> Sequence[Json]:
    try:
        return [document.value for document in read_documents(_text(file), str(file))]
    except DriftError:
        return ()


def _text(file: Path) -> bytes:
    try:
        return read_file(file)
    except OSError:
        return b""


def _group(body: Object) -> str:
    return str(body.get("apiVersion", "")).rpartition("/")[0]


def _name(body: Object) -> str:
    return str(as_object(body.get("metadata")).get("name", ""))


def _namespace(body: Object) -> str:
    return text_at(body, "metadata", "namespace")


# -- builds with another kustomization


def read_kustomization(folder: Path) -> tuple[Path, Object]:
    """Returns the file of the kustomization of a folder and the kustomization, or what Flux generates in its place."""
    for name in KUSTOMIZATIONS:
        file = folder / name
        if file.is_file():
            return file, _read(file)
    resources = [f"./{name}" for name in _resources_below(folder)]
    return folder / KUSTOMIZATIONS[0], {"resources": resources}


def add_parts(kustomization: Object, folder: Path, options: Object) -> None:
    """Adds the components and patches that an object of Flux or Argo CD names to a kustomization.

    Args:
        kustomization: It is changed.
        folder: Its folder.
        options: ``components``, ``ignoreMissingComponents`` and ``patches``.
    """
    may_be_missing = options.get("ignoreMissingComponents") is True
    components = [name for name in texts_at(options, "components") if not may_be_missing or (folder / name).exists()]
    for name, added in (("components", components), ("patches", objects_at(options, "patches"))):
        if added:
            kustomization[name] = [*(kustomization.get(name) or ()), *added]


def build_changed(root: Path, file: Path, kustomization: Object, runner: Runner, *, any_file: bool) -> Built:
    """Builds a folder of a copy with a changed kustomization.

    Args:
        root: The copy, to which the build is confined.
        file: The file of the kustomization.
        kustomization: The changed one.
        runner: Runs programs.
        any_file: As for `build`.

    Raises:
        SourceError: kustomize cannot build it, or it names a file outside the copy.
    """
    _check_paths(root, file.parent, kustomization)
    metadata = texts_at(kustomization, "buildMetadata")
    with _written(file, {**kustomization, "buildMetadata": list(dict.fromkeys([*metadata, *ANNOTATIONS]))}):
        return replace(build(file.parent, runner, any_file=any_file), kept=frozenset(metadata))


def _read(file: Path) -> Object:
    try:
        documents = list(read_documents(file.read_bytes(), file.name))
    except DriftError as error:
        raise SourceError(str(error)) from None
    return as_object(documents[0].value) if documents else {}


def _resources_below(folder: Path) -> Iterator[str]:
    """Yields what Flux lists in a generated kustomization: YAML files, and folders that have a kustomization."""
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        own = [name for name in folders if has_kustomization(here / name)]
        folders[:] = sorted(set(folders) - set(own))
        for name in sorted([*own, *(name for name in names if Path(name).suffix in _GENERATED_ENDINGS)]):
            yield (here / name).relative_to(folder).as_posix()


@contextmanager
def _written(file: Path, value: Object) -> Iterator[None]:
    """Replaces a file for the time of a build."""
    before = file.read_bytes() if file.is_file() else None
    file.write_text(json.dumps(value), encoding="utf-8")
    try:
        yield
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_bytes(before)


def _check_paths(root: Path, folder: Path, kustomization: Object) -> None:
    """Raises a SourceError if a kustomization, or one that it includes, names a file outside the repository.

    kustomize would read it, but Flux and Argo CD do not.
    """
    pending, seen = [(folder, kustomization)], {folder}
    while pending:
        here, value = pending.pop()
        for name in named_paths(value):
            path = Path(os.path.normpath(here / name))
            if not path.is_relative_to(root):
                if os.path.lexists(path):
                    raise SourceError(f"a kustomization names {name}, which is outside the repository")
            elif path not in seen and len(str(path)) < os.pathconf("/", "PC_PATH_MAX") and path.is_dir():
                seen.add(path)
                pending += [(path, _read(path / file)) for file in KUSTOMIZATIONS if (path / file).is_file()]
