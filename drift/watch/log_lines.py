"""One line for each finding that opened or closed: text for a terminal, JSON for a pipe."""

import json
from typing import Final

from drift.history.episodes import rfc3339
from drift.model import Actor, Json, ObjectReport, Status
from drift.report.diff import what_differs
from drift.report.json_report import finding_document
from drift.report.view import CAUSE_TEXT, CHANGE_SIGN, object_name, visible
from drift.watch.open_findings import FindingChange, TrackedFinding, Transition

_MINUTE: Final = 60
_HOUR: Final = 3600


def to_text_line(change: FindingChange) -> str:
    """Returns one line without a line break. Text from the cluster is escaped."""
    tracked, finding = change.tracked, change.tracked.finding
    parts = [
        f"{rfc3339(tracked.resolved or tracked.opened)} {change.transition:<8} {finding.severity:<8}",
        object_name(_object(tracked)),
    ]
    if finding.path:
        parts.append(f"{CHANGE_SIGN[finding.change]} {visible(finding.path)}")
    if change.transition is Transition.RESOLVED:
        ended_by = f", ended by {_names(tracked.resolved_by)}" if tracked.resolved_by else ""
        since = "" if tracked.exact else "more than "
        parts.append(f"after {since}{_duration(tracked.seconds)}; {_cause(tracked)}{ended_by}")
    else:
        security = f"{finding.security} security; " if finding.security is not None else ""
        parts += [what_differs(finding), f"{security}{_cause(tracked)}"]
    return "  ".join(parts)


def to_json_line(change: FindingChange) -> str:
    """Returns one JSON object on one line, without a line break."""
    tracked = change.tracked
    document: dict[str, Json] = {
        "event": change.transition,
        "object": {
            "apiVersion": tracked.api_version,
            "kind": tracked.key.kind,
            "namespace": tracked.key.namespace,
            "name": tracked.key.name,
        },
        "finding": finding_document(tracked.finding),
        "openedAt": rfc3339(tracked.opened),
        "exact": tracked.exact,
        "resolvedAt": None if tracked.resolved is None else rfc3339(tracked.resolved),
        "seconds": None if tracked.resolved is None else round(tracked.seconds, 3),
        "resolvedBy": [
            {"manager": actor.manager, "operation": actor.operation, "time": actor.time}
            for actor in tracked.resolved_by
        ],
    }
    # ASCII only: some readers take characters such as U+2028 for a line break.
    return json.dumps(document)


def _object(tracked: TrackedFinding) -> ObjectReport:
    return ObjectReport(tracked.api_version, tracked.key, None, Status.DRIFTED)


def _cause(tracked: TrackedFinding) -> str:
    cause = CAUSE_TEXT[tracked.finding.cause]
    return f"{cause}: {_names(tracked.finding.actors)}" if tracked.finding.actors else cause


def _names(actors: tuple[Actor, ...]) -> str:
    return ", ".join(visible(actor.manager) for actor in actors)


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.1f} min"
    return f"{seconds / _HOUR:.1f} h"
