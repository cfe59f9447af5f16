"""The labels and annotations that appliers and Kubernetes put on objects."""

import pytest

from drift.gitops.tracking import reserved_metadata


@pytest.mark.parametrize(
    ("group", "field", "name"),
    [
        ("tracking", "annotations", "argocd.argoproj.io/tracking-id"),
        ("tracking", "labels", "kustomize.toolkit.fluxcd.io/name"),
        ("tracking", "annotations", "meta.helm.sh/release-name"),
        ("tracking", "labels", "kapp.k14s.io/app"),
        ("bookkeeping", "annotations", "deployment.kubernetes.io/revision"),
        ("bookkeeping", "finalizers", "finalizers.fluxcd.io"),
        ("any_writer", "annotations", "reconcile.fluxcd.io/requestedAt"),
        ("any_writer", "labels", "kubernetes.io/metadata.name"),
    ],
)
def test_a_reserved_name_is_known_only_in_its_field(group: str, field: str, name: str) -> None:
    names_by_field = getattr(reserved_metadata(), group)

    assert name in names_by_field[field]
    assert not any(name in names for other, names in names_by_field.items() if other != field)


@pytest.mark.parametrize("name", ["team", "kubectl.kubernetes.io/restartedAt", "argocd.argoproj.io/sync-wave", 5, None])
def test_other_names_are_not_reserved(name: object) -> None:
    assert not any(
        name in names for names in (*reserved_metadata().tracking.values(), *reserved_metadata().bookkeeping.values())
    )


@pytest.mark.parametrize(("value", "is_tracking"), [("Helm", True), ("argocd", False), (None, False)])
def test_a_common_label_is_tracking_only_with_the_value_of_an_applier(value: object, is_tracking: bool) -> None:
    assert reserved_metadata().is_tracking("labels", "app.kubernetes.io/managed-by", value) is is_tracking
    assert reserved_metadata().is_tracking("annotations", "app.kubernetes.io/managed-by", value) is False
