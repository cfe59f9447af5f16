"""Reports and episodes of one scope at chosen times."""

from dataclasses import replace

from drift.history.episodes import Episode, EpisodeState, Scope
from drift.model import Actor, Cause, Change, Finding, Lifecycle, ObjectReport, Report, Severity
from drift.objects import ObjectKey
from tests.drift.report.reports import report

SCOPE = Scope("https://prod.example.com", "apps")
WHOLE = {"path": "", "pointer": "", "desired": None, "live": None, "actors": ()}


def at(day: int, *items: ObjectReport, **changes: object) -> Report:
    """Returns a scan at noon on a day in January."""
    return report(*items, generated_at=f"2026-01-{day:02}T12:00:00Z", **changes)


def findings(of: Report) -> dict[str, Finding]:
    return {finding.path: finding for item in of.objects for finding in item.findings}


def lifecycles(of: Report) -> dict[str, Lifecycle | None]:
    return {path: finding.lifecycle for path, finding in findings(of).items()}


def episode(number: int, **changes: object) -> Episode:
    """Returns an episode that has been open since noon on the first of January."""
    made = Episode(
        scope=SCOPE,
        id=f"{number:016x}",
        api_version="v1",
        key=ObjectKey("", "ConfigMap", "shop", "a"),
        path="data.x",
        change=Change.CHANGED,
        cause=Cause.MANUAL,
        severity=Severity.MEDIUM,
        actors=(Actor("kubectl-edit", "Update", None, "2026-01-01T11:59:00Z"),),
        first_seen="2026-01-01T12:00:00Z",
        last_seen="2026-01-01T12:00:00Z",
        ended_at=None,
        state=EpisodeState.OPEN,
        reopened=False,
    )
    return replace(made, **changes)  # type: ignore[arg-type]
