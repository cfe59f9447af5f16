"""Renders the paths that are not manifests themselves: kustomizations and charts, with or without a cluster."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from pathlib import Path

from drift.config.settings import RequestKind, SourceRequest
from drift.errors import SourceError
from drift.model import SourceInfo, SourceKind
from drift.objects import Manifest
from drift.sources.git import Git, RevisionCopy, copy_at
from drift.sources.helm import Chart, Installation, api_versions, fill_random, read_chart, render_chart
from drift.sources.helm_release import find_release, release_state
from drift.sources.kustomizations import folder_of, is_chart, kind_of_path
from drift.sources.kustomize import build, read_built
from drift.sources.model import Rendered, SourceContext, with_origin
from drift.sources.programs import Runner


class PathRenderer:
    """Renders a kustomization or a chart.

    Args:
        request: Its path and options.
        context: The cluster.
        commit: The commit that the path is at; None outside a work tree of Git.

    Attributes:
        name: The name of the source.
    """

    def __init__(self, request: SourceRequest, context: SourceContext, commit: str | None) -> None:
        self._request = request
        self._context = context
        self._commit = commit
        self.name = str(request)

    def render(self) -> Sequence[Rendered]:
        """Returns the source as it is now, as the only one."""
        request = self._request
        kind = kind_of_path(request.target)
        info = SourceInfo(kind, self.name, request.target, self._commit)
        folder = folder_of(request.target)
        try:
            if kind is SourceKind.HELM_CHART:
                return [with_origin(self._chart(info))]
            return [with_origin(Rendered(info, self._built(folder, str(folder))))]
        except SourceError as error:
            return [Rendered(info, failure=f"{self.name}: {error}")]

    def manifests(self, copy: RevisionCopy) -> tuple[Manifest, ...]:
        """Returns the manifests of the path at another revision, with the values files of that revision.

        Args:
            copy: The repository at that revision.

        Raises:
            SourceError: It cannot be rendered.
        """
        folder = folder_of(str(copy.path))
        if is_chart(folder):
            chart = read_chart(folder)
            values = _placed(self._request, copy.place_of)
            installation = replace(self._installation(chart), values=values)
            return render_chart(chart, installation, copy.inside, self._context.runner)[0]
        return self._built(folder, copy.inside)

    def release_state(self) -> Hashable:
        """Returns a value that changes when the release of a chart does; None for a kustomization.

        Raises:
            SourceError: The chart cannot be read, or the account may not list releases.
        """
        folder = folder_of(self._request.target)
        if not is_chart(folder):
            return None
        installation = self._installation(read_chart(folder))
        return release_state(f"{installation.namespace}/{installation.release}", self._context)

    def _chart(self, info: SourceInfo) -> Rendered:
        shown = str(folder_of(self._request.target))
        chart = read_chart(Path(shown))
        installation = self._installation(chart)
        manifests, notes = render_chart(chart, installation, shown, self._context.runner)
        if not manifests:
            raise SourceError("helm renders no object from it; do its values turn everything off?")
        info = replace(info, revision=chart.version)
        try:
            has_stored = self._context.stored is not None
            release = find_release(installation.namespace, installation.release, self._context) if has_stored else None
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
        cluster = self._context.cluster
        installation = _installation(self._request, chart, None if cluster.info is None else cluster.info.version)
        return replace(
            installation,
            namespace=installation.namespace or self._context.namespace,
            api_versions=api_versions(cluster.resources),
        )

    def _built(self, folder: Path, shown: str) -> tuple[Manifest, ...]:
        manifests = read_built(build(folder, self._context.runner), shown)
        if not manifests:
            raise SourceError("kustomize builds no object from it")
        return manifests


def _installation(request: SourceRequest, chart: Chart, kube_version: str | None) -> Installation:
    return Installation(
        release=request.release or chart.name,
        namespace=request.namespace or "",
        values=request.values,
        set_values=request.set_values,
        kube_version=kube_version,
    )


def _placed(request: SourceRequest, place_of: Callable[[Path], Path]) -> tuple[str, ...]:
    """Returns where the values files of a chart are in another version of their repository."""
    return tuple(str(place_of(Path(file))) for file in request.values)


def render_at(
    revision: str | None, source: SourceInfo, requests: Sequence[SourceRequest], kube_version: str | None, git: Git
) -> tuple[Manifest, ...]:
    """Returns the manifests of a source at a revision.

    Args:
        revision: Any revision that Git can resolve; None for the work tree as it is.
        source: The source.
        requests: The sources of drift.yaml, which say how a chart is installed.
        kube_version: The version of the cluster.
        git: Runs Git. Its deadline also applies to other programs.

    Raises:
        SourceError: It cannot be rendered, or not without the cluster.
        UsageError: Its path is not in a Git work tree, or the work tree does not have the revision.
    """
    if source.path is None or source.kind not in {SourceKind.KUSTOMIZE, SourceKind.HELM_CHART}:
        raise SourceError(f"{source.name}: what {source.kind} applies is known only to the cluster")
    runner, shown = Runner(git.deadline), source.path
    request = _request_of(source, requests) if source.kind is SourceKind.HELM_CHART else None

    def render(path: Path, place_of: Callable[[Path], Path]) -> Sequence[Manifest]:
        folder = folder_of(str(path))
        if request is None:
            return read_built(build(folder, runner), shown)
        chart = read_chart(folder)
        installation = replace(_installation(request, chart, kube_version), values=_placed(request, place_of))
        return render_chart(chart, installation, shown, runner)[0]

    try:
        if revision is None:
            manifests = render(Path(shown), Path.resolve)
        else:
            with copy_at(revision, Path(shown), git) as copy:
                manifests = render(copy.path, copy.place_of) if copy.path.exists() else ()
    except SourceError as error:
        raise SourceError(f"{source.name}{f' at {revision}' if revision else ''}: {error}") from None
    return tuple(replace(manifest, origins=(source.name,)) for manifest in manifests)


def _request_of(source: SourceInfo, requests: Sequence[SourceRequest]) -> SourceRequest:
    request = next((one for one in requests if one.kind is RequestKind.PATH and str(one) == source.name), None)
    if request is None or request.namespace is None:
        raise SourceError(
            f"{source.name}: how this chart is installed is not known; "
            "name it in drift.yaml under sources, with its namespace and values"
        )
    return request
