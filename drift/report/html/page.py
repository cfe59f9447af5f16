"""The page: template, style, script and data in one file, with a policy that lets it load nothing else."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from drift import __version__
from drift.advice.advisor import Advisor, Commands
from drift.model import (
    SEVERITY_RANK,
    Actor,
    Cause,
    Change,
    Evidence,
    Finding,
    Lifecycle,
    ObjectReport,
    PastScan,
    Report,
    Security,
    Severity,
    SourceInfo,
    Status,
    Verdict,
)
from drift.objects import Json
from drift.report.diff import DiffLine, Mark, excerpts, has_values, in_pieces, line_diff, what_differs
from drift.report.formats import DEFAULT_STYLE, Style
from drift.report.selection import (
    NO_FILTERS,
    Group,
    by_source,
    group_name,
    grouped,
    is_shown,
)
from drift.report.view import (
    CAUSE_TEXT,
    CERTAINTY,
    git_line,
    lifecycle_mark,
    member_place,
    most_active,
    names_by_cluster,
    reason_of,
    sentence,
    short,
    source_lines,
    statuses,
    user_text,
    visible,
)
from drift.words import plural, rfc3339

_TITLE: Final = {Verdict.IN_SYNC: "In sync", Verdict.DRIFTED: "Drifted", Verdict.INCOMPLETE: "Incomplete"}
_COLOR: Final = {Verdict.IN_SYNC: "1f8a4c", Verdict.DRIFTED: "c77700", Verdict.INCOMPLETE: "c4281c"}
#: For the templates and the script: the most members of a group, and the most findings of an object that are listed at
#: first.
_LIST_LIMITS: Final = {"members": 500, "findings": 20}
#: For the templates: the most sentences, names and resolved findings, and the most characters of a commit and of a
#: cluster in the title.
_LIMITS: Final = {**_LIST_LIMITS, "sentences": 50, "names": 5, "resolved": 100, "commit": 12, "title": 48}
#: The most objects and findings that are listed for readers without scripts.
_MAX_OBJECTS: Final = 200
_MAX_FINDINGS: Final = 400
#: Scans in the chart: more bars would be too narrow to see.
_MAX_SCANS: Final = 60
#: Sizes in the chart's own coordinates, which the page scales. A bar is centred in its step.
_STEP_WIDTH: Final = 10
_BAR_WIDTH: Final = 8
_CHART_HEIGHT: Final = 100
#: Only a fingerprint becomes an element's id: any other text could be the same as one of the page's own ids.
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{16,64}")
#: Characters that could end a script element or begin a comment in it.
_IN_SCRIPT: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
#: The CSS class of a line of a diff and the side that it is from, by its first character.
_LINE_KINDS: Final = {
    Mark.GIT: ("minus", "Git"),
    Mark.LIVE: ("plus", "live"),
    Mark.BOTH: ("both", ""),
    Mark.HUNK: ("cut", ""),
    Mark.LEFT_OUT: ("cut", ""),
}
_ONLY_IN: Final = {Change.ADDED: "not in Git", Change.REMOVED: "not in the cluster"}
#: The heading above the objects that no source describes.
_NO_SOURCE: Final = "in no source"
#: On some platforms, strftime writes earlier years with fewer than four digits.
_FIRST_YEAR: Final = 1000
#: Lines of a diff that a finding shows before it is opened.
_LINES_IN_ROW: Final = 6
#: A path before its last field, which is the one that readers look for, and that field with its index.
_LAST_FIELD: Final = re.compile(r'(.*\.)([^.[\]"]+(?:\[[^\]]*\])?)', re.DOTALL)


def to_html(report: Report, style: Style = DEFAULT_STYLE, live: Json = None) -> str:
    """Returns the report as one HTML file.

    Args:
        report: The report.
        style: Its filters choose what is listed. Everything above the list is about the whole report.
        live: For the page of `drift watch`, which refreshes itself: the ``revision`` of the report, and the times
            ``scanned`` and ``contact``, as ``/live.json`` has them. None for a file.

    Raises:
        TypeError: The report holds a redacted value, which is a bug in drift.
    """
    css, script = asset("page.css"), asset("page.js")
    chosen, hidden = (style.filters or NO_FILTERS).apply(report)
    entries = [
        (source, entry)
        for source, items in by_source(report, [item for item in chosen if is_shown(item) or item.findings])
        for entry in grouped(items)
    ]
    data = _page_data(report, entries, style.saved)
    shown = [
        item
        for (_, entry), item in zip(entries, data["objects"], strict=True)
        if isinstance(entry, Group) or is_shown(entry)
    ]
    listed, left_out = _listed(shown)
    # Everything that is not `Markup` is escaped.
    values = {
        "policy": _content_security_policy(css, script, connect="'self'" if live else "'none'"),
        "live": live,
        "style": Markup(css),  # noqa: S704 - a file of this package
        "script": Markup(script),  # noqa: S704 - a file of this package
        "data": _script_data(data),
        "listed": listed,
        "left_out": left_out,
        "hidden": hidden,
        "blank": _Blank(),
        "kinds": data["kinds"],
        "headings": data["sources"],
        "no_source": _NO_SOURCE,
        "causes": CAUSE_TEXT,
        "limits": _LIMITS,
        "version": __version__,
    }
    return _environment().get_template("page.html").render(values, **_overview(report))


def asset(file: str) -> str:
    """Returns the content of a file of this package."""
    return resources.files(__package__).joinpath(file).read_text("utf-8")


def _overview(report: Report) -> Mapping[str, Any]:
    """Returns what the top of the page shows: the verdict, what was not checked, who changed most."""
    return {
        "report": report,
        "verdict": {
            "title": _TITLE[report.verdict],
            "color": _COLOR[report.verdict],
            "counts": statuses(report) if report.shard is None else f"{statuses(report)} ({report.shard})",
        },
        "who": most_active(report),
        "severities": [*report.count_by_severity().items()],
        "clusters": report.each_cluster,
        "cluster_names": names_by_cluster(report.each_cluster),
        "trend": _trend(report.past),
        "unchecked": sum(item.status is Status.UNCHECKED and not item.is_skipped for item in report.objects),
        "sources": [*source_lines(report).values()],
        "resolved": sorted(report.resolved, key=lambda item: SEVERITY_RANK[item.severity]),
    }


class _Blank(dict[str, str]):
    """An object or a finding whose every value is empty: for the templates that the script fills."""

    def __missing__(self, _: str) -> str:
        return ""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(asset),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_without_control_characters,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "short": short,
        "sentence": sentence,
        "plural": plural,
        "rank": SEVERITY_RANK.__getitem__,
        "moment": _time_element,
        "utc": _readable_utc,
    }
    return environment


def _time_element(time: str, *, full: bool = False) -> Markup | str:
    """Returns a time element, in which the script shows the age; the text itself if it is not a time."""
    at = _to_utc(time)
    if at is None:
        return short(time)
    attribute = Markup(" data-full") if full else ""
    return Markup('<time datetime="{}"{}>{}</time>').format(at, attribute, _readable_utc(at))


def _readable_utc(time: str) -> str:
    """Returns an RFC 3339 time in UTC as people write it; "" for ""."""
    return time.replace("T", " ").replace("Z", " UTC")


def _without_control_characters(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _listed(objects: Sequence[Mapping[str, Json]]) -> tuple[Sequence[Mapping[str, Json]], int]:
    """Returns what is listed for readers without scripts, worst first, and the number of entries left out."""
    listed: list[Mapping[str, Json]] = []
    left_out = count = 0
    used: set[str] = set()
    for item in objects:
        findings = [finding for finding in item["findings"] if finding["ignored"] is None]
        if len(listed) == _MAX_OBJECTS or count >= _MAX_FINDINGS:
            left_out += 1
            continue
        shown = [
            {
                **finding,
                "rank": _rank("s", finding),
                "causeText": CAUSE_TEXT[finding["cause"]],
                "anchor": _anchor(finding["id"], used),
            }
            for finding in findings[: _LIST_LIMITS["findings"]]
        ]
        count += len(shown)
        rank = _rank("r", shown[0]) if shown else ""
        members = [{**member, "anchor": _anchor(member["id"], used)} for member in item["members"] or ()]
        more = len(findings) - len(shown)
        listed.append({**item, "rank": rank, "findings": shown, "members": members, "left_out": more})
    return listed, left_out


def _rank(prefix: str, finding: Mapping[str, Json]) -> str:
    """Returns the CSS class for the severity of a finding."""
    return f"{prefix}{SEVERITY_RANK[finding['severity']]}"


def _anchor(fingerprint: str | None, used: set[str]) -> str | None:
    """Returns the id of the element of a finding, and adds it to those in use; None if it cannot be one."""
    if fingerprint is None or fingerprint in used or not _FINGERPRINT.fullmatch(fingerprint):
        return None
    used.add(fingerprint)
    return fingerprint


def _trend(past: Sequence[PastScan]) -> Mapping[str, Any] | None:
    """Returns the chart of the open findings after the latest scans, oldest first."""
    scans = past[-_MAX_SCANS:]
    if not scans:
        return None
    maximum = max(scan.open for scan in scans)
    return {
        "scans": scans,
        "first": scans[0],
        "last": scans[-1],
        "maximum": maximum,
        "width": len(scans) * _STEP_WIDTH,
        "height": _CHART_HEIGHT,
        "bars": [(scan, _bar(number, scan, maximum)) for number, scan in enumerate(scans)],
    }


def _bar(number: int, scan: PastScan, maximum: int) -> list[Mapping[str, str]]:
    height = _CHART_HEIGHT * scan.open / maximum if maximum else 0
    new = height * min(scan.new, scan.open) / scan.open if scan.open else 0
    rectangles = [
        ("back", 0.0, float(_CHART_HEIGHT)),
        ("new", _CHART_HEIGHT - height, new),
        ("old", _CHART_HEIGHT - height + new, height - new),
        ("partial", 0.0, 0.0 if scan.complete else float(_CHART_HEIGHT)),
    ]
    x = number * _STEP_WIDTH + (_STEP_WIDTH - _BAR_WIDTH) / 2
    return [
        {"kind": kind, "x": f"{x:g}", "y": f"{y:.1f}", "width": str(_BAR_WIDTH), "height": f"{size:.1f}"}
        for kind, y, size in rectangles
        if size > 0
    ]


def _script_data(value: Json) -> Markup:
    """Returns JSON for a script element with a type that browsers do not run."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_IN_SCRIPT)
    return Markup(text)  # noqa: S704 - escaped in the line above


