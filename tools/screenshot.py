"""Takes the screenshots of the README: ``python -m tools.screenshot``."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from drift.model import (
    Actor,
    Cause,
    Change,
    ClusterInfo,
    Finding,
    Lifecycle,
    ManifestsInfo,
    ObjectReport,
    PastScan,
    Report,
    Resolved,
    Security,
    Severity,
    Status,
    report_order,
)
from drift.objects import ObjectKey, Source
from drift.report.html.page import to_html
from tools.browser import chromium, set_media, set_window, stop_clock

_IMAGES: Final = Path(__file__).parents[1] / "docs/images"
_NOW: Final = datetime(2026, 3, 12, 3, 7, tzinfo=UTC)
_EDIT: Final = "kubectl-edit"
#: Open, new and resolved findings of each scan, one every half hour.
_HISTORY: Final = (
    *((4, 0, 0),) * 6,
    *((2, 0, 2), (2, 0, 0), (2, 0, 0), (3, 1, 0), (3, 0, 0), (3, 0, 0), (6, 3, 0), (6, 0, 0), (5, 0, 1), (5, 0, 0)),
    *((5, 0, 0), (3, 0, 2), (3, 0, 0), (3, 0, 0), (3, 0, 0), (1, 0, 2), (1, 0, 0), (1, 0, 0), (2, 1, 0), (2, 0, 0)),
    *((4, 2, 0), (4, 0, 0), (4, 0, 0), (7, 3, 0), (7, 0, 0), (7, 0, 0), (4, 0, 3), (9, 6, 1)),
)
_INCOMPLETE: Final = {9, 10, 24}


def _at(**before: float) -> str:
    return (_NOW - timedelta(**before)).isoformat().replace("+00:00", "Z")


def _finding(number: int, path: str, desired: object, live: object, **changes: Any) -> Finding:
    facts: dict[str, Any] = {
        "change": Change.CHANGED,
        "cause": Cause.MANUAL,
        "severity": Severity.MEDIUM,
        "redacted": False,
        "first_seen": _at(minutes=0),
        "lifecycle": Lifecycle.NEW,
        **changes,
    }
    pointer = "/" + path.replace(".", "/") if path else ""
    # Numbers that look like fingerprints.
    name = f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}"
    return Finding(name, path=path, pointer=pointer, desired=desired, live=live, **facts)


def _item(
    api_version: str, kind: str, name: str, status: Status, *findings: Finding, digest: str | None = None
) -> ObjectReport:
    key = ObjectKey(api_version.rpartition("/")[0], kind, "checkout", name)
    file = f"clusters/production/checkout/{kind.lower()}-{name}.yaml"
    source = None if status is Status.UNMANAGED else Source(file, 1, 2)
    return ObjectReport(api_version, key, source, status, findings=findings, digest=digest)


def _objects() -> list[ObjectReport]:
    container = "spec.template.spec.containers[name=api]"
    return [
        _item(
            "apps/v1",
            "Deployment",
            "api",
            Status.DRIFTED,
            _finding(
                1,
                f"{container}.image",
                "registry.example.com/checkout/api:v2.14.0",
                "registry.example.com/checkout/api:v2.14.1-hotfix",
                severity=Severity.HIGH,
                actors=(Actor(_EDIT, "Update", None, _at(minutes=41)),),
            ),
            _finding(
                2,
                f"{container}.env[name=LOG_LEVEL]",
                None,
                {"name": "LOG_LEVEL", "value": "debug"},
                change=Change.ADDED,
                actors=(Actor(_EDIT, "Update", None, _at(minutes=41)),),
            ),
            _finding(
                3,
                "spec.replicas",
                6,
                2,
                severity=Severity.MEDIUM,
                actors=(Actor("kubectl", "Update", "scale", _at(hours=5)),),
                first_seen=_at(hours=5),
                lifecycle=Lifecycle.ONGOING,
            ),
        ),
        _item(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "default-deny",
            Status.DRIFTED,
            _finding(
                4,
                "spec.ingress",
                None,
                [{"from": [{"namespaceSelector": {}}]}],
                change=Change.ADDED,
                severity=Severity.CRITICAL,
                security=Security.LOOSENS,
                actors=(Actor("kubectl-patch", "Update", None, _at(minutes=38)),),
                lifecycle=Lifecycle.REOPENED,
            ),
        ),
        _item(
            "v1",
            "Secret",
            "payment-provider",
            Status.DRIFTED,
            _finding(
                5,
                "data.API_KEY",
                None,
                None,
                redacted=True,
                severity=Severity.HIGH,
                actors=(Actor(_EDIT, "Update", None, _at(minutes=35)),),
            ),
        ),
        _item(
            "v1",
            "ConfigMap",
            "api-limits",
            Status.MISSING,
            _finding(6, "", None, None, change=Change.MISSING, severity=Severity.HIGH, cause=Cause.UNKNOWN),
        ),
        _item(
            "v1",
            "Service",
            "api",
            Status.DRIFTED,
            _finding(
                7,
                "spec.ports[port=443].targetPort",
                8443,
                8080,
                cause=Cause.PENDING_SYNC,
                severity=Severity.MEDIUM,
                actors=(Actor("argocd-controller", "Apply", None, _at(days=2)),),
                first_seen=_at(hours=2),
                lifecycle=Lifecycle.ONGOING,
            ),
        ),
        _item(
            "apps/v1",
            "Deployment",
            "debug-shell",
            Status.UNMANAGED,
            _finding(
                8,
                "",
                None,
                None,
                change=Change.UNMANAGED,
                actors=(Actor("kubectl-create", "Update", None, _at(minutes=52)),),
            ),
            digest="runs nicolaka/netshoot:latest; hostNetwork",
        ),
        _item(
            "apps/v1",
            "Deployment",
            "worker",
            Status.DRIFTED,
            _finding(
                9,
                "metadata.labels.team",
                "payments",
                "checkout",
                severity=Severity.LOW,
                actors=(Actor("kubectl-label", "Update", None, _at(days=3)),),
                first_seen=_at(days=3),
                lifecycle=Lifecycle.ONGOING,
            ),
            _finding(
                10,
                "spec.replicas",
                4,
                9,
                cause=Cause.CONTROLLER,
                severity=Severity.INFO,
                actors=(Actor("kube-controller-manager", "Update", "scale", _at(minutes=6)),),
            ),
        ),
        *(_item("v1", "ConfigMap", f"settings-{number}", Status.IN_SYNC) for number in range(143)),
    ]


def on_call() -> Report:
    """The morning after a payment incident that was fixed by hand."""
    scans = [
        PastScan(_at(minutes=30 * ago), *counts, complete=number not in _INCOMPLETE)
        for number, (ago, counts) in enumerate(zip(range(len(_HISTORY) - 1, -1, -1), _HISTORY, strict=True))
    ]
    gone = Resolved(
        id="0" * 16,
        api_version="v1",
        key=ObjectKey("", "ConfigMap", "checkout", "feature-flags"),
        path='data["new-cart"]',
        change=Change.CHANGED,
        cause=Cause.MANUAL,
        severity=Severity.MEDIUM,
        first_seen=_at(hours=9),
        resolved_at=_at(minutes=0),
    )
    return Report(
        generated_at=_at(minutes=0),
        cluster=ClusterInfo("production", "https://k8s.example.com:6443", "v1.36.3"),
        manifests=ManifestsInfo(("clusters/production",), "5f0c2d9e41ab", git_dirty=False),
        objects=tuple(sorted(_objects(), key=report_order)),
        duration_seconds=1.9,
        api_requests=31,
        resolved=(gone,),
        past=tuple(scans),
    )


def main() -> None:
    """Writes the screenshots, with the worst finding open."""
    with tempfile.TemporaryDirectory() as folder, chromium() as driver:
        page = Path(folder) / "report.html"
        page.write_text(to_html(on_call()), "utf-8")
        set_window(driver, 1240, 1000)
        stop_clock(driver, _NOW + timedelta(minutes=3))
        for scheme in ("light", "dark"):
            set_media(driver, scheme=scheme)
            driver.get(page.as_uri())
            driver.execute_script("document.querySelectorAll('.finding')[1].open = true")
            (_IMAGES / f"report-{scheme}.png").write_bytes(driver.get_screenshot_as_png())


if __name__ == "__main__":
    main()
