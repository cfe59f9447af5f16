"""The hand-over to Argo CD or Flux: what it syncs, from where, and within which limits."""

from cdk8s import ApiObjectMetadata
from constructs import Construct

from imports.io.argoproj import (
    Application,
    ApplicationSpec,
    ApplicationSpecDestination,
    ApplicationSpecSource,
    ApplicationSpecSyncPolicy,
    ApplicationSpecSyncPolicyAutomated,
    ApplicationSpecSyncPolicyRetry,
    ApplicationSpecSyncPolicyRetryBackoff,
    AppProject,
    AppProjectSpec,
    AppProjectSpecClusterResourceWhitelist,
    AppProjectSpecDestinations,
    AppProjectSpecSyncWindows,
    AppProjectSpecSyncWindowsKind,
)
from imports.io.fluxcd.toolkit.kustomize import (
    Kustomization,
    KustomizationSpec,
    KustomizationSpecDependsOn,
    KustomizationSpecHealthChecks,
    KustomizationSpecSourceRef,
)
from imports.io.fluxcd.toolkit.source import (
    GitRepository,
    GitRepositorySpec,
    GitRepositorySpecRef,
    GitRepositorySpecSecretRef,
)
from rescan.constructs.base import Checked
from rescan.formats import DnsLabel, ObjectName, RelativePath, Text
from rescan.settings import ArgoCd, Gitops, SyncWindow
from rescan.settings.declaration import props

# With ServerSideApply=true, Argo CD compares with a library that does not know the defaults of CRDs and of claim
# templates, so an ExternalSecret (remoteRef.conversionStrategy and others) and a StatefulSet would be OutOfSync
# forever. With this option the API server predicts the result of the sync.
_COMPARISON = {"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}


@props
class Healthy:
    """An object that must be healthy for a sync to count as done."""

    api_version: Text
    kind: Text
    name: ObjectName


@props
class HandOverProps:
    """Which folder of the repository is synced to which namespace."""

    name: ObjectName
    """The name of the objects that hand it over; one syncer may hold several in its namespace."""
    title: Text
    """What is synced, for people."""
    gitops: Gitops
    path: RelativePath
    namespace: DnsLabel
    healthy: tuple[Healthy, ...] = ()
    """For Flux, named one by one: a claim that waits for its first pod must not fail a sync."""


class ArgoCdHandOver(Checked):
    """An Application, in a project that may deploy to one namespace and nowhere else."""

    def __init__(self, scope: Construct, construct_id: str, props: HandOverProps) -> None:
        super().__init__(scope, construct_id, props)
        gitops, argocd = props.gitops, props.gitops.argocd
        metadata = ApiObjectMetadata(name=props.name)
        AppProject(self, "project", metadata=metadata, spec=_project(props))
        Application(
            self,
            "application",
            metadata=ApiObjectMetadata(name=props.name, annotations=_COMPARISON),
            spec=ApplicationSpec(
                project=props.name,
                source=ApplicationSpecSource(
                    repo_url=gitops.repository_url, target_revision=gitops.branch, path=props.path
                ),
                destination=ApplicationSpecDestination(server=argocd.server, namespace=props.namespace),
                sync_policy=_sync_policy(argocd),
            ),
        )


class FluxHandOver(Checked):
    """A GitRepository, and a Kustomization of one folder in it."""

    def __init__(self, scope: Construct, construct_id: str, props: HandOverProps) -> None:
        super().__init__(scope, construct_id, props)
        gitops, flux = props.gitops, props.gitops.flux
        metadata = ApiObjectMetadata(name=props.name)
        GitRepository(
            self,
            "repository",
            metadata=metadata,
            spec=GitRepositorySpec(
                url=gitops.repository_url,
                ref=GitRepositorySpecRef(branch=gitops.branch),
                interval=flux.fetch_interval,
                timeout="60s",
                secret_ref=GitRepositorySpecSecretRef(name=flux.git_secret) if flux.git_secret else None,
            ),
        )
        Kustomization(
            self,
            "kustomization",
            metadata=metadata,
            spec=KustomizationSpec(
                source_ref=KustomizationSpecSourceRef(kind="GitRepository", name=props.name),
                path=f"./{props.path}",
                interval=flux.interval,
                retry_interval=flux.retry_interval,
                timeout=flux.timeout,
                prune=flux.prune,
                health_checks=[
                    KustomizationSpecHealthChecks(
                        api_version=each.api_version, kind=each.kind, name=each.name, namespace=props.namespace
                    )
                    for each in props.healthy
                ]
                or None,
                depends_on=[KustomizationSpecDependsOn(name=other) for other in flux.depends_on] or None,
            ),
        )


def _project(props: HandOverProps) -> AppProjectSpec:
    gitops = props.gitops
    return AppProjectSpec(
        description=f"{props.title} in {props.namespace}",
        source_repos=[gitops.repository_url],
        destinations=[AppProjectSpecDestinations(server=gitops.argocd.server, namespace=props.namespace)],
        cluster_resource_whitelist=[AppProjectSpecClusterResourceWhitelist(group="", kind="Namespace")],
        sync_windows=[_sync_window(window) for window in gitops.argocd.sync_windows] or None,
    )


def _sync_window(window: SyncWindow) -> AppProjectSpecSyncWindows:
    return AppProjectSpecSyncWindows(
        kind=AppProjectSpecSyncWindowsKind[window.kind.name],
        schedule=window.schedule,
        duration=window.duration,
        time_zone=window.time_zone,
        applications=["*"],
        manual_sync=True,
    )


def _sync_policy(argocd: ArgoCd) -> ApplicationSpecSyncPolicy:
    return ApplicationSpecSyncPolicy(
        automated=ApplicationSpecSyncPolicyAutomated(prune=argocd.prune, self_heal=argocd.self_heal),
        sync_options=[
            # Git has the Namespace, with its labels.
            "CreateNamespace=false",
            "ServerSideApply=true",
            # What is new comes up before what is old goes.
            "PruneLast=true",
            # The operators may bring their CRDs while the first sync runs.
            "SkipDryRunOnMissingResource=true",
        ],
        retry=ApplicationSpecSyncPolicyRetry(
            limit=argocd.retries,
            backoff=ApplicationSpecSyncPolicyRetryBackoff(duration="10s", factor=2, max_duration="5m"),
        ),
    )
