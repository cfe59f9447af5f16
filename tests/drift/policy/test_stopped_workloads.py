"""A workload that was stopped is more severe than one that was resized."""

import pytest

from drift.model import Cause, Change, Severity
from drift.objects import Json, ObjectKey
from drift.policy.severity import default_table

DEPLOYMENT = ObjectKey("apps", "Deployment", "prod", "web")
CUSTOM = ObjectKey("example.com", "Widget", "prod", "web")
CRON_JOB = ObjectKey("batch", "CronJob", "prod", "web")


@pytest.mark.parametrize("change", [Change.CHANGED, Change.ADDED])
@pytest.mark.parametrize(
    ("key", "path", "live", "severity"),
    [
        (DEPLOYMENT, "spec.replicas", 0, Severity.HIGH),
        (DEPLOYMENT, "spec.replicas", 1, Severity.MEDIUM),
        (CUSTOM, "spec.replicas", 0, Severity.HIGH),
        (CRON_JOB, "spec.suspend", True, Severity.HIGH),
        (CRON_JOB, "spec.suspend", False, Severity.MEDIUM),
        (ObjectKey("batch", "Job", "prod", "web"), "spec.parallelism", 0, Severity.HIGH),
        (DEPLOYMENT, "spec.minReadySeconds", 0, Severity.LOW),
    ],
)
def test_a_change_that_stops_a_workload_is_high(
    key: ObjectKey, path: str, live: Json, severity: Severity, change: Change
) -> None:
    assert default_table().severity(key, path, change, Cause.MANUAL, live) is severity


def test_a_controller_may_scale_to_zero() -> None:
    assert default_table().severity(DEPLOYMENT, "spec.replicas", Change.CHANGED, Cause.CONTROLLER, 0) is Severity.INFO


def test_removing_zero_replicas_does_not_stop_a_workload() -> None:
    assert default_table().severity(DEPLOYMENT, "spec.replicas", Change.REMOVED, Cause.MANUAL, 0) is Severity.MEDIUM
