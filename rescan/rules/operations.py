"""Rules of what operators look after: backups and monitoring."""

from collections.abc import Iterator

from rescan.rules.formats import has_form
from rescan.rules.model import Breach
from rescan.settings import Environment


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
    """Prometheus can read what it is told to scrape, and how often."""
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
