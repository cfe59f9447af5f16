"""The Python API: what ``drift report`` does, without printing and without a history."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from drift.config.settings import RequestKind, Settings, SourceRequest
from drift.errors import ConnectError, UsageError, first_problems
from drift.globs import FileGlob
from drift.kube.kubeconfig import NO_IMPERSONATION, Impersonation
from drift.kube.limits import NO_DEADLINE, Deadline, Limits, call_with_timeout
from drift.kube.resources import Resource
from drift.model import Report, Shard, SourceKind, Status, Unmanaged
from drift.policy.rules import apply_policy
from drift.scanning import IfBehind, LiveSource, Options, ScanStep, scan_manifests
from drift.schema.types import built_in_kinds
from drift.sources.field_lines import FieldLines
from drift.sources.git import manifests_info
from drift.sources.load import LoadedManifests, load_manifests
from drift.sources.model import Desired, RememberedLists, SourceContext, StoredObjects, TimedSource
from drift.sources.programs import Runner
from drift.sources.resolve import file_paths, from_files, resolve

if TYPE_CHECKING:
    from drift.audit.join import AuditOptions
    from drift.kube.api_server import ApiServer
    from drift.kube.dump import Dump

#: The sources in which the variables stand that Flux replaces after the build.
_UNSUBSTITUTED_KINDS = frozenset({SourceKind.FILES, SourceKind.KUSTOMIZE})
Paths = Iterable[str | os.PathLike[str]]


def open_cluster(
    kubeconfig: str | None = None,
    context: str | None = None,
    *,
    impersonate: Impersonation = NO_IMPERSONATION,
    limits: Limits | None = None,
    tell: Callable[[str], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> "ApiServer":
    """Connects to a cluster as kubectl does. Needs only permission to get and list.

    Args:
        kubeconfig: A file; None for KUBECONFIG, ~/.kube/config or, inside a pod, the service account.
        context: A context in the kubeconfig; None for the current one.
        impersonate: The user and groups to impersonate; overrides the kubeconfig.
        limits: Timeouts for requests and for the whole scan, which starts now; None for those of `drift report`.
        tell: Called with a sentence on each retry.
        warn: Called with a sentence for each insecure setting of the connection, before the first request.

    Raises:
        UsageError: The kubeconfig uses a feature that is not supported.
        ConnectError: The API server does not answer, or there are no valid credentials for it.
        RequestError: Discovery failed.
    """
    # Imported only here: a dump needs no HTTP, which takes 30 ms to load.
    from drift.kube.api_server import ApiServer  # noqa: PLC0415
    from drift.kube.connection import connect  # noqa: PLC0415

    limits = limits or Limits()
    deadline = limits.deadline()
    try:
        # A credential plugin is a program and may hang.
        connection = call_with_timeout(deadline.remaining(), lambda: connect(kubeconfig, context, impersonate))
    except TimeoutError:
        raise ConnectError(
            "timed out getting credentials (--deadline); does the credential plugin wait for a login?"
        ) from None
    for warning in connection.warnings:
        warn(warning)
    return ApiServer(connection, limits, deadline, tell)


def open_dump(paths: Paths, namespace: str = "default") -> "Dump":
    """Reads dumps of live objects (``kubectl get ... -o yaml --show-managed-fields``). Needs no network.

    Args:
        paths: Files or folders.
        namespace: The namespace of objects that do not set one.

    Raises:
        UsageError: A path does not exist.
        DumpError: A file is not a valid dump.
    """
    # Not needed for a cluster, so that a scan of one starts faster.
    from drift.kube.dump import Dump  # noqa: PLC0415

    built_in = [Resource.from_data(kind) for kind in built_in_kinds()]
    return Dump([os.fspath(path) for path in paths], built_in, namespace)


def read_manifests(paths: Paths, exclude: Iterable[str] = ()) -> LoadedManifests:
    """Reads manifests as kubectl does. Needs no cluster.

    A document that cannot be read is listed in the ``errors`` of the result, and hides no other one.

    Args:
        paths: Files or folders; ``-`` for standard input.
        exclude: Globs for files and folders to leave out, as with ``--exclude``.

    Raises:
        UsageError: A path does not exist or has no manifests, or a chart or kustomization must be rendered first.
        ManifestError: No manifest can be read.
    """
    return load_manifests([os.fspath(path) for path in paths], exclude=tuple(map(FileGlob, exclude)))


def read_sources(
    requests: Iterable[SourceRequest],
    cluster: LiveSource,
    *,
    namespace: str | None = None,
    settings: Settings | None = None,
    checkouts: Iterable[str] = (),
    loaded: LoadedManifests | None = None,
    deadline: Deadline | None = None,
) -> Desired:
    """Reads and renders sources of all kinds for one cluster.

    A source that cannot be rendered has a ``failure`` in the result, and hides no other one.

    Args:
        requests: The sources, as on the command line.
        cluster: The result of `open_cluster` or `open_dump`.
        namespace: The namespace of objects that do not set one; None for the namespace of the context.
        settings: As in ``drift.yaml``; None for the defaults.
        checkouts: Local Git work trees for what Flux and Argo CD sync: ``PATH`` or ``URL=PATH``.
        loaded: The manifests of the requested paths that need no rendering, if they are read already.
        deadline: When programs that render are stopped; None for the deadline of the cluster.

    Raises:
        UsageError: A path does not exist.
        ManifestError: No manifest can be read.
    """
    requests = tuple(requests)
    exclude = () if settings is None else settings.exclude
    paths = file_paths(requests)
    if loaded is None and paths:
        loaded = load_manifests(paths, exclude=exclude)
    return resolve(requests, source_context(cluster, namespace, checkouts, deadline, settings), loaded)


def source_context(
    cluster: LiveSource,
    namespace: str | None,
    checkouts: Iterable[str] = (),
    deadline: Deadline | None = None,
    settings: Settings | None = None,
) -> SourceContext:
    """Returns what sources need to be read; the arguments are those of `read_sources`."""
    settings = settings or Settings()
    return SourceContext(
        cluster=cluster,
        namespace=namespace or cluster.default_namespace,
        # A dump holds no values of Secrets.
        stored=RememberedLists(cluster) if isinstance(cluster, StoredObjects) else None,
        checkouts=tuple(checkouts),
        runner=Runner(deadline or _deadline(cluster)),
        reads_secrets=settings.reads_flux_secrets,
        argocd_this_cluster=settings.argocd_this_cluster,
        is_unchecked=settings.skips,
    )


def _deadline(cluster: LiveSource) -> Deadline:
    return cluster.deadline if isinstance(cluster, TimedSource) else NO_DEADLINE


def scan(
    manifests: Paths | LoadedManifests | Desired,
    cluster: LiveSource,
    *,
    namespace: str | None = None,
    synced_revision: str | None = None,
    settings: Settings | None = None,
    shard: Shard | None = None,
    explain: bool = False,
    audit: "AuditOptions | None" = None,
    blame: bool = False,
    observe: Callable[[ScanStep], object] | None = None,
) -> Report:
    """Compares manifests with a cluster or a dump.

    Args:
        manifests: Paths of files, folders, kustomizations and charts, ``-`` for standard input; or the result of
            `read_manifests` or `read_sources`. What cannot be read or rendered is listed in the report, which is then
            incomplete, and in which no object is unmanaged.
        cluster: The result of `open_cluster` or `open_dump`.
        namespace: The namespace of objects that do not set one; None for the namespace of the context.
        synced_revision: The Git revision that was last synced; None for the one that Flux or Argo CD records.
        settings: As in ``drift.yaml``; None for the defaults.
        shard: The part of the scan to do; None for all of it.
        explain: Whether the report lists each `Decision`.
        audit: The audit log that names the users behind the findings; None names none.
        blame: Whether findings name the commit that last changed their line in the local repository.
        observe: Called with the progress of the scan.

    Returns:
        The report, with every object that was checked.

    Raises:
        UsageError: A path, the revision or the audit log does not exist.
        ManifestError: No manifest can be read.
        SourceError: A source cannot be rendered at the revision.
        ConnectError: The connection to the API server was lost. Other failures are listed in the report.
    """
    settings = settings or Settings()
    if isinstance(manifests, Desired):
        desired = manifests
    elif isinstance(manifests, LoadedManifests):
        desired = from_files(manifests, _deadline(cluster))
    else:
        requests = [SourceRequest(RequestKind.PATH, os.fspath(path)) for path in manifests]
        desired = read_sources(requests, cluster, namespace=namespace, settings=settings)
    report = scan_manifests(
        desired.manifests,
        cluster,
        info=manifests_info(desired.paths),
        options=replace(
            scan_options(desired, settings, namespace, synced_revision),
            if_behind=IfBehind.CATCH_UP,
            shard=shard,
            explain=explain,
            observe=observe or (lambda _: None),
        ),
    )
    if audit is not None:
        # Most scans have no audit log, and start faster without this.
        from drift.audit.join import join_log  # noqa: PLC0415
        from drift.audit.users import Syncers  # noqa: PLC0415

        syncers = Syncers.of(report, settings, synced_revision)
        report = join_log(report, audit, cluster.resources, syncers)
    judged = apply_policy(with_sources(report, desired, explain=explain), settings)
    if blame:
        from drift.sources.git import add_git_lines  # noqa: PLC0415

        judged = add_git_lines(judged)
    # Sorted, so that merged shards give the same report as a single scan.
    return replace(judged, notes=tuple(sorted({*judged.notes})), errors=tuple(sorted({*judged.errors})))


def scan_options(desired: Desired, settings: Settings, namespace: str | None, synced_revision: str | None) -> Options:
    """Returns the options of a scan of the desired objects.

    Args:
        desired: The sources.
        settings: As in ``drift.yaml``.
        namespace: As for `scan`.
        synced_revision: As for `scan`.

    Raises:
        DriftError: The revision cannot be read.
    """
    revisions = desired.revisions
    if synced_revision is not None and revisions is None:
        raise UsageError(
            f"--synced-revision {synced_revision}: no source has Git revisions; name files or folders instead of -"
        )
    return Options(
        namespace=namespace,
        appliers=settings.appliers,
        controllers=settings.controllers,
        unchecked=settings.unchecked,
        # What cannot be read may describe any object.
        unmanaged=settings.unmanaged if desired.is_complete else Unmanaged.OFF,
        synced=None if synced_revision is None or revisions is None else revisions.load(synced_revision),
        synced_revision=synced_revision,
        repository=revisions,
        files=frozenset(source.info.name for source in desired.rendered if source.info.kind is SourceKind.FILES),
        ignore_differences=tuple(entry for source in desired.rendered for entry in source.ignore_differences),
        applied=frozenset(key for source in desired.rendered for key in source.applied),
        keepers=dict(source.keeps for source in desired.rendered if source.keeps is not None),
        gitops_objects=frozenset(
            source.gitops_object for source in desired.rendered if source.gitops_object is not None
        ),
        bases={source.info.name: source.base for source in desired.rendered if source.base is not None},
        field_place=FieldLines(revisions).find,
        with_secret_values=frozenset(source.info.name for source in desired.rendered if source.has_secret_values),
        with_variables=frozenset(
            source.info.name for source in desired.rendered if source.info.kind in _UNSUBSTITUTED_KINDS
        ),
    )


def with_sources(report: Report, desired: Desired, *, explain: bool = False) -> Report:
    """Returns a report that says where its manifests come from, and what could not be read or rendered.

    Args:
        report: The report.
        desired: The sources.
        explain: Whether to list every document that could not be read.
    """
    unchecked = Counter(origin for item in report.objects if item.status is Status.UNCHECKED for origin in item.origins)
    errors = (*(error for source in desired.rendered for error in source.errors), *report.unread)
    sources = (
        replace(
            source.info,
            unchecked=unchecked[source.info.name],
            is_rendered=source.failure is None,
            message=source.failure or source.skipped or source.info.message,
        )
        for source in desired.rendered
    )
    return replace(
        report,
        notes=(*(note for source in desired.rendered for note in source.notes), *report.notes),
        errors=(*(source.failure for source in desired.rendered if source.failure is not None), *report.errors),
        unread=errors if explain else first_problems(errors),
        sources=tuple(sources),
    )
