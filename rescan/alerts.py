"""The alerts: what is wrong, how Prometheus sees it, and what to do. Changes when operators learn something."""

from dataclasses import dataclass

from rescan import names
from rescan.settings import DriftJob, Environment, Sqlite


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert. It fires when `query` has had a result for as long as `lasting` (`5m`)."""

    name: str
    query: str
    lasting: str
    severity: str
    summary: str
    action: str


def alerts(environment: Environment) -> list[Alert]:
    """The alerts that make sense for an environment, in its own names."""
    namespace = f'namespace="{environment.namespace}"'
    where = f"{environment.namespace}/{names.WORKLOAD}"
    found = [
        Alert(
            name="RescanDown",
            query=f'absent(up{{{namespace},service="{names.SERVICE}"}} == 1)',
            lasting="5m",
            severity="critical",
            summary="No pod of Rescan answers",
            action=f"Look at the pods of {where} and at their events; /ready fails while the database is unreachable.",
        ),
        Alert(
            name="RescanRestarting",
            query=f'increase(kube_pod_container_status_restarts_total{{{namespace},container="{names.APP}"}}[15m]) > 2',
            lasting="0m",
            severity="warning",
            summary="Rescan keeps restarting",
            action=f"Read the log of the previous container of {where}; OOMKilled asks for a higher memory limit.",
        ),
        Alert(
            name="RescanMemoryNearLimit",
            query=(
                f'max by (pod) (container_memory_working_set_bytes{{{namespace},container="{names.APP}"}})'
                f' / max by (pod) (kube_pod_container_resource_limits{{{namespace},container="{names.APP}",'
                'resource="memory"}) > 0.9'
            ),
            lasting="15m",
            severity="warning",
            summary="Rescan is about to reach its memory limit",
            action="Raise workload.resources.memory_limit before the kernel ends the process.",
        ),
    ]
    if isinstance(environment.configuration.database, Sqlite):
        found.append(_volume_filling(environment, namespace))
    if environment.backup:
        found.append(_backup_late(environment.backup.late_after, namespace))
    return found


def _volume_filling(environment: Environment, namespace: str) -> Alert:
    claim = f'{namespace},persistentvolumeclaim="{names.data_claim(environment)}"'
    return Alert(
        name="RescanVolumeFilling",
        query=(
            f"kubelet_volume_stats_available_bytes{{{claim}}} / kubelet_volume_stats_capacity_bytes{{{claim}}} < 0.15"
        ),
        lasting="15m",
        severity="warning",
        summary="The volume of the database has less than 15 % left",
        action="Raise storage.size where the storage class can expand volumes, or delete old scan sessions.",
    )


def _backup_late(seconds: int, namespace: str) -> Alert:
    cron_job = f'{namespace},cronjob="{names.BACKUP}"'
    return Alert(
        name="RescanBackupLate",
        query=f"time() - max(kube_cronjob_status_last_successful_time{{{cron_job}}}) > {seconds}",
        lasting="15m",
        severity="warning",
        summary="The database has not been backed up",
        action=f"Look at the newest Jobs of the CronJob {names.BACKUP} and at the logs of their pods.",
    )


def drift_metrics(environment: Environment) -> str:
    """The labels that the metrics of the environment's drift job have at the Pushgateway, which names the group."""
    return f'job="{names.DRIFT}",environment="{environment.name}"'


def drift_alerts(environment: Environment, job: DriftJob) -> list[Alert]:
    """The alerts on the drift job, and on what it finds where its metrics are pushed."""
    if job.pushgateway_url is None:
        return [_stale(environment, job, _last_success(environment))]
    pushed = drift_metrics(environment)
    return [
        _drift(environment, job, "RescanDriftSevere", "critical|high", "critical"),
        _drift(environment, job, "RescanDrift", "medium|low", "warning"),
        Alert(
            name="RescanDriftScanIncomplete",
            query=f"min(drift_last_scan_success{{{pushed}}}) == 0",
            lasting="10m",
            severity="warning",
            summary="The drift job could not look at everything",
            action=f"The log of the newest pod of the CronJob {names.DRIFT} names what it could not read, and why.",
        ),
        _stale(environment, job, f"drift_last_scan_timestamp_seconds{{{pushed}}}"),
    ]


def _drift(environment: Environment, job: DriftJob, name: str, severities: str, severity: str) -> Alert:
    found = f'drift_findings{{{drift_metrics(environment)},cause!="controller",severity=~"{severities}"}}'
    return Alert(
        name=name,
        query=f"sum by (cause) ({found}) > 0",
        lasting=job.drifting_for,
        severity=severity,
        summary=f"{environment.name} is not what Git says ({{{{ $labels.cause }}}}: {{{{ $value }}}})",
        action=(
            f"The log of the newest pod of the CronJob {names.DRIFT} says what differs and who changed it; sync to"
            " revert it, or put the live value into Git to keep it."
        ),
    )


def _last_success(environment: Environment) -> str:
    return f'kube_cronjob_status_last_successful_time{{namespace="{environment.namespace}",cronjob="{names.DRIFT}"}}'


def _stale(environment: Environment, job: DriftJob, last: str) -> Alert:
    return Alert(
        name="RescanDriftJobStale",
        # The oldest, so that a shard that came to a stop is seen among others that did not.
        query=f"time() - min({last}) > {job.stale_after} or absent({last})",
        lasting="15m",
        severity="warning",
        summary=f"No drift scan has succeeded lately in {environment.name}",
        action=f"Look at the newest Jobs of the CronJob {names.DRIFT} and at the logs of their pods.",
    )
