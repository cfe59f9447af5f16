"""The roles of field managers: applier, controller or other."""

import pytest

from drift.gitops.managers import Election, Managers, Role, Roles, assign_roles, state_entries
from drift.managed_fields import Entry
from drift.model import Actor
from drift.objects import Object


def _entry(manager: str, operation: str = "Update", subresource: str | None = None) -> Entry:
    return Entry(Actor(manager, operation, subresource, None), "v1", {})


def _roles(*entries: Entry, extra: tuple[str, ...] = (), inferred: str | None = None, tracked: bool = False) -> Roles:
    return assign_roles(
        [entry.actor for entry in entries],
        Managers(appliers=extra, inferred=inferred),
        tracked_by=frozenset({"flux"} if tracked else ()),
        field_sets=[entry.fields for entry in entries],
    )


@pytest.mark.parametrize(
    ("manager", "operation"),
    [
        ("argocd-controller", "Apply"),
        ("argocd-controller", "Update"),
        ("argocd-application-controller", "Update"),
        ("kustomize-controller", "Apply"),
        ("helm-controller", "Update"),
        ("helm", "Update"),
        ("helm3", "Update"),
        ("helm.exe", "Update"),
        ("helm_v3", "Update"),
        ("configsync.gke.io", "Apply"),
        ("kluctl", "Apply"),
        ("fleetagent", "Update"),
        ("Terraform", "Apply"),
        ("HashiCorp", "Update"),
        ("pulumi-kubernetes-0a1b2c", "Apply"),
        ("flux", "Apply"),
        ("kubectl-client-side-apply", "Update"),
        ("kubectl", "Apply"),
    ],
)
def test_a_known_applier(manager: str, operation: str) -> None:
    roles = _roles(_entry(manager, operation))

    assert (roles.of_entry, roles.is_server_side) == ((Role.APPLIER,), operation == "Apply")


@pytest.mark.parametrize(
    ("manager", "operation", "is_command"),
    [
        ("argocd-controller", "Update", False),
        ("kustomize-controller", "Apply", False),
        ("helm-controller", "Update", False),
        ("fleetagent", "Update", False),
        ("helm", "Update", True),
        ("helm3", "Update", True),
        ("Terraform", "Apply", True),
        ("kapp-server-side-apply", "Apply", True),
        ("kubectl", "Apply", True),
        ("kubectl-client-side-apply", "Update", True),
    ],
)
def test_a_command_that_people_also_run(manager: str, operation: str, is_command: bool) -> None:
    assert _roles(_entry(manager, operation)).is_command == is_command


def test_the_flux_command_applies_only_with_server_side_apply() -> None:
    assert _roles(_entry("flux"), _entry("kustomize-controller", "Apply")).of_entry == (Role.OTHER, Role.APPLIER)
    assert _roles(_entry("flux")).of_entry == (Role.OTHER,)


@pytest.mark.parametrize("hand", [_entry("kubectl-client-side-apply"), _entry("kubectl", "Apply")])
def test_kubectl_is_not_the_applier_after_a_gitops_applier(hand: Entry) -> None:
    assert _roles(hand, _entry("kustomize-controller", "Apply")).of_entry == (Role.OTHER, Role.APPLIER)


def test_an_edit_with_kubectl_does_not_make_it_the_applier() -> None:
    assert _roles(_entry("kubectl-edit"), _entry("kubectl", "Apply")).of_entry == (Role.OTHER, Role.APPLIER)
    assert _roles(_entry("kubectl", "Update"), _entry("kubectl", "Apply")).of_entry == (Role.OTHER, Role.APPLIER)


def test_a_named_applier_takes_precedence_over_the_known_ones() -> None:
    roles = _roles(_entry("deploy-bot"), _entry("argocd-controller", "Apply"), extra=("deploy-bot",))

    assert roles.of_entry == (Role.APPLIER, Role.OTHER)


def test_a_named_applier_that_never_wrote_the_object_changes_nothing() -> None:
    assert _roles(_entry("kubectl", "Apply"), extra=("deploy-bot",)).of_entry == (Role.APPLIER,)


@pytest.mark.parametrize(
    "entry",
    [
        _entry("kube-controller-manager"),
        _entry("kube-controller-manager", subresource="scale"),
        _entry("admissionsenforcer"),
        _entry("externalsecrets.external-secrets.io/my", "Apply"),
        _entry("k3s"),
        _entry("k3s", subresource="scale"),
        _entry("kubelite"),
        _entry("microshift"),
        _entry("vpa-recommender"),
        _entry("cert-manager-cainjector"),
        _entry("anything", subresource="status"),
    ],
)
def test_a_controller(entry: Entry) -> None:
    assert _roles(entry, _entry("flux", "Apply")).of_entry == (Role.CONTROLLER, Role.APPLIER)


