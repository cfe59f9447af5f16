"""Builds a path of a repository as Flux's source-controller and kustomize-controller do, in a copy of the repository.

Flux leaves out some files: by its defaults, by ``.sourceignore``, and by ``spec.ignore`` of the source. It adds the
fields of the Kustomization to the path's own kustomization, or to one that it generates, and builds that.
https://fluxcd.io/flux/components/source/gitrepositories/#excluding-files
https://fluxcd.io/flux/components/kustomize/kustomizations/
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final, Self

from drift.documents.parse import read_documents
from drift.errors import SourceError
from drift.gitops.flux_values import ENCRYPTED_FILE, mask_encrypted
from drift.objects import Incomparable, Json, Object, as_object, at, objects_at, text_at, texts_at
from drift.sources.checkouts import path_inside
from drift.sources.kustomize import Built, add_parts, build_changed, read_kustomization
from drift.sources.programs import Runner
from drift.sources.substitution import (
    OPT_OUT,
    PLACEHOLDER,
    SubstitutionError,
    check_identity,
    check_names,
    compile_glob,
    has_opted_out,
    redact_substituted,
    substitute,
)

#: Flux drops any other field, instead of refusing it as kustomize does.
_FIELDS: Final = """
    apiVersion kind metadata openapi namePrefix nameSuffix namespace commonLabels labels commonAnnotations
    patchesStrategicMerge patchesJson6902 patches images imageTags replacements replicas vars sortOptions resources
    components crds bases configMapGenerator secretGenerator helmGlobals helmCharts helmChartInflationGenerator
    generatorOptions configurations generators transformers validators buildMetadata
"""
#: Fields that alone build no object.
_NOT_CONTENT: Final = frozenset({"apiVersion", "kind", "namespace", "buildMetadata"})
_SEPARATOR: Final = re.compile(r"^---\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of ``spec.postBuild``.

    Attributes:
        values: By name.
        secret: The names of the variables from Secrets, whose values must not be shown.
        unknown: Why other variables may be set to unknown values, as a sentence without a full stop; None if
            there are none.
        always: Whether Flux substitutes even if there are no variables (``substituteStrategy: Always``).
    """

    values: Mapping[str, str] = field(repr=False)
    secret: frozenset[str] = frozenset()
    unknown: str | None = None
    always: bool = False

    @property
    def are_substituted(self) -> bool:
        """Whether Flux substitutes at all."""
        return bool(self.values) or self.unknown is not None or self.always


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
                if name == _IGNORE_FILE:
                    ignore_files[relative] = path.read_text(encoding="utf-8", errors="replace")
    for name in set(files) - set(_kept_files(files, ignore_files, ignore)):
        (root / name).unlink()


def build_path(root: Path, spec: Object, variables: Variables | None, runner: Runner) -> Built:
    """Builds the path of a Kustomization.

    Args:
        root: A copy of the repository. It is changed during the build.
        spec: ``spec`` of the Kustomization.
        variables: Those of ``spec.postBuild``; None without it.
        runner: Runs programs.

    Returns:
        What kustomize printed, after the substitution. `finish` completes each object.

    Raises:
        SourceError: Flux cannot build it either, or it reads files outside the repository.
    """
    path = text_at(spec, "path")
    folder = root / path_inside(path)
    if not folder.is_dir():
        raise SourceError(f"the path {path} does not exist in the repository")
    file, kustomization = read_kustomization(folder)
    wanted = _with_spec({key: value for key, value in kustomization.items() if key in _FIELDS.split()}, file, spec)
    if not any(wanted.get(field) for field in {*_FIELDS.split()} - _NOT_CONTENT):
        # Flux builds nothing of an empty folder.
        return Built(b"", folder, folder)
    built = build_changed(root, file, wanted, runner, any_file=True)
    _check_generated(built.output)
    return built if variables is None else _substituted(built, variables)


def finish(body: Object, masked: Json, spec: Object, variables: Variables | None) -> Object:
    """Returns an object of the build as Flux applies it, with an `Incomparable` for each value that is not known.

    Raises:
        SourceError: The name or the kind of the object is not known.
    """
    body = body if masked is None else redact_substituted(body, masked)
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


def _with_spec(kustomization: Object, file: Path, spec: Object) -> Object:
    """Returns a kustomization with the fields of a Kustomization of Flux."""
    merged = dict(kustomization)
    if file.is_file() and not merged.get("resources"):
        merged["buildMetadata"] = ["originAnnotations"]
    for ours, flux in (("namespace", "targetNamespace"), ("namePrefix", "namePrefix"), ("nameSuffix", "nameSuffix")):
        if isinstance(spec.get(flux), str):
            merged[ours] = spec[flux]
    for name in texts_at(spec, "components"):
        if Path(name).is_absolute() or re.match(r"git::|gh:|[a-z]+://|git@|github\.com[:/]", name, re.IGNORECASE):
            raise SourceError(f"the component {name} is not a relative path, which Flux refuses")
    patches = [
        {name: patch[name] for name in ("patch", "target") if name in patch} for patch in objects_at(spec, "patches")
    ]
    add_parts(merged, file.parent, {**spec, "patches": patches})
    images = _with_images(objects_at(merged, "images"), objects_at(spec, "images"))
    if images:
        merged["images"] = images
    if spec.get("buildMetadata"):
        merged["buildMetadata"] = texts_at(spec, "buildMetadata")
    return merged


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


