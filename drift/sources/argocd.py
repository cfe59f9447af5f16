"""Renders what Argo CD would apply: the Applications in the cluster say what, local checkouts have it.

Each source of an Application is rendered from its checkout as it is now, and again at the revision and with the
parameters that Argo CD synced last, so that the difference between the two is exactly what it has still to sync.
What is not supported is an error: a source is never read in another way than Argo CD reads it.
https://argo-cd.readthedocs.io/en/stable/user-guide/application_sources/
"""

import json
import os
import re
import shutil
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from drift.documents.files import read_file
from drift.documents.parse import read_documents
from drift.errors import DriftError, SourceError
from drift.gitops.argocd_status import application_record
from drift.gitops.ignore_differences import application_ignores
from drift.gitops.sync_record import at, items, resource_ids, text
from drift.kube.live import LiveObject
from drift.model import Manifest, Object, ObjectKey, SourceInfo, SourceKind, as_object
from drift.redaction import without_passwords
from drift.sources.checkouts import Checkouts, Copy, WorkTree
from drift.sources.controller_objects import ALL, ControllerKind, MissingObjectError, one_line, stale_since, state_of
from drift.sources.flux_build import build_changed, read_kustomization
from drift.sources.helm import Installation, api_versions, read_chart, render_chart
from drift.sources.kustomizations import CHART, KUSTOMIZATIONS
from drift.sources.kustomize import read_built
from drift.sources.load import load_texts
from drift.sources.model import Rendered, SourceContext

_APPLICATION: Final = ControllerKind("argoproj.io", "Application")
_CONFIG_MAP: Final = ControllerKind("", "ConfigMap")
#: The ConfigMap with the options of Argo CD.
_OPTIONS: Final = "argocd-cm"
_HERE: Final = frozenset(
    {"https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local", "in-cluster"}
)
_SHORT: Final = 12
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
#: A range of versions, which stands for the newest tag in it.
_RANGE: Final = re.compile(r"[*^~<>=|]|\.x\b")
_TYPES: Final = ("helm", "kustomize", "directory", "plugin")
#: The fields of each type that are supported. A source that sets another one is not rendered.
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
_MANIFEST_FILE: Final = re.compile(r".*\.(yaml|yml|json|jsonnet)")
_SKIPPED_FILE: Final = re.compile(rb"^#\s*\+argocd:skip-file-rendering", re.MULTILINE)
#: ``NAME=NEW:TAG``, ``NAME=NEW@DIGEST``, or without the first part.
_IMAGE: Final = re.compile(r"(?:(?P<name>[^=]+)=)?(?P<new>[^@]+?)(?::(?P<tag>[^:/@]+))?(?:@(?P<digest>.+))?")
_GLOB: Final = {"*": ".*", "?": ".", "{": "(?:", "}": ")"}
#: In an image, what keeps the value of the kustomization.
_KEPT: Final = "*"


def render_argocd(target: str, context: SourceContext) -> list[Rendered]:
    """Renders the sources of Applications.

    Args:
        target: ``all``, ``NAME`` or ``NAMESPACE/NAME``.
        context: The cluster and the checkouts.

    Raises:
        SourceError: The account may not read them, or there are none.
        UsageError: The name is ambiguous, or a checkout does not exist.
    """
    applications = _APPLICATION.find(target, context.cluster)
    if not applications:
        raise SourceError(
            "the cluster has no Application of Argo CD"
            if target == ALL
            else "the cluster has no Application of Argo CD with this name; --argocd all takes all of them"
        )
    with Checkouts(context.checkouts) as checkouts:
        return [rendered for live in applications for rendered in _Application(live, context, checkouts).render()]


def argocd_state(target: str, context: SourceContext) -> Hashable:
    """Returns a value that changes when the Applications do, what they synced last, or the options of Argo CD.

    Raises:
        SourceError: The account may not read them.
    """
    applications = _APPLICATION.find(target, context.cluster)
    options = {(live.namespace or "", _OPTIONS) for live in applications}
    return frozenset(state_of(live.body) for live in applications), _CONFIG_MAP.states(options, context.cluster)


