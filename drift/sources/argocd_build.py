"""Renders one source of an Application at one revision, as Argo CD's repo-server does.

A setting that is not supported is an error: drift never guesses what Argo CD would render.
https://argo-cd.readthedocs.io/en/stable/user-guide/application_sources/
https://argo-cd.readthedocs.io/en/stable/user-guide/directory/
"""

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Final

from drift.documents.files import read_file
from drift.documents.parse import read_documents
from drift.errors import DriftError, SourceError
from drift.gitops.revisions import SHORT
from drift.kube.live import LiveObject
from drift.model import SourceKind
from drift.objects import Json, Manifest, Object, as_object, at, objects_at, text_at, texts_at
from drift.redaction import without_passwords
from drift.sources.checkouts import Checkouts, Copy, WorkTree, check_complete, path_inside
from drift.sources.controller_objects import CONFIG_MAP, MissingObjectError
from drift.sources.helm import Installation, api_versions, read_chart, render_chart
from drift.sources.kustomizations import CHART, has_kustomization
from drift.sources.kustomize import add_parts, build_changed, read_built, read_kustomization
from drift.sources.load import load_texts
from drift.sources.model import SourceContext
from drift.sources.scratch import temporary_folder

#: The ConfigMap with the settings of Argo CD.
ARGOCD_CM: Final = "argocd-cm"
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
#: A range of versions. Argo CD reads the newest tag in it.
VERSION_RANGE: Final = re.compile(r"[*^~<>=|]|\.x\b")
_TYPES: Final = ("helm", "kustomize", "directory", "plugin")
_PLUGIN: Final = "it is rendered by a plugin of Argo CD, which drift does not run"
#: The supported fields of each type. A source that sets another one is not rendered.
_FIELDS: Final = {
    "directory": "recurse include exclude",
    "kustomize": """
        namePrefix nameSuffix images commonLabels commonAnnotations forceCommonLabels forceCommonAnnotations replicas
        namespace components ignoreMissingComponents patches labelWithoutSelector labelIncludeTemplates
        """,
    "helm": """
        valueFiles ignoreMissingValueFiles values valuesObject parameters releaseName passCredentials skipCrds
        skipSchemaValidation namespace skipTests
        """,
}

#: Manifests, notes for the report, and how the source is read.
_Built = tuple[tuple[Manifest, ...], tuple[str, ...], SourceKind]
#: What the types of Argo CD are to drift.
_KINDS: Final = {"helm": SourceKind.HELM_CHART, "kustomize": SourceKind.KUSTOMIZE, "directory": SourceKind.FILES}


@dataclass(frozen=True, slots=True)
class Revision:
    """The sources of an Application, and what to read of each.

    Attributes:
        sources: As in its spec.
        commits: The commit of each source, or the version of its chart; None for the files as they are.
    """

    sources: tuple[Object, ...]
    commits: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class _ReadAs:
    """The type by which Argo CD has read a source.

    Attributes:
        source: As it was then.
        type: As in `_TYPES`.
        revision: The commit.
    """

    source: Object
    type: str
    revision: str


