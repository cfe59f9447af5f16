"""GitHub workflow annotations: the worst findings, on the lines of their manifests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from posixpath import normpath
from typing import Final

from drift.model import SEVERITY_RANK, Finding, ObjectReport, Report, Severity, Status
from drift.objects import STDIN, Place
from drift.report.diff import what_differs
from drift.report.selection import MAX_MEMBERS, Group, group_name, grouped, member_names
from drift.report.view import (
    message_lines,
    object_name,
    open_for,
    place_in_file,
    place_of,
    resolved_line,
    sentence,
    severity_mark,
    short,
    summary,
)
from drift.words import first_few, plural

#: GitHub shows this many annotations per step.
_MAX_ANNOTATIONS: Final = 10
_LEVEL: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
    Severity.INFO: "notice",
}
#: An unchecked object may hide any drift, so it comes right after critical findings.
_UNCHECKED_RANK: Final = SEVERITY_RANK[Severity.CRITICAL] + 0.5
#: A document that cannot be read may hide many objects, and its line is known.
_UNREAD_RANK: Final = SEVERITY_RANK[Severity.CRITICAL] - 0.5


@dataclass(frozen=True, slots=True)
class Annotation:
    """One workflow command.

    Attributes:
        rank: The annotations with the lowest ranks are shown.
        level: ``error``, ``warning`` or ``notice``.
        title: The title.
        message: The text.
        place: The file that it belongs to and the line in it, or None.
        findings: The number of findings that it stands for.
    """

    rank: float
    level: str
    title: str
    message: str
    place: Place | None = None
    findings: int = 1

    def __str__(self) -> str:
        properties = {"title": self.title}
        if self.place is not None and self.place.file != STDIN:
            line = {} if self.place.line is None else {"line": str(self.place.line)}
            properties = {"file": short(normpath(self.place.file)), **line, **properties}
        pairs = ",".join(f"{name}={_escape_property(value)}" for name, value in properties.items())
        return f"::{self.level} {pairs}::{_escape(self.message)}\n"


def to_annotations(report: Report) -> str:
    """Returns at most ten workflow commands, worst first, and the summary as a plain log line.

    If there are more findings, the same finding of many objects is one command, so that it does not hide the others.
    """
    annotations = _annotations(report, report.objects)
    if len(annotations) > _MAX_ANNOTATIONS:
        annotations = _annotations(report, grouped(report.objects))
    shown = annotations if len(annotations) <= _MAX_ANNOTATIONS else annotations[: _MAX_ANNOTATIONS - 1]
    left_out = sum(one.findings for one in annotations[len(shown) :])
    if left_out:
        message = f"{plural(left_out, 'more finding')} not shown here; {summary(report)}"
        shown.append(Annotation(len(SEVERITY_RANK), "notice", "drift", message))
    resolved = resolved_line(report)
    lines = [summary(report), *([resolved] if resolved else [])]
    return "".join(map(str, shown)) + "".join(f"{_without_commands(line)}\n" for line in lines)


def _annotations(report: Report, entries: Sequence[Group | ObjectReport]) -> list[Annotation]:
    now = report.generated_at
    found = (_of_group(one, now) if isinstance(one, Group) else _of_object(one, now) for one in entries)
    return sorted(chain(_of_errors(report), *found), key=lambda annotation: annotation.rank)


def _of_errors(report: Report) -> Iterator[Annotation]:
    for unread in report.unread:
        found = place_in_file(unread)
        place, problem = (None, unread) if found is None else (Place(*found[:2]), found[3])
        yield Annotation(_UNREAD_RANK, "error", "not read", sentence(problem), place)
    for error in report.errors:
        yield Annotation(_UNCHECKED_RANK, "error", "not checked", sentence(error))


def _of_object(item: ObjectReport, now: str) -> Iterator[Annotation]:
    name = short(object_name(item))
    begin = None if item.source is None else Place(item.source.file, item.source.line)
    if item.status is Status.UNCHECKED and not item.is_skipped:
        yield Annotation(_UNCHECKED_RANK, "error", f"{name}: unchecked", sentence(item.reason or ""), begin)
    for finding in item.findings:
        if finding.is_drift:
            yield _of_finding(name, item, finding, now, place_of(item, finding))


def _of_group(group: Group, now: str) -> Iterator[Annotation]:
    if group.finding.is_drift:
        names = dict.fromkeys(map(short, member_names(group)))
        one = _of_finding(short(group_name(group)), group.item, group.finding, now, place_of(*group.members[0]))
        message = f"{one.message}\n{first_few(list(names), MAX_MEMBERS)}"
        yield replace(one, message=message, findings=len(group.members))


def _of_finding(name: str, item: ObjectReport, finding: Finding, now: str, place: Place | None) -> Annotation:
    title = f"{name}: {short(finding.path)}" if finding.path else f"{name}: {finding.change}"
    first = f"{severity_mark(finding)}: {what_differs(finding)}"
    message = "\n".join([first, *message_lines(item, finding, open_for(finding, now))])
    return Annotation(SEVERITY_RANK[finding.severity], _LEVEL[finding.severity], title, message, place)


def _without_commands(line: str) -> str:
    """Returns a plain line in which the runner finds no command: it also looks for ``##[command]`` inside a line."""
    return line.replace("##[", "# #[")


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
