"""Rescan as one composition of the constructs, and what hands it over to Argo CD and Flux."""

from cdk8s import App
from constructs import Construct

from rescan import names
from rescan.alerts import Alert, Watched, WatchedDrift, backup_alert, drift_alerts, volume_alert, web_alerts
from rescan.constructs import (
    BackupJob,
    BackupJobProps,
    ConfigVariables,
    ConfigVariablesProps,
    DriftReporter,
    DriftReporterProps,
    FolderChart,
    IngressRoute,
    IngressRouteProps,
    Namespace,
    NetworkPolicies,
    NetworkPoliciesProps,
    PostgreSqlUrl,
    Scratch,
    SecretVariables,
    SqliteStorage,
    SqliteStorageProps,
    Traffic,
    WebService,
    WebServiceProps,
)
from rescan.constructs.handover import ArgoCdHandOver, FluxHandOver, HandOverProps, Healthy
from rescan.constructs.vault import VaultSecrets, VaultSecretsProps
from rescan.dashboard import dashboard_json, drift_dashboard_json
from rescan.database import sqlite_file
from rescan.settings import (
    AzureKeyVault,
    Backup,
    Controller,
    DriftJob,
    Environment,
    Ingress,
    Monitoring,
    NetworkPolicy,
    Sqlite,
)
from rescan.variables import BACKUP_DATABASE_URL, config_map_data, secret_variables

# `App` too, so that main.py imports it from here: an import of cdk8s ahead of one of ours would start the wrong Node.
__all__ = ["App", "ArgoCdChart", "FluxChart", "FolderChart", "RescanChart"]

_TITLE = "Rescan"
_HTTPS = 443


class RescanChart(FolderChart):
    """Everything that runs in one environment: what there always is, then what its settings turn on."""

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(
            scope, environment.name, namespace=environment.namespace, labels=_labels(environment), kustomized=True
        )
        self._environment = environment
        Namespace(self, "namespace")
        self._secrets = _secrets(environment)
        if isinstance(environment.secrets.source, AzureKeyVault):
            self._add_vault(environment.secrets.source)
        self._storage = self._add_storage()
        self._web = self._add_web()
        if environment.ingress:
            self._add_ingress(environment.ingress)
        self._backup = self._add_backup(environment.backup) if environment.backup else None
        self._drift = self._add_drift(environment.drift) if environment.drift else None
        if environment.network_policy:
            self._add_network_policies(environment.network_policy)
        if environment.monitoring:
            self._add_monitoring(environment.monitoring)
        if self._drift:
            self._drift.read(self)

    def _add_vault(self, vault: AzureKeyVault) -> None:
        secrets = tuple(self._secrets.values())
        props = VaultSecretsProps(vault=vault, store=names.SECRET_STORE, account=names.SECRET_READER, secrets=secrets)
        VaultSecrets(self, "secrets", props)

    def _add_storage(self) -> SqliteStorage | None:
        database, workload = self._environment.configuration.database, self._environment.workload
        if not isinstance(database, Sqlite):
            return None
        props = SqliteStorageProps(
            name=names.VOLUME_CLAIM,
            storage=self._environment.storage,
            path=names.DATA_PATH,
            file=sqlite_file(database.url),
            stateful_set=names.WORKLOAD if workload.controller is Controller.STATEFUL_SET else None,
        )
        return SqliteStorage(self, "storage", props)

    def _add_web(self) -> WebService:
        environment, limits = self._environment, self._environment.storage
        configuration = ConfigVariables(
            self,
            "configuration",
            ConfigVariablesProps(name=names.CONFIG_MAP, data=config_map_data(environment)),
        )
        props = WebServiceProps(
            name=names.WORKLOAD,
            app=names.APP,
            service_name=names.SERVICE,
            headless_service_name=names.HEADLESS_SERVICE,
            workload=environment.workload,
            service=environment.service,
            pods=environment.pods,
            env=(*configuration.env, *self._secrets[names.APP_SECRET].env),
            storage=self._storage,
            scratch=(Scratch(name="uploads", path=names.UPLOADS_PATH, limit=limits.uploads_limit),),
            temporary_limit=limits.temporary_limit,
        )
        return WebService(self, "web", props)

    def _add_ingress(self, ingress: Ingress) -> None:
        largest = self._environment.configuration.max_file_size
        props = IngressRouteProps(name=names.WORKLOAD, ingress=ingress, web=self._web, largest_upload=largest)
        IngressRoute(self, "ingress", props)

    def _add_backup(self, backup: Backup) -> BackupJob:
        props = BackupJobProps(
            name=names.BACKUP,
            backup=backup,
            web=self._web,
            database=self._storage or PostgreSqlUrl(secret=names.BACKUP_SECRET, key=BACKUP_DATABASE_URL),
            credentials=SecretVariables(
                name=names.BACKUP_SECRET,
                keys=tuple(key for key in self._secrets[names.BACKUP_SECRET].keys if key != BACKUP_DATABASE_URL),
            ),
            folder=self._environment.name,
            pods=self._environment.pods,
        )
        return BackupJob(self, "backup", props)

    def _add_drift(self, job: DriftJob) -> DriftReporter:
        gitops = self._environment.gitops
        props = DriftReporterProps(
            name=names.DRIFT,
            job=job,
            namespace=self._environment.namespace,
            repository_url=gitops.repository_url,
            branch=gitops.branch,
            path=_path(self._environment),
            environment=self._environment.name,
            pods=self._environment.pods,
        )
        return DriftReporter(self, "drift", props)

    def _add_network_policies(self, policy: NetworkPolicy) -> None:
        web, backup, drift = self._web, self._environment.backup, self._environment.drift
        on_server = self._storage is None
        traffic = [
            Traffic(
                name=web.name,
                pods=web.selector,
                serves=web.port,
                public=web.is_public,
                reaches=(self._environment.secrets.azure_openai_endpoint,),
                reaches_ports=(_HTTPS,),
                reaches_database=on_server,
            )
        ]
        if self._backup and backup:
            storage = backup.endpoint_url or "https://s3.amazonaws.com"
            traffic.append(
                Traffic(
                    name=self._backup.name,
                    pods=self._backup.selector,
                    reaches=(storage,),
                    reaches_database=on_server,
                )
            )
        if self._drift and drift:
            gateway = (drift.pushgateway_url,) if drift.pushgateway_url else ()
            traffic.append(
                Traffic(
                    name=self._drift.name,
                    pods=self._drift.selector,
                    reaches=(self._environment.gitops.repository_url, *gateway),
                    # The API server, through its Service or by its own port.
                    reaches_everywhere=(_HTTPS, drift.api_server_port),
                )
            )
        solves = self._environment.ingress is not None
        props = NetworkPoliciesProps(policy=policy, traffic=tuple(traffic), solves_challenges=solves)
        NetworkPolicies(self, "network-policies", props)

    def _add_monitoring(self, monitoring: Monitoring) -> None:
        # Here, because the classes of the Prometheus Operator take time to load and few environments need them.
        from rescan.constructs.monitoring import (  # noqa: PLC0415
            Alerts,
            AlertsProps,
            Dashboard,
            DashboardProps,
            WebMonitor,
            WebMonitorProps,
        )

        def dashboard(name: str, file: str, text: str) -> None:
            Dashboard(self, name, DashboardProps(name=name, monitoring=monitoring, file=file, json=text))

        WebMonitor(self, "monitor", WebMonitorProps(name=names.WORKLOAD, monitoring=monitoring, web=self._web))
        alerts = AlertsProps(name=names.WORKLOAD, monitoring=monitoring, alerts=self._alerts())
        Alerts(self, "alerts", alerts)
        watched, cron_job = watched_web(self._environment), self._backup.name if self._backup else None
        dashboard(names.DASHBOARD, "rescan.json", dashboard_json(watched, self._environment.name, cron_job))
        drift = watched_drift(self._environment)
        if drift:
            alerts = AlertsProps(name=names.DRIFT, monitoring=monitoring, alerts=drift_alerts(drift))
            Alerts(self, "drift-alerts", alerts)
            if drift.pushed:
                dashboard(names.DRIFT_DASHBOARD, "rescan-drift.json", drift_dashboard_json(drift))

    def _alerts(self) -> tuple[Alert, ...]:
        watched, backup = watched_web(self._environment), self._environment.backup
        storage = [volume_alert(watched, self._storage.claim_name)] if self._storage else []
        late = [backup_alert(watched, self._backup.name, backup.late_after)] if self._backup and backup else []
        return (*web_alerts(watched), *storage, *late)


