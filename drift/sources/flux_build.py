"""Builds a path of a repository as Flux's kustomize-controller does, with the fields of a Kustomization.

Flux adds these fields to the path's own kustomization, or to one that it generates, and builds that. The build happens
in a copy of the repository. https://fluxcd.io/flux/components/kustomize/kustomizations/
"""

import json
import os
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from drift.documents.parse import read_documents
from drift.errors import DriftError, SourceError
from drift.model import Incomparable, Json, Object, as_object
from drift.sources.kustomizations import KUSTOMIZATIONS
from drift.sources.kustomize import ANNOTATIONS, Built, build
from drift.sources.programs import Runner
from drift.sources.secret_values import PLACEHOLDER, check_identity
from drift.sources.source_ignore import IGNORE_FILE, kept_files
from drift.sources.substitution import SubstitutionError, check_names, substitute

#: The order in which kustomize looks for them.
_FILE_NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_GENERATED_ENDINGS: Final = frozenset({".yaml", ".yml"})
#: Flux drops any other field, instead of refusing it as kustomize does.
_FIELDS: Final = """
    apiVersion kind metadata openapi namePrefix nameSuffix namespace commonLabels labels commonAnnotations
    patchesStrategicMerge patchesJson6902 patches images imageTags replacements replicas vars sortOptions resources
    components crds bases configMapGenerator secretGenerator helmGlobals helmCharts helmChartInflationGenerator
    generatorOptions configurations generators transformers validators buildMetadata
"""
#: In the content of a file that SOPS encrypts.
_ENCRYPTED: Final = b"ENC[AES256_GCM,"
#: Fields that build nothing by themselves.
_NOT_CONTENT: Final = frozenset({"apiVersion", "kind", "namespace", "buildMetadata"})
_SUBSTITUTE: Final = "kustomize.toolkit.fluxcd.io/substitute"
_SEPARATOR: Final = re.compile(r"^---\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of ``spec.postBuild``.

    Attributes:
        values: By name.
        secret: The names of those whose values are those of Secrets, which must not be shown.
        unknown: Why there may be others whose values are not known, as a sentence without a full stop; None if
            there are none.
        always: Whether Flux substitutes also if there are no variables (``substituteStrategy: Always``).
    """

    values: Mapping[str, str] = field(repr=False)
    secret: frozenset[str] = frozenset()
    unknown: str | None = None
    always: bool = False


def remove_ignored_files(root: Path, ignore: str | None) -> None:
    """Removes the files of a copy that Flux leaves out of the artifact of a repository.

    Args:
        root: The copy.
        ignore: ``spec.ignore`` of the source, or None.
    """
    files: list[str] = []
    ignore_files: dict[str, str] = {}
    for parent, folders, names in os.walk(root):
        for name in [*names, *folders]:
            path = Path(parent, name)
            relative = path.relative_to(root).as_posix()
            if path.is_symlink():
                # Flux has no links in its artifacts.
                path.unlink()
            elif name in names:
                files.append(relative)
                if name == IGNORE_FILE:
                    ignore_files[relative] = path.read_text(encoding="utf-8", errors="replace")
    for name in set(files) - set(kept_files(files, ignore_files, ignore)):
        (root / name).unlink()


def build_path(root: Path, spec: Object, variables: Variables | None, runner: Runner) -> tuple[Built, Path]:
    """Builds the path of a Kustomization.

    Args:
        root: A copy of the repository. It is changed during the build.
        spec: ``spec`` of the Kustomization.
        variables: Those of ``spec.postBuild``; None without it.
        runner: Runs programs.

    Returns:
        What kustomize printed after the substitution, and the folder that was built. `finish` completes each object.

    Raises:
        SourceError: Flux cannot build it either, or it reads files outside the repository.
    """
    path = spec.get("path")
    folder = root / os.path.normpath(f"/{path if isinstance(path, str) else ''}").lstrip("/")
    if not folder.is_dir():
        raise SourceError(f"the path {path} does not exist in the repository")
    file, kustomization = read_kustomization(folder)
    wanted = _with_spec({key: value for key, value in kustomization.items() if key in _FIELDS.split()}, file, spec)
    if not any(wanted.get(field) for field in {*_FIELDS.split()} - _NOT_CONTENT):
        # Flux builds nothing of an empty folder.
        return Built(b"", folder), folder
    built = build_changed(root, file, wanted, runner, any_file=True)
    _check_generated(built.output)
    return built if variables is None else _substituted(built, variables), folder


def build_changed(root: Path, file: Path, kustomization: Object, runner: Runner, *, any_file: bool) -> Built:
    """Builds a folder of a copy with another kustomization in place of its own.

    Args:
        root: The copy, to which the build is confined.
        file: The file of the kustomization.
        kustomization: The other one.
        runner: Runs programs.
        any_file: As for `drift.sources.kustomize.build`.

    Raises:
        SourceError: kustomize cannot build it, or it names a file outside the copy.
    """
    _check_paths(root, file.parent, kustomization)
    metadata = list(_texts(kustomization, "buildMetadata"))
    with _written(file, {**kustomization, "buildMetadata": list(dict.fromkeys([*metadata, *ANNOTATIONS]))}):
        return replace(build(file.parent, runner, any_file=any_file), kept=frozenset(metadata))


def finish(body: Object, spec: Object, variables: Variables | None) -> Object:
    """Returns an object of the build as Flux applies it, with an `Incomparable` for each value that is not known.

    Raises:
        SourceError: The name or the kind of the object is not known.
    """
    reason = variables.unknown if variables is not None else None
    if reason is not None:
        check_identity(body, reason)
        body = _mark(body, Incomparable(reason))
    common = as_object(spec.get("commonMetadata"))
    metadata = as_object(body.get("metadata"))
    for name in ("labels", "annotations"):
        if common.get(name):
            metadata = {**metadata, name: {**as_object(metadata.get(name)), **as_object(common[name])}}
    return {**body, "metadata": metadata}


def _metadata(body: Object, name: str) -> Json:
    return as_object(body.get("metadata")).get(name)


def _mark(value: Json, unknown: Incomparable) -> Json:
    if isinstance(value, str):
        return unknown if PLACEHOLDER in value else value
    if isinstance(value, list):
        return [_mark(item, unknown) for item in value]
    if isinstance(value, dict):
        if any(PLACEHOLDER in key for key in value):
            return unknown
        return {key: _mark(item, unknown) for key, item in value.items()}
    return value


# -- the kustomization


def read_kustomization(folder: Path) -> tuple[Path, Object]:
    """Returns the file of the kustomization of a folder and the kustomization, or what Flux generates in its place."""
    for name in _FILE_NAMES:
        file = folder / name
        if file.is_file():
            return file, _read(file)
    resources = [f"./{name}" for name in _resources_below(folder)]
    return folder / _FILE_NAMES[0], {"resources": resources}


def _read(file: Path) -> Object:
    try:
        documents = list(read_documents(file.read_bytes(), file.name))
    except DriftError as error:
        raise SourceError(str(error)) from None
    return as_object(documents[0].value) if documents else {}


def _resources_below(folder: Path) -> Iterator[str]:
    """Yields the files that Flux lists if there is no kustomization, and the folders that have one of their own."""
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        own = [name for name in folders if any((here / name / file).is_file() for file in KUSTOMIZATIONS)]
        folders[:] = sorted(set(folders) - set(own))
        for name in sorted([*own, *(name for name in names if Path(name).suffix in _GENERATED_ENDINGS)]):
            yield (here / name).relative_to(folder).as_posix()


def _with_spec(kustomization: Object, file: Path, spec: Object) -> Object:
    """Returns a kustomization with the fields of a Kustomization of Flux."""
    merged = dict(kustomization)
    if file.is_file() and not merged.get("resources"):
        merged["buildMetadata"] = ["originAnnotations"]
    for ours, flux in (("namespace", "targetNamespace"), ("namePrefix", "namePrefix"), ("nameSuffix", "nameSuffix")):
        if isinstance(spec.get(flux), str):
            merged[ours] = spec[flux]
    patches = [
        {name: patch[name] for name in ("patch", "target") if name in patch} for patch in _objects(spec, "patches")
    ]
    components = [name for name in _texts(spec, "components") if _is_wanted(name, file.parent, spec)]
    for name, values in (("patches", patches), ("components", components)):
        if values:
            merged[name] = [*(merged.get(name) or ()), *values]
    images = _with_images(list(_objects(merged, "images")), list(_objects(spec, "images")))
    if images:
        merged["images"] = images
    if spec.get("buildMetadata"):
        merged["buildMetadata"] = list(_texts(spec, "buildMetadata"))
    return merged


def _is_wanted(component: str, folder: Path, spec: Object) -> bool:
    if Path(component).is_absolute() or re.match(r"git::|gh:|[a-z]+://|git@|github\.com[:/]", component, re.IGNORECASE):
        raise SourceError(f"the component {component} is not a relative path, which Flux refuses")
    return spec.get("ignoreMissingComponents") is not True or (folder / component).exists()


def _with_images(images: list[Object], changes: Sequence[Object]) -> list[Object]:
    """Merges the images of a Kustomization: a tag and a digest replace each other."""
    merged = [dict(image) for image in images]
    for change in changes:
        found = next((image for image in merged if image.get("name") == change.get("name")), None)
        if found is None:
            merged.append(change)
            continue
        if change.get("newName"):
            found["newName"] = change["newName"]
        if change.get("newTag") or change.get("digest"):
            found |= {name: change.get(name, "") for name in ("newTag", "digest")}
    return merged


def _objects(value: Object, field: str) -> Iterator[Object]:
    items = value.get(field)
    return (item for item in (items if isinstance(items, list) else ()) if isinstance(item, dict))


def _texts(value: Object, field: str) -> Iterator[str]:
    items = value.get(field)
    return (item for item in (items if isinstance(items, list) else ()) if isinstance(item, str))


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
    """Checks that a kustomization, and those that it includes, name no file outside the repository.

    Raises:
        SourceError: One does. kustomize would read it, Flux does not.
    """
    pending, seen = [(folder, kustomization)], {folder}
    while pending:
        here, value = pending.pop()
        for text in _all_texts(value):
            # ``files: [key=path]`` of a generator.
            for name in {text, text.rpartition("=")[2]}:
                path = Path(os.path.normpath(here / name)) if "\n" not in text and name else here
                if not path.is_relative_to(root):
                    if os.path.lexists(path):
                        raise SourceError(f"a kustomization names {name}, which is outside the repository")
                elif path not in seen and len(str(path)) < os.pathconf("/", "PC_PATH_MAX") and path.is_dir():
                    seen.add(path)
                    pending += [(path, _read(path / file)) for file in _FILE_NAMES if (path / file).is_file()]


def _all_texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _all_texts(item)


def _check_generated(output: bytes) -> None:
    """Checks that no Secret was generated of a file that SOPS encrypts: Flux decrypts it first.

    Raises:
        SourceError: One was, so that its values and the hash in its name are others than those of Flux.
    """
    if b"kind: SecretGenerator" not in output:
        return
    for document in read_documents(output, "the built objects"):
        body = as_object(document.value)
        data = as_object(body.get("data")) if body.get("kind") == "Secret" else {}
        if any(isinstance(value, str) and _ENCRYPTED in _decoded(value) for value in data.values()):
            raise SourceError(
                "a secretGenerator reads a file that SOPS encrypts, so the name that Flux gives the Secret is not known"
            )


def _decoded(value: str) -> bytes:
    try:
        return b64decode(value)
    except ValueError:
        return b""


# -- variables


def _substituted(built: Built, variables: Variables) -> Built:
    output = _substitute(built.output, variables, variables.values)
    if not variables.secret:
        return replace(built, output=output)
    masked = {name: PLACEHOLDER if name in variables.secret else value for name, value in variables.values.items()}
    return replace(built, output=output, masked=_substitute(built.output, variables, masked))


def _substitute(output: bytes, variables: Variables, values: Mapping[str, str]) -> bytes:
    if not values and variables.unknown is None and not variables.always:
        return output
    is_complete = variables.unknown is None
    placeholder = PLACEHOLDER if variables.secret or not is_complete else None
    try:
        check_names(values)
        texts = [
            text if _is_disabled(text) else substitute(text, values, placeholder=placeholder, is_complete=is_complete)
            for text in _SEPARATOR.split(output.decode())
        ]
    except SubstitutionError as error:
        raise SourceError(f"postBuild: {error}") from None
    return "---\n".join(texts).encode("utf-8", "surrogateescape")


def _is_disabled(text: str) -> bool:
    if _SUBSTITUTE not in text:
        return False
    return any(
        as_object(_metadata(as_object(document.value), field)).get(_SUBSTITUTE) == "disabled"
        for document in read_documents(text.encode(), "the built object")
        for field in ("labels", "annotations")
    )
