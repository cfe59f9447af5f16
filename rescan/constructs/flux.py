"""The hand-over to Flux: what it fetches, what it applies, and when that counts as done."""

from cdk8s import ApiObjectMetadata
from constructs import Construct

from imports.io.fluxcd.toolkit.kustomize import (
    Kustomization,
    KustomizationSpec,
    KustomizationSpecDependsOn,
    KustomizationSpecHealthChecks,
    KustomizationSpecSourceRef,
)
from imports.io.fluxcd.toolkit.source import GitRepository, GitRepositorySpec, GitRepositorySpecRef
from rescan import names
from rescan.constructs.metadata import labels
from rescan.settings import AzureKeyVault, Environment
from rescan.variables import secret_variables


class FluxHandOver(Construct):
    """A GitRepository, and a Kustomization of this environment's folder in it."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        gitops, flux, name = environment.gitops, environment.gitops.flux, names.hand_over(environment)
        metadata = ApiObjectMetadata(name=name, namespace=flux.namespace, labels=labels(environment))
        GitRepository(
            self,
            "repository",
            metadata=metadata,
            spec=GitRepositorySpec(
                url=gitops.repository_url,
                ref=GitRepositorySpecRef(branch=gitops.branch),
                interval=flux.fetch_interval,
                timeout="60s",
            ),
        )
        Kustomization(
            self,
            "kustomization",
            metadata=metadata,
            spec=KustomizationSpec(
                source_ref=KustomizationSpecSourceRef(kind="GitRepository", name=name),
                path=f"./{gitops.manifests_path}/{environment.name}",
                interval=flux.interval,
                retry_interval=flux.retry_interval,
                timeout=flux.timeout,
                prune=flux.prune,
                health_checks=_health_checks(environment),
                depends_on=[KustomizationSpecDependsOn(name=other) for other in flux.depends_on] or None,
            ),
        )


def _health_checks(environment: Environment) -> list[KustomizationSpecHealthChecks]:
    """What must be healthy. Named one by one: a claim that waits for its first pod must not fail a sync."""
    healthy = [("apps/v1", environment.workload.controller.value, names.WORKLOAD)]
    if isinstance(environment.secrets.source, AzureKeyVault):
        healthy += [("external-secrets.io/v1", "ExternalSecret", secret) for secret in secret_variables(environment)]
    return [
        KustomizationSpecHealthChecks(api_version=version, kind=kind, name=name, namespace=environment.namespace)
        for version, kind, name in healthy
    ]
