"""What the script of the page works on: every object worth a line, worst first, in words that are ready to be shown."""

from typing import Final

from drift.model import Actor, Cause, Change, Finding, Json, Lifecycle, ObjectReport, Report, Severity, Status
from drift.report.json_report import is_worth_a_line
from drift.report.line_diff import line_diff
from drift.report.view import (
    CAUSE_TEXT,
    CHANGE_SIGN,
    age,
    excerpts,
    finding_order,
    sentence,
    short,
    what_differs,
    what_to_do,
    worst_first,
)

_WITH_VALUES: Final = {Change.CHANGED, Change.ADDED, Change.REMOVED}


def listed(report: Report) -> list[ObjectReport]:
    """The objects that the page lists, worst first; those whose findings are all ignored are among them."""
    return sorted(filter(is_worth_a_line, report.objects), key=worst_first)


def page_data(report: Report) -> Json:
    """Everything that the script shows and filters.

    Raises:
        TypeError: A value that must not be shown has come this far, which is a bug of ours.
    """
    return {
        "causes": CAUSE_TEXT,
        "order": {"severity": list(Severity), "cause": list(Cause), "status": list(Status), "history": list(Lifecycle)},
        "objects": [_object(item, report.generated_at) for item in listed(report)],
    }


def reason(item: ObjectReport) -> str | None:
    """What is to be said of an object beside its findings."""
    if item.reason is None:
        return None
    return f"not checked on purpose: {sentence(item.reason)}" if item.is_skipped else sentence(item.reason)


def _object(item: ObjectReport, now: str) -> Json:
    key = item.key
    return {
        "apiVersion": short(item.api_version),
        "kind": short(key.kind),
        "namespace": None if key.namespace is None else short(key.namespace),
        "name": short(key.name),
        "cluster": None if item.cluster is None else short(item.cluster),
        "status": item.status,
        "source": None if item.source is None else short(str(item.source)),
        "reason": reason(item),
        "findings": [_finding(finding, now) for finding in sorted(item.findings, key=finding_order)],
    }


def _finding(finding: Finding, now: str) -> Json:
    values: tuple[str | None, str | None] | None = None
    if finding.change in _WITH_VALUES and not finding.redacted:
        desired, live = excerpts(finding)
        values = (
            None if finding.change is Change.ADDED else desired,
            None if finding.change is Change.REMOVED else live,
        )
    return {
        "id": short(finding.id),
        "severity": finding.severity,
        "cause": finding.cause,
        "sign": CHANGE_SIGN.get(finding.change),
        "path": short(finding.path),
        "pointer": short(finding.pointer),
        "what": what_differs(finding) if values is None else None,
        "values": values,
        "lines": [f"{line.mark}{line.text}" for line in line_diff(finding)],
        "actors": [_actor(actor, now) for actor in finding.actors],
        "note": None if finding.note is None else sentence(finding.note),
        "hint": what_to_do(finding),
        "aside": not finding.is_drift,
        "ignored": None
        if finding.ignored is None
        else {"rule": sentence(finding.ignored.rule), "reason": sentence(finding.ignored.reason)},
        "history": finding.lifecycle,
        "firstSeen": None if finding.first_seen is None else _time(finding.first_seen, now),
    }


def _actor(actor: Actor, now: str) -> Json:
    return {
        "manager": short(actor.manager),
        "operation": short(actor.operation),
        "subresource": None if actor.subresource is None else short(actor.subresource),
        "time": None if actor.time is None else _time(actor.time, now),
    }


def _time(time: str, now: str) -> Json:
    return {"at": short(time), "age": age(time, now)}
