"""The JSON report, version 1: a contract, separate from the internal classes; ``schema/`` holds its JSON Schema."""

import json
from importlib import resources
from typing import Any

from drift import __version__
from drift.model import ClusterInfo, Finding, Json, ObjectReport, PastScan, Report, Resolved, Status

_NAME = "drift-reporter"


def to_document(report: Report) -> dict[str, Json]:
    """The report as a JSON document of ``drift/v1``."""
    statuses = report.count_by_status()
    return {
        "apiVersion": "drift/v1",
        "kind": "DriftReport",
        "generatedAt": report.generated_at,
        "tool": {"name": _NAME, "version": __version__},
        "cluster": None if report.cluster is None else _cluster(report.cluster),
        "clusters": [_cluster(cluster) for cluster in report.clusters],
        "manifests": {
            "paths": list(report.manifests.paths),
            "gitCommit": report.manifests.git_commit,
            "gitDirty": report.manifests.git_dirty,
        },
        "summary": {
            "verdict": report.verdict,
            "objects": {
                "checked": sum(statuses.values()) - statuses[Status.UNMANAGED] - statuses[Status.UNCHECKED],
                "inSync": statuses[Status.IN_SYNC],
                "drifted": statuses[Status.DRIFTED],
                "missing": statuses[Status.MISSING],
                "unmanaged": statuses[Status.UNMANAGED],
                "unchecked": statuses[Status.UNCHECKED],
            },
            "findings": {**report.count_by_cause(), "ignored": report.count_ignored()},
        },
        "scan": {"durationSeconds": report.duration_seconds, "apiRequests": report.api_requests},
        "shard": None
        if report.shard is None
        else {
            "index": report.shard.index,
            "count": report.shard.count,
            "unusedRules": list(report.unused_rules),
        },
        "notes": list(report.notes),
        "errors": list(report.errors),
        "objects": [_object(item) for item in report.objects if is_worth_a_line(item)],
        "inSync": [_identity(item) for item in report.objects if not is_worth_a_line(item)],
        "resolved": [_resolved(gone) for gone in report.resolved],
        "past": [_past_scan(scan) for scan in report.past],
    }


def to_json(report: Report) -> str:
    """The report as text, two spaces deep, ending in a newline.

    Raises:
        TypeError: A value that must not be shown has come this far, which is a bug of ours.
    """
    return json.dumps(to_document(report), indent=2, ensure_ascii=False) + "\n"


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    text = resources.files(__package__).joinpath("schema/drift-report-v1.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def is_worth_a_line(item: ObjectReport) -> bool:
    """Whether an object belongs in a report: it is not in sync, or there is a finding or a remark."""
    return item.status is not Status.IN_SYNC or bool(item.findings) or item.reason is not None


def _cluster(cluster: ClusterInfo) -> dict[str, Json]:
    return {"context": cluster.context, "server": cluster.server, "version": cluster.version}


def _identity(item: ObjectReport) -> dict[str, Json]:
    source = item.source
    return {
        "apiVersion": item.api_version,
        "kind": item.key.kind,
        "namespace": item.key.namespace,
        "name": item.key.name,
        "cluster": item.cluster,
        "source": None if source is None else {"file": source.file, "document": source.document, "line": source.line},
    }


def _object(item: ObjectReport) -> dict[str, Json]:
    return {
        **_identity(item),
        "status": item.status,
        "reason": item.reason,
        "byChoice": item.is_skipped,
        "findings": [finding_document(finding) for finding in item.findings],
    }


def finding_document(finding: Finding) -> dict[str, Json]:
    """One finding as the report has it."""
    return {
        "id": finding.id,
        "change": finding.change,
        "path": finding.path,
        "pointer": finding.pointer,
        "desired": None if finding.redacted else finding.desired,
        "live": None if finding.redacted else finding.live,
        "redacted": finding.redacted,
        "cause": finding.cause,
        "severity": finding.severity,
        "actors": [
            {
                "manager": actor.manager,
                "operation": actor.operation,
                "subresource": actor.subresource,
                "time": actor.time,
            }
            for actor in finding.actors
        ],
        "note": finding.note,
        "ignored": None
        if finding.ignored is None
        else {"rule": finding.ignored.rule, "reason": finding.ignored.reason},
        "firstSeen": finding.first_seen,
        "lifecycle": finding.lifecycle,
    }


def _resolved(gone: Resolved) -> dict[str, Json]:
    return {
        "id": gone.id,
        "apiVersion": gone.api_version,
        "kind": gone.key.kind,
        "namespace": gone.key.namespace,
        "name": gone.key.name,
        "cluster": gone.cluster,
        "path": gone.path,
        "change": gone.change,
        "cause": gone.cause,
        "severity": gone.severity,
        "firstSeen": gone.first_seen,
        "resolvedAt": gone.resolved_at,
    }


def _past_scan(scan: PastScan) -> dict[str, Json]:
    return {
        "at": scan.at,
        "open": scan.open,
        "new": scan.new,
        "resolved": scan.resolved,
        "complete": scan.complete,
    }
