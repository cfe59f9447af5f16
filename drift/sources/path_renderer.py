"""Renders the paths that are not manifests themselves: kustomizations and charts."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

from drift.config.settings import SourceRequest
from drift.errors import SourceError
from drift.model import Manifest, SourceInfo, SourceKind
from drift.sources.helm import Chart, Installation, api_versions, fill_random, read_chart, render_chart
from drift.sources.helm_release import find_release, release_state
from drift.sources.kustomizations import folder_of, is_chart, kind_of_path
from drift.sources.kustomize import build, read_built
from drift.sources.model import Rendered, SourceContext, with_origin


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

    def manifests(self, path: Path, shown: str) -> tuple[Manifest, ...]:
        """Returns the manifests of another version of the path.

        Args:
            path: Where that version is.
            shown: The path for messages.

        Raises:
            SourceError: It cannot be rendered.
        """
        folder = folder_of(str(path))
        if is_chart(folder):
            chart = read_chart(folder)
            return render_chart(chart, self._installation(chart), shown, self._context.runner)[0]
        return self._built(folder, shown)

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

    def _built(self, folder: Path, shown: str) -> tuple[Manifest, ...]:
        manifests = read_built(build(folder, self._context.runner), folder, shown)
        if not manifests:
            raise SourceError("kustomize builds no object from it")
        return manifests