class ApplicationBuilder:
    """Renders the sources of one Application.

    Args:
        live: The Application.
        namespace: The namespace of objects that name none.
        context: The cluster.
        checkouts: The work trees.
        may_read_any_file: Whether kustomizations may read files outside their folders; it may raise SourceError.
    """

    def __init__(
        self,
        live: LiveObject,
        namespace: str,
        context: SourceContext,
        checkouts: Checkouts,
        may_read_any_file: Callable[[], bool],
    ) -> None:
        self._name = live.name
        # Outside of Argo CD's own namespace, it has both names.
        self._names = (live.name, f"{live.namespace}_{live.name}")
        self._read_as = tuple(_types_in_status(live.body))
        self._namespace = namespace
        self._context = context
        self._checkouts = checkouts
        self._may_read_any_file = may_read_any_file
        self._rendered: dict[str, _Built] = {}

    def tree(self, source: Object) -> WorkTree:
        """Returns the work tree of a source.

        Raises:
            SourceError: There is none.
        """
        url, chart = text_at(source, "repoURL"), text_at(source, "chart")
        if not url:
            raise SourceError("it names no repository (spec.source.repoURL)")
        try:
            return self._checkouts.find(url)
        except SourceError:
            if not chart:
                raise
            version, shown = text_at(source, "targetRevision"), without_passwords(url)
            raise SourceError(
                f"its chart {chart} {version} is in a Helm repository, from which drift downloads nothing; run "
                f"`{_helm_pull(shown, chart, version)}` and add --checkout {shown}=FOLDER, "
                "the folder that has the chart"
            ) from None

    def _copy(self, revision: Revision, index: int) -> AbstractContextManager[Copy]:
        source = revision.sources[index]
        commit = revision.commits[index]
        if text_at(source, "chart"):
            commit = None
        elif commit is not None and not COMMIT.fullmatch(commit):
            raise SourceError(f"{commit} is not a commit of Git")
        return self._checkouts.copy(self.tree(source), commit)

    def manifests(self, revision: Revision, index: int) -> _Built:
        """Renders a source, if it was not rendered before.

        Args:
            revision: The sources of the Application.
            index: The index of the source to render.

        Returns:
            Its manifests, notes for the report, a sentence each, and how it is read.

        Raises:
            SourceError: It cannot be rendered, or not as Argo CD would.
        """
        key = json.dumps([index, revision.sources, [*self._checked_out(revision)]])
        if key not in self._rendered:
            with self._copy(revision, index) as copy:
                self._rendered[key] = self._render(revision, index, copy)
        return self._rendered[key]

    def _checked_out(self, revision: Revision) -> Iterator[str | None]:
        """Yields the commit of the files of each source; None if they have uncommitted changes."""
        for source, commit in zip(revision.sources, revision.commits, strict=True):
            try:
                tree = self.tree(source)
                yield commit or (None if tree.is_dirty else tree.commit)
            except SourceError:
                yield commit

    def _render(self, revision: Revision, index: int, copy: Copy) -> _Built:
        source = revision.sources[index]
        tree = self.tree(source)
        commit = None if text_at(source, "chart") else revision.commits[index]
        notes: list[str] = []
        try:
            folder = _folder_of(source, copy.root)
            path = folder.relative_to(copy.root).as_posix()
            shown = tree.shown(path) if commit is None else f"{commit[:SHORT]}:{path}"
            kind = _type_of(source, folder)
            _check_fields(source, kind, folder, self._names)
            self._check_type(source, kind, folder, commit or (None if tree.is_dirty else tree.commit))
            if kind == "helm":
                rendered = self._helm(revision, index, copy, folder, shown)
            elif kind == "kustomize":
                rendered = self._kustomize(as_object(source.get("kustomize")), copy.root, folder, shown)
            else:
                missing = copy.missing_in(folder)
                rendered = _read_directory(as_object(source.get("directory")), folder, shown, notes, missing)
        except SourceError as error:
            raise copy.error(error) from None
        manifests = (replace(manifest, namespace=manifest.namespace or self._namespace) for manifest in rendered)
        return tuple(manifests), tuple(notes), _KINDS[kind]

    def _check_type(self, source: Object, kind: str, folder: Path, commit: str | None) -> None:
        """Raises a SourceError if Argo CD has read a source as another type.

        Plugins may recognize their files, and the settings of Argo CD may turn a type off. At another commit, the type
        may have been another one, but a folder with the files of both is not read by guessing.
        """
        is_both = (folder / CHART).is_file() and has_kustomization(folder)
        for read in self._read_as:
            if _same_files(read.source, source) and read.type != kind:
                if read.type == "plugin":
                    raise SourceError(_PLUGIN)
                if read.revision == commit or is_both:
                    raise SourceError(f"Argo CD reads it as {read.type}, and drift would read it as {kind}")

    def _kustomize(self, options: Object, root: Path, folder: Path, shown: str) -> tuple[Manifest, ...]:
        file, kustomization = read_kustomization(folder)
        wanted = _with_parameters(kustomization, options, folder)
        built = build_changed(root, file, wanted, self._context.runner, any_file=self._may_read_any_file())
        return read_built(built, shown)

    def _helm(self, revision: Revision, index: int, copy: Copy, folder: Path, shown: str) -> tuple[Manifest, ...]:
        source = revision.sources[index]
        options = as_object(source.get("helm"))
        original = copy.original / folder.relative_to(copy.root)
        check_complete(copy.missing_in(folder))
        _add_dependencies(folder, original)
        chart = read_chart(folder)
        wanted = revision.commits[index]
        if (
            text_at(source, "chart")
            and wanted is not None
            and not VERSION_RANGE.search(wanted)
            and chart.version != wanted
        ):
            raise SourceError(f"{original} has version {chart.version} of the chart, not {wanted}")
        info = self._context.cluster.info
        with temporary_folder() as scratch, ExitStack() as copies:
            value_files = self._value_files(revision, index, copy, folder, copies)
            installation = Installation(
                release=text_at(options, "releaseName") or self._name,
                namespace=text_at(options, "namespace") or self._namespace,
                values=(*value_files, *_inline_values(options, scratch)),
                kube_version=None if info is None else info.version,
                api_versions=api_versions(self._context.cluster.resources),
                flags=tuple(_helm_flags(options)),
                has_crds=options.get("skipCrds") is not True,
                has_hooks=True,
            )
            manifests, _ = render_chart(chart, installation, shown, self._context.runner)
        return manifests

    def _value_files(self, revision: Revision, index: int, own: Copy, folder: Path, copies: ExitStack) -> Iterator[str]:
        options = as_object(revision.sources[index].get("helm"))
        for name in options.get("valueFiles") or ():
            read, path = own, str(name)
            if path.startswith("$"):
                reference, _, path = path[1:].partition("/")
                referenced = next(
                    (number for number, other in enumerate(revision.sources) if text_at(other, "ref") == reference),
                    None,
                )
                if referenced is None:
                    raise SourceError(f"the values file {name} names no source of the Application")
                read = copies.enter_context(self._copy(revision, referenced))
            start = folder if read is own and not path.startswith("/") else read.root
            if "://" in path or re.search(r"[*?\[{$]", path):
                raise SourceError(f"the values file {name} is a URL or a pattern, which is not supported")
            file = Path(os.path.realpath(start / path.lstrip("/")))
            if not file.is_relative_to(read.root):
                raise SourceError(f"the values file {name} is outside the repository")
            if file.is_file():
                yield str(file)
            elif read.lacks(file):
                raise read.error(SourceError(f"the values file {name} cannot be read"))
            elif options.get("ignoreMissingValueFiles") is not True:
                raise SourceError(f"the values file {name} does not exist")


