"""SARIF 2.1.0 for code scanning: one rule for each cause and change, one result for each finding."""

from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import isabs, normpath
from typing import Final, TypeGuard
from urllib.parse import quote

from drift import __version__
from drift.explain.texts import CAUSES, CHANGES
from drift.model import (
    Cause,
    Change,
    Finding,
    Lifecycle,
    ObjectReport,
    Report,
    Severity,
    SourceInfo,
    SourceKey,
    Status,
    Verdict,
    sources_of,
)
from drift.objects import STDIN, Json, indented_json
from drift.report.diff import what_differs
from drift.report.selection import finding_order, worst_first
from drift.report.view import message_lines, object_name, place_in_file, place_of, sentence, short

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVEL: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
#: Names of standard input, which is not a file.
_STANDARD_INPUT: Final = (STDIN, "-")
#: The location of a result if no source has a path.
_NO_FILE: Final = "drift.yaml"


@dataclass(frozen=True, slots=True)
class _Folders:
    """Locations of objects that are in no file.

    Attributes:
        sources: The sources of the report, by key.
        default: The location of an object whose sources have no path.
    """

    sources: Mapping[SourceKey, SourceInfo]
    default: str

    @classmethod
    def of_report(cls, report: Report) -> "_Folders":
        paths = (*report.manifests.paths, *(source.path for source in report.sources))
        return cls({source.key: source for source in report.sources}, next(filter(_is_file, paths), _NO_FILE))

    def of(self, item: ObjectReport) -> str:
        return next(filter(_is_file, (source.path for source in sources_of(item, self.sources))), self.default)


def to_sarif(report: Report) -> str:
    """Returns the report as a SARIF log with one run."""
    results = [
        (item, finding)
        for item in sorted(report.objects, key=worst_first)
        for finding in sorted(item.findings, key=finding_order)
    ]
    # Viewers list every rule, so only those with results are written.
    used = {(finding.cause, finding.change) for _, finding in results}
    rules = [(cause, change) for cause in Cause for change in Change if (cause, change) in used]
    index = {rule: number for number, rule in enumerate(rules)}
    folders = _Folders.of_report(report)
    run = {
        "tool": {
            "driver": {
                "name": "drift",
                "semanticVersion": __version__,
                "rules": [_rule(cause, change) for cause, change in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": report.verdict is not Verdict.INCOMPLETE,
                "endTimeUtc": report.generated_at,
                "toolExecutionNotifications": _notifications(report),
            }
        ],
        "results": [_result(item, finding, index[finding.cause, finding.change], folders) for item, finding in results],
    }
    return indented_json({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule_id(cause: Cause, change: Change) -> str:
    return f"{cause}/{change}"


def _rule(cause: Cause, change: Change) -> dict[str, Json]:
    return {
        "id": _rule_id(cause, change),
        "name": "".join(word.capitalize() for word in f"{cause}-{change}".split("-")),
        "shortDescription": {"text": f"{change} ({cause})"},
        "fullDescription": {"text": CHANGES[change]},
        "help": {"text": f"{CHANGES[change]}\n\n{CAUSES[cause]}"},
        "properties": {"tags": ["kubernetes", "drift", str(cause)]},
    }


def _result(item: ObjectReport, finding: Finding, rule: int, folders: _Folders) -> dict[str, Json]:
    name = object_name(item)
    result: dict[str, Json] = {
        "ruleId": _rule_id(finding.cause, finding.change),
        "ruleIndex": rule,
        "level": _LEVEL[finding.severity],
        "message": {"text": _message(name, item, finding)},
        "locations": [_location(item, name, finding, folders)],
        "partialFingerprints": {"driftFinding/v1": finding.id},
        "properties": {"severity": finding.severity, "cause": finding.cause, "status": item.status},
    }
    if finding.security is not None:
        result["properties"]["security"] = finding.security
    if finding.lifecycle is not None:
        result["baselineState"] = "unchanged" if finding.lifecycle is Lifecycle.ONGOING else "new"
        result["properties"] |= {"lifecycle": finding.lifecycle, "firstSeen": finding.first_seen}
    if finding.ignored is not None:
        why = f"{short(finding.ignored.rule)}: {sentence(finding.ignored.reason)}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return result


def _message(name: str, item: ObjectReport, finding: Finding) -> str:
    path = f" {short(finding.path)}" if finding.path else ""
    lines = [f"{short(name)}{path}: {what_differs(finding)}", *message_lines(item, finding)]
    # SARIF messages may contain Markdown links; a value must not become one.
    return "\n".join(lines).replace("](", "] (")


def _location(item: ObjectReport, name: str, finding: Finding, folders: _Folders) -> dict[str, Json]:
    """Returns the field's location; for an object that is in no file, the path of its source or another path."""
    place = place_of(item, finding)
    if place is not None and _is_file(place.file):
        physical = {"artifactLocation": _artifact(place.file)}
        if place.line is not None:
            physical["region"] = {"startLine": place.line}
    else:
        # GitHub rejects the whole log if a result has no physical location.
        physical = {"artifactLocation": _artifact(folders.of(item))}
    return {
        "physicalLocation": physical,
        "logicalLocations": [{"kind": "object", "fullyQualifiedName": short(f"{name} {finding.path}".rstrip())}],
    }


def _is_file(path: str | None) -> TypeGuard[str]:
    return bool(path) and path not in _STANDARD_INPUT


def _artifact(file: str) -> dict[str, Json]:
    path = normpath(file)
    uri = quote(path, errors="surrogatepass")
    return {"uri": f"file://{uri}"} if isabs(path) else {"uri": uri, "uriBaseId": "%SRCROOT%"}


def _unread(problem: str) -> dict[str, Json]:
    file, line, column, text = place_in_file(problem) or (None, 1, 1, problem)
    notification: dict[str, Json] = {"level": "error", "message": {"text": sentence(text)}}
    if file is not None and file not in _STANDARD_INPUT:
        region = {"startLine": line, "startColumn": column}
        notification["locations"] = [{"physicalLocation": {"artifactLocation": _artifact(file), "region": region}}]
    return notification


def _notifications(report: Report) -> list[dict[str, Json]]:
    unchecked = [
        f"{short(object_name(item))}: {sentence(item.reason or '')}"
        for item in report.objects
        if item.status is Status.UNCHECKED and not item.is_skipped
    ]
    return [
        *map(_unread, report.unread),
        *({"level": "error", "message": {"text": text}} for text in [*map(sentence, report.errors), *unchecked]),
        *({"level": "note", "message": {"text": sentence(note)}} for note in report.notes),
    ]
