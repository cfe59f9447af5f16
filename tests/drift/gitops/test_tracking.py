"""The labels and annotations that syncers and Kubernetes put on objects."""

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
        ("bookkeeping", "labels", "kubernetes.io/metadata.name"),
    ],
)
def test_a_mark_is_known_in_its_own_field_alone(group: str, field: str, name: str) -> None:
    marks = getattr(reserved_metadata(), group)

    assert name in marks[field]
    assert not any(name in names for other, names in marks.items() if other != field)


@pytest.mark.parametrize("name", ["team", "kubectl.kubernetes.io/restartedAt", "argocd.argoproj.io/sync-wave", 5, None])
def test_other_names_are_no_marks(name: object) -> None:
    assert not any(
        name in names for names in (*reserved_metadata().tracking.values(), *reserved_metadata().bookkeeping.values())
    )


@pytest.mark.parametrize(("value", "is_mark"), [("Helm", True), ("argocd", False), (None, False)])
def test_a_label_that_several_write_is_a_mark_with_a_syncers_own_value_alone(value: object, is_mark: bool) -> None:
    assert reserved_metadata().is_tracking("labels", "app.kubernetes.io/managed-by", value) is is_mark
    assert reserved_metadata().is_tracking("annotations", "app.kubernetes.io/managed-by", value) is False