def test_an_operator_that_writes_the_status_is_a_controller_of_the_object() -> None:
    status = _entry("manager", subresource="status")

    assert _roles(_entry("flux", "Apply"), _entry("manager"), status).of_entry[1:] == (Role.CONTROLLER,) * 2
    assert _roles(_entry("flux", "Apply"), _entry("manager")).of_entry[1:] == (Role.OTHER,)
    assert _roles(_entry("flux", "Apply"), _entry("other"), status).of_entry[1] is Role.OTHER
    assert _roles(_entry("manager", "Apply"), status, extra=("manager",)).of_entry == (Role.APPLIER, Role.CONTROLLER)
    assert _roles(_entry("manager", "Apply"), status, inferred="manager").of_entry[0] is Role.APPLIER


@pytest.mark.parametrize(
    "manager", ["kubectl-edit", "k9s", "rancher", "kubectl-client-side-apply", "helm", "argocd-controller"]
)
def test_a_tool_or_an_applier_that_writes_the_status_is_no_operator(manager: str) -> None:
    roles = _roles(
        _entry("flux", "Apply"),
        _entry("kustomize-controller"),
        _entry(manager),
        _entry(manager, subresource="status"),
        tracked=True,
    )

    assert roles.of_entry[2] is Role.OTHER


def test_writing_status_does_not_make_a_manager_the_applier() -> None:
    roles = _roles(_entry("helm-controller", subresource="status"), _entry("kubectl", "Apply"))

    assert roles.of_entry == (Role.CONTROLLER, Role.APPLIER)


_FINALIZER: Object = {"f:metadata": {"f:finalizers": {".": {}, 'v:"finalizers.fluxcd.io"': {}}}}
#: What controllers write of their own objects without the status subresource.
STATE = [
    Entry(Actor("argocd-application-controller", "Update", None, None), "v1", {"f:status": {"f:sync": {}}}),
    Entry(Actor("argocd-application-controller", "Update", None, None), "v1", {"f:operation": {}, "f:status": {}}),
    Entry(Actor("helm-controller", "Update", None, None), "v2", _FINALIZER),
    Entry(Actor("kustomize-controller", "Update", None, None), "v1", {**_FINALIZER, "f:status": {}}),
]


@pytest.mark.parametrize("state", STATE)
@pytest.mark.parametrize("applier", ["kubectl-client-side-apply", "robot", "helm", "kluctl"])
def test_a_controller_that_keeps_its_state_in_an_object_does_not_apply_it(applier: str, state: Entry) -> None:
    applied = _owns(applier, "a", "b")

    assert _roles(applied, state, inferred="robot").of_entry == (Role.APPLIER, Role.CONTROLLER)
    assert _roles(state).of_entry == (Role.CONTROLLER,)