def _check_generated(output: bytes) -> None:
    """Raises a SourceError if a Secret was generated of a file that SOPS encrypts: Flux decrypts it first."""
    if b"kind: SecretGenerator" not in output:
        return
    for document in read_documents(output, "the built objects"):
        is_secret = at(document.value, "kind") == "Secret"
        if is_secret and ENCRYPTED_FILE in as_object(at(mask_encrypted(document.value), "data")).values():
            raise SourceError(
                "a secretGenerator reads a file that SOPS encrypts, so the name that Flux gives the Secret is not known"
            )


# -- variables


def _substituted(built: Built, variables: Variables) -> Built:
    output = _substitute(built.output, variables, variables.values)
    if not variables.secret:
        return replace(built, output=output)
    masked = {name: PLACEHOLDER if name in variables.secret else value for name, value in variables.values.items()}
    return replace(built, output=output, masked=_substitute(built.output, variables, masked))


def _substitute(output: bytes, variables: Variables, values: Mapping[str, str]) -> bytes:
    if not variables.are_substituted:
        return output
    is_complete = variables.unknown is None
    try:
        check_names(values)
        texts = [
            text if _has_opted_out(text) else substitute(text, values, is_complete=is_complete)
            for text in _SEPARATOR.split(output.decode())
        ]
    except SubstitutionError as error:
        raise SourceError(f"postBuild: {error}") from None
    return "---\n".join(texts).encode("utf-8", "surrogateescape")


def _has_opted_out(text: str) -> bool:
    if OPT_OUT not in text:
        return False
    return any(has_opted_out(document.value) for document in read_documents(text.encode(), "the built object"))


# -- ignored files

_IGNORE_FILE: Final = ".sourceignore"
#: What Flux leaves out unless a later pattern includes it again.
_DEFAULTS: Final = """\
.git/
.gitignore
.gitmodules
.gitattributes
*.jpg
*.jpeg
*.gif
*.png
*.wmv
*.flv
*.tar.gz
*.zip
.github/
.circleci/
.travis.yml
.gitlab-ci.yml
appveyor.yml
.drone.yml
cloudbuild.yaml
codeship-services.yml
codeship-steps.yml
**/.goreleaser.yml
**/.sops.yaml
**/.flux.yaml
"""
_ANY_FOLDERS: Final = "**"


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A line of an ignore file.

    Attributes:
        folder: The parts of the folder whose files it is about.
        parts: Between the slashes; None for a part that is not valid.
        texts: The same, as written.
        includes: Whether it includes files instead.
        only_folders: Whether it matches only folders, with everything in them.
    """

    folder: tuple[str, ...]
    parts: tuple[re.Pattern[str] | None, ...]
    texts: tuple[str, ...]
    includes: bool
    only_folders: bool

    @classmethod
    def parse(cls, line: str, folder: tuple[str, ...]) -> Self:
        includes = line.startswith("!")
        text = line[1:] if includes else line
        if not text.endswith("\\ "):
            text = text.rstrip(" ")
        only_folders = text.endswith("/")
        texts = tuple((text[:-1] if only_folders else text).split("/"))
        return cls(folder, tuple(map(compile_glob, texts)), texts, includes, only_folders)

    def matches(self, file: tuple[str, ...]) -> bool:
        """Returns whether it matches a file, or a folder above it."""
        if len(file) <= len(self.folder) or file[: len(self.folder)] != self.folder:
            return False
        path = file[len(self.folder) :]
        return self._matches_path(path) if len(self.parts) > 1 else self._matches_name(path)

    def _matches_name(self, path: Sequence[str]) -> bool:
        names = path[:-1] if self.only_folders else path
        return any(self._matches_part(0, name) for name in names)

    def _matches_path(self, path: Sequence[str]) -> bool:
        position, matched, skips = 0, False, False
        for index, text in enumerate(self.texts):
            if not text:
                skips = False
            elif text == _ANY_FOLDERS:
                if index == len(self.texts) - 1:
                    break
                skips = True
            elif _ANY_FOLDERS in text or position == len(path):
                return False
            else:
                rest = range(position, len(path) if skips else position + 1)
                found = next((place for place in rest if self._matches_part(index, path[place])), None)
                if found is None and not skips:
                    return False
                matched = found is not None
                position = len(path) if found is None else found + 1
                skips = False
        return matched and not (self.only_folders and position == len(path))

    def _matches_part(self, index: int, name: str) -> bool:
        part = self.parts[index]
        return part is not None and part.fullmatch(name) is not None


def _kept_files(files: Iterable[str], ignore_files: Mapping[str, str], ignore: str | None) -> Iterator[str]:
    """Yields the files that Flux keeps, given the text of each ``.sourceignore`` and ``spec.ignore`` of the source."""
    patterns = [*_parse(_DEFAULTS, ())]
    # The patterns of a folder come before those of its subfolders, which are sorted by name.
    for file in sorted(ignore_files, key=lambda name: PurePosixPath(name).parent.parts):
        patterns += _parse(ignore_files[file], PurePosixPath(file).parent.parts)
    patterns += _parse(ignore or "", ())
    patterns.reverse()
    for file in files:
        parts = PurePosixPath(file).parts
        last = next((pattern for pattern in patterns if pattern.matches(parts)), None)
        if last is None or last.includes:
            yield file


def _parse(text: str, folder: tuple[str, ...]) -> Iterator[_Pattern]:
    for line in text.split("\n"):
        line = line.removesuffix("\r")  # noqa: PLW2901
        if line.strip() and not line.startswith("#"):
            yield _Pattern.parse(line, folder)
