"""How much a difference matters, and what it is recognized by from scan to scan."""

from dataclasses import replace

import pytest

from drift.model import Cause, Change, ObjectKey, Severity
from drift.paths import ItemKey, Path, render
from drift.policy.findings import fingerprint
from drift.policy.severity import default_table

KEY = ObjectKey("apps", "Deployment", "n", "a")
GROUPS = {
    "ClusterRole": "rbac.authorization.k8s.io",
    "ClusterRoleBinding": "rbac.authorization.k8s.io",
    "Deployment": "apps",
}
APP = ItemKey((("name", "app"),))


@pytest.mark.parametrize(
    ("kind", "path", "severity"),
    [
        ("Deployment", ("metadata", "labels", "team"), Severity.LOW),
        ("Deployment", ("spec", "template", "metadata", "annotations"), Severity.LOW),
        ("Secret", ("data", "key"), Severity.HIGH),
        ("ClusterRoleBinding", ("subjects",), Severity.CRITICAL),
        ("ClusterRole", ("metadata", "labels", "a"), Severity.LOW),
        ("Deployment", ("spec", "template", "spec", "containers", APP), Severity.CRITICAL),
        ("Deployment", ("spec", "template", "spec", "containers", APP, "image"), Severity.HIGH),
        ("Pod", ("spec", "hostNetwork"), Severity.CRITICAL),
        ("Service", ("spec", "ports", ItemKey((("port", 80),))), Severity.HIGH),
        ("Deployment", ("spec", "replicas"), Severity.MEDIUM),
        ("Widget", ("spec", "anything"), Severity.MEDIUM),
    ],
)
def test_severity_by_what_changed(kind: str, path: Path, severity: Severity) -> None:
    assert (
        default_table().severity(
            replace(KEY, group=GROUPS.get(kind, ""), kind=kind), render(path), Change.CHANGED, Cause.MANUAL
        )
        is severity
    )


def test_a_controllers_work_is_information_and_an_order_is_low() -> None:
    assert default_table().severity(KEY, "spec.hostNetwork", Change.CHANGED, Cause.CONTROLLER) is Severity.INFO
    assert default_table().severity(KEY, "spec.hostNetwork", Change.REORDERED, Cause.MANUAL) is Severity.LOW


def test_a_fingerprint_is_made_of_names() -> None:
    one = fingerprint("c", KEY, "spec.replicas", Change.CHANGED)

    assert one == fingerprint("c", KEY, "spec.replicas", Change.CHANGED)
    assert len(one) == 16
    others = {
        fingerprint("d", KEY, "spec.replicas", Change.CHANGED),
        fingerprint("c", KEY, "spec.paused", Change.CHANGED),
        fingerprint("c", KEY, "spec.replicas", Change.ADDED),
        *(
            fingerprint("c", other, "spec.replicas", Change.CHANGED)
            for other in (
                ObjectKey("", "Deployment", "n", "a"),
                ObjectKey("apps", "Other", "n", "a"),
                ObjectKey("apps", "Deployment", "m", "a"),
                ObjectKey("apps", "Deployment", "n", "b"),
            )
        ),
    }
    assert len(others | {one}) == 8