def may_read_any_file(namespace: str, context: SourceContext) -> bool:
    """Returns whether the build options of Argo CD let kustomizations read files outside their folders.

    Args:
        namespace: The namespace of Argo CD.
        context: The cluster.

    Raises:
        SourceError: The build options contain something else.
    """
    try:
        config = CONFIG_MAP.get(namespace, ARGOCD_CM, context.cluster)
    except MissingObjectError:
        return False
    given = text_at(config, "data", "kustomize.buildOptions").replace("=", " ").split()
    unrestricted = ["--load-restrictor", "LoadRestrictionsNone"]
    if given not in ([], unrestricted):
        raise SourceError(f"kustomize.buildOptions of argocd-cm is not supported: {' '.join(given)}")
    return given == unrestricted


def _folder_of(source: Object, root: Path) -> Path:
    """Returns the folder of a source in a copy of its repository."""
    chart = text_at(source, "chart")
    path = path_inside(chart or text_at(source, "path"))
    if (root / path).is_dir():
        return root / path
    if chart and (root / CHART).is_file():
        return root
    raise SourceError(f"the path {path} does not exist in the repository")


def _type_of(source: Object, folder: Path) -> str:
    """Returns the type of a source by the rules of Argo CD.

    In a folder with a chart and a kustomization, the kustomization is the later file.
    https://github.com/argoproj/argo-cd/blob/v3.1.0/util/app/discovery/discovery.go (Discover)
    """
    named = [kind for kind in _TYPES if source.get(kind)]
    if text_at(source, "chart"):
        named = [*dict.fromkeys(["helm", *named])]
    if len(named) > 1:
        raise SourceError(f"it has several types: {', '.join(named)}")
    if named:
        return named[0]
    if has_kustomization(folder):
        return "kustomize"
    return "helm" if (folder / CHART).is_file() else "directory"


