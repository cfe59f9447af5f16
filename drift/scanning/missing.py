"""Reports the manifests whose live object does not exist."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from drift.errors import ScanError
from drift.gitops.opt_outs import apply_opt_outs, expected_absence
from drift.kube.live import LiveSource
from drift.model import Cause, ObjectReport, Report, Status
from drift.policy.digest import digest
from drift.policy.findings import missing_finding
from drift.scanning.last_sync import LastSync
from drift.scanning.options import FieldPlace
from drift.scanning.plan import MissingObject

#: Namespaces that are looked up, one request each.
_MAX_NAMESPACES: Final = 5
_CAUSES = {None: Cause.UNKNOWN, True: Cause.MANUAL, False: Cause.PENDING_SYNC}


def report_missing(absent: MissingObject, last_sync: LastSync, cluster: str, field_place: FieldPlace) -> ObjectReport:
    """Reports a manifest without a live object: missing, or in sync if the manifest itself says so.

    Args:
        absent: The manifest.
        last_sync: What was last synced. It must know the trackers of all live objects.
        cluster: The URL of the API server, for the fingerprints; "" for a dump.
        field_place: As in `Options`.
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
    place = field_place(manifest, ())
    if place is not None:
        finding = replace(finding, file=place.file, line=place.line)
    findings = apply_opt_outs((finding,), manifest.body, None)
    report = ObjectReport.of(manifest, key, Status.MISSING, reason, findings=findings)
    known = digest(key, manifest.body)
    return report if known is None else replace(report, digest=known.text)


def missing_namespaces(report: Report, live: LiveSource) -> Iterator[str]:
    """Yields a sentence on each namespace in which all objects are missing because it does not exist itself.

    A mistyped namespace looks like a deletion otherwise. Nothing is said if the account may not read namespaces, or if
    the Namespace is in Git and missing, too.
    """
    resource = live.resources.preferred("", "Namespace")
    if resource is None or live.info is None:
        return
    missing = {item.namespace for item in report.objects if item.status is Status.MISSING and item.namespace}
    missing -= {item.namespace for item in report.objects if item.status is not Status.MISSING}
    missing -= {item.name for item in report.objects if item.kind == "Namespace"}
    for name in sorted(missing)[:_MAX_NAMESPACES]:
        try:
            if live.get(resource, None, name) is None:
                yield f"the namespace {name} does not exist"
        except ScanError:
            return
