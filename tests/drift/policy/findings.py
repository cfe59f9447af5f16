"""Minimal findings and reports for tests of the policy."""

from typing import Any

from drift.model import Actor, Cause, Change, Finding, ManifestsInfo, ObjectReport, Report, Severity, Status
from drift.objects import ObjectKey

DEPLOYMENT = ObjectKey("apps", "Deployment", "shop", "web")


def finding(
    path: str = "spec.replicas", *, by: tuple[str, ...] = ("kubectl",), cause: Cause = Cause.MANUAL, **fields: Any
) -> Finding:
    actors = tuple(Actor(manager, "Update", None, None) for manager in by)
    given = {
        "id": "0" * 16,
        "change": Change.CHANGED,
        "pointer": "",
        "desired": 1,
        "live": 2,
        "redacted": False,
        "severity": Severity.MEDIUM,
        **fields,
    }
    return Finding(path=path, cause=cause, actors=actors, **given)


def item(*findings: Finding, key: ObjectKey = DEPLOYMENT, **fields: Any) -> ObjectReport:
    status = Status.DRIFTED if any(found.is_drift for found in findings) else Status.IN_SYNC
    return ObjectReport(
        **{"api_version": "apps/v1", "key": key, "source": None, "status": status, **fields}, findings=findings
    )


def report(*items: ObjectReport) -> Report:
    return Report("2026-11-24T12:00:00Z", None, ManifestsInfo((), None, None), items)