@dataclass(frozen=True, slots=True)
class _Revision:
    """The sources of an Application at one time.

    Attributes:
        sources: As in its spec.
        commits: The commit of each, or the version of its chart; None for the files as they are.
    """

    sources: tuple[Object, ...]
    commits: tuple[str | None, ...]


class _Application:
    def __init__(self, live: LiveObject, context: SourceContext, checkouts: Checkouts) -> None:
        self._body = live.body
        self._context = context
        self._checkouts = checkouts
        self._namespace = live.namespace or ""
        self._name = live.name
        self._target = text(live.body, "spec", "destination", "namespace") or context.namespace
        self._info = _info(live)

    def render(self) -> Iterator[Rendered]:
        """Yields the result of each source that has manifests."""
        elsewhere = self._elsewhere()
        if elsewhere is not None:
            yield Rendered(self._info, skipped=f"it is applied to another cluster ({elsewhere})")
            return
        sources = tuple(items(self._body, "spec", "sources")) or (as_object(at(self._body, "spec", "source")),)
        for number, source in enumerate(sources):
            if text(source, "ref") and not text(source, "path") and not text(source, "chart"):
                continue
            # Each source of a report has a name of its own.
            name = self._info.name if len(sources) == 1 else f"{self._info.name} source {number + 1}"
            try:
                yield self._render(replace(self._info, name=name), sources, number)
            except SourceError as error:
                yield Rendered(replace(self._info, name=name), failure=f"{name}: {error}")

    def _elsewhere(self) -> str | None:
        destination = at(self._body, "spec", "destination")
        named = text(destination, "server") or text(destination, "name")
        info = self._context.cluster.info
        is_here = named in _HERE or (info is not None and named.rstrip("/") == info.server.rstrip("/"))
        return None if is_here else without_passwords(named) or "without a name"

    def _render(self, info: SourceInfo, sources: tuple[Object, ...], number: int) -> Rendered:
        synced = self._synced()
        is_known = synced is not None and len(synced.commits) == len(sources)
        last = synced.commits if synced is not None and is_known else (None,) * len(sources)
        applied = last[number]
        tree = self._tree(sources[number])
        read = tuple(self._commits(sources, number, last))
        wanted = _Revision(sources, tuple(commit for commit, _ in read))
        notes: list[str] = []
        commit, behind = read[number]
        if behind:
            commits = "one commit" if behind == 1 else f"{behind} commits"
            notes.append(
                f"{info.name}: the checkout is {commits} behind {(applied or '')[:_SHORT]}, which Argo CD synced last, "
                f"so this report compares with that commit; `git -C {tree.root} pull` updates the checkout"
            )
        manifests = self._manifests(wanted, number, notes)
        base: tuple[Manifest, ...] | None = None
        try:
            base = self._base(number, len(sources))
        except SourceError as error:
            notes.append(f"{info.name}: what Argo CD synced last is not known: {error}")
        ignores, remarks = application_ignores(self._body, info.name, info.name)
        if number == 0:
            notes += remarks
        path = text(sources[number], "path")
        shown = _shown(tree, path)
        if not manifests:
            notes.append(f"{info.name}: there is no manifest in {shown}")
        return Rendered(
            replace(info, path=shown, revision=commit or tree.commit, synced_revision=applied),
            manifests,
            base,
            tuple(notes),
            applied=frozenset(_to_be_pruned(self._body)) if number == 0 else frozenset(),
            ignore_differences=tuple(ignores),
        )

    # -- revisions

    def _tree(self, source: Object) -> WorkTree:
        url, chart = text(source, "repoURL"), text(source, "chart")
        if not chart:
            return self._checkouts.find(url)
        try:
            return self._checkouts.find(url)
        except SourceError:
            version, shown = text(source, "targetRevision"), without_passwords(url)
            raise SourceError(
                f"its chart {chart} {version} is in a Helm repository, from which drift downloads nothing; run "
                f"`helm pull {chart} --repo {shown} --version {version} --untar` and add "
                f"--checkout {shown}=FOLDER, the folder that has the chart"
            ) from None

    def _commits(
        self, sources: Sequence[Object], number: int, last: Sequence[str | None]
    ) -> Iterator[tuple[str | None, int]]:
        """Yields the commit at which each source is read, and how many commits its checkout is behind that.

        Args:
            sources: All sources.
            number: The one that is rendered.
            last: The commit of each that was synced last.
        """
        for index, source in enumerate(sources):
            try:
                commit = self._wanted_commit(source, index)
                behind = self._behind(source, last[index]) if commit is None else 0
            except SourceError:
                # Another source without a checkout is in the way only if this one uses its files.
                if index == number:
                    raise
                commit, behind = None, 0
            yield (last[index] if behind else commit), behind

    def _behind(self, source: Object, commit: str | None) -> int:
        tree = self._tree(source)
        if commit is None or tree.is_dirty or not _COMMIT.fullmatch(commit):
            return 0
        return self._checkouts.commits_behind(tree, commit)

    def _wanted_commit(self, source: Object, number: int) -> str | None:
        """Returns the commit to which a source is pinned, or None if it follows a branch."""
        wanted = text(source, "targetRevision")
        if text(source, "chart") or _COMMIT.fullmatch(wanted):
            return wanted
        if _RANGE.search(wanted):
            # Argo CD has looked up the newest tag.
            status = at(self._body, "status", "sync")
            revisions = at(status, "revisions")
            found = revisions[number] if isinstance(revisions, list) and number < len(revisions) else None
            revision = found or text(status, "revision")
            if not isinstance(revision, str) or not _COMMIT.fullmatch(revision):
                raise SourceError(f"its revision {wanted} is a range of versions that Argo CD has not looked up yet")
            return revision
        return self._checkouts.tag(self._tree(source), wanted) if wanted else None

    def _synced(self) -> _Revision | None:
        """Returns the last complete sync, or None if there was none."""
        entries = list(items(self._body, "status", "history"))
        return _recorded(entries[-1]) if entries else None

    def _base(self, number: int, count: int) -> tuple[Manifest, ...] | None:
        """Returns the objects that were synced last from a source; None if there are no records of a sync.

        Raises:
            SourceError: They cannot be rendered.
        """
        record = application_record(self._body)
        synced = self._synced()
        manifests: dict[ObjectKey, Manifest] = {}
        if record.last is None and synced is None and not record.newer:
            return None
        if synced is not None:
            if len(synced.sources) != count:
                raise SourceError("it had other sources")
            manifests = {_key(manifest): manifest for manifest in self._manifests(synced, number, [])}
        if record.newer:
            operation = _recorded(as_object(at(self._body, "status", "operationState", "syncResult")))
            if None in record.newer.values() or len(operation.sources) != count:
                raise SourceError("the last operation synced local files or other sources")
            newer = {_key(manifest): manifest for manifest in self._manifests(operation, number, [])}
            done = record.newer.keys()
            for key in [key for key in {**manifests, **newer} if done & {*resource_ids(key)}]:
                if key in newer:
                    manifests[key] = newer[key]
                else:
                    manifests.pop(key, None)
        return tuple(manifests.values())

    # -- one source at one revision

    def _copy(self, revision: _Revision, number: int) -> tuple[WorkTree, Copy]:
        source = revision.sources[number]
        tree = self._tree(source)
        commit = revision.commits[number]
        if text(source, "chart"):
            commit = None
        elif commit is not None and not _COMMIT.fullmatch(commit):
            raise SourceError(f"{commit} is not a commit of Git")
        return tree, self._checkouts.copy(tree, commit)

    def _manifests(self, revision: _Revision, number: int, notes: list[str]) -> tuple[Manifest, ...]:
        source = revision.sources[number]
        tree, copy = self._copy(revision, number)
        commit = None if text(source, "chart") else revision.commits[number]
        try:
            folder = _folder_of(source, copy.root)
            path = folder.relative_to(copy.root).as_posix()
            shown = _shown(tree, path) if commit is None else f"{commit[:_SHORT]}:{path}"
            kind = _type_of(source, folder)
            _check_fields(source, kind, folder, self._name)
            if kind == "helm":
                rendered = self._helm(revision, number, folder, shown, tree.root / path)
            elif kind == "kustomize":
                rendered = self._kustomize(as_object(source.get("kustomize")), copy.root, folder, shown)
            else:
                rendered = _directory(as_object(source.get("directory")), folder, shown, notes)
        except SourceError as error:
            left_out = "".join(f"; {sentence}" for sentence in copy.left_out)
            raise SourceError(f"{error}{left_out}".replace(str(copy.root), str(tree.root))) from None
        return tuple(replace(manifest, namespace=manifest.namespace or self._target) for manifest in rendered)

    def _kustomize(self, options: Object, root: Path, folder: Path, shown: str) -> tuple[Manifest, ...]:
        file, kustomization = read_kustomization(folder)
        built = build_changed(root, file, _with_options(kustomization, options, folder), any_file=self._any_file())
        return read_built(built, folder, shown)

    def _any_file(self) -> bool:
        """Returns whether the build options of Argo CD let kustomizations read files outside their folders.

        Raises:
            SourceError: There are other options.
        """
        try:
            config = _CONFIG_MAP.get(self._namespace, _OPTIONS, self._context.cluster)
        except MissingObjectError:
            return False
        given = text(config, "data", "kustomize.buildOptions").replace("=", " ").split()
        unrestricted = ["--load-restrictor", "LoadRestrictionsNone"]
        if given not in ([], unrestricted):
            raise SourceError(f"kustomize.buildOptions of argocd-cm is not supported: {' '.join(given)}")
        return given == unrestricted

    def _helm(self, revision: _Revision, number: int, folder: Path, shown: str, original: Path) -> tuple[Manifest, ...]:
        source = revision.sources[number]
        options = as_object(source.get("helm"))
        _add_dependencies(folder, original)
        chart = read_chart(folder)
        wanted = revision.commits[number]
        if text(source, "chart") and wanted is not None and not _RANGE.search(wanted) and chart.version != wanted:
            raise SourceError(f"{original} has version {chart.version} of the chart, not {wanted}")
        info = self._context.cluster.info
        with TemporaryDirectory(prefix="drift-") as scratch:
            installation = Installation(
                release=text(options, "releaseName") or self._name,
                namespace=text(options, "namespace") or self._target,
                values=(*self._value_files(revision, number, folder), *_inline_values(options, Path(scratch))),
                kube_version=None if info is None else info.version,
                api_versions=api_versions(self._context.cluster.resources),
                flags=tuple(_helm_flags(options)),
                has_crds=options.get("skipCrds") is not True,
                has_hooks=True,
            )
            manifests, _ = render_chart(chart, installation, shown)
        return manifests

    def _value_files(self, revision: _Revision, number: int, folder: Path) -> Iterator[str]:
        options = as_object(revision.sources[number].get("helm"))
        _, own = self._copy(revision, number)
        for name in options.get("valueFiles") or ():
            root, path = own.root, str(name)
            if path.startswith("$"):
                reference, _, path = path[1:].partition("/")
                found = [index for index, other in enumerate(revision.sources) if text(other, "ref") == reference]
                if not found:
                    raise SourceError(f"the values file {name} names no source of the Application")
                _, copy = self._copy(revision, found[0])
                root, start = copy.root, copy.root
            else:
                start = root if path.startswith("/") else folder
            if "://" in path or re.search(r"[*?\[{$]", path):
                raise SourceError(f"the values file {name} is a URL or a pattern, which is not supported")
            file = Path(os.path.realpath(start / path.lstrip("/")))
            if not file.is_relative_to(root):
                raise SourceError(f"the values file {name} is outside the repository")
            if file.is_file():
                yield str(file)
            elif options.get("ignoreMissingValueFiles") is not True:
                raise SourceError(f"the values file {name} does not exist")


