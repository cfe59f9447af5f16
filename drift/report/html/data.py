"""What the list of findings shows, as JSON for the page's script and for the template alike."""

import re
from collections.abc import Sequence
from typing import Final

from drift.model import Actor, Cause, Change, Evidence, Finding, Json, Lifecycle, ObjectReport, Report, Severity, Status
from drift.report.line_diff import Mark, line_diff
from drift.report.view import (
    CAUSE_TEXT,
    age,
    by_source,
    excerpts,
    field_place,
    finding_order,
    git_line,
    has_values,
    hint_for,
    is_shown,
    lifecycle_mark,
    reason_of,
    sentence,
    short,
    user_text,
    what_differs,
    worst_first,
)

#: The class and the side of a line of a diff, by its first character.
_KINDS_OF_LINES: Final = {
    Mark.GIT: ("minus", "Git"),
    Mark.LIVE: ("plus", "live"),
    Mark.BOTH: ("both", ""),
    Mark.HUNK: ("cut", ""),
    Mark.LEFT_OUT: ("cut", ""),
}
_BY: Final = {
    None: " by ",
    Evidence.EXACT: " by ",
    Evidence.LIKELY: " probably by ",
    Evidence.CANDIDATE: " possibly by ",
}
_ONLY_IN: Final = {Change.ADDED: "not in Git", Change.REMOVED: "not in the cluster"}
#: A path before its last field, which is the one that readers look for, and that field with its index.
_LAST_FIELD: Final = re.compile(r'(.*\.)([^.[\]"]+(?:\[[^\]]*\])?)', re.DOTALL)


def listed_objects(report: Report) -> list[ObjectReport]:
    """Returns the objects that the page lists, by source, worst first, with those that have only ignored findings."""
    listed = sorted((item for item in report.objects if is_shown(item) or item.findings), key=worst_first)
    return [item for _, items in by_source(report, listed) for item in items]


def page_data(items: Sequence[ObjectReport], now: str) -> dict[str, Json]:
    """Returns everything that the list shows and filters.

    A field is null if it is not shown.

    Raises:
        TypeError: The report holds a redacted value, which is a bug in drift.
    """
    return {
        "causes": CAUSE_TEXT,
        "kinds": _KINDS_OF_LINES,
        "order": {
            "severity": list(Severity),
            "cause": list(Cause),
            "status": list(Status),
            "lifecycle": list(Lifecycle),
        },
        "objects": [_object(item, now) for item in items],
    }


def _object(item: ObjectReport, now: str) -> dict[str, Json]:
    key = item.key
    return {
        "kind": short(key.kind),
        "namespace": None if key.namespace is None else short(key.namespace),
        "name": short(key.name),
        "cluster": None if item.cluster is None else short(item.cluster),
        "status": item.status,
        "source": short(str(item.source)) if item.source else short(", ".join(item.origins)) or None,
        "reason": reason_of(item),
        "findings": [_finding(item, finding, now) for finding in sorted(item.findings, key=finding_order)],
    }


def _finding(item: ObjectReport, finding: Finding, now: str) -> dict[str, Json]:
    before, last = "", short(finding.path)
    if match := _LAST_FIELD.fullmatch(last):
        before, last = match.groups()
    shows_values = has_values(finding)
    git, live = excerpts(finding) if shows_values else (None, None)
    actors = [_actor(actor, now) for actor in finding.actors]
    first_seen = None if finding.first_seen is None else ago(finding.first_seen, now)
    return {
        "id": short(finding.id),
        "severity": finding.severity,
        "cause": finding.cause,
        "lifecycle": finding.lifecycle,
        "pathStart": before or None,
        "pathEnd": last or None,
        "git": git,
        "live": live,
        "onlyIn": _ONLY_IN.get(finding.change) if shows_values else None,
        "difference": None if shows_values else what_differs(finding),
        "lines": [f"{line.mark}{line.text}" for line in line_diff(finding)] if shows_values else [],
        "note": None if finding.note is None else f"note: {sentence(finding.note)}",
        "badge": lifecycle_mark(finding).lower() or None,
        "nonDrift": None if finding.is_drift else "controller" if finding.ignored is None else "ignored",
        "manager": _first_of(finding.actors),
        "age": actors[0]["age"] if actors else first_seen and f"seen {first_seen}",
        "hint": hint_for(finding) or None,
        "actors": actors,
        "gitLine": git_line(finding),
        "firstSeen": first_seen
        and _with_time(first_seen, finding.first_seen) + (f", {finding.lifecycle}" if finding.lifecycle else ""),
        "ignored": None
        if finding.ignored is None
        else f"by {sentence(finding.ignored.rule)}: {sentence(finding.ignored.reason)}",
        "place": field_place(item, finding) or (None if item.source is None else short(str(item.source))),
        "pointer": short(finding.pointer) or None,
    }


def _first_of(actors: Sequence[Actor]) -> str | None:
    """Returns the first manager, or the user if that is certain, and the number of others."""
    if not actors:
        return None
    user = user_text(actors[0]) if actors[0].evidence is Evidence.EXACT else ""
    others = f" +{len(actors) - 1}" if len(actors) > 1 else ""
    return short(user or actors[0].manager) + others


def _actor(actor: Actor, now: str) -> dict[str, Json]:
    since = None if actor.time is None else ago(actor.time, now)
    how = short(actor.operation) + (f", {short(actor.subresource)}" if actor.subresource else "")
    user = short(user_text(actor)) or None
    return {
        "manager": short(actor.manager),
        "how": f" ({how})",
        "by": user and _BY[actor.evidence],
        "user": user,
        "when": f", {_with_time(since, actor.time) if since else 'time not recorded'}",
        "age": since,
    }


def ago(time: str, now: str) -> str:
    """Returns how long ago a time was, or the time itself if it is not a time of the past."""
    since = age(time, now)
    return short(time) if since is None else f"{since} ago"


def _with_time(since: str, time: str | None) -> str:
    return since if time is None or not since.endswith(" ago") else f"{since} ({short(time)})"
