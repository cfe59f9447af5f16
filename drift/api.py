"""The reporter as a library: what ``drift report`` does, without a command line. Nothing is printed or remembered."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from drift.config.settings import Settings
from drift.errors import ConnectError
from drift.kube.api_server import ApiServer
from drift.kube.connection import connect
from drift.kube.impersonation import NO_IMPERSONATION, Impersonation
from drift.kube.limits import Limits, call_with_timeout
from drift.kube.requests import ignore_message
from drift.kube.resources import Resource
from drift.model import WHOLE, Report, Shard
from drift.policy.judgement import apply_policy
from drift.scanning import LiveSource, Options, Step, scan_manifests
from drift.schema.shipped import built_in_kinds, compact_schemas
from drift.sources.git import manifests_info
from drift.sources.git_revision import Revisions
from drift.sources.load import LoadedManifests, load_manifests

if TYPE_CHECKING:
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
    """Connects to a cluster as kubectl would, with rights to get and list being all it needs.

    Args:
        kubeconfig: A file; None for KUBECONFIG, ~/.kube/config or, inside a pod, its service account.
        context: A context of it; None for its current one.
        impersonate: Whom to ask as; what it leaves open is as the kubeconfig says.
        limits: How long the requests and the whole scan may take, from now on; None for what `drift report` does.
        tell: Called with a sentence for every request that is tried again.
        warn: Called with a sentence for what is unsafe about the connection, before anything is sent.

    Raises:
        UsageError: The kubeconfig asks for what is not supported.
        ConnectError: No API server, or no credentials for it.
        RequestError: It refuses to say what it serves.
    """
    limits = limits or Limits()
    deadline = limits.deadline()
    try:
        # Getting credentials may run a program, which may never end.
        connection = call_with_timeout(deadline.remaining(), lambda: connect(kubeconfig, context, impersonate))
    except TimeoutError:
        raise ConnectError("no credentials were had before the --deadline; does the plugin wait for a login?") from None
    for warning in connection.warnings:
        warn(warning)
    return ApiServer(connection, limits, deadline, tell)


def open_dump(paths: Paths, namespace: str = "default") -> "Dump":
    """Reads dumps of live objects (``kubectl get ... -o yaml --show-managed-fields``); needs no network.

    Args:
        paths: Files or folders.
        namespace: Where objects live that name no namespace.

    Raises:
        UsageError: A path does not exist.
        DumpError: A file cannot be read as a dump.
    """
    # As most are after a cluster, each waits only for what it needs.
    from drift.kube.dump import Dump  # noqa: PLC0415

    built_in = [Resource.from_data(kind) for kind in built_in_kinds()]
    return Dump([os.fspath(path) for path in paths], built_in, namespace)


def read_manifests(paths: Paths) -> LoadedManifests:
    """Reads manifests as kubectl does, without a cluster.

    Args:
        paths: Files or folders; ``-`` for standard input.

    Raises:
        UsageError: A path does not exist, or holds no manifests.
        ManifestError: A manifest cannot be read.
    """
    return load_manifests([os.fspath(path) for path in paths])


def scan(
    manifests: Paths | LoadedManifests,
    cluster: LiveSource,
    *,
    namespace: str | None = None,
    synced_revision: str | None = None,
    settings: Settings | None = None,
    shard: Shard | None = None,
    explain: bool = False,
    observe: Callable[[Step], object] | None = None,
) -> Report:
    """Compares manifests with a cluster, or with a dump of one.

    Args:
        manifests: Files or folders, ``-`` for standard input; or what `read_manifests` made of them.
        cluster: What `open_cluster` or `open_dump` gave.
        namespace: Where objects live that name no namespace; None: as the cluster's configuration has it.
        synced_revision: The Git revision that was last synced; None: the one that Flux or Argo CD records.
        settings: As in ``drift.yaml``; None for the defaults.
        shard: The part of the work to do; None for all of it.
        explain: Whether the report is to have every `Decision`, also those about objects that are plainly in sync.
        observe: Is told how far the scan is while it runs.

    Returns:
        The report, with every object that was looked at.

    Raises:
        UsageError: A path or the revision does not exist.
        ManifestError: A manifest cannot be read, or two describe one object.
        ConnectError: The API server cannot be reached any more. What else cannot be read is in the report.
    """
    settings = settings or Settings()
    loaded = manifests if isinstance(manifests, LoadedManifests) else read_manifests(manifests)
    repository = Revisions(loaded.paths)
    report = scan_manifests(
        loaded.manifests,
        cluster,
        info=manifests_info(loaded.paths),
        options=Options(
            namespace=namespace,
            appliers=settings.appliers,
            controllers=settings.controllers,
            unchecked=settings.unchecked,
            unmanaged=settings.unmanaged,
            synced=None if synced_revision is None else repository.load(synced_revision),
            synced_revision=synced_revision,
            # What comes from a pipe has no other revision.
            repository=repository if loaded.paths and "-" not in loaded.paths else None,
            catch_up=True,
            shard=shard or WHOLE,
            explain=explain,
            observe=observe or (lambda _: None),
        ),
        schemas=compact_schemas() if cluster.info is None else None,
    )
    judged = apply_policy(
        replace(
            report,
            notes=(*loaded.unnamed, *report.notes),
            shard=shard if shard is not None and shard.count > 1 else None,
        ),
        settings,
    )
    # In the order that those of shards have again when they are merged.
    return replace(judged, notes=tuple(sorted({*judged.notes})), errors=tuple(sorted({*judged.errors})))
