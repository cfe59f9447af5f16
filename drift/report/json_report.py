"""The JSON report, version 1. It is a public contract, so it is separate from the internal classes; see ``schema/``."""

import json
from importlib import resources
from typing import Any

from drift import __version__
from drift.model import ClusterInfo, Finding, Json, ObjectReport, PastScan, Report, Resolved, Status

_NAME = "drift-reporter"


def to_document(report: Report) -> dict[str, Json]:
    """Returns the report as a JSON document of ``drift/v1``."""
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
            "unread": list(report.unread),
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
        "errors": list(report.problems),
        "objects": [_object(item) for item in report.objects if is_noteworthy(item)],
        "inSync": [_identity(item) for item in report.objects if not is_noteworthy(item)],
        "resolved": [_resolved(resolved) for resolved in report.resolved],
        "past": [_past_scan(scan) for scan in report.past],
    }


def to_json(report: Report) -> str:
    """Returns the report as text, indented by two spaces and ending in a newline.

    Raises:
        TypeError: The report holds a redacted value, which is a bug in drift.
    """
    return json.dumps(to_document(report), indent=2, ensure_ascii=False) + "\n"


def json_schema() -> dict[str, Any]:
    """Returns the JSON Schema of the report."""
    text = resources.files(__package__).joinpath("schema/drift-report-v1.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def is_noteworthy(item: ObjectReport) -> bool:
    """Returns whether an object is not in sync, or has a finding or a reason."""
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
    """Returns a finding as it appears in the report."""
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


def _resolved(resolved: Resolved) -> dict[str, Json]:
    return {
        "id": resolved.id,
        "apiVersion": resolved.api_version,
        "kind": resolved.key.kind,
        "namespace": resolved.key.namespace,
        "name": resolved.key.name,
        "cluster": resolved.cluster,
        "path": resolved.path,
        "change": resolved.change,
        "cause": resolved.cause,
        "severity": resolved.severity,
        "firstSeen": resolved.first_seen,
        "resolvedAt": resolved.resolved_at,
    }


def _past_scan(scan: PastScan) -> dict[str, Json]:
    return {
        "at": scan.at,
        "open": scan.open,
        "new": scan.new,
        "resolved": scan.resolved,
        "complete": scan.complete,
    }
