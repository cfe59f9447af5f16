"""The hand-over to Argo CD: what it syncs, from where, and within which limits."""

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
from rescan import names
from rescan.constructs.metadata import labels
from rescan.settings import ArgoCd, Environment, SyncWindow


class ArgoCdHandOver(Construct):
    """An Application, in a project that may deploy to this environment's namespace and nowhere else."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        argocd, name = environment.gitops.argocd, names.hand_over(environment)
        metadata = ApiObjectMetadata(name=name, namespace=argocd.namespace, labels=labels(environment))
        AppProject(self, "project", metadata=metadata, spec=_project(environment))
        Application(
            self,
            "application",
            metadata=metadata,
            spec=ApplicationSpec(
                project=name,
                source=ApplicationSpecSource(
                    repo_url=environment.gitops.repository_url,
                    target_revision=environment.gitops.branch,
                    path=f"{environment.gitops.manifests_path}/{environment.name}",
                ),
                destination=ApplicationSpecDestination(server=argocd.server, namespace=environment.namespace),
                sync_policy=_sync_policy(argocd),
            ),
        )


def _project(environment: Environment) -> AppProjectSpec:
    gitops = environment.gitops
    return AppProjectSpec(
        description=f"Rescan in {environment.namespace}",
        source_repos=[gitops.repository_url],
        destinations=[
            AppProjectSpecDestinations(server=gitops.argocd.server, namespace=environment.namespace),
        ],
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
