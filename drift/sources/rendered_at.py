"""Renders the kustomizations and charts of a saved report at a Git revision, without a cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from drift.config.settings import RequestKind, SourceRequest
from drift.errors import SourceError
from drift.model import Manifest, SourceInfo, SourceKind
from drift.sources.git_revision import copy_at
from drift.sources.helm import Installation, read_chart, render_chart
from drift.sources.kustomizations import folder_of
from drift.sources.kustomize import build, read_built
from drift.sources.programs import Runner


def render_at(
    revision: str | None, source: SourceInfo, requests: Sequence[SourceRequest], kube_version: str | None
) -> tuple[Manifest, ...]:
    """Returns the manifests of a source at a revision.

    Args:
        revision: Any revision that Git can resolve; None for the work tree as it is.
        source: The source.
        requests: The sources of drift.yaml, which say how a chart is installed.
        kube_version: The version of the cluster.

    Raises:
        SourceError: It cannot be rendered, or not without the cluster.
        UsageError: Its path is not in a Git work tree, or the work tree does not have the revision.
    """
    if source.path is None or source.kind not in {SourceKind.KUSTOMIZE, SourceKind.HELM_CHART}:
        raise SourceError(f"{source.name}: what {source.kind} applies is known only to the cluster")
    installation = _installation(source, requests, kube_version) if source.kind is SourceKind.HELM_CHART else None
    try:
        if revision is None:
            manifests = _render(Path(source.path), source.path, installation, {})
        else:
            with copy_at(revision, Path(source.path)) as copy:
                places = {copy.work_tree.resolve(): copy.root}
                manifests = _render(copy.path, source.path, installation, places) if copy.path.exists() else ()
    except SourceError as error:
        raise SourceError(f"{source.name}{f' at {revision}' if revision else ''}: {error}") from None
    return tuple(replace(manifest, origins=(source.name,)) for manifest in manifests)


def _installation(source: SourceInfo, requests: Sequence[SourceRequest], kube_version: str | None) -> Installation:
    request = next((one for one in requests if one.kind is RequestKind.PATH and str(one) == source.name), None)
    if request is None or request.namespace is None:
        raise SourceError(
            f"{source.name}: how this chart is installed is not known; "
            "name it in drift.yaml under sources, with its namespace and values"
        )
    return Installation(
        release=request.release or "",
        namespace=request.namespace,
        values=request.values,
        set_values=request.set_values,
        kube_version=kube_version,
    )


def _render(
    path: Path, shown: str, installation: Installation | None, places: Mapping[Path, Path]
) -> tuple[Manifest, ...]:
    """Renders a path.

    Args:
        path: Where it is.
        shown: Its name for messages.
        installation: How a chart is installed; None for a kustomization.
        places: The folder that takes the place of another one, for values files.
    """
    folder = folder_of(str(path))
    if installation is None:
        return read_built(build(folder, Runner()), folder, shown)
    chart = read_chart(folder)
    values = tuple(str(_in_place(Path(file).resolve(), places)) for file in installation.values)
    installation = replace(installation, release=installation.release or chart.name, values=values)
    manifests, _ = render_chart(chart, installation, shown, Runner())
    return manifests


def _in_place(file: Path, places: Mapping[Path, Path]) -> Path:
    return next((new / file.relative_to(old) for old, new in places.items() if file.is_relative_to(old)), file)
