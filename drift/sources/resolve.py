"""Turns the sources that a user names into manifests, for one cluster: chooses how to read each, and reads them.

A source that cannot be rendered becomes a failure in the result, not an error: the others are compared nevertheless.
For a watch, it also finds what the sources are made from: local files, and what the cluster says.
"""

import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

from drift.config.settings import RequestKind, SourceRequest
from drift.documents.files import files_below, read_file
from drift.documents.parse import read_documents
from drift.errors import DriftError, SourceError
from drift.kube.limits import NO_DEADLINE, Deadline
from drift.model import SourceInfo, SourceKind
from drift.sources.git import RenderedPath, Revisions, commits_of
from drift.sources.kustomizations import KUSTOMIZATIONS, folder_of, kind_of_path, named_paths
from drift.sources.load import LoadedManifests
from drift.sources.model import Desired, Rendered, SourceContext, with_origin

if TYPE_CHECKING:
    from drift.objects import Manifest

#: Sources whose files are in local checkouts.
_FROM_CHECKOUTS: Final = frozenset({RequestKind.FLUX, RequestKind.ARGOCD})
#: The kind of most sources that objects in the cluster describe, and what these objects are.
_OBJECTS_OF: Final = {
    RequestKind.HELM_RELEASE: (SourceKind.HELM_RELEASE, "Helm release"),
    RequestKind.FLUX: (SourceKind.FLUX_KUSTOMIZATION, "Kustomization or HelmRelease of Flux"),
    RequestKind.ARGOCD: (SourceKind.ARGOCD_APPLICATION, "Application of Argo CD"),
}

#: Renders one source. The result has one item for each object of a GitOps controller.
_Job = Callable[[], Sequence[Rendered]]


def file_paths(requests: Iterable[SourceRequest]) -> tuple[str, ...]:
    """Returns the paths whose files are the manifests. They can be read without a cluster."""
    return tuple(
        request.target
        for request in requests
        if request.kind is RequestKind.PATH and kind_of_path(request.target) is SourceKind.FILES
    )


def from_files(loaded: LoadedManifests, deadline: Deadline = NO_DEADLINE) -> Desired:
    """Returns the desired objects of files alone.

    Args:
        loaded: Their manifests.
        deadline: When Git is stopped, which reads other revisions of them.
    """
    return Desired(tuple(_files(loaded)), _revisions(loaded, (), deadline))


def _revisions(
    loaded: LoadedManifests | None, rendered: Sequence[RenderedPath], deadline: Deadline
) -> Revisions | None:
    paths, exclude = ((), ()) if loaded is None else (loaded.paths, loaded.exclude)
    return Revisions(paths, exclude, rendered, deadline) if "-" not in paths and (paths or rendered) else None


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
    paths_to_render: list[RenderedPath] = []
    files = {source.info.name: source for source in _files(loaded)} if loaded is not None else {}
    paths = [request.target for request in requests if request.kind is RequestKind.PATH]
    commits = commits_of(path for path in paths if path not in files)
    for request in requests:
        reader = _in_cluster(request.kind)
        if reader is not None:
            rendered.append(partial(_read, reader, request, context))
        elif request.target in files:
            rendered.append(files.pop(request.target))
        else:
            # Most scans read files only, and start faster without this.
            from drift.sources.path_renderer import PathRenderer  # noqa: PLC0415

            renderer = PathRenderer(request, context, commits.get(request.target))
            rendered.append(renderer.render)
            paths_to_render.append(RenderedPath(renderer.name, request.target, renderer.manifests))
    jobs = [item for item in rendered if not isinstance(item, Rendered)]
    results = iter(context.runner.run_all(jobs) if jobs else ())
    found = [[item] if isinstance(item, Rendered) else next(results) for item in rendered]
    done = [sources or [_absent(request)] for request, sources in zip(requests, found, strict=True)]
    kept = [source for sources in _without_replaced(done) for source in sources]
    return Desired(
        tuple(map(_failed, kept) if all(source.skipped for source in kept) else kept),
        _revisions(loaded, paths_to_render, context.runner.deadline),
    )


def cluster_states(
    requests: Iterable[SourceRequest], context: SourceContext
) -> Iterator[tuple[SourceRequest, Hashable]]:
    """Yields a value for each source that changes when what the cluster says about it does, such as a release of Helm.

    What cannot be read now is left out.
    """
    for request in requests:
        with suppress(DriftError):
            yield request, _state(request, context)


def _state(request: SourceRequest, context: SourceContext) -> Hashable:
    reader = _in_cluster(request.kind)
    if reader is not None:
        return reader.state(request.target, context)
    if kind_of_path(request.target) is not SourceKind.HELM_CHART:
        return None
    from drift.sources.path_renderer import PathRenderer  # noqa: PLC0415

    return PathRenderer(request, context, None).release_state()


@dataclass(frozen=True, slots=True)
class _InCluster:
    """How to read sources that objects in the cluster describe.

    Attributes:
        render: Reads them, given ``all`` or a name.
        state: Returns a value that changes when one of them does.
    """

    render: Callable[[str, SourceContext], Sequence[Rendered]]
    state: Callable[[str, SourceContext], Hashable]


