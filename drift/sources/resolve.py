"""Turns the sources that a user names into manifests, for one cluster: chooses how to read each, and reads them.

Programs run two at a time. A source that cannot be rendered becomes a failure in the result, not an error: the others
are compared nevertheless.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final, assert_never

from drift.config.settings import RequestKind, SourceRequest
from drift.documents.files import files_below, read_file
from drift.errors import SourceError
from drift.model import Manifest, SourceInfo, SourceKind
from drift.sources.argocd import argocd_state, render_argocd
from drift.sources.flux import flux_state, render_flux
from drift.sources.git import manifests_info
from drift.sources.git_revision import RenderedPath, Revisions
from drift.sources.helm import Chart, Installation, api_versions, fill_random, is_chart, read_chart, render_chart
from drift.sources.helm_release import find_release, release_state, render_releases
from drift.sources.kustomizations import CHART, KUSTOMIZATIONS, is_list_only
from drift.sources.kustomize import build, has_kustomization, read_built
from drift.sources.load import LoadedManifests
from drift.sources.model import Desired, Rendered, SourceContext

#: Programs that render at the same time; each needs a processor.
_MAX_PARALLEL: Final = 2
#: Return a value that changes when what a source reads in the cluster does.
_STATES: Final[Mapping[RequestKind, Callable[[str, SourceContext], Hashable]]] = {
    RequestKind.HELM_RELEASE: release_state,
    RequestKind.FLUX: flux_state,
    RequestKind.ARGOCD: argocd_state,
}
#: Renders one source. The result has one item for each object of a GitOps controller.
_Job = Callable[[], Sequence[Rendered]]


def kind_of_path(path: str) -> SourceKind:
    """Returns how a path is read. A kustomization that only lists files is read as these files."""
    if path == "-":
        return SourceKind.FILES
    folder = _folder(path)
    if is_chart(folder):
        return SourceKind.HELM_CHART
    if folder.is_dir() and has_kustomization(folder):
        try:
            if not is_list_only(path, files_below(folder), lambda name: read_file(folder / name)):
                return SourceKind.KUSTOMIZE
        except OSError:
            # The reader of the files says what is wrong.
            return SourceKind.FILES
    return SourceKind.FILES


def file_paths(requests: Iterable[SourceRequest]) -> tuple[str, ...]:
    """Returns the paths whose files are the manifests. They can be read without a cluster."""
    return tuple(
        request.target
        for request in requests
        if request.kind is RequestKind.PATH and kind_of_path(request.target) is SourceKind.FILES
    )


def from_files(loaded: LoadedManifests) -> Desired:
    """Returns the desired objects of files alone."""
    has_history = bool(loaded.paths) and "-" not in loaded.paths
    return Desired(tuple(_files(loaded)), Revisions(loaded.paths, loaded.exclude) if has_history else None)


def resolve(requests: Sequence[SourceRequest], context: SourceContext, loaded: LoadedManifests | None) -> Desired:
    """Reads and renders all sources for one cluster.

    Args:
        requests: The sources.
        context: The cluster.
        loaded: The manifests of `file_paths`, which are read already; None if there are no such paths.

    Raises:
        UsageError: A file that belongs to a source does not exist.
    """
    requests = tuple(dict.fromkeys(requests))
    rendered: list[Rendered | _Job] = []
    revisions: list[RenderedPath] = []
    files = {source.info.name: source for source in _files(loaded)} if loaded is not None else {}
    for request in requests:
        kind = kind_of_path(request.target) if request.kind is RequestKind.PATH else None
        if request.target in files and kind is SourceKind.FILES:
            rendered.append(files.pop(request.target))
        elif kind is not None:
            renderer = _PathRenderer(request, context)
            rendered.append(renderer.render)
            revisions.append(RenderedPath(renderer.name, request.target, renderer.manifests))
        else:
            rendered.append(_job(request, context))
    jobs = [item for item in rendered if not isinstance(item, Rendered)]
    results = iter(_run(jobs))
    done = _without_replaced([[item] if isinstance(item, Rendered) else next(results) for item in rendered])
    paths = loaded.paths if loaded is not None else ()
    has_history = "-" not in paths and (paths or revisions)
    return Desired(
        tuple(source for sources in done for source in sources),
        Revisions(paths, () if loaded is None else loaded.exclude, revisions) if has_history else None,
    )


def cluster_state(requests: Sequence[SourceRequest], context: SourceContext) -> Hashable:
    """Returns a value that changes when sources in the cluster change, such as the releases of Helm.

    Raises:
        DriftError: The cluster cannot be read.
    """
    return tuple(_STATES[request.kind](request.target, context) for request in requests if request.kind in _STATES)


def _job(request: SourceRequest, context: SourceContext) -> _Job:
    match request.kind:
        case RequestKind.HELM_RELEASE:
            return lambda: _or_failure(
                request, SourceKind.HELM_RELEASE, lambda: render_releases(request.target, context)
            )
        case RequestKind.FLUX:
            return lambda: _or_failure(
                request, SourceKind.FLUX_KUSTOMIZATION, lambda: render_flux(request.target, context)
            )
        case RequestKind.ARGOCD:
            return lambda: _or_failure(
                request, SourceKind.ARGOCD_APPLICATION, lambda: render_argocd(request.target, context)
            )
        case RequestKind.PATH:
            raise ValueError("a path is rendered by _PathRenderer")
        case _:
            assert_never(request.kind)


def _without_replaced(rendered: Sequence[Sequence[Rendered]]) -> list[list[Rendered]]:
    """Leaves out the sources that others describe, too: the Helm releases of Flux's HelmReleases, and repetitions."""
    replaced = {source.replaces for sources in rendered for source in sources}
    seen: set[str] = set()
    kept: list[list[Rendered]] = []
    for sources in rendered:
        kept.append([source for source in sources if source.info.name not in replaced | seen])
        seen |= {source.info.name for source in sources}
    return kept


