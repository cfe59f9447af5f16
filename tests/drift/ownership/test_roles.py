"""Who syncs Git, who works for the cluster, and who is anybody else."""

import pytest

from drift.model import Actor
from drift.ownership.fieldset import Entry
from drift.ownership.roles import Role, Roles, assign_roles


def _entry(manager: str, operation: str = "Update", subresource: str | None = None) -> Entry:
    return Entry(Actor(manager, operation, subresource, None), "v1", {})


def _roles(*entries: Entry, extra: tuple[str, ...] = (), owned: tuple[int, ...] | None = None) -> Roles:
    return assign_roles(entries, extra, lambda: owned or (0,) * len(entries))


@pytest.mark.parametrize(
    ("manager", "operation"),
    [
        ("argocd-controller", "Apply"),
        ("argocd-controller", "Update"),
        ("argocd-application-controller", "Update"),
        ("kustomize-controller", "Apply"),
        ("helm-controller", "Update"),
        ("helm", "Update"),
        ("flux", "Apply"),
        ("kubectl-client-side-apply", "Update"),
        ("kubectl", "Apply"),
    ],
)
def test_a_known_applier(manager: str, operation: str) -> None:
    roles = _roles(_entry(manager, operation))

    assert (roles.of_entry, roles.inferred) == ((Role.APPLIER,), None)


@pytest.mark.parametrize("hand", [_entry("kubectl-client-side-apply"), _entry("kubectl", "Apply")])
def test_once_a_syncer_has_applied_it_kubectl_is_somebody(hand: Entry) -> None:
    assert _roles(hand, _entry("kustomize-controller", "Apply")).of_entry == (Role.OTHER, Role.APPLIER)


def test_an_edit_with_kubectl_is_nobody_who_applies() -> None:
    assert _roles(_entry("kubectl-edit"), _entry("kubectl", "Apply")).of_entry == (Role.OTHER, Role.APPLIER)
    assert _roles(_entry("kubectl", "Update"), _entry("kubectl", "Apply")).of_entry == (Role.OTHER, Role.APPLIER)


def test_a_named_applier_outranks_the_known_ones() -> None:
    roles = _roles(_entry("deploy-bot"), _entry("argocd-controller", "Apply"), extra=("deploy-bot",))

    assert roles.of_entry == (Role.APPLIER, Role.OTHER)


def test_a_named_applier_that_never_touched_the_object_changes_nothing() -> None:
    assert _roles(_entry("kubectl", "Apply"), extra=("deploy-bot",)).of_entry == (Role.APPLIER,)


@pytest.mark.parametrize(
    "entry",
    [
        _entry("kube-controller-manager"),
        _entry("kube-controller-manager", subresource="scale"),
        _entry("vpa-recommender"),
        _entry("cert-manager-cainjector"),
        _entry("anything", subresource="status"),
    ],
)
def test_who_works_for_the_cluster(entry: Entry) -> None:
    assert _roles(entry, _entry("flux", "Apply")).of_entry == (Role.CONTROLLER, Role.APPLIER)


def test_a_syncer_that_writes_status_does_not_apply_by_that() -> None:
    roles = _roles(_entry("helm-controller", subresource="status"), _entry("kubectl", "Apply"))

    assert roles.of_entry == (Role.CONTROLLER, Role.APPLIER)


def test_without_a_known_applier_the_owner_of_most_is_taken_for_it_and_named() -> None:
    roles = _roles(_entry("robot"), _entry("somebody"), owned=(2, 5))

    assert (roles.of_entry, roles.inferred) == ((Role.OTHER, Role.APPLIER), "somebody")


def test_what_one_manager_owns_through_several_entries_counts_together() -> None:
    roles = _roles(_entry("a"), _entry("b"), _entry("a", "Apply"), owned=(2, 3, 2))

    assert (roles.of_entry, roles.inferred) == ((Role.APPLIER, Role.OTHER, Role.APPLIER), "a")


def test_nobody_is_taken_for_the_applier_who_owns_nothing_of_it_or_is_a_controller() -> None:
    assert _roles(_entry("a"), owned=(0,)).inferred is None
    assert _roles(_entry("kube-controller-manager"), owned=(9,)).inferred is None
    assert _roles().of_entry == ()