def _types_in_status(application: Object) -> Iterator[_ReadAs]:
    """Yields the type of each source when Argo CD compared them last."""
    status = at(application, "status")
    sources = objects_at(status, "sync", "comparedTo", "sources")
    if sources:
        types, revisions = at(status, "sourceTypes"), at(status, "sync", "revisions")
    else:
        sources = [as_object(at(status, "sync", "comparedTo", "source"))]
        types, revisions = [at(status, "sourceType")], [at(status, "sync", "revision")]
    revisions = revisions if isinstance(revisions, list) else []
    if isinstance(types, list) and len(types) == len(sources):
        for source, kind, revision in zip_longest(sources, types, revisions[: len(sources)]):
            if isinstance(kind, str) and kind.lower() in _TYPES:
                yield _ReadAs(source, kind.lower(), str(revision))


def _same_files(one: Object, other: Object) -> bool:
    """Whether two sources read the same files and name the same types."""
    return all(text_at(one, name) == text_at(other, name) for name in ("repoURL", "path", "chart")) and all(
        bool(one.get(kind)) == bool(other.get(kind)) for kind in _TYPES
    )


def _check_fields(source: Object, kind: str, folder: Path, names: Sequence[str]) -> None:
    """Raises a SourceError if a source has a setting that is not supported.

    Args:
        source: The source.
        kind: Its type.
        folder: Its folder.
        names: The names that Argo CD may give to the Application.
    """
    if kind == "plugin":
        raise SourceError(_PLUGIN)
    options = as_object(source.get(kind))
    unsupported = sorted(name for name, value in options.items() if value and name not in _FIELDS[kind].split())
    if unsupported:
        raise SourceError(f"{', '.join(f'{kind}.{name}' for name in unsupported)} is not supported")
    if kind == "kustomize" and not has_kustomization(folder):
        raise SourceError("there is no kustomization in its path")
    for name in (".argocd-source.yaml", *(f".argocd-source-{name}.yaml" for name in names)):
        if (folder / name).is_file():
            raise SourceError(f"{name}, which changes its parameters, is not supported")


# -- directories

_MANIFEST_FILE: Final = re.compile(r".*\.(yaml|yml|json|jsonnet)")
#: Argo CD skips a file that has this anywhere.
#: https://github.com/argoproj/argo-cd/blob/v3.1.0/reposerver/repository/repository.go (getPotentiallyValidManifestFile)
_SKIP_MARKER: Final = b"+argocd:skip-file-rendering"
_GLOB: Final = {"*": ".*", "?": ".", "{": "(?:", "}": ")"}