@pytest.mark.parametrize("state", STATE)
def test_a_controller_that_applies_an_object_may_keep_its_state_in_it(state: Entry) -> None:
    applied = _owns(state.actor.manager, "a", operation="Apply")
    more = Entry(state.actor, "v1", {**state.fields, "f:spec": {"f:a": {}}})
    labelled = Entry(state.actor, "v1", {"f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {}}})

    assert _roles(_owns("kubectl-edit", "b"), applied, state).of_entry == (Role.OTHER, Role.APPLIER, Role.APPLIER)
    assert _roles(_owns("kubectl", "a", operation="Apply"), more).of_entry == (Role.OTHER, Role.APPLIER)
    assert _roles(labelled).of_entry == (Role.APPLIER,)


def test_a_finalizer_that_a_user_adds_with_a_command_is_not_a_controllers() -> None:
    added = Entry(Actor("helm", "Update", None, None), "v1", _FINALIZER)

    assert _roles(_owns("kubectl", "a", operation="Apply"), added).of_entry == (Role.APPLIER, Role.OTHER)


@pytest.mark.parametrize("hand", [_entry("kubectl-client-side-apply"), _entry("kubectl", "Apply")])
def test_kubectl_is_not_the_applier_if_tracking_names_an_applier_that_never_wrote_the_object(hand: Entry) -> None:
    assert _roles(hand).of_entry == (Role.APPLIER,)
    assert _roles(hand, tracked=True).of_entry == (Role.OTHER,)


def test_the_inferred_applier_takes_precedence_over_kubectl_only_if_it_wrote_the_object() -> None:
    hand = _entry("kubectl-client-side-apply")

    assert _roles(hand, _entry("robot"), inferred="robot").of_entry == (Role.OTHER, Role.APPLIER)
    assert _roles(hand, inferred="robot").of_entry == (Role.APPLIER,)
    assert _roles(_entry("flux", "Apply"), _entry("robot"), inferred="robot").of_entry == (Role.APPLIER, Role.OTHER)


HAND_TOOLS = [
    "kubectl-create",
    "kubectl-replace",
    "kubectl-run",
    "kubectl-expose",
    "kubectl-anything-new",
    "node-fetch",
    "Mozilla",
    "k9s",
    "curl",
    "python-requests",
    "OpenAPI-Generator",
    "argocd-server",
]
DATA: Object = {"data": {"a": "1", "b": "2", "c": "3"}, "ports": [{"port": 80}]}


def _owns(manager: str, *keys: str, operation: str = "Update") -> Entry:
    fields: Object = {"f:data": {f"f:{key}": {} for key in keys}}
    return Entry(Actor(manager, operation, None, None), "v1", fields)


def _elected(*objects: tuple[Entry, ...], extra: tuple[str, ...] = (), live: Object = DATA) -> str | None:
    election = Election(Managers(appliers=extra))
    for entries in objects:
        names = tuple((entry.actor.manager, entry.actor.operation, entry.actor.subresource) for entry in entries)
        if election.needs_vote(names, state_entries(names, [{"fieldsV1": entry.fields} for entry in entries])):
            election.vote(entries, DATA, live)
    return election.winner()


def test_the_manager_of_most_fields_on_most_objects_is_inferred() -> None:
    assert _elected((_owns("robot", "a", "b"), _owns("other", "c"))) == "robot"
    assert _elected((_owns("robot", "a"),), (_owns("robot", "a"),), (_owns("other", "a"),)) == "robot"
    assert _elected((_owns("robot", "a"),), (_owns("other", "a"),)) is None


def test_an_operator_is_not_inferred() -> None:
    operator = Entry(Actor("acme-operator", "Update", "status", None), "v1", {})

    assert _elected((_owns("acme-operator", "a", "b"), operator, _owns("robot", "c"))) == "robot"
    assert _elected((_owns("acme-operator", "a"), operator)) is None


def test_a_manager_that_changed_every_field_it_owns_is_not_inferred() -> None:
    assert _elected((_owns("robot", "a"),), live={"data": {"a": "changed"}}) is None


def test_list_items_count_by_their_key() -> None:
    port = Entry(
        Actor("robot", "Apply", None, None), "v1", {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {"f:port": {}}}}
    )

    assert _elected((port,)) == "robot"
    assert _elected((_owns("robot", "other"),)) is None


@pytest.mark.parametrize("hand", HAND_TOOLS)
def test_a_tool_that_people_use_is_never_inferred(hand: str) -> None:
    assert _roles(_entry(hand)).of_entry == (Role.OTHER,)
    assert _elected((_owns(hand, "a", "b", "c"),)) is None
    assert _elected((_owns(hand, "a", "b"), _owns("robot", "c"))) == "robot"


def test_no_applier_is_inferred_if_there_is_a_known_or_named_one() -> None:
    robot = (_owns("robot", "a"),)

    assert _elected(robot, robot, (_owns("flux", "a", operation="Apply"),)) is None
    assert _elected(robot, robot, (_owns("bot", "a"),), extra=("bot",)) is None


@pytest.mark.parametrize("state", STATE)
def test_a_controller_that_keeps_its_state_in_an_object_has_no_vote(state: Entry) -> None:
    robot = _owns("robot", "a")

    assert _elected((robot,), (robot, state)) == "robot"
    assert _elected((robot,), (state,), (robot,)) == "robot"
    # The same managers, and one of them applied the object.
    assert _elected((robot, state), (robot, Entry(state.actor, "v1", {"f:data": {"f:a": {}}}))) is None


def test_one_kubectl_apply_does_not_make_kubectl_the_applier_of_a_source() -> None:
    edited = (_owns("robot", "a", "b"), _owns("kubectl-client-side-apply", "c"))

    assert _elected((_owns("robot", "a"),), edited) == "robot"
    assert _elected((_owns("kubectl", "a", operation="Apply"),) * 1, (_owns("robot", "a"),)) is None


def test_controllers_are_not_inferred() -> None:
    assert _elected((_owns("kube-controller-manager", "a", "b", "c"),)) is None
    assert _elected(()) is None


def test_a_deeply_nested_key_is_not_counted_and_raises_no_error() -> None:
    nested = Entry(Actor("robot", "Apply", None, None), "v1", {"f:ports": {f"k:{'[' * 200_000}": {}}})

    assert _elected((nested,)) is None
