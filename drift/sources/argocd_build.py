"""Renders one source of an Application at one revision, as Argo CD's repo-server does.

What is not supported is an error: a source is never read in another way than Argo CD reads it.
https://argo-cd.readthedocs.io/en/stable/user-guide/application_sources/
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from drift.errors import SourceError
from drift.gitops.sync_record import text
from drift.model import Manifest, Object, as_object
from drift.redaction import without_passwords
from drift.sources.argocd_directory import read_directory
from drift.sources.argocd_parameters import helm_flags, inline_values, with_parameters
from drift.sources.checkouts import Checkouts, Copy, WorkTree
from drift.sources.controller_objects import ControllerKind, MissingObjectError
from drift.sources.flux_build import build_changed, read_kustomization
from drift.sources.helm import Installation, api_versions, read_chart, render_chart
from drift.sources.kustomizations import CHART, KUSTOMIZATIONS
from drift.sources.kustomize import read_built
from drift.sources.model import SourceContext

CONFIG_MAP: Final = ControllerKind("", "ConfigMap")
#: The ConfigMap with the options of Argo CD.
OPTIONS: Final = "argocd-cm"
#: How many digits of a commit are shown.
SHORT: Final = 12
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
#: A range of versions, which stands for the newest tag in it.
RANGE: Final = re.compile(r"[*^~<>=|]|\.x\b")
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


@dataclass(frozen=True, slots=True)
class Revision:
    """The sources of an Application at one time.

    Attributes:
        sources: As in its spec.
        commits: The commit of each, or the version of its chart; None for the files as they are.
    """

    sources: tuple[Object, ...]
    commits: tuple[str | None, ...]


class ApplicationBuilder:
    """Renders the sources of one Application.

    Args:
        name: The Application.
        target: The namespace of objects that name none.
        context: The cluster.
        checkouts: The work trees.
        may_read_any_file: Whether kustomizations may read files outside their folders; it may raise SourceError.
    """

    def __init__(
        self,
        name: str,
        target: str,
        context: SourceContext,
        checkouts: Checkouts,
        may_read_any_file: Callable[[], bool],
    ) -> None:
        self._name = name
        self._target = target
        self._context = context
        self._checkouts = checkouts
        self._may_read_any_file = may_read_any_file
        self._done: dict[str, tuple[tuple[Manifest, ...], tuple[str, ...]]] = {}

    def tree(self, source: Object) -> WorkTree:
        """Returns the work tree of a source.

        Raises:
            SourceError: There is none.
        """
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

    def _copy(self, revision: Revision, number: int) -> AbstractContextManager[Copy]:
        source = revision.sources[number]
        commit = revision.commits[number]
        if text(source, "chart"):
            commit = None
        elif commit is not None and not COMMIT.fullmatch(commit):
            raise SourceError(f"{commit} is not a commit of Git")
        return self._checkouts.copy(self.tree(source), commit)

    def manifests(self, revision: Revision, number: int) -> tuple[tuple[Manifest, ...], tuple[str, ...]]:
        """Renders a source, if it was not rendered before.

        Args:
            revision: The sources of the Application.
            number: Which of them.

        Returns:
            Its manifests, and remarks, a sentence each.

        Raises:
            SourceError: It cannot be rendered, or not as Argo CD would.
        """
        key = json.dumps([number, revision.sources, [*self._checked_out(revision)]])
        if key not in self._done:
            with self._copy(revision, number) as copy:
                self._done[key] = self._render(revision, number, copy)
        return self._done[key]

    def _checked_out(self, revision: Revision) -> Iterator[str | None]:
        """Yields the commits of the sources, also of those that are compared as they are, if nothing has changed."""
        for source, commit in zip(revision.sources, revision.commits, strict=True):
            try:
                tree = self.tree(source)
            except SourceError:
                yield commit
            else:
                yield commit or (None if tree.is_dirty else tree.commit)

    def _render(self, revision: Revision, number: int, copy: Copy) -> tuple[tuple[Manifest, ...], tuple[str, ...]]:
        source = revision.sources[number]
        tree = self.tree(source)
        commit = None if text(source, "chart") else revision.commits[number]
        notes: list[str] = []
        try:
            folder = _folder_of(source, copy.root)
            path = folder.relative_to(copy.root).as_posix()
            shown = shown_path(tree, path) if commit is None else f"{commit[:SHORT]}:{path}"
            kind = _type_of(source, folder)
            _check_fields(source, kind, folder, self._name)
            if kind == "helm":
                rendered = self._helm(revision, number, copy, folder, shown, tree.root / path)
            elif kind == "kustomize":
                rendered = self._kustomize(as_object(source.get("kustomize")), copy.root, folder, shown)
            else:
                rendered = read_directory(as_object(source.get("directory")), folder, shown, notes)
        except SourceError as error:
            left_out = "".join(f"; {sentence}" for sentence in copy.left_out)
            raise SourceError(f"{error}{left_out}".replace(str(copy.root), str(tree.root))) from None
        manifests = (replace(manifest, namespace=manifest.namespace or self._target) for manifest in rendered)
        return tuple(manifests), tuple(notes)

    def _kustomize(self, options: Object, root: Path, folder: Path, shown: str) -> tuple[Manifest, ...]:
        file, kustomization = read_kustomization(folder)
        wanted = with_parameters(kustomization, options, folder)
        built = build_changed(root, file, wanted, self._context.runner, any_file=self._may_read_any_file())
        return read_built(built, folder, shown)

    def _helm(  # noqa: PLR0917
        self, revision: Revision, number: int, copy: Copy, folder: Path, shown: str, original: Path
    ) -> tuple[Manifest, ...]:
        source = revision.sources[number]
        options = as_object(source.get("helm"))
        _add_dependencies(folder, original)
        chart = read_chart(folder)
        wanted = revision.commits[number]
        if text(source, "chart") and wanted is not None and not RANGE.search(wanted) and chart.version != wanted:
            raise SourceError(f"{original} has version {chart.version} of the chart, not {wanted}")
        info = self._context.cluster.info
        with TemporaryDirectory(prefix="drift-") as scratch, ExitStack() as copies:
            value_files = self._value_files(revision, number, copy, folder, copies)
            installation = Installation(
                release=text(options, "releaseName") or self._name,
                namespace=text(options, "namespace") or self._target,
                values=(*value_files, *inline_values(options, Path(scratch))),
                kube_version=None if info is None else info.version,
                api_versions=api_versions(self._context.cluster.resources),
                flags=tuple(helm_flags(options)),
                has_crds=options.get("skipCrds") is not True,
                has_hooks=True,
            )
            manifests, _ = render_chart(chart, installation, shown, self._context.runner)
        return manifests

    def _value_files(
        self, revision: Revision, number: int, own: Copy, folder: Path, copies: ExitStack
    ) -> Iterator[str]:
        options = as_object(revision.sources[number].get("helm"))
        for name in options.get("valueFiles") or ():
            root, path = own.root, str(name)
            if path.startswith("$"):
                reference, _, path = path[1:].partition("/")
                found = [index for index, other in enumerate(revision.sources) if text(other, "ref") == reference]
                if not found:
                    raise SourceError(f"the values file {name} names no source of the Application")
                copy = copies.enter_context(self._copy(revision, found[0]))
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


def may_read_any_file(namespace: str, context: SourceContext) -> bool:
    """Returns whether the build options of Argo CD let kustomizations read files outside their folders.

    Args:
        namespace: That of Argo CD.
        context: The cluster.

    Raises:
        SourceError: There are other options.
    """
    try:
        config = CONFIG_MAP.get(namespace, OPTIONS, context.cluster)
    except MissingObjectError:
        return False
    given = text(config, "data", "kustomize.buildOptions").replace("=", " ").split()
    unrestricted = ["--load-restrictor", "LoadRestrictionsNone"]
    if given not in ([], unrestricted):
        raise SourceError(f"kustomize.buildOptions of argocd-cm is not supported: {' '.join(given)}")
    return given == unrestricted


def _folder_of(source: Object, root: Path) -> Path:
    """Returns the folder of a source in a copy of its repository."""
    chart = text(source, "chart")
    path = os.path.normpath(f"/{chart or text(source, 'path')}").lstrip("/")
    if (root / path).is_dir():
        return root / path
    if chart and (root / CHART).is_file():
        return root
    raise SourceError(f"the path {path} does not exist in the repository")


def shown_path(tree: WorkTree, path: str) -> str:
    """Returns a path in a work tree as a user would name it."""
    full = os.path.normpath(tree.root / path)
    relative = os.path.relpath(full)
    return full if relative.startswith("..") else relative


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