def _read_directory(
    options: Object, folder: Path, shown: str, notes: list[str], missing: Sequence[str]
) -> tuple[Manifest, ...]:
    """Returns the manifests of a directory, and adds a note for each file that Argo CD skips.

    Args:
        options: ``spec.source.directory``.
        folder: The directory.
        shown: Its path for messages.
        notes: Gets the notes.
        missing: As `Copy.missing_in` returns it.
    """
    include, exclude = (_glob(text_at(options, name)) for name in ("include", "exclude"))
    recurse = options.get("recurse") is True

    def is_chosen(name: str) -> bool:
        return (include is None or include.fullmatch(name) is not None) and not (
            exclude is not None and exclude.fullmatch(name)
        )

    check_complete(
        name
        for name in missing
        if (recurse or "/" not in name) and (name.endswith("/") or (_MANIFEST_FILE.fullmatch(name) and is_chosen(name)))
    )
    manifests: list[Manifest] = []
    for name in filter(is_chosen, _files_in(folder, recurse=recurse)):
        try:
            content = read_file(folder / name)
        except OSError as error:
            raise SourceError(f"{name} cannot be read: {error.strerror}") from None
        if _SKIP_MARKER in content:
            continue
        if name.endswith(".jsonnet"):
            raise SourceError(f"{name} is jsonnet, which is not supported")
        try:
            manifests += load_texts([(f"{shown}/{name}", content)]).manifests
        except DriftError as error:
            if _begins_with_an_object(content, name):
                raise SourceError(str(error)) from None
            notes.append(f"{shown}/{name}: Argo CD skips this file, because it does not begin with an object")
    return tuple(manifests)


def _files_in(folder: Path, *, recurse: bool) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if _MANIFEST_FILE.fullmatch(name):
                yield (Path(parent) / name).relative_to(folder).as_posix()
        if not recurse:
            return


def _begins_with_an_object(content: bytes, name: str) -> bool:
    try:
        first = next((document.value for document in read_documents(content, name) if document.value is not None), None)
    except DriftError:
        return False
    return isinstance(first, dict) and isinstance(first.get("kind"), str)


def _glob(pattern: str) -> re.Pattern[str] | None:
    """Returns the expression of a glob in which ``*`` also matches slashes and ``{a,b}`` is one of several."""
    if not pattern:
        return None
    if re.search(r"[\[\]\\]", pattern):
        raise SourceError(f"the pattern {pattern} is not supported")
    expression, depth = "", 0
    for character in pattern:
        depth += {"{": 1, "}": -1}.get(character, 0)
        special = _GLOB | ({",": "|"} if depth else {})
        expression += special.get(character) or re.escape(character)
    try:
        return re.compile(expression, re.DOTALL)
    except re.error:
        raise SourceError(f"the pattern {pattern} is not valid") from None


# -- kustomizations

#: ``NAME=NEW:TAG``, ``NAME=NEW@DIGEST``, or without the first part.
_IMAGE: Final = re.compile(r"(?:(?P<name>[^=]+)=)?(?P<new>[^@]+?)(?::(?P<tag>[^:/@]+))?(?:@(?P<digest>.+))?")
_COUNT: Final = re.compile(r"[-+]?[0-9]{1,18}")
#: A part of an image that stays as in the kustomization.
_KEPT: Final = "*"


def _with_parameters(kustomization: Object, options: Object, folder: Path) -> Object:
    """Returns a kustomization as ``kustomize edit`` changes it for Argo CD."""
    changed = dict(kustomization)
    for name in ("namePrefix", "nameSuffix", "namespace"):
        if text_at(options, name):
            changed[name] = text_at(options, name)
    images = _with_images(objects_at(changed, "images"), texts_at(options, "images"))
    if images:
        changed["images"] = images
    replicas = {text_at(item, "name"): item for item in objects_at(changed, "replicas")}
    for item in objects_at(options, "replicas"):
        replicas[text_at(item, "name")] = {"name": item.get("name"), "count": _count(item)}
    if replicas:
        changed["replicas"] = list(replicas.values())
    _add_labels(changed, options)
    if as_object(options.get("commonAnnotations")):
        changed["commonAnnotations"] = _merged(changed, options, "commonAnnotations", "forceCommonAnnotations")
    add_parts(changed, folder, options)
    return changed


def _count(replicas: Object) -> Json:
    """Returns the number of replicas, which may be given as a text."""
    count = replicas.get("count")
    if not isinstance(count, str):
        return count
    if not _COUNT.fullmatch(count):
        raise SourceError(f"its kustomize.replicas of {text_at(replicas, 'name')} has a count that is no number")
    return int(count)