def _recorded(entry: Object) -> _Revision:
    """Returns the sources of an entry of the history, or of a sync result."""
    revisions = at(entry, "revisions")
    if isinstance(revisions, list) and revisions:
        sources = tuple(items(entry, "sources"))
        return _Revision(sources, tuple(str(revision) for revision in revisions[: len(sources)]))
    return _Revision((as_object(at(entry, "source")),), (text(entry, "revision"),))


def _to_be_pruned(application: Object) -> Iterator[ObjectKey]:
    """Yields the objects that Argo CD has applied and that its last comparison did not find in Git."""
    for item in items(application, "status", "resources"):
        if item.get("requiresPruning") is True:
            yield ObjectKey(
                text(item, "group"), text(item, "kind"), text(item, "namespace") or None, text(item, "name")
            )


def _key(manifest: Manifest) -> ObjectKey:
    return ObjectKey(manifest.group, manifest.kind, manifest.namespace, manifest.name)


def _shown(tree: WorkTree, path: str) -> str:
    """Returns a path in a work tree as a user would name it."""
    full = os.path.normpath(tree.root / path)
    relative = os.path.relpath(full)
    return full if relative.startswith("..") else relative


def _folder_of(source: Object, root: Path) -> Path:
    """Returns the folder of a source in a copy of its repository."""
    chart = text(source, "chart")
    path = os.path.normpath(f"/{chart or text(source, 'path')}").lstrip("/")
    if (root / path).is_dir():
        return root / path
    if chart and (root / CHART).is_file():
        return root
    raise SourceError(f"the path {path} does not exist in the repository")