def _in_cluster(kind: RequestKind) -> _InCluster | None:
    """Returns how to read a kind of source; None for a path."""
    # Imported only here: most scans read files, and start faster without these.
    match kind:
        case RequestKind.HELM_RELEASE:
            from drift.sources.helm_release import release_state, render_releases  # noqa: PLC0415

            return _InCluster(render_releases, release_state)
        case RequestKind.FLUX:
            from drift.sources.flux import flux_state, render_flux  # noqa: PLC0415

            return _InCluster(render_flux, flux_state)
        case RequestKind.ARGOCD:
            from drift.sources.argocd import argocd_state, render_argocd  # noqa: PLC0415

            return _InCluster(render_argocd, argocd_state)
        case RequestKind.PATH:
            return None
        case _:
            assert_never(kind)


def _read(reader: _InCluster, request: SourceRequest, context: SourceContext) -> Sequence[Rendered]:
    try:
        return [with_origin(source) for source in reader.render(request.target, context)]
    except SourceError as error:
        return [Rendered(SourceInfo(_OBJECTS_OF[request.kind][0], str(request)), failure=f"{request}: {error}")]


def _absent(request: SourceRequest) -> Rendered:
    """Returns the source for a request of all objects of a kind that the cluster does not have.

    It is skipped, because one job for many clusters asks for all of Flux and all of Argo CD.
    """
    kind, objects = _OBJECTS_OF[request.kind]
    return Rendered(SourceInfo(kind, str(request)), skipped=f"the cluster has no {objects}")


def _failed(source: Rendered) -> Rendered:
    """Returns a skipped source as a failure: without any other one, the result would be in sync."""
    failure = f"{source.info.name}: {source.skipped}, so there is nothing to compare"
    return replace(source, skipped=None, failure=failure)


def _without_replaced(rendered: Sequence[Sequence[Rendered]]) -> list[list[Rendered]]:
    """Leaves out repeated sources, and those that another one replaces: the releases of Flux's HelmReleases."""
    replaced = {source.replaces for sources in rendered for source in sources}
    seen: set[str] = set()
    kept: list[list[Rendered]] = []
    for sources in rendered:
        kept.append([source for source in sources if source.info.name not in replaced | seen])
        seen |= {source.info.name for source in sources}
    return kept


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


# -- the files to watch


def rendered_files(requests: Iterable[SourceRequest], checkouts: Sequence[str]) -> tuple[str, ...]:
    """Returns the files from which sources are rendered, and folders in which any YAML or JSON file may be one.

    Other new files have no effect until one of these names them. Manifests that are read as they are do not count,
    except those of a kustomization that is named by its file.

    Args:
        requests: The sources.
        checkouts: Local Git work trees, as ``PATH`` or ``URL=PATH``.
    """
    return tuple(dict.fromkeys(file for request in requests for file in _local_files(request, checkouts)))


def ref_folders(requests: Iterable[SourceRequest], checkouts: Sequence[str]) -> tuple[str, ...]:
    """Returns folders of Git in which every file is a branch or a tag that a source may follow.

    Args:
        requests: The sources.
        checkouts: As for `rendered_files`.
    """
    if not any(request.kind in _FROM_CHECKOUTS for request in requests):
        return ()
    from drift.sources.checkouts import checkout_ref_folders  # noqa: PLC0415

    return tuple(dict.fromkeys(checkout_ref_folders(checkouts)))


def _local_files(request: SourceRequest, checkouts: Sequence[str]) -> Iterator[str]:
    if request.kind in _FROM_CHECKOUTS:
        from drift.sources.checkouts import checkout_files  # noqa: PLC0415

        yield from checkout_files(checkouts)
    elif request.kind is RequestKind.PATH:
        folder = folder_of(request.target)
        kind = kind_of_path(request.target)
        is_named_by_file = folder != Path(request.target)
        if kind is SourceKind.KUSTOMIZE or (kind is SourceKind.FILES and is_named_by_file):
            yield from _of_kustomization(folder)
        elif kind is SourceKind.HELM_CHART:
            yield from (str(folder), *_below(folder), *request.values)


def _below(folder: Path) -> Iterator[str]:
    with suppress(OSError):
        yield from (str(folder / name) for name in files_below(folder))


def _of_kustomization(folder: Path) -> Sequence[str]:
    """Returns the folder of a kustomization and everything outside it that it names, in any number of steps."""
    found: dict[str, None] = {}
    waiting = [str(folder)]
    while waiting:
        path = os.path.normpath(waiting.pop())
        if path not in found:
            found[path] = None
            waiting += [place for name in _named(Path(path)) if os.path.exists(place := f"{path}/{name}")]  # noqa: PTH110
    return [*found]


def _named(folder: Path) -> Iterator[str]:
    """Yields every text in the kustomization of a folder that may be a relative path, such as ``key=file``."""
    for file in KUSTOMIZATIONS:
        try:
            values = [document.value for document in read_documents(read_file(folder / file), file)]
        except (OSError, DriftError):
            continue
        yield from (name for name in named_paths(values) if not name.startswith("/"))
