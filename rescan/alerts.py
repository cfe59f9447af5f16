"""The alerts: what is wrong, how Prometheus sees it, and what to do. Changes when operators learn something."""

from rescan.formats import DnsLabel, LabelValue, ObjectName, PrometheusDuration, Seconds, Text
from rescan.settings.declaration import props


@props
class Alert:
    """One alert. It fires when `query` has had a result for as long as `lasting` (`5m`; None is at once)."""

    name: Text
    query: Text
    lasting: PrometheusDuration | None = None
    severity: Text
    summary: Text
    action: Text


@props
class Watched:
    """A web application, by the names that its metrics have as labels."""

    title: Text
    """The application in sentences, and at the beginning of the alerts' names: `Rescan`."""
    namespace: DnsLabel
    workload: ObjectName
    service: ObjectName
    container: LabelValue


@props
class WatchedDrift:
    """A drift job, by the labels that its metrics have."""

    title: Text
    namespace: DnsLabel
    environment: LabelValue
    cron_job: ObjectName
    """Also the `job` of the metrics at the Pushgateway, which names the group."""
    pushed: bool
    """Whether there are metrics at a Pushgateway."""
    drifting_for: PrometheusDuration
    stale_after: Seconds

    @property
    def labels(self) -> str:
        """The labels of what is pushed."""
        return f'job="{self.cron_job}",environment="{self.environment}"'

    @property
    def cron_job_labels(self) -> str:
        """The labels of the metrics of kube-state-metrics."""
        return f'namespace="{self.namespace}",cronjob="{self.cron_job}"'


def web_alerts(web: Watched) -> tuple[Alert, ...]:
    """The alerts that make sense for any web application."""
    where = f"{web.namespace}/{web.workload}"
    container = f'namespace="{web.namespace}",container="{web.container}"'
    return (
        Alert(
            name=f"{web.title}Down",
            query=f'absent(up{{namespace="{web.namespace}",service="{web.service}"}} == 1)',
            lasting="5m",
            severity="critical",
            summary=f"No pod of {web.title} answers",
            action=f"Look at the pods of {where} and at their events; /ready fails while the database is unreachable.",
        ),
        Alert(
            name=f"{web.title}Restarting",
            query=f"increase(kube_pod_container_status_restarts_total{{{container}}}[15m]) > 2",
            severity="warning",
            summary=f"{web.title} keeps restarting",
            action=f"Read the log of the previous container of {where}; OOMKilled asks for a higher memory limit.",
        ),
        Alert(
            name=f"{web.title}MemoryNearLimit",
            query=(
                f"max by (pod) (container_memory_working_set_bytes{{{container}}})"
                f' / max by (pod) (kube_pod_container_resource_limits{{{container},resource="memory"}}) > 0.9'
            ),
            lasting="15m",
            severity="warning",
            summary=f"{web.title} is about to reach its memory limit",
            action="Raise workload.resources.memory_limit before the kernel ends the process.",
        ),
    )


def volume_alert(web: Watched, claim_name: str) -> Alert:
    """The alert on a volume that has little room left."""
    claim = f'namespace="{web.namespace}",persistentvolumeclaim="{claim_name}"'
    return Alert(
        name=f"{web.title}VolumeFilling",
        query=(
            f"kubelet_volume_stats_available_bytes{{{claim}}} / kubelet_volume_stats_capacity_bytes{{{claim}}} < 0.15"
        ),
        lasting="15m",
        severity="warning",
        summary="The volume of the database has less than 15 % left",
        action="Raise storage.size where the storage class can expand volumes, or delete old scan sessions.",
    )


def backup_alert(web: Watched, cron_job: str, late_after: int) -> Alert:
    """The alert on a backup that has not succeeded for `late_after` seconds, or never did in that time."""
    labels = f'{{namespace="{web.namespace}",cronjob="{cron_job}"}}'
    last, created = f"kube_cronjob_status_last_successful_time{labels}", f"kube_cronjob_created{labels}"
    return Alert(
        name=f"{web.title}BackupLate",
        # A CronJob has no last success until the first one, so its age counts then. Without either, it is gone.
        query=f"time() - (max({last}) or max({created})) > {late_after} or absent({created})",
        lasting="15m",
        severity="warning",
        summary="The database has not been backed up",
        action=f"Look at the newest Jobs of the CronJob {cron_job} and at the logs of their pods.",
    )


def drift_alerts(drift: WatchedDrift) -> tuple[Alert, ...]:
    """The alerts on the drift job, and on what it finds where its metrics are pushed."""
    if not drift.pushed:
        return (_stale(drift, f"kube_cronjob_status_last_successful_time{{{drift.cron_job_labels}}}"),)
    return (
        _drift(drift, f"{drift.title}DriftSevere", "critical|high", "critical"),
        _drift(drift, f"{drift.title}Drift", "medium|low", "warning"),
        Alert(
            name=f"{drift.title}DriftScanIncomplete",
            query=f"min(drift_last_scan_success{{{drift.labels}}}) == 0",
            lasting="10m",
            severity="warning",
            summary="The drift job could not look at everything",
            action=f"The log of the newest pod of the CronJob {drift.cron_job} names what it could not read, and why.",
        ),
        _stale(drift, f"drift_last_scan_timestamp_seconds{{{drift.labels}}}"),
    )


def _drift(drift: WatchedDrift, name: str, severities: str, severity: str) -> Alert:
    found = f'drift_findings{{{drift.labels},cause!="controller",severity=~"{severities}"}}'
    return Alert(
        name=name,
        query=f"sum by (cause) ({found}) > 0",
        lasting=drift.drifting_for,
        severity=severity,
        summary=f"{drift.environment} is not what Git says ({{{{ $labels.cause }}}}: {{{{ $value }}}})",
        action=(
            f"The log of the newest pod of the CronJob {drift.cron_job} says what differs and who changed it; sync to"
            " revert it, or put the live value into Git to keep it."
        ),
    )


def _stale(drift: WatchedDrift, last: str) -> Alert:
    created = f"kube_cronjob_created{{{drift.cron_job_labels}}}"
    return Alert(
        name=f"{drift.title}DriftJobStale",
        # The oldest, so that a shard that came to a stop is seen among others that did not. Before the first scan, the
        # age of the CronJob counts. Without either, it is gone, or kube-state-metrics is.
        query=(
            f"time() - (min({last}) or max({created})) > {drift.stale_after} or (absent({created}) unless on() {last})"
        ),
        lasting="15m",
        severity="warning",
        summary=f"No drift scan has succeeded lately in {drift.environment}",
        action=f"Look at the newest Jobs of the CronJob {drift.cron_job} and at the logs of their pods.",
    )
