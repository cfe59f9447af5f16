"""Rules of what operators look after: backups, monitoring and the drift job."""

from collections.abc import Iterator

from rescan.rules.formats import has_form, positive_quantity
from rescan.rules.model import Breach
from rescan.settings import AccessMode, DriftJob, Environment

_PORTS = range(1, 65536)


def backup_can_run(environment: Environment) -> Iterator[Breach]:
    """The schedule can be read, the bucket can exist, and a backup has time to finish."""
    backup = environment.backup
    if backup is None:
        return
    texts = {
        "schedule": ("cron schedule", backup.schedule),
        "bucket": ("bucket name", backup.bucket),
        "prefix": ("folder", backup.prefix),
    }
    if backup.endpoint_url is not None:
        texts["endpoint_url"] = ("HTTPS address", backup.endpoint_url)
    for setting, (form, text) in texts.items():
        if not has_form(form, text):
            yield Breach(f"backup.{setting}", text, f"write it in the form of a {form}")
    for setting, seconds in {"deadline": backup.deadline, "late_after": backup.late_after}.items():
        if seconds < 1:
            yield Breach(f"backup.{setting}", seconds, "set it to 1 second or more")


def monitoring_can_scrape(environment: Environment) -> Iterator[Breach]:
    """Prometheus can read its scrape target and interval."""
    monitoring = environment.monitoring
    if monitoring is None:
        return
    texts = {"path": ("URL path", monitoring.path), "interval": ("duration", monitoring.interval)}
    for setting, (form, text) in texts.items():
        if not has_form(form, text):
            yield Breach(f"monitoring.{setting}", text, f"write it in the form of a {form}")
    for setting, labels in {"labels": monitoring.labels, "dashboard_labels": monitoring.dashboard_labels}.items():
        for key, value in labels.items():
            if not has_form("label key", key) or not has_form("label value", value):
                yield Breach(f"monitoring.{setting}", {key: value}, "write a label that Kubernetes accepts")


def drift_job_can_run(environment: Environment) -> Iterator[Breach]:
    """The schedule can be read, what the job needs has names that can exist, and a scan has time to finish."""
    job = environment.drift
    if job is None:
        return
    for setting, (form, text) in _forms(job).items():
        if text is not None and not has_form(form, text):
            yield Breach(f"drift.{setting}", text, f"write it in the form of a {form}")
    least = {"deadline": 1, "stale_after": 1, "shards": 1, "git_depth": 0}
    for setting, number in least.items():
        if getattr(job, setting) < number:
            yield Breach(f"drift.{setting}", getattr(job, setting), f"set it to {number} or more")
    if job.api_server_port not in _PORTS:
        yield Breach("drift.api_server_port", job.api_server_port, "set it to a port from 1 to 65535")
    if positive_quantity(job.history_size) is None:
        yield Breach("drift.history_size", job.history_size, "write a quantity above zero, such as 256Mi")


def _forms(job: DriftJob) -> dict[str, tuple[str, str | None]]:
    return {
        "schedule": ("cron schedule", job.schedule),
        "drifting_for": ("duration", job.drifting_for),
        "git_secret": ("object name", job.git_secret),
        "storage_class": ("object name", job.storage_class),
        "config": ("folder", job.config),
        "pushgateway_url": ("web address", job.pushgateway_url),
    }


def drift_volume_can_be_written(environment: Environment) -> Iterator[Breach]:
    """The history is written, and with several shards from several nodes."""
    job = environment.drift
    if job is None:
        return
    if job.shards > 1 and job.access_mode is not AccessMode.READ_WRITE_MANY:
        many = AccessMode.READ_WRITE_MANY.value
        yield Breach("drift.access_mode", job.access_mode.value, f"set it to {many}, or drift.shards to 1")
    elif job.access_mode is AccessMode.READ_ONLY_MANY:
        yield Breach("drift.access_mode", job.access_mode.value, f"set it to {AccessMode.READ_WRITE_ONCE.value}")
