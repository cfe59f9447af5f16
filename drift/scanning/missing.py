"""Reports the manifests whose live object does not exist."""

from dataclasses import replace

from drift.gitops.opt_outs import apply_opt_outs, expected_absence
from drift.model import Cause, ObjectReport, Status
from drift.policy.digest import digest
from drift.policy.findings import missing_finding
from drift.scanning.last_sync import LastSync
from drift.scanning.options import FieldLine
from drift.scanning.plan import MissingObject

_CAUSES = {None: Cause.UNKNOWN, True: Cause.MANUAL, False: Cause.PENDING_SYNC}


def report_missing(absent: MissingObject, last_sync: LastSync, cluster: str, field_line: FieldLine) -> ObjectReport:
    """Reports a manifest without a live object: missing, or in sync if the manifest itself says so.

    Args:
        absent: The manifest.
        last_sync: What was last synced. It must know the owners of all live objects.
        cluster: The URL of the API server, for the fingerprints; "" for a dump.
        field_line: As in `Options`.
    """
    manifest, key = absent.manifest, absent.key
    expected = expected_absence(manifest.body)
    if expected is not None:
        return ObjectReport.of(manifest, key, Status.IN_SYNC, expected)
    cause = _CAUSES[last_sync.was_synced(key, manifest)]
    reason = absent.reason
    if reason is None and cause is Cause.PENDING_SYNC:
        reason = last_sync.why_pending(key)
    finding = missing_finding(key, cluster, cause)
    if manifest.source is not None:
        line = field_line(manifest, ()) or manifest.source.line
        finding = replace(finding, file=manifest.source.file, line=line)
    findings = apply_opt_outs((finding,), manifest.body, None)
    report = ObjectReport.of(manifest, key, Status.MISSING, reason, findings=findings)
    known = digest(key, manifest.body)
    return report if known is None else replace(report, digest=known.text)