def _info(live: LiveObject) -> SourceInfo:
    """Returns what Argo CD says about an Application."""
    status = as_object(live.body.get("status"))
    automated = at(live.body, "spec", "syncPolicy", "automated")
    sync, health = text(status, "sync", "status"), text(status, "health", "status")
    history = list(items(status, "history"))
    problems = [text(item, "message") for item in items(status, "conditions") if text(item, "type").endswith("Error")]
    said = ", ".join(filter(None, (sync, health)))
    return SourceInfo(
        SourceKind.ARGOCD_APPLICATION,
        f"Application {live.namespace}/{live.name}",
        suspended=not isinstance(automated, dict) or automated.get("enabled") is False,
        ready=(sync == "Synced" and health == "Healthy") if sync else None,
        message=one_line(": ".join(filter(None, (said, *problems[:1])))),
        last_synced=(text(history[-1], "deployedAt") if history else "") or None,
        stale_since=stale_since(live.body),
    )


# -- types of sources


def _type_of(source: Object, folder: Path) -> str:
    """Returns the type of a source, as Argo CD finds it."""
    named = [kind for kind in _TYPES if source.get(kind)]
    if text(source, "chart"):
        named = [*dict.fromkeys(["helm", *named])]
    if len(named) > 1:
        raise SourceError(f"it has several types: {', '.join(named)}")
    if named:
        return named[0]
    if (folder / CHART).is_file():
        return "helm"
    return "kustomize" if any((folder / name).is_file() for name in KUSTOMIZATIONS) else "directory"


