"""Writes and reads the JSON report."""

import json
import re
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from drift import __version__
from drift.advice.advisor import Advisor
from drift.errors import SavedReportError
from drift.model import (
    API_VERSION,
    Actor,
    Cause,
    Change,
    Evidence,
    Finding,
    Lifecycle,
    ObjectReport,
    Report,
    Security,
    Severity,
    SourceKind,
    Status,
    Verdict,
    report_order,
)
from drift.objects import Json, indented_json
from drift.report.json_schema import RFC3339, ActorDocument, CommandsDocument, FindingDocument, ReportDocument

_KIND: Final = "DriftReport"
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
#: The values of the fields that have few, for messages.
_ENUMS: Final = {
    "verdict": Verdict,
    "status": Status,
    "change": Change,
    "cause": Cause,
    "severity": Severity,
    "security": Security,
    "evidence": Evidence,
    "lifecycle": Lifecycle,
    "kind": SourceKind,
}


class _Header(Struct, rename="camel"):
    """Tells a report of this version from another file."""

    kind: Any = None
    api_version: Any = None


def to_document(report: Report, saved: str | None = None) -> dict[str, Json]:
    """Returns the report as a JSON document of ``drift/v1``.

    Args:
        report: The report.
        saved: The name of its file in commands; None for ``report.json``.

    Raises:
        TypeError: The report holds a redacted value, which is a bug in drift.
    """
    statuses = report.count_by_status()
    shard = report.shard
    values: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": _KIND,
        "generatedAt": report.generated_at,
        "tool": {"name": "drift-reporter", "version": __version__},
        "cluster": report.cluster,
        "clusters": report.clusters,
        "manifests": {
            "paths": report.manifests.paths,
            "gitCommit": report.manifests.git_commit,
            "gitDirty": report.manifests.git_dirty,
            "unread": report.unread,
        },
        "summary": {
            "verdict": report.verdict,
            "objects": {
                "checked": sum(statuses.values()) - statuses[Status.UNMANAGED] - statuses[Status.UNCHECKED],
                "inSync": statuses[Status.IN_SYNC],
                **{status.value: count for status, count in statuses.items()},
            },
            "findings": {
                **{cause.value: count for cause, count in report.count_by_cause().items()},
                "ignored": report.count_ignored(),
            },
            "severities": {severity.value: count for severity, count in report.count_by_severity().items()},
        },
        "scan": {"durationSeconds": report.duration_seconds, "apiRequests": report.api_requests},
        "shard": shard and {"index": shard.index, "count": shard.count, "unusedRules": report.unused_rules},
        "notes": report.notes,
        "errors": report.problems,
        "objects": [item for item in report.objects if item.is_noteworthy],
        "inSync": [item for item in report.objects if not item.is_noteworthy],
        "sources": report.sources,
        "resolved": report.resolved,
        "past": report.past,
    }
    document = _plain(values, ReportDocument)
    advisor = Advisor.of(report, saved)
    for item, plain in zip(values["objects"], document["objects"], strict=True):
        for finding, plain_finding in zip(item.findings, plain["findings"], strict=True):
            commands = advisor.commands(item, finding)
            plain_finding["advice"] = advisor.advice(item, finding)
            plain_finding["commands"] = commands and _plain(commands, CommandsDocument)
    return document


def finding_document(finding: Finding) -> dict[str, Json]:
    """Returns a finding as it appears in the report."""
    return _plain(finding, FindingDocument)


def actor_document(actor: Actor) -> dict[str, Json]:
    """Returns a field manager as it appears in the report."""
    return _plain(actor, ActorDocument)


def to_json(report: Report, saved: str | None = None) -> str:
    """Returns the report as text, indented by two spaces and ending in a newline.

    Args:
        report: The report.
        saved: As in `to_document`.

    Raises:
        TypeError: The report holds a redacted value, which is a bug in drift.
    """
    return indented_json(to_document(report, saved))


def read_report(text: str | bytes, name: str) -> Report:
    """Returns the report that a JSON text was made from, without the decisions that ``-v`` shows.

    Args:
        text: The content of the file. It is untrusted, and no error message quotes it.
        name: The file's name, for messages.

    Raises:
        SavedReportError: The text is not a report of this version.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode(json.detect_encoding(text))
        _check_version(text, name)
        document = msgspec.json.decode(text, type=ReportDocument, dec_hook=_read_time)
    except RecursionError:
        raise SavedReportError(f"{name}: nested too deeply to be a report") from None
    except UnicodeError:
        raise SavedReportError(f"{name}: not UTF-8 text") from None
    except msgspec.ValidationError as error:
        raise SavedReportError(f"{name}: {_problem(str(error))}") from None
    except msgspec.DecodeError as error:
        raise SavedReportError(f"{name}: not JSON: {error}") from None
    report = msgspec.convert(document, Report, from_attributes=True)
    in_sync = msgspec.convert(document.in_sync, list[ObjectReport], from_attributes=True)
    unread = document.manifests.unread
    return replace(
        report,
        objects=tuple(sorted([*report.objects, *in_sync], key=report_order)),
        errors=tuple(error for error in document.errors if error not in unread),
        unread=tuple(unread),
        duration_seconds=document.scan.duration_seconds,
        api_requests=document.scan.api_requests,
        unused_rules=tuple(document.shard.unused_rules) if document.shard else (),
    )


def _check_version(text: str, name: str) -> None:
    try:
        header = msgspec.json.decode(text, type=_Header)
    except msgspec.ValidationError:
        header = _Header()
    if header.kind != _KIND:
        raise SavedReportError(f"{name}: not a drift report; `drift report --output json={name}` writes one")
    if header.api_version != API_VERSION:
        raise SavedReportError(f"{name}: has version {header.api_version!r}; this drift reads {API_VERSION}")


def _plain(value: object, kind: type[Struct]) -> dict[str, Json]:
    document = msgspec.convert(value, kind, from_attributes=True, dec_hook=lambda _, time: RFC3339(time))
    plain: dict[str, Json] = msgspec.to_builtins(document, enc_hook=_write_time)
    return plain


def _write_time(value: object) -> str:
    if isinstance(value, RFC3339):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _read_time(_: type, value: object) -> RFC3339:
    """Returns a time of a saved report."""
    if not isinstance(value, str):
        raise ValueError("expected `str`")  # noqa: TRY004
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("not a time") from None
    if not _TIME.fullmatch(value):
        raise ValueError("not an RFC 3339 time with a time zone")
    return RFC3339(value)


def _problem(message: str) -> str:
    """Returns what is wrong with a saved report, after the place: ``objects[0].kind: expected `str`, got `int```."""
    text, _, place = message.rpartition(" - at `$")
    place = place.removesuffix("`").removeprefix(".")
    if not text:
        text, place = message, "the report"
    if text.startswith("Invalid enum value"):
        text = f"not one of {', '.join(_ENUMS[place.rpartition('.')[2]])}"
    return f"{place}: {text[:1].lower()}{text[1:]}"
