"""The Python API: what ``drift report`` does, without printing and without a history."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from drift.config.settings import Settings
from drift.errors import ConnectError, first_problems
from drift.gitops.managers import Managers
from drift.globs import FileGlob
from drift.kube.api_server import ApiServer
from drift.kube.connection import connect
from drift.kube.impersonation import NO_IMPERSONATION, Impersonation
from drift.kube.limits import Limits, call_with_timeout
from drift.kube.requests import ignore_message
from drift.kube.resources import Resource
from drift.model import WHOLE, Report, Shard, Unmanaged
from drift.policy.judgement import apply_policy
from drift.scanning import LiveSource, Options, ScanStep, scan_manifests
from drift.schema.shipped import built_in_kinds, compact_schemas
from drift.sources.git import manifests_info
from drift.sources.git_revision import Revisions
from drift.sources.load import LoadedManifests, load_manifests

if TYPE_CHECKING:
    from drift.audit.join import AuditOptions
    from drift.kube.dump import Dump

Paths = Iterable[str | os.PathLike[str]]


def open_cluster(
    kubeconfig: str | None = None,
    context: str | None = None,
    *,
    impersonate: Impersonation = NO_IMPERSONATION,
    limits: Limits | None = None,
    tell: Callable[[str], None] = ignore_message,
    warn: Callable[[str], None] = ignore_message,
) -> ApiServer:
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


def scan(
    manifests: Paths | LoadedManifests,
    cluster: LiveSource,
    *,
    namespace: str | None = None,
    synced_revision: str | None = None,
    settings: Settings | None = None,
    shard: Shard | None = None,
    explain: bool = False,
    audit: "AuditOptions | None" = None,
    observe: Callable[[ScanStep], object] | None = None,
) -> Report:
    """Compares manifests with a cluster or a dump.

    Args:
        manifests: Files or folders, ``-`` for standard input; or the result of `read_manifests`. Documents that cannot
            be read are listed in the report, which is then incomplete, and in which no object is unmanaged.
        cluster: The result of `open_cluster` or `open_dump`.
        namespace: The namespace of objects that do not set one; None for the namespace of the context.
        synced_revision: The Git revision that was last synced; None for the one that Flux or Argo CD records.
        settings: As in ``drift.yaml``; None for the defaults.
        shard: The part of the scan to do; None for all of it.
        explain: Whether the report lists every `Decision`, also for objects in sync.
        audit: The audit log that names the users behind the findings; None names none.
        observe: Called with the progress of the scan.

    Returns:
        The report, with every object that was checked.

    Raises:
        UsageError: A path, the revision or the audit log does not exist.
        ManifestError: No manifest can be read, or two manifests describe the same object.
        ConnectError: The connection to the API server was lost. Other failures are listed in the report.
    """
    settings = settings or Settings()
    if isinstance(manifests, LoadedManifests):
        loaded = manifests
    else:
        loaded = read_manifests(manifests, [glob.text for glob in settings.exclude])
    repository = Revisions(loaded.paths, loaded.exclude)
    report = scan_manifests(
        loaded.manifests,
        cluster,
        info=manifests_info(loaded.paths),
        options=Options(
            namespace=namespace,
            appliers=settings.appliers,
            controllers=settings.controllers,
            unchecked=settings.unchecked,
            # A document that cannot be read may describe any object.
            unmanaged=Unmanaged.OFF if loaded.errors else settings.unmanaged,
            synced=None if synced_revision is None else repository.load(synced_revision),
            synced_revision=synced_revision,
            # Standard input has no Git history.
            repository=repository if loaded.paths and "-" not in loaded.paths else None,
            catch_up=True,
            shard=shard or WHOLE,
            explain=explain,
            observe=observe or (lambda _: None),
        ),
        schemas=compact_schemas() if cluster.info is None else None,
    )
    if audit is not None:
        # Most scans have no audit log, and start faster without this.
        from drift.audit.join import join_log  # noqa: PLC0415

        report = join_log(report, audit, cluster.resources, Managers(settings.appliers, settings.controllers))
    judged = apply_policy(
        replace(
            report,
            notes=(*loaded.notes, *report.notes),
            unread=loaded.errors if explain else first_problems(loaded.errors),
            shard=shard if shard is not None and shard.count > 1 else None,
        ),
        settings,
    )
    # Sorted, so that merged shards give the same report as a single scan.
    return replace(judged, notes=tuple(sorted({*judged.notes})), errors=tuple(sorted({*judged.errors})))
