"""SARIF 2.1.0, for code scanning: a rule for each cause and change, a result for each finding."""

import json
from posixpath import isabs, normpath
from typing import Final
from urllib.parse import quote

from drift import __version__
from drift.explain.texts import CAUSES, CHANGES
from drift.model import Cause, Change, Finding, Json, Lifecycle, ObjectReport, Report, Severity, Source, Status, Verdict
from drift.report.view import finding_order, object_name, sentence, short, what_differs, who, worst_first

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVEL: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
#: Paths that are no files: standard input.
_NO_FILES: Final = ("<stdin>", "-")


def to_sarif(report: Report) -> str:
    """The report as a SARIF log with one run."""
    results = [
        (item, finding)
        for item in sorted(report.objects, key=worst_first)
        for finding in sorted(item.findings, key=finding_order)
    ]
    # Only the rules that have results: a viewer lists them all.
    used = {(finding.cause, finding.change) for _, finding in results}
    rules = [(cause, change) for cause in Cause for change in Change if (cause, change) in used]
    index = {rule: number for number, rule in enumerate(rules)}
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
        "results": [
            _result(item, finding, index[finding.cause, finding.change], report.manifests.paths)
            for item, finding in results
        ],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


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


def _result(item: ObjectReport, finding: Finding, rule: int, paths: tuple[str, ...]) -> dict[str, Json]:
    name = object_name(item)
    result: dict[str, Json] = {
        "ruleId": _rule_id(finding.cause, finding.change),
        "ruleIndex": rule,
        "level": _LEVEL[finding.severity],
        "message": {"text": _message(short(name), finding)},
        "locations": [_location(item, name, finding, paths)],
        "partialFingerprints": {"driftFinding/v1": finding.id},
        "properties": {"severity": finding.severity, "cause": finding.cause, "status": item.status},
    }
    if finding.lifecycle is not None:
        result["baselineState"] = "unchanged" if finding.lifecycle is Lifecycle.ONGOING else "new"
        result["properties"] |= {"lifecycle": finding.lifecycle, "firstSeen": finding.first_seen}
    if finding.ignored is not None:
        why = f"{short(finding.ignored.rule)}: {sentence(finding.ignored.reason)}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return result


def _message(name: str, finding: Finding) -> str:
    path = f" {short(finding.path)}" if finding.path else ""
    lines = [f"{name}{path}: {what_differs(finding)}", sentence(who(finding))]
    text = "\n".join([*lines, sentence(finding.note)] if finding.note else lines)
    # A message may hold links like those of Markdown; a value must not become one.
    return text.replace("](", "] (")


def _location(item: ObjectReport, name: str, finding: Finding, paths: tuple[str, ...]) -> dict[str, Json]:
    logical = {"kind": "object", "fullyQualifiedName": short(f"{name} {finding.path}".rstrip())}
    physical = _physical(item.source, paths)
    return {**({"physicalLocation": physical} if physical else {}), "logicalLocations": [logical]}


def _physical(source: Source | None, paths: tuple[str, ...]) -> dict[str, Json] | None:
    """The manifest; what Git lacks is located where it would be: in the first folder that was compared."""
    file = source.file if source is not None else next(iter(paths), "")
    if not file or file in _NO_FILES:
        return None
    location: dict[str, Json] = {"artifactLocation": _artifact(file)}
    if source is not None:
        location["region"] = {"startLine": source.line}
    return location


def _artifact(file: str) -> dict[str, Json]:
    path = normpath(file)
    uri = quote(path, errors="surrogatepass")
    return {"uri": f"file://{uri}"} if isabs(path) else {"uri": uri, "uriBaseId": "%SRCROOT%"}


def _notifications(report: Report) -> list[dict[str, Json]]:
    unread = [
        f"{short(object_name(item))}: {sentence(item.reason or '')}"
        for item in report.objects
        if item.status is Status.UNCHECKED and not item.is_skipped
    ]
    return [
        *({"level": "error", "message": {"text": text}} for text in [*map(sentence, report.errors), *unread]),
        *({"level": "note", "message": {"text": sentence(note)}} for note in report.notes),
    ]