def _add_labels(kustomization: Object, options: Object) -> None:
    labels = as_object(options.get("commonLabels"))
    if not labels:
        return
    for name in labels:
        _check_has_no_variable(f"the label {name}", text_at(labels, name))
    if options.get("labelWithoutSelector") is True:
        entry = {"pairs": labels, "includeTemplates": options.get("labelIncludeTemplates") is True}
        kustomization["labels"] = [*(kustomization.get("labels") or ()), entry]
    else:
        kustomization["commonLabels"] = _merged(kustomization, options, "commonLabels", "forceCommonLabels")


def _merged(kustomization: Object, options: Object, name: str, force: str) -> Object:
    before, values = as_object(kustomization.get(name)), as_object(options.get(name))
    if before.keys() & values.keys() and options.get(force) is not True:
        raise SourceError(f"its kustomization has a label or annotation that kustomize.{name} has too")
    return {**before, **values}


def _with_images(images: Sequence[Object], changes: Iterable[str]) -> Sequence[Object]:
    merged = {text_at(image, "name"): image for image in images}
    for change in changes:
        _check_has_no_variable(f"the image {change}", change)
        found = _IMAGE.fullmatch(change)
        if found is None:
            raise SourceError(f"the image {change} is not valid")
        name = found["name"] or found["new"]
        before = merged.get(name, {})
        image = {"newName": found["new"] if found["name"] else "", "newTag": found["tag"], "digest": found["digest"]}
        merged[name] = {"name": name} | {
            key: before.get(key) if value == _KEPT else value for key, value in image.items() if value
        }
    return list(merged.values())


def _check_has_no_variable(what: str, text: str) -> None:
    """Raises a SourceError if Argo CD would replace a variable such as ``$ARGOCD_APP_REVISION`` in a text."""
    if "$" in text:
        raise SourceError(f"{what} contains a variable, which is not supported")


# -- charts


def _helm_pull(url: str, chart: str, version: str) -> str:
    """Returns the command that downloads a chart. Argo CD names an OCI registry without a scheme."""
    scheme, separator, path = url.rpartition("://")
    is_registry = not separator or scheme == "oci"
    what = [f"oci://{path.rstrip('/')}/{chart}"] if is_registry else [chart, "--repo", url]
    return shlex.join(["helm", "pull", *what, "--version", version, "--untar"])


def _add_dependencies(folder: Path, original: Path) -> None:
    """Copies the downloaded dependencies of a chart, which Git often ignores, from the checkout."""
    charts = original / "charts"
    if (folder / "charts").exists() or not charts.is_dir():
        return
    if (folder / CHART).read_bytes() == (original / CHART).read_bytes():
        shutil.copytree(charts, folder / "charts", ignore=_symlinks)


def _symlinks(folder: str, names: Iterable[str]) -> list[str]:
    """Returns the symbolic links in a folder. They may lead anywhere."""
    return [name for name in names if Path(folder, name).is_symlink()]


def _inline_values(options: Object, folder: Path) -> Iterator[str]:
    """Writes the values in the Application to a file, if there are any, and yields its path."""
    values = options.get("valuesObject")
    content = json.dumps(values) if isinstance(values, dict) and values else text_at(options, "values")
    if content:
        file = folder / "values.yaml"
        file.write_text(content, encoding="utf-8")
        yield str(file)


def _helm_flags(options: Object) -> Iterator[str]:
    """Yields the flags of ``helm template`` for the parameters of a source."""
    parameters = {text_at(item, "name"): item for item in objects_at(options, "parameters")}
    for name, item in parameters.items():
        value = text_at(item, "value")
        _check_has_no_variable(f"the parameter {name}", value)
        is_list = value.startswith("{") and value.endswith("}")
        # Argo CD escapes commas, because Helm splits parameters at them.
        escaped = value if is_list else re.sub(r"(?<!\\),", r"\\,", value)
        yield from ("--set-string" if item.get("forceString") is True else "--set", f"{name}={escaped}")
    for name, flag in (("skipTests", "--skip-tests"), ("skipSchemaValidation", "--skip-schema-validation")):
        if options.get(name) is True:
            yield flag
