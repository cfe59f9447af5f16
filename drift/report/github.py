"""Annotations of a GitHub workflow: the worst findings, on the lines of the manifests that they are about."""

from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import normpath
from typing import Final

from drift.model import SEVERITY_RANK, Finding, ObjectReport, Report, Severity, Status
from drift.report.view import (
    object_name,
    open_for,
    plural,
    resolved_line,
    sentence,
    severity_mark,
    short,
    summary,
    what_differs,
    who,
)

#: GitHub shows no more of one step.
_MOST: Final = 10
_LEVEL: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
    Severity.INFO: "notice",
}
#: What could not be looked at may hide anything, so it stands right after what is known to be critical.
_UNCHECKED_RANK: Final = SEVERITY_RANK[Severity.CRITICAL] + 0.5
_STDIN: Final = "<stdin>"


@dataclass(frozen=True, slots=True)
class _Annotation:
    rank: float
    level: str
    title: str
    message: str
    item: ObjectReport | None = None

    def __str__(self) -> str:
        properties = {"title": self.title}
        source = self.item.source if self.item else None
        if source is not None and source.file != _STDIN:
            properties = {"file": short(normpath(source.file)), "line": str(source.line), **properties}
        written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        return f"::{self.level} {written}::{_message(self.message)}\n"


def to_annotations(report: Report) -> str:
    """At most ten workflow commands, the worst first, and the summary as a line of the log."""
    annotations = sorted(_annotations(report), key=lambda annotation: annotation.rank)
    shown = annotations if len(annotations) <= _MOST else annotations[: _MOST - 1]
    left_out = len(annotations) - len(shown)
    if left_out:
        message = f"{plural(left_out, 'more finding')} not shown here; {summary(report)}"
        shown.append(_Annotation(len(SEVERITY_RANK), "notice", "drift", message))
    resolved = resolved_line(report)
    lines = [summary(report), *([resolved] if resolved else [])]
    return "".join(map(str, shown)) + "".join(f"{line}\n" for line in lines)


def _annotations(report: Report) -> Iterator[_Annotation]:
    for error in report.errors:
        yield _Annotation(_UNCHECKED_RANK, "error", "not checked", sentence(error))
    for item in report.objects:
        name = short(object_name(item))
        if item.status is Status.UNCHECKED and not item.is_skipped:
            yield _Annotation(_UNCHECKED_RANK, "error", f"{name}: unchecked", sentence(item.reason or ""), item)
        for finding in item.findings:
            if finding.is_drift:
                title = f"{name}: {short(finding.path)}" if finding.path else f"{name}: {finding.change}"
                rank, level = SEVERITY_RANK[finding.severity], _LEVEL[finding.severity]
                yield _Annotation(rank, level, title, _text(finding, report.generated_at), item)


def _text(finding: Finding, now: str) -> str:
    lines = [f"{severity_mark(finding)}: {what_differs(finding)}", sentence(who(finding)) + open_for(finding, now)]
    return "\n".join([*lines, sentence(finding.note)] if finding.note else lines)


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