def _or_failure(
    request: SourceRequest, kind: SourceKind, render: Callable[[], Sequence[Rendered]]
) -> Sequence[Rendered]:
    try:
        return [_with_origin(source) for source in render()]
    except SourceError as error:
        return [Rendered(SourceInfo(kind, str(request)), failure=f"{request}: {error}")]


def _with_origin(source: Rendered) -> Rendered:
    """Returns a source whose manifests name it and whose info counts them."""
    name = (source.info.name,)
    manifests = tuple(replace(manifest, origins=name) for manifest in source.manifests)
    return replace(source, info=replace(source.info, objects=len(manifests)), manifests=manifests)


def _run(jobs: Sequence[_Job]) -> Sequence[Sequence[Rendered]]:
    if len(jobs) < _MAX_PARALLEL:
        return [job() for job in jobs]
    with ThreadPoolExecutor(_MAX_PARALLEL) as pool:
        return list(pool.map(lambda job: job(), jobs))


def _files(loaded: LoadedManifests) -> Iterable[Rendered]:
    """Yields one source for each path. What is not about one path belongs to the first."""
    counts = Counter(origin for manifest in loaded.manifests for origin in manifest.origins)
    manifests: dict[str, list[Manifest]] = {path: [] for path in loaded.paths}
    for manifest in loaded.manifests:
        manifests[manifest.origins[0]].append(manifest)
    for index, path in enumerate(dict.fromkeys(loaded.paths)):
        info = SourceInfo(SourceKind.FILES, path, path, objects=counts[path])
        yield Rendered(
            info,
            tuple(manifests[path]),
            notes=loaded.notes if index == 0 else (),
            errors=loaded.errors if index == 0 else (),
        )


class _PathRenderer:
    """Renders a kustomization or a chart.

    Args:
        request: Its path and options.
        context: The cluster.

    Attributes:
        name: The name of the source.
    """

    def __init__(self, request: SourceRequest, context: SourceContext) -> None:
        self._request = request
        self._context = context
        self.name = str(request)

    def render(self) -> Sequence[Rendered]:
        request = self._request
        kind = kind_of_path(request.target)
        info = SourceInfo(kind, self.name, request.target, manifests_info((request.target,)).git_commit)
        files = (str(_folder(request.target)), *request.values)
        try:
            if kind is SourceKind.HELM_CHART:
                return [_with_origin(replace(self._chart(info), files=files))]
            manifests = _built(_folder(request.target), files[0])
            bases = {str(Path(manifest.source.file).parent) for manifest in manifests if manifest.source is not None}
            return [_with_origin(Rendered(info, manifests, files=(*files, *sorted(bases))))]
        except SourceError as error:
            return [Rendered(info, files=files, failure=f"{self.name}: {error}")]

    def manifests(self, path: Path, shown: str) -> tuple[Manifest, ...]:
        """Returns the manifests of another version of the path.

        Args:
            path: Where that version is.
            shown: The path for messages.

        Raises:
            SourceError: It cannot be rendered.
        """
        folder = _folder(str(path))
        if is_chart(folder):
            chart = read_chart(folder)
            return render_chart(chart, self._installation(chart), shown)[0]
        return _built(folder, shown)

    def _chart(self, info: SourceInfo) -> Rendered:
        shown = str(_folder(self._request.target))
        chart = read_chart(Path(shown))
        installation = self._installation(chart)
        manifests, notes = render_chart(chart, installation, shown)
        info = replace(info, revision=chart.version)
        try:
            release = (
                find_release(installation.namespace, installation.release, self._context)
                if self._context.stored is not None
                else None
            )
        except SourceError as error:
            title = f"{installation.namespace}/{installation.release}"
            note = f"{self.name}: cannot tell an upgrade that is pending from an edit by hand: release {title}: {error}"
            return Rendered(info, manifests, notes=(*notes, note))
        if release is None:
            return Rendered(info, manifests, notes=notes)
        info = replace(
            info,
            synced_revision=release.chart_version,
            ready=release.problem is None,
            message=release.problem,
            last_synced=release.deployed_at,
        )
        return Rendered(info, fill_random(manifests, release.manifests), release.synced or (), notes=notes)

    def _installation(self, chart: Chart) -> Installation:
        request, cluster = self._request, self._context.cluster
        return Installation(
            release=request.release or chart.name,
            namespace=request.namespace or self._context.namespace,
            values=request.values,
            set_values=request.set_values,
            kube_version=None if cluster.info is None else cluster.info.version,
            api_versions=api_versions(cluster.resources),
        )


def _built(folder: Path, shown: str) -> tuple[Manifest, ...]:
    manifests = read_built(build(folder), folder, shown)
    if not manifests:
        raise SourceError("kustomize builds no object from it")
    return manifests


def _folder(path: str) -> Path:
    """Returns the folder of a kustomization or chart that is named by its file, else the path itself."""
    file = Path(path)
    return file.parent if file.name in {*KUSTOMIZATIONS, CHART} and file.is_file() else file
