"""What opened and what closed, one line each, for people who follow along and for programs that read a pipe."""

import json
from datetime import UTC, datetime
from typing import Final

from drift.model import Actor, Json, ObjectReport, Status
from drift.report.json_report import finding_document
from drift.report.view import CAUSE_TEXT, CHANGE_SIGN, object_name, visible, what_differs
from drift.watch.open_findings import FindingChange, TrackedFinding, Transition

_MINUTE: Final = 60
_HOUR: Final = 3600


def to_text_line(news: FindingChange) -> str:
    """One line without its end; what a cluster can choose in it is escaped."""
    episode, finding = news.tracked, news.tracked.finding
    parts = [
        f"{rfc3339(episode.resolved or episode.opened)} {news.transition:<8} {finding.severity:<8}",
        object_name(_object(episode)),
    ]
    if finding.path:
        parts.append(f"{CHANGE_SIGN[finding.change]} {visible(finding.path)}")
    if news.transition is Transition.RESOLVED:
        by = f", ended by {_names(episode.resolved_by)}" if episode.resolved_by else ""
        since = "" if episode.exact else "more than "
        parts.append(f"after {since}{_duration(episode.seconds)}; {_made(episode)}{by}")
    else:
        parts += [what_differs(finding), _made(episode)]
    return "  ".join(parts)


def to_json_line(news: FindingChange) -> str:
    """One JSON object on one line, without its end."""
    episode = news.tracked
    document: dict[str, Json] = {
        "event": news.transition,
        "object": {
            "apiVersion": episode.api_version,
            "kind": episode.key.kind,
            "namespace": episode.key.namespace,
            "name": episode.key.name,
        },
        "finding": finding_document(episode.finding),
        "openedAt": rfc3339(episode.opened),
        "exact": episode.exact,
        "resolvedAt": None if episode.resolved is None else rfc3339(episode.resolved),
        "seconds": None if episode.resolved is None else round(episode.seconds, 3),
        "resolvedBy": [
            {"manager": actor.manager, "operation": actor.operation, "time": actor.time}
            for actor in episode.resolved_by
        ],
    }
    # Characters beyond ASCII are escaped: some of them end a line for one reader or another.
    return json.dumps(document)


def rfc3339(time: datetime) -> str:
    """A time in UTC, to the millisecond."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _object(episode: TrackedFinding) -> ObjectReport:
    return ObjectReport(episode.api_version, episode.key, None, Status.DRIFTED)


def _made(episode: TrackedFinding) -> str:
    cause = CAUSE_TEXT[episode.finding.cause]
    return f"{cause}: {_names(episode.finding.actors)}" if episode.finding.actors else cause


def _names(actors: tuple[Actor, ...]) -> str:
    return ", ".join(visible(actor.manager) for actor in actors)


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.1f} min"
    return f"{seconds / _HOUR:.1f} h"