def _content_security_policy(style: str, script: str, connect: str) -> str:
    """Returns a policy that allows only the page's own style and script, and requests to ``connect``."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_csp_hash(style)}'",
            f"script-src '{_csp_hash(script)}'",
            f"connect-src {connect}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _csp_hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _page_data(
    report: Report, entries: Sequence[tuple[SourceInfo | None, Group | ObjectReport]], saved: str | None
) -> dict[str, Json]:
    """Returns everything that the list shows and filters.

    A group looks like an object with one finding, and has ``members``. A field is null if it is not shown. Values and
    diffs are lists of lines; each line is a list of a `Mark` and of `Pieces` that are equal to the other side and
    different from it by turns.

    Raises:
        TypeError: The report holds a redacted value, which is a bug in drift.
    """
    lifecycles = {finding.lifecycle for finding in report.findings if finding.is_drift}
    # After the first scan everything is new, which is not worth a mark on each finding.
    rows = _Rows(Advisor.of(report, saved), marks_new=lifecycles != {Lifecycle.NEW})
    lines = source_lines(report)
    return {
        "causes": CAUSE_TEXT,
        "kinds": _LINE_KINDS,
        "limits": _LIST_LIMITS,
        "order": {
            "severity": list(Severity),
            "cause": list(Cause),
            "status": list(Status),
            "lifecycle": list(Lifecycle),
            "security": list(Security),
        },
        # The headings above the objects of each source; none if all objects have the same source.
        "sources": [lines[source.key] for source in report.sources] if len(report.sources) > 1 else [],
        "noSource": _NO_SOURCE,
        "objects": [
            {"sourceIndex": None if source is None else report.sources.index(source), **rows.entry(entry)}
            for source, entry in entries
        ],
    }


@dataclass(frozen=True, slots=True)
class _Rows:
    """Makes the data of objects and groups.

    Attributes:
        advisor: What to do about the findings.
        marks_new: Whether new findings have a mark.
    """

    advisor: Advisor
    marks_new: bool

    def entry(self, entry: Group | ObjectReport) -> dict[str, Json]:
        if isinstance(entry, ObjectReport):
            return self._object(entry)
        item, members, title = entry.item, entry.members, short(group_name(entry))
        of_all = {"id": None, "place": None, "pointer": None, **_commands(self.advisor.commands_for_all(members))}
        return {
            **self._object(replace(item, findings=())),
            "title": title[:1].upper() + title[1:],
            **dict.fromkeys(("kind", "namespace", "name")),
            "findings": [{**self._finding(item, entry.finding), **of_all}],
            "members": [_member(one, found, item, entry.finding) for one, found in members],
        }

    def _object(self, item: ObjectReport) -> dict[str, Json]:
        return {
            "title": None,
            **_name(item),
            "status": item.status,
            "source": short(str(item.source)) if item.source else short(", ".join(item.origins)) or None,
            "digest": item.digest and sentence(item.digest),
            "reason": reason_of(replace(item, digest=None)),
            "findings": [self._finding(item, finding) for finding in item.findings],
            "members": None,
        }

    def _finding(self, item: ObjectReport, finding: Finding) -> dict[str, Json]:
        before, last = "", short(finding.path)
        if match := _LAST_FIELD.fullmatch(last):
            before, last = match.groups()
        row, lines = _lines(finding)
        badge = lifecycle_mark(finding).lower()
        first_seen = _to_utc(finding.first_seen)
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
            "badge": badge if badge and self.marks_new else None,
            "security": finding.security,
            "nonDrift": None if finding.is_drift else "controller" if finding.ignored is None else "ignored",
            "manager": _first_manager(finding.actors),
            "seen": "seen " if not finding.actors and first_seen else None,
            "time": _to_utc(finding.actors[0].time) if finding.actors else first_seen,
            "advice": self.advisor.advice(item, finding),
            **_commands(self.advisor.commands(item, finding)),
            "actors": [_actor(actor) for actor in finding.actors],
            "gitLine": git_line(finding),
            "firstSeen": first_seen,
            "ongoing": finding.lifecycle and f", {finding.lifecycle}",
            "ignored": None
            if finding.ignored is None
            else f"by {sentence(finding.ignored.rule)}: {sentence(finding.ignored.reason)}",
            "place": member_place(item, finding),
            "pointer": short(finding.pointer) or None,
        }


def _name(item: ObjectReport) -> dict[str, Json]:
    names = {"kind": item.kind, "namespace": item.namespace, "name": item.name, "cluster": item.cluster}
    return {label: None if name is None else short(name) for label, name in names.items()}


def _member(item: ObjectReport, finding: Finding, common_item: ObjectReport, common: Finding) -> dict[str, Json]:
    """Returns what an object of a group does not have in common with the others."""
    return {
        **_name(item),
        "digest": item.digest and sentence(item.digest) if item.digest != common_item.digest else None,
        "path": short(finding.path) if finding.path != common.path else None,
        "id": short(finding.id),
        "place": member_place(item, finding),
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


def _lines(finding: Finding) -> tuple[list[list[str]], list[list[str]]]:
    """Returns the lines of a difference that the row of the finding shows, and all of them if that is not all."""
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


def _in_pieces(diff: Sequence[DiffLine]) -> list[list[str]]:
    return [[line.mark, *pieces] for line, pieces in in_pieces(diff)]


def _first_manager(actors: Sequence[Actor]) -> str | None:
    """Returns the first manager, or the user if that is certain, and the number of others."""
    if not actors:
        return None
    user = user_text(actors[0]) if actors[0].evidence is Evidence.EXACT else ""
    others = f" +{len(actors) - 1}" if len(actors) > 1 else ""
    return short(user or actors[0].manager) + others


def _actor(actor: Actor) -> dict[str, Json]:
    how = short(actor.operation) + (f", {short(actor.subresource)}" if actor.subresource else "")
    user = short(user_text(actor)) or None
    time = _to_utc(actor.time)
    return {
        "manager": short(actor.manager),
        "how": f" ({how})",
        "by": user and f" {CERTAINTY[actor.evidence]}by ",
        "user": user,
        "when": ", " if time else f", {short(actor.time) if actor.time else 'time not recorded'}",
        "time": time,
    }


@lru_cache(maxsize=1024)
def _to_utc(time: str | None) -> str | None:
    """Returns a time in UTC to the second, as RFC 3339; None if there is none, or if the text is not a time."""
    try:
        moment = datetime.fromisoformat(time or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return rfc3339(moment) if moment.year >= _FIRST_YEAR else None
