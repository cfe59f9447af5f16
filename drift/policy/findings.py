"""Converts classified differences to findings: readable paths, plain values, a fingerprint, no secret values."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Final

from drift.compare.classify import ClassifiedDifference
from drift.compare.diff import Difference
from drift.compare.objects import ObjectComparison
from drift.compare.show import contains_redacted, pointer, to_json
from drift.model import SEVERITY_RANK, Cause, Change, Finding, Object, ObjectKey, Severity
from drift.paths import render
from drift.policy.digest import Digest
from drift.policy.secret_env import replaces_secret
from drift.policy.security import security_of
from drift.policy.severity import default_table
from drift.policy.unmanaged import UnmanagedObject

_RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"


def object_findings(compared: ObjectComparison, key: ObjectKey, cluster: str) -> tuple[Finding, ...]:
    """Returns the findings of an object that is in Git and in the cluster, sorted by path.

    Args:
        compared: The result of its comparison.
        key: The object.
        cluster: The URL of the API server, for the fingerprints; "" for a dump.
    """
    findings = [_finding(judged, compared, key, cluster) for judged in compared.differences]
    return tuple(sorted(findings, key=lambda finding: (finding.path, finding.change)))


def _finding(judged: ClassifiedDifference, compared: ObjectComparison, key: ObjectKey, cluster: str) -> Finding:
    difference = judged.difference
    redacted = (
        contains_redacted(difference.desired)
        or contains_redacted(difference.live)
        or replaces_secret(difference, compared.projection)
    )
    if difference.change is Change.REMOVED:
        where = pointer(compared.projection.desired, difference.path)
    else:
        where = pointer(compared.projection.live, difference.live_path)
    path = render(difference.path)
    desired = None if redacted else to_json(difference.desired)
    live = None if redacted else to_json(difference.live)
    value = desired if difference.change is Change.REMOVED else live
    security = None if redacted else security_of(key, path, difference.change, desired, live)
    return Finding(
        id=fingerprint(cluster, key, path, difference.change),
        change=difference.change,
        path=path,
        pointer=where,
        desired=desired,
        live=live,
        redacted=redacted,
        cause=judged.cause,
        severity=default_table().severity(key, path, difference.change, judged.cause, value, security),
        actors=judged.actors,
        note=judged.note or _note(difference),
        security=security,
    )


def conceal(findings: Iterable[Finding], paths: Collection[str]) -> tuple[Finding, ...]:
    """Returns findings without the values at some paths."""
    return tuple(
        replace(finding, desired=None, live=None, redacted=True) if finding.path in paths else finding
        for finding in findings
    )


def _note(difference: Difference) -> str | None:
    names = difference.live if isinstance(difference.live, dict) else ()
    restarted = difference.path[-1:] == (_RESTARTED_AT,) or _RESTARTED_AT in names
    return "caused by `kubectl rollout restart`" if restarted else None


def deletion_findings(live: Object, key: ObjectKey, cluster: str) -> tuple[Finding, ...]:
    """Returns a finding if an object that is in Git is being deleted, else ()."""
    metadata = live.get("metadata")
    since = metadata.get("deletionTimestamp") if isinstance(metadata, dict) else None
    if not isinstance(since, str):
        return ()
    path = "metadata.deletionTimestamp"
    finding = Finding(
        id=fingerprint(cluster, key, path, Change.ADDED),
        change=Change.ADDED,
        path=path,
        pointer="/metadata/deletionTimestamp",
        desired=None,
        live=since,
        redacted=False,
        cause=Cause.UNKNOWN,
        severity=Severity.HIGH,
        note="it is being deleted and waits for its finalizers",
    )
    return (finding,)


def missing_finding(key: ObjectKey, cluster: str, cause: Cause) -> Finding:
    """Returns the finding of an object that is not in the cluster. Kubernetes does not record who deleted it."""
    security = security_of(key, "", Change.MISSING, None, None)
    return Finding(
        id=fingerprint(cluster, key, "", Change.MISSING),
        change=Change.MISSING,
        path="",
        pointer="",
        desired=None,
        live=None,
        redacted=False,
        cause=cause,
        severity=default_table().severity(key, "", Change.MISSING, cause, security=security),
        security=security,
    )


def unmanaged_finding(key: ObjectKey, unmanaged: UnmanagedObject, digest: Digest | None, cluster: str) -> Finding:
    """Returns the finding of an object that is not in Git.

    Args:
        key: The object.
        unmanaged: Why it is unmanaged.
        digest: What it is, which may make it more severe than its kind.
        cluster: The URL of the API server, for the fingerprints; "" for a dump.
    """
    security = None if digest is None else digest.security
    severity = default_table().severity(key, "", Change.UNMANAGED, unmanaged.cause, security=security)
    if digest is not None and digest.severity is not None:
        severity = min(severity, digest.severity, key=SEVERITY_RANK.__getitem__)
    return Finding(
        id=fingerprint(cluster, key, "", Change.UNMANAGED),
        change=Change.UNMANAGED,
        path="",
        pointer="",
        desired=None,
        live=None,
        redacted=False,
        cause=unmanaged.cause,
        severity=severity,
        actors=unmanaged.actors,
        note=unmanaged.note,
        security=security,
    )


def fingerprint(cluster: str, key: ObjectKey, path: str, change: Change) -> str:
    """Returns the id of a finding, the same in every scan: 16 hexadecimal digits, derived from names only."""
    parts = (cluster, key.group, key.kind, key.namespace or "", key.name, path, change)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