def _check_fields(source: Object, kind: str, folder: Path, application: str) -> None:
    """Checks that Argo CD renders a source with nothing but what is supported.

    Raises:
        SourceError: It does.
    """
    if kind == "plugin":
        raise SourceError("it is rendered by a plugin of Argo CD, which drift does not run")
    options = as_object(source.get(kind))
    unsupported = sorted(name for name, value in options.items() if value and name not in _FIELDS[kind].split())
    if unsupported:
        raise SourceError(f"{', '.join(f'{kind}.{name}' for name in unsupported)} is not supported")
    if kind == "kustomize" and not any((folder / name).is_file() for name in KUSTOMIZATIONS):
        raise SourceError("there is no kustomization in its path")
    for name in (".argocd-source.yaml", f".argocd-source-{application}.yaml"):
        if (folder / name).is_file():
            raise SourceError(f"{name}, which changes its parameters, is not supported")


# -- directory


def _directory(options: Object, folder: Path, shown: str, notes: list[str]) -> tuple[Manifest, ...]:
    include, exclude = (_glob(text(options, name)) for name in ("include", "exclude"))
    manifests: list[Manifest] = []
    for name in _files_in(folder, recurse=options.get("recurse") is True):
        is_chosen = include is None or include.fullmatch(name) is not None
        if not is_chosen or (exclude is not None and exclude.fullmatch(name)):
            continue
        if name.endswith(".jsonnet"):
            raise SourceError(f"{name} is jsonnet, which is not supported")
        try:
            content = read_file(folder / name)
        except OSError as error:
            raise SourceError(f"{name} cannot be read: {error.strerror}") from None
        if _SKIPPED_FILE.search(content):
            continue
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


# -- kustomize


