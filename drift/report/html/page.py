"""The page: template, style, script and data in one file, with a policy that lets it load nothing else."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from drift import __version__
from drift.advice.advisor import Advisor
from drift.counts import plural
from drift.model import SEVERITY_RANK, Json, PastScan, Report, Status, Verdict
from drift.report.filters import NO_FILTERS, Filters
from drift.report.groups import Group
from drift.report.html.data import NO_SOURCE, instant, listed_entries, page_data
from drift.report.view import (
    CAUSE_TEXT,
    is_shown,
    most_active,
    sentence,
    short,
    source_lines,
    statuses,
    visible,
)

_TITLE: Final = {Verdict.IN_SYNC: "In sync", Verdict.DRIFTED: "Drifted", Verdict.INCOMPLETE: "Incomplete"}
_COLOR: Final = {Verdict.IN_SYNC: "1f8a4c", Verdict.DRIFTED: "c77700", Verdict.INCOMPLETE: "c4281c"}
#: How many are shown, and how many characters of a commit and of a cluster in the title.
_LIMITS: Final = {
    "sentences": 50,
    "names": 5,
    "commit": 12,
    "title": 48,
    "resolved": 100,
    "members": 500,
}
#: What is listed for readers without scripts: objects, findings, and findings of one object.
_MAX_OBJECTS: Final = 200
_MAX_FINDINGS: Final = 400
_MAX_FINDINGS_OF_OBJECT: Final = 20
#: The chart: more bars would be too narrow to see. The page scales its coordinates.
_MAX_SCANS: Final = 60
_STEP: Final = 10
_BAR: Final = 8
_HEIGHT: Final = 100
#: Only a fingerprint becomes an element's id: any other text could be the same as one of the page's own ids.
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{16,64}")
#: Characters that could end a script element or begin a comment in it.
_IN_SCRIPT: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def to_html(report: Report, live: Json = None, saved: str | None = None, filters: Filters = NO_FILTERS) -> str:
    """Returns the report as one HTML file.

    Args:
        report: The report.
        live: For the page of `drift watch`, which keeps itself current, the state that its server answers with: the
            ``revision`` of the report, and the times ``scanned`` and ``contact``. None for a file.
        saved: The file of the JSON report, which commands name; None if it is not known.
        filters: What the list of findings has. Everything above it is of the whole report.

    Raises:
        TypeError: The report holds a redacted value, which is a bug in drift.
    """
    style, script = asset("page.css"), asset("page.js")
    chosen, hidden = filters.apply(report)
    entries = listed_entries(replace(report, objects=tuple(chosen)))
    data = page_data(report, entries, Advisor.of(report, saved))
    shown = [
        values
        for (_, entry), values in zip(entries, data["objects"], strict=True)
        if isinstance(entry, Group) or is_shown(entry)
    ]
    listed, left_out = _listed(shown)
    # Everything that is not `Markup` is escaped.
    values = {
        "policy": _policy(style, script, connect="'self'" if live else "'none'"),
        "live": live,
        "style": Markup(style),  # noqa: S704 - a file of this package
        "script": Markup(script),  # noqa: S704 - a file of this package
        "data": _script_data(data),
        "listed": listed,
        "left_out": left_out,
        "hidden": hidden,
        "blank": _Blank(),
        "kinds": data["kinds"],
        "headings": data["sources"],
        "no_source": NO_SOURCE,
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
            "incomplete": report.verdict is Verdict.INCOMPLETE,
        },
        "who": most_active(report),
        "severities": [*report.count_by_severity().items()],
        "clusters": report.clusters or ((report.cluster,) if report.cluster else ()),
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
        "moment": _moment,
        "utc": _utc,
    }
    return environment


def _moment(time: str, *, full: bool = False) -> Markup | str:
    """Returns a time element, in which the script shows the age; the text itself if it is not a time."""
    at = instant(time)
    if at is None:
        return short(time)
    attribute = Markup(" data-full") if full else ""
    return Markup('<time datetime="{}"{}>{}</time>').format(at, attribute, _utc(at))


def _utc(time: str) -> str:
    """Returns an RFC 3339 time in UTC as people write it; "" for ""."""
    return time.replace("T", " ").replace("Z", " UTC")


def _without_control_characters(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _listed(objects: Sequence[Mapping[str, Json]]) -> tuple[Sequence[Mapping[str, Json]], int]:
    """Returns the worst entries, for readers without scripts, without ignored findings; and how many are left out."""
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
            for finding in findings[:_MAX_FINDINGS_OF_OBJECT]
        ]
        count += len(shown)
        rank = _rank("r", shown[0]) if shown else ""
        members = [{**member, "anchor": _anchor(member["id"], used)} for member in item["members"] or ()]
        more = len(findings) - len(shown)
        listed.append({**item, "rank": rank, "findings": shown, "members": members, "left_out": more})
    return listed, left_out


def _rank(prefix: str, finding: Mapping[str, Json]) -> str:
    """Returns the class for the severity of a finding."""
    return f"{prefix}{SEVERITY_RANK[finding['severity']]}"


def _anchor(fingerprint: str | None, used: set[str]) -> str | None:
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
        "width": len(scans) * _STEP,
        "height": _HEIGHT,
        "bars": [(scan, _bar(number, scan, maximum)) for number, scan in enumerate(scans)],
    }


def _bar(number: int, scan: PastScan, maximum: int) -> list[Mapping[str, str]]:
    height = _HEIGHT * scan.open / maximum if maximum else 0
    new = height * min(scan.new, scan.open) / scan.open if scan.open else 0
    rectangles = [
        ("back", 0.0, float(_HEIGHT)),
        ("new", _HEIGHT - height, new),
        ("old", _HEIGHT - height + new, height - new),
        ("partial", 0.0, 0.0 if scan.complete else float(_HEIGHT)),
    ]
    x = number * _STEP + (_STEP - _BAR) / 2
    return [
        {"kind": kind, "x": f"{x:g}", "y": f"{y:.1f}", "width": str(_BAR), "height": f"{size:.1f}"}
        for kind, y, size in rectangles
        if size > 0
    ]


def _script_data(value: Json) -> Markup:
    """Returns JSON for a script element with a type that browsers do not run.

    Raises:
        TypeError: The value holds a redacted value, which is a bug in drift.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_IN_SCRIPT)
    return Markup(text)  # noqa: S704 - escaped in the line above


def _policy(style: str, script: str, connect: str) -> str:
    """Returns a Content Security Policy that allows only the page's own style and script, and requests to a source."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            f"connect-src {connect}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
