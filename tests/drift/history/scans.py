"""Scans of one scope, at times of the test's choice."""

from drift.history.episodes import Scope
from drift.model import Finding, Lifecycle, ObjectReport, Report
from tests.drift.report.reports import report

SCOPE = Scope("https://prod.example.com", "apps")
WHOLE = {"path": "", "pointer": "", "desired": None, "live": None, "actors": ()}


def at(day: int, *items: ObjectReport, **changes: object) -> Report:
    """The scan of noon of a day in January."""
    return report(*items, generated_at=f"2026-01-{day:02}T12:00:00Z", **changes)


def findings(of: Report) -> dict[str, Finding]:
    return {finding.path: finding for item in of.objects for finding in item.findings}


def lifecycles(of: Report) -> dict[str, Lifecycle | None]:
    return {path: finding.lifecycle for path, finding in findings(of).items()}