class ArgoCdChart(FolderChart):
    """What Argo CD is given to sync one environment; not part of what it then syncs."""

    def __init__(self, scope: Construct, environment: Environment) -> None:
        namespace = environment.gitops.argocd.namespace
        super().__init__(scope, f"argocd/{environment.name}", namespace=namespace, labels=_labels(environment))
        ArgoCdHandOver(self, "hand-over", _hand_over(environment))


class FluxChart(FolderChart):
    """What Flux is given to sync one environment; not part of what it then syncs."""

    def __init__(self, scope: Construct, environment: Environment) -> None:
        namespace = environment.gitops.flux.namespace
        super().__init__(scope, f"flux/{environment.name}", namespace=namespace, labels=_labels(environment))
        FluxHandOver(self, "hand-over", _hand_over(environment))


def watched_web(environment: Environment) -> Watched:
    """The application of an environment, for its alerts and its dashboard."""
    return Watched(
        title=_TITLE,
        namespace=environment.namespace,
        workload=names.WORKLOAD,
        service=names.SERVICE,
        container=names.APP,
    )


def watched_drift(environment: Environment) -> WatchedDrift | None:
    """The drift job of an environment, for its alerts and its dashboard."""
    job = environment.drift
    if job is None:
        return None
    return WatchedDrift(
        title=_TITLE,
        namespace=environment.namespace,
        environment=environment.name,
        cron_job=names.DRIFT,
        pushed=job.pushgateway_url is not None,
        drifting_for=job.drifting_for,
        stale_after=job.stale_after,
    )


def _labels(environment: Environment) -> dict[str, str]:
    """The labels of an object itself; pods have their own."""
    return {"app": names.APP, "app.kubernetes.io/name": names.APP, "environment": environment.name}


def _secrets(environment: Environment) -> dict[str, SecretVariables]:
    return {name: SecretVariables(name=name, keys=keys) for name, keys in secret_variables(environment).items()}


def _path(environment: Environment) -> str:
    return f"{environment.gitops.manifests_path}/{environment.name}"


def _hand_over(environment: Environment) -> HandOverProps:
    controller = environment.workload.controller.value
    healthy = [Healthy(api_version="apps/v1", kind=controller, name=names.WORKLOAD)]
    if isinstance(environment.secrets.source, AzureKeyVault):
        healthy += [
            Healthy(api_version="external-secrets.io/v1", kind="ExternalSecret", name=name)
            for name in secret_variables(environment)
        ]
    return HandOverProps(
        name=names.hand_over(environment),
        title=_TITLE,
        gitops=environment.gitops,
        path=_path(environment),
        namespace=environment.namespace,
        healthy=tuple(healthy),
    )
