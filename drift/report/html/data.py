"""The page's data for its script: the listed objects, worst first, with the texts to show."""

from drift.model import Actor, Cause, Finding, Json, Lifecycle, ObjectReport, Report, Severity, Status
from drift.report.line_diff import line_diff
from drift.report.view import (
    CAUSE_TEXT,
    CHANGE_SIGN,
    age,
    excerpts,
    finding_order,
    has_values,
    hint_for,
    is_shown,
    reason_of,
    sentence,
    short,
    user_text,
    what_differs,
    worst_first,
)


def listed_objects(report: Report) -> list[ObjectReport]:
    """Returns the objects that the page lists, worst first, with those that have only ignored findings."""
    return sorted((item for item in report.objects if is_shown(item) or item.findings), key=worst_first)


def page_data(report: Report) -> Json:
    """Returns everything that the script shows and filters.

    Raises:
        TypeError: The report holds a redacted value, which is a bug in drift.
    """
    return {
        "causes": CAUSE_TEXT,
        "order": {
            "severity": list(Severity),
            "cause": list(Cause),
            "status": list(Status),
            "lifecycle": list(Lifecycle),
        },
        "objects": [_object(item, report.generated_at) for item in listed_objects(report)],
    }


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
        "reason": reason_of(item),
        "findings": [_finding(finding, now) for finding in sorted(item.findings, key=finding_order)],
    }


def _finding(finding: Finding, now: str) -> Json:
    return {
        "id": short(finding.id),
        "severity": finding.severity,
        "cause": finding.cause,
        "sign": CHANGE_SIGN.get(finding.change),
        "path": short(finding.path),
        "pointer": short(finding.pointer),
        "difference": None if has_values(finding) else what_differs(finding),
        "values": excerpts(finding) if has_values(finding) else None,
        "lines": [f"{line.mark}{line.text}" for line in line_diff(finding)],
        "actors": [_actor(actor, now) for actor in finding.actors],
        "note": None if finding.note is None else sentence(finding.note),
        "hint": hint_for(finding),
        "isDrift": finding.is_drift,
        "ignored": None
        if finding.ignored is None
        else {"rule": sentence(finding.ignored.rule), "reason": sentence(finding.ignored.reason)},
        "lifecycle": finding.lifecycle,
        "firstSeen": None if finding.first_seen is None else _time(finding.first_seen, now),
    }


def _actor(actor: Actor, now: str) -> Json:
    return {
        "manager": short(actor.manager),
        "operation": short(actor.operation),
        "subresource": None if actor.subresource is None else short(actor.subresource),
        "time": None if actor.time is None else _time(actor.time, now),
        "user": short(user_text(actor)) or None,
        "evidence": actor.evidence,
    }


def _time(time: str, now: str) -> Json:
    return {"at": short(time), "age": age(time, now)}