def _with_options(kustomization: Object, options: Object, folder: Path) -> Object:
    """Returns a kustomization as ``kustomize edit`` changes it for Argo CD."""
    changed = dict(kustomization)
    for name in ("namePrefix", "nameSuffix", "namespace"):
        if text(options, name):
            changed[name] = text(options, name)
    images = _with_images(list(items(changed, "images")), _texts(options, "images"))
    if images:
        changed["images"] = images
    replicas = {text(item, "name"): item for item in items(changed, "replicas")}
    for item in items(options, "replicas"):
        count = item.get("count")
        replicas[text(item, "name")] = {
            "name": item.get("name"),
            "count": int(count) if isinstance(count, str) else count,
        }
    if replicas:
        changed["replicas"] = list(replicas.values())
    _add_labels(changed, options)
    annotations = as_object(options.get("commonAnnotations"))
    if annotations:
        changed["commonAnnotations"] = _merged(
            changed, "commonAnnotations", options, "forceCommonAnnotations", annotations
        )
    components = [
        name
        for name in _texts(options, "components")
        if options.get("ignoreMissingComponents") is not True or (folder / name).exists()
    ]
    for name, values in (("components", components), ("patches", list(items(options, "patches")))):
        if values:
            changed[name] = [*(changed.get(name) or ()), *values]
    return changed


def _add_labels(kustomization: Object, options: Object) -> None:
    labels = as_object(options.get("commonLabels"))
    if not labels:
        return
    if options.get("labelWithoutSelector") is True:
        entry = {"pairs": labels, "includeTemplates": options.get("labelIncludeTemplates") is True}
        kustomization["labels"] = [*(kustomization.get("labels") or ()), entry]
    else:
        kustomization["commonLabels"] = _merged(kustomization, "commonLabels", options, "forceCommonLabels", labels)


def _merged(kustomization: Object, name: str, options: Object, force: str, values: Object) -> Object:
    before = as_object(kustomization.get(name))
    if before.keys() & values.keys() and options.get(force) is not True:
        raise SourceError(f"its kustomization has a label or annotation that kustomize.{name} has too")
    return {**before, **values}


def _with_images(images: Sequence[Object], changes: Iterable[str]) -> Sequence[Object]:
    merged = {text(image, "name"): image for image in images}
    for change in changes:
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


def _texts(value: Object, name: str) -> Iterator[str]:
    found = value.get(name)
    return (item for item in (found if isinstance(found, list) else ()) if isinstance(item, str))


# -- helm


def _inline_values(options: Object, folder: Path) -> Iterator[str]:
    """Writes the values in an Application to a file."""
    values = options.get("valuesObject")
    content = json.dumps(values) if isinstance(values, dict) and values else text(options, "values")
    if content:
        file = folder / "values.yaml"
        file.write_text(content, encoding="utf-8")
        yield str(file)


def _helm_flags(options: Object) -> Iterator[str]:
    parameters = {text(item, "name"): item for item in items(options, "parameters")}
    for name, item in parameters.items():
        value = text(item, "value")
        if "$" in value:
            raise SourceError(f"the parameter {name} contains a variable, which is not supported")
        is_list = value.startswith("{") and value.endswith("}")
        # As Argo CD does: a comma would begin the next parameter.
        escaped = value if is_list else re.sub(r"(?<!\\),", r"\\,", value)
        yield from ("--set-string" if item.get("forceString") is True else "--set", f"{name}={escaped}")
    for name, flag in (("skipTests", "--skip-tests"), ("skipSchemaValidation", "--skip-schema-validation")):
        if options.get(name) is True:
            yield flag


def _add_dependencies(folder: Path, original: Path) -> None:
    """Copies the charts that a chart depends on, which Git often ignores, if they are there."""
    charts = original / "charts"
    if (folder / "charts").exists() or not charts.is_dir():
        return
    if (folder / CHART).read_bytes() == (original / CHART).read_bytes():
        shutil.copytree(charts, folder / "charts", ignore=_links_in)


def _links_in(folder: str, names: Iterable[str]) -> list[str]:
    """Returns the links in a folder, which may lead anywhere."""
    return [name for name in names if Path(folder, name).is_symlink()]
