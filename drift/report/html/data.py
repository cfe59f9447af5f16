"""What the list of findings shows, as JSON for the page's script and for the template alike."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from drift.advice.advisor import Advisor, Commands
from drift.counts import plural
from drift.model import (
    Actor,
    Cause,
    Change,
    Evidence,
    Finding,
    Json,
    Lifecycle,
    ObjectReport,
    Report,
    Security,
    Severity,
    Status,
)
from drift.report.groups import Group, group_name, grouped
from drift.report.line_diff import DiffLine, Mark, in_pieces, line_diff
from drift.report.view import (
    CAUSE_TEXT,
    by_source,
    excerpts,
    field_place,
    finding_order,
    git_line,
    has_values,
    is_shown,
    lifecycle_mark,
    reason_of,
    sentence,
    short,
    source_lines,
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
#: The heading above the objects that no source describes.
NO_SOURCE: Final = "in no source"
#: Dates of earlier years have no four digits everywhere.
_FIRST_YEAR: Final = 1000
#: Lines of a diff that a finding shows before it is opened.
_LINES_IN_ROW: Final = 6
#: A path before its last field, which is the one that readers look for, and that field with its index.
_LAST_FIELD: Final = re.compile(r'(.*\.)([^.[\]"]+(?:\[[^\]]*\])?)', re.DOTALL)


#: A group or an object, after the position of its source in the report; None if it has none, or if all have the same.
Entry = tuple[int | None, Group | ObjectReport]


def listed_entries(report: Report) -> list[Entry]:
    """Returns what the page lists, worst first: groups, and objects, also those with only ignored findings.

    They are ordered by source. Each comes with the position of its source in the report; None without one.
    """
    listed = sorted((item for item in report.objects if is_shown(item) or item.findings), key=worst_first)
    return [
        (None if source is None else report.sources.index(source), entry)
        for source, items in by_source(report, listed)
        for entry in grouped(items)
    ]


def page_data(report: Report, entries: Sequence[Entry], advisor: Advisor) -> dict[str, Json]:
    """Returns everything that the list shows and filters.

    A group looks like an object with one finding, and has ``members``.

    A field is null if it is not shown. Values and diffs are lists of lines; each line is the first character of
    `Mark`, and then pieces that are equal to the other side and different from it by turns.

    Raises:
        TypeError: The report holds a redacted value, which is a bug in drift.
    """
    lifecycles = {finding.lifecycle for item in report.objects for finding in item.findings if finding.is_drift}
    return {
        "causes": CAUSE_TEXT,
        "kinds": _KINDS_OF_LINES,
        "order": {
            "severity": list(Severity),
            "cause": list(Cause),
            "status": list(Status),
            "lifecycle": list(Lifecycle),
            "security": list(Security),
        },
        "sources": _headings(report),
        "noSource": NO_SOURCE,
        # After the first scan everything is new, which is not worth a mark on each finding.
        "objects": [
            _entry(source, entry, advisor, marks_new=lifecycles != {Lifecycle.NEW}) for source, entry in entries
        ],
    }


def _headings(report: Report) -> list[str]:
    """Returns the headings above the objects of each source; nothing if all objects have the same source."""
    lines = source_lines(report)
    return [lines[source.name] for source in report.sources] if len(report.sources) > 1 else []


def _entry(source: int | None, entry: Group | ObjectReport, advisor: Advisor, *, marks_new: bool) -> dict[str, Json]:
    if isinstance(entry, ObjectReport):
        return _object(source, entry, advisor, marks_new=marks_new)
    item, members = entry.item, entry.members
    finding = _finding(item, entry.finding, advisor, marks_new=marks_new)
    of_all = {"id": None, "place": None, "pointer": None, **_commands(advisor.commands_for_all(members))}
    return {
        **_object(source, replace(item, findings=()), advisor, marks_new=marks_new),
        "title": _capitalized(short(group_name(entry))),
        **dict.fromkeys(("kind", "namespace", "name")),
        "findings": [{**finding, **of_all}],
        "members": [_member(one, found, item, entry.finding) for one, found in members],
    }


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _member(item: ObjectReport, finding: Finding, common_item: ObjectReport, common: Finding) -> dict[str, Json]:
    """Returns what an object of a group does not have in common with the others."""
    return {
        **_name(item),
        "digest": item.digest and sentence(item.digest) if item.digest != common_item.digest else None,
        "path": short(finding.path) if finding.path != common.path else None,
        "id": short(finding.id),
        "place": _place(item, finding),
    }


def _name(item: ObjectReport) -> dict[str, Json]:
    key = item.key
    return {
        "kind": short(key.kind),
        "namespace": None if key.namespace is None else short(key.namespace),
        "name": short(key.name),
        "cluster": None if item.cluster is None else short(item.cluster),
    }


def _place(item: ObjectReport, finding: Finding) -> str | None:
    return field_place(item, finding) or (None if item.source is None else short(str(item.source)))


def _object(source: int | None, item: ObjectReport, advisor: Advisor, *, marks_new: bool) -> dict[str, Json]:
    findings = sorted(item.findings, key=finding_order)
    return {
        "sourceIndex": source,
        "title": None,
        **_name(item),
        "status": item.status,
        "source": short(str(item.source)) if item.source else short(", ".join(item.origins)) or None,
        "digest": item.digest and sentence(item.digest),
        "reason": reason_of(item if item.digest is None else replace(item, digest=None)),
        "findings": [_finding(item, finding, advisor, marks_new=marks_new) for finding in findings],
        "members": None,
    }


def _finding(item: ObjectReport, finding: Finding, advisor: Advisor, *, marks_new: bool) -> dict[str, Json]:
    before, last = "", short(finding.path)
    if match := _LAST_FIELD.fullmatch(last):
        before, last = match.groups()
    row, lines = _lines(finding)
    badge = lifecycle_mark(finding).lower()
    first_seen = None if finding.first_seen is None else instant(finding.first_seen)
    return {
        "id": short(finding.id),
        "severity": finding.severity,
        "cause": finding.cause,
        "lifecycle": finding.lifecycle,
        "pathStart": before or None,
        "pathEnd": last or None,
        "difference": _ONLY_IN.get(finding.change) if row else what_differs(finding),
        "row": row,
        "lines": lines,
        "note": None if finding.note is None else f"note: {sentence(finding.note)}",
        "badge": badge if badge and marks_new else None,
        "security": finding.security,
        "nonDrift": None if finding.is_drift else "controller" if finding.ignored is None else "ignored",
        "manager": _first_of(finding.actors),
        "seen": "seen " if not finding.actors and first_seen else None,
        "time": first_seen if not finding.actors else _time(finding.actors[0]),
        "advice": advisor.advice(item, finding),
        **_commands(advisor.commands(item, finding)),
        "actors": [_actor(actor) for actor in finding.actors],
        "gitLine": git_line(finding),
        "firstSeen": first_seen,
        "ongoing": finding.lifecycle and f", {finding.lifecycle}",
        "ignored": None
        if finding.ignored is None
        else f"by {sentence(finding.ignored.rule)}: {sentence(finding.ignored.reason)}",
        "place": _place(item, finding),
        "pointer": short(finding.pointer) or None,
    }


def _commands(commands: Commands | None) -> dict[str, Json]:
    commands = commands or Commands()
    also = f"also deploys {plural(commands.also_deploys, 'pending change')}" if commands.also_deploys else None
    return {
        "look": commands.look,
        "keep": commands.keep,
        "revert": commands.revert,
        "sync": commands.sync,
        "alsoDeploys": also,
    }


_Line = list[str]


def _lines(finding: Finding) -> tuple[list[_Line], list[_Line]]:
    """Returns the lines that show a difference: those of the row, and all of them if they are too many for a row."""
    if not has_values(finding):
        return [], []
    diff = line_diff(finding)
    if diff:
        lines = _in_pieces(diff)
        if len(lines) <= _LINES_IN_ROW:
            return lines, []
        # The row begins where the difference does.
        start = next(index for index, line in enumerate(diff) if line.mark not in {Mark.BOTH, Mark.HUNK})
        return lines[start : start + _LINES_IN_ROW], lines
    git, live = excerpts(finding)
    values = ((Mark.GIT, git), (Mark.LIVE, live))
    return _in_pieces([DiffLine(mark, value) for mark, value in values if value is not None]), []


def _in_pieces(diff: Sequence[DiffLine]) -> list[_Line]:
    return [[line.mark, *pieces] for line, pieces in in_pieces(diff)]


def _first_of(actors: Sequence[Actor]) -> str | None:
    """Returns the first manager, or the user if that is certain, and the number of others."""
    if not actors:
        return None
    user = user_text(actors[0]) if actors[0].evidence is Evidence.EXACT else ""
    others = f" +{len(actors) - 1}" if len(actors) > 1 else ""
    return short(user or actors[0].manager) + others


def _actor(actor: Actor) -> dict[str, Json]:
    how = short(actor.operation) + (f", {short(actor.subresource)}" if actor.subresource else "")
    user = short(user_text(actor)) or None
    time = _time(actor)
    return {
        "manager": short(actor.manager),
        "how": f" ({how})",
        "by": user and _BY[actor.evidence],
        "user": user,
        "when": ", " if time else f", {short(actor.time) if actor.time else 'time not recorded'}",
        "time": time,
    }


def _time(actor: Actor) -> str | None:
    return None if actor.time is None else instant(actor.time)


@lru_cache(maxsize=1024)
def instant(time: str) -> str | None:
    """Returns a time in UTC to the second, as RFC 3339; None if the text is not a time."""
    try:
        moment = datetime.fromisoformat(time).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment.year >= _FIRST_YEAR else None
