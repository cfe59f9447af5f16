"""Which constructs make up which folder of manifests."""

from cdk8s import App, Chart
from constructs import Construct

from rescan.constructs.argocd import ArgoCdHandOver
from rescan.constructs.backup import RescanBackup
from rescan.constructs.configuration import RescanConfiguration
from rescan.constructs.drift import RescanDriftJob, RescanDriftRights
from rescan.constructs.external_secrets import RescanExternalSecrets
from rescan.constructs.flux import FluxHandOver
from rescan.constructs.ingress import RescanIngress
from rescan.constructs.namespace import RescanNamespace
from rescan.constructs.network_policy import RescanNetworkPolicies
from rescan.constructs.scaling import RescanAutoscaler, RescanDisruptionBudget
from rescan.constructs.service import RescanHeadlessService, RescanService
from rescan.constructs.storage import RescanStorage
from rescan.constructs.workload import RescanDeployment, RescanStatefulSet
from rescan.settings import AzureKeyVault, Controller, Environment, Sqlite

# `App` too, so that main.py imports it from here: an import of cdk8s ahead of one of ours would start the wrong Node.
__all__ = ["App", "ArgoCdChart", "FluxChart", "FolderChart", "RescanChart"]


class FolderChart(Chart):
    """A chart whose objects are written into `folder`, a path below the output folder with `/` between its parts.

    It has no namespace of its own, since cdk8s would write that on cluster-scoped objects too.
    """

    kustomized = False
    """Whether the folder gets a kustomization.yaml that lists its files."""

    def __init__(self, scope: Construct, folder: str) -> None:
        super().__init__(scope, folder.replace("/", "-"), disable_resource_name_hashes=True)
        self.folder = folder


class RescanChart(FolderChart):
    """Everything that runs in one environment: what there always is, then what its settings turn on."""

    kustomized = True

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, environment.name)
        RescanNamespace(self, "namespace", environment)
        RescanConfiguration(self, "configuration", environment)
        RescanService(self, "service", environment)
        if isinstance(environment.secrets.source, AzureKeyVault):
            RescanExternalSecrets(self, "secrets", environment, environment.secrets.source)
        self._add_workload(environment)
        if environment.ingress:
            RescanIngress(self, "ingress", environment, environment.ingress)
        if environment.network_policy:
            RescanNetworkPolicies(self, "network-policies", environment, environment.network_policy)
        if environment.backup:
            RescanBackup(self, "backup", environment, environment.backup)
        if environment.monitoring:
            # Here, because the classes of the Prometheus Operator take time to load and few environments need them.
            from rescan.constructs.monitoring import RescanDriftMonitoring, RescanMonitoring  # noqa: PLC0415

            RescanMonitoring(self, "monitoring", environment, environment.monitoring)
            if environment.drift:
                RescanDriftMonitoring(self, "drift-monitoring", environment, environment.monitoring, environment.drift)
        if environment.drift:
            RescanDriftJob(self, "drift-job", environment, environment.drift)
            RescanDriftRights(self, "drift-rights", environment, environment.drift)

    def _add_workload(self, environment: Environment) -> None:
        workload = environment.workload
        match workload.controller:
            case Controller.DEPLOYMENT:
                RescanDeployment(self, "workload", environment)
                if isinstance(environment.configuration.database, Sqlite):
                    RescanStorage(self, "storage", environment)
            case Controller.STATEFUL_SET:
                RescanStatefulSet(self, "workload", environment)
                RescanHeadlessService(self, "headless-service", environment)
        if workload.autoscaling:
            RescanAutoscaler(self, "autoscaler", environment, workload.autoscaling)
        if workload.disruption_budget:
            RescanDisruptionBudget(self, "disruption-budget", environment, workload.disruption_budget)


class ArgoCdChart(FolderChart):
    """What Argo CD is given to sync one environment; not part of what it then syncs."""

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, f"argocd/{environment.name}")
        ArgoCdHandOver(self, "hand-over", environment)


class FluxChart(FolderChart):
    """What Flux is given to sync one environment; not part of what it then syncs."""

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, f"flux/{environment.name}")
        FluxHandOver(self, "hand-over", environment)
