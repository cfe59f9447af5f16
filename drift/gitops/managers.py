"""Assigns a role to each field manager: applier, controller or other."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from fnmatch import translate
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

from drift.managed_fields import Entry, ManagerName
from drift.model import Actor
from drift.objects import LAST_APPLIED, Json, Object, at

#: The API server's name for the owner of fields that were set before the first apply, by anyone.
BEFORE_FIRST_APPLY: Final = "before-first-apply"

#: What a GitOps controller writes of its own objects, such as an Application or a HelmRelease, apart from metadata.
_STATE: Final = frozenset({"f:operation", "f:status"})

#: The programs that run hooks.
_WITH_HOOKS: Final = frozenset({"argocd", "helm", "helm-controller"})

#: Hand tools that write a whole object.
_CREATORS: Final = frozenset(
    {"kubectl-autoscale", "kubectl-create", "kubectl-debug", "kubectl-expose", "kubectl-replace", "kubectl-run"}
)


class Role(Enum):
    """The role of a field manager.

    An applier writes what is in Git. A controller works for the cluster, such as the scheduler or an operator.
    """

    APPLIER = auto()
    CONTROLLER = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Managers:
    """The field managers that a user adds to the known ones, and the applier that a scan inferred.

    Attributes:
        appliers: Managers that apply manifests from Git; they take precedence over the known ones.
        controllers: Managers that work for the cluster; ``*`` matches any characters.
        inferred: The manager that is the applier of objects that no known applier wrote, or None.
    """

    appliers: tuple[str, ...] = ()
    controllers: tuple[str, ...] = ()
    inferred: str | None = None


#: The known managers only.
NO_OTHERS = Managers()


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles of the managers of one object.

    Attributes:
        of_entry: The role of each entry in ``managedFields``, by index.
        is_server_side: Whether the applier uses server-side apply.
        is_command: Whether the applier is a command that people also run by hand, such as ``helm`` or ``kubectl``.
    """

    of_entry: tuple[Role, ...]
    is_server_side: bool = False
    is_command: bool = False

    @property
    def has_applier(self) -> bool:
        """Whether an applier wrote the object. If not, a person or a controller did."""
        return Role.APPLIER in self.of_entry


def assign_roles(
    actors: Sequence[Actor],
    managers: Managers,
    *,
    tracked_by: frozenset[str] = frozenset(),
    field_sets: Sequence[Object] = (),
) -> Roles:
    """Assigns a role to each manager of one object.

    One program applies an object. After Flux or Argo CD applied it, ``kubectl apply`` is a manual change, and so is
    what another known applier wrote, such as ``helm``.

    Args:
        actors: The managers in the object's ``managedFields``.
        managers: The user's managers, and the inferred applier.
        tracked_by: The programs that the object's tracking labels and annotations name and Git does not. If they are
            not among the managers, a person recreated the object, so ``kubectl apply`` is not its applier.
        field_sets: FieldsV1 of each entry. They tell which programs only keep their state in the object, and decide
            between the others if nothing else does.
    """
    programs = [_program(actor) for actor in actors]
    state = {
        index
        for index, (actor, fields) in enumerate(zip(actors, field_sets, strict=False))
        if _is_update_of_program(actor) and _is_state(fields)
    }
    applying = [None if index in state else program for index, program in enumerate(programs)]
    applier = _applier_program(actors, applying, tracked_by, field_sets)
    is_named = [actor.manager in managers.appliers and actor.subresource is None for actor in actors]
    is_known = [program is not None and program == applier for program in programs]
    controllers = controllers_among(actors, managers.controllers)
    is_own = [index in state and program not in _known_managers().commands for index, program in enumerate(programs)]
    is_inferred = [actor.manager == managers.inferred and actor.subresource is None for actor in actors]
    is_kubectl = [is_kubectl_apply(actor) and not tracked_by for actor in actors]
    by_precedence = (is_named, is_known, is_inferred, is_kubectl)
    applies = next((matches for matches in by_precedence if any(matches)), [False] * len(actors))
    is_command = applies is is_kubectl or (applies is is_known and applier in _known_managers().commands)
    return Roles(
        tuple(
            Role.APPLIER if is_applier else Role.CONTROLLER if keeps_state or actor in controllers else Role.OTHER
            for actor, is_applier, keeps_state in zip(actors, applies, is_own, strict=True)
        ),
        any(is_applier and actor.operation == "Apply" for actor, is_applier in zip(actors, applies, strict=True)),
        is_command,
    )


def has_several_appliers(actors: Iterable[Actor]) -> bool:
    """Returns whether several known programs that apply manifests wrote an object."""
    return len({_program(actor) for actor in actors} - {None}) > 1


def state_entries(names: tuple[ManagerName, ...], managed_fields: Json) -> tuple[int, ...]:
    """Returns the indexes of the entries with which a known program keeps its state in an object, and applies nothing.

    Args:
        names: The manager of each entry.
        managed_fields: The entries, as the API server writes them.
    """
    updates = _updates_of_programs(names)
    return tuple(i for i in updates if _is_state(managed_fields[i].get("fieldsV1"))) if updates else ()


@lru_cache(maxsize=4096)
def _updates_of_programs(names: tuple[ManagerName, ...]) -> tuple[int, ...]:
    actors = [Actor(*name, None) for name in names]
    return tuple(index for index, actor in enumerate(actors) if _is_update_of_program(actor))


def _is_update_of_program(actor: Actor) -> bool:
    return actor.operation == "Update" and _program(actor) is not None


def _is_state(fields: Json) -> bool:
    """Whether a field set has nothing but what a GitOps controller writes of its own objects.

    It does not apply these objects: ``kubectl`` or another applier does.
    """
    if not isinstance(fields, dict) or not fields:
        return False
    metadata = fields.get("f:metadata", {})
    return (
        fields.keys() - {"f:metadata"} <= _STATE and isinstance(metadata, dict) and metadata.keys() <= {"f:finalizers"}
    )


def _applier_program(
    actors: Sequence[Actor], programs: Sequence[str | None], tracked_by: frozenset[str], field_sets: Sequence[Object]
) -> str | None:
    """Returns the program that applies an object; None if no known one has written it.

    Of several, it is the one that tracking names; else a controller, and not a command; else the one with server-side
    apply; else the one that wrote the last-applied annotation; else the one that owns most fields.
    """
    candidates = {program for program in programs if program is not None}
    if len(candidates) <= 1:
        return next(iter(candidates), None)
    fields_of = dict(enumerate(field_sets))
    for evidence in (
        tracked_by,
        candidates - _known_managers().commands,
        {program for actor, program in zip(actors, programs, strict=True) if actor.operation == "Apply"},
        {program for index, program in enumerate(programs) if _owns_last_applied(fields_of.get(index))},
    ):
        candidates = candidates & evidence or candidates
    sizes: Counter[str] = Counter()
    for index, program in enumerate(programs):
        if program in candidates:
            sizes[program] += _count_fields(fields_of.get(index))
    return max(sizes, key=lambda program: (sizes[program], program))


def _owns_last_applied(fields: Json) -> bool:
    return at(fields, "f:metadata", "f:annotations", f"f:{LAST_APPLIED}") is not None


def _count_fields(fields: Json) -> int:
    count = 0
    pending = [fields]
    while pending:
        below = pending.pop()
        if isinstance(below, dict):
            count += not below
            pending += below.values()
    return count


class Election:
    """Infers the applier if no known applier wrote any of the objects. There is one result for all objects.

    Attributes:
        has_known_applier: Whether a known applier wrote any object, so that none is inferred.
    """

    def __init__(self, managers: Managers) -> None:
        self._managers = managers
        self._votes: Counter[str | None] = Counter()
        self._needs_vote: dict[tuple[tuple[ManagerName, ...], tuple[int, ...]], bool] = {}
        self.has_known_applier = False

    def needs_vote(self, names: tuple[ManagerName, ...], state: tuple[int, ...] = ()) -> bool:
        """Returns whether the roles for an object depend on the election, and counts an object if they do not.

        Args:
            names: The managers in the object's ``managedFields``.
            state: The indexes of those that only keep their state in the object.
        """
        needs = self._needs_vote.get((names, state))
        if needs is None:
            actors = [Actor(*name, None) for name in names]
            is_known = any(
                actor.manager in self._managers.appliers or (index not in state and _program(actor))
                for index, actor in enumerate(actors)
            )
            self.has_known_applier |= is_known
            needs = self._needs_vote[names, state] = not is_known and bool(self._candidates(actors))
        if names and not needs and not self.has_known_applier:
            self._votes["kubectl" if any(is_kubectl_apply(Actor(*name, None)) for name in names) else None] += 1
        return needs

    def vote(self, entries: Sequence[Entry], desired: Object, live: Object) -> None:
        """Counts an object for the manager that owns most of the fields whose live value is the one in the manifest."""
        owned: Counter[str] = Counter()
        candidates = self._candidates([entry.actor for entry in entries])
        for entry in entries:
            if entry.actor in candidates or is_kubectl_apply(entry.actor):
                manager = "kubectl" if is_kubectl_apply(entry.actor) else entry.actor.manager
                owned[manager] += _count_owned(entry.fields, desired, live)
        best = max(owned, key=lambda manager: (owned[manager], manager), default=None)
        self._votes[best if best is not None and owned[best] else None] += 1

    def winner(self) -> str | None:
        """Returns the manager that owns most fields of more than half of the objects, or None."""
        if self.has_known_applier or not self._votes:
            return None
        manager, votes = max(self._votes.items(), key=lambda item: (item[1], item[0] or ""))
        return manager if manager != "kubectl" and votes * 2 > self._votes.total() else None

    def _candidates(self, actors: Sequence[Actor]) -> frozenset[Actor]:
        return frozenset(
            actor
            for actor in actors
            if actor.subresource is None
            # Where an object needs a vote, a known program only keeps its state in it.
            and _program(actor) is None
            and not _matches("hand_tools", actor.manager)
            and not is_kubectl_apply(actor)
        ) - controllers_among(actors, self._managers.controllers)


def _count_owned(fields: Object, desired: Json, live: Json) -> int:
    """Counts the fields in a field set that have the same value in both objects."""
    count = 0
    pending: list[tuple[Object, Json, Json]] = [(fields, desired, live)]
    while pending:
        names, desired, live = pending.pop()
        for name, children in names.items():
            desired_child, live_child = _child(name, desired), _child(name, live)
            if desired_child is None or live_child is None or not isinstance(children, dict):
                continue
            if children:
                pending.append((children, desired_child, live_child))
            else:
                count += desired_child == live_child
    return count


def _child(name: str, value: Json) -> Json:
    if name.startswith("f:") and isinstance(value, dict):
        return value.get(name[2:])
    if name.startswith("k:") and isinstance(value, list):
        try:
            key = json.loads(name[2:])
        except (ValueError, RecursionError):
            return None
        return next((item for item in value if isinstance(item, dict) and _has_key(item, key)), None)
    return None


def _has_key(item: Object, key: Json) -> bool:
    # A key may include defaults that the manifest leaves out, such as the protocol of a port.
    return isinstance(key, dict) and all(item.get(field, value) == value for field, value in key.items())


def _program(actor: Actor) -> str | None:
    """Returns the known program that applies manifests under a manager's name, or None."""
    if actor.subresource is not None or (actor.operation != "Apply" and _matches("by_apply_only", actor.manager)):
        return None
    return program_of(actor.manager)


@lru_cache(maxsize=4096)
def program_of(manager: str) -> str | None:
    """Returns the known program that applies manifests under a name, such as ``helm``; None if there is none."""
    programs = _known_managers().programs
    return next((program for program, names in programs.items() if _matches_any(names, manager)), None)


def runs_hooks(manager: str) -> bool:
    """Returns whether a manager is a known applier that runs hooks. To other appliers, a hook is an ordinary object."""
    return program_of(manager) in _WITH_HOOKS


def is_kubectl_apply(actor: Actor) -> bool:
    """Returns whether a manager is ``kubectl apply``, which applies what any user gives it."""
    return actor.subresource is None and (actor.manager, actor.operation) in _known_managers().kubectl_appliers


def is_controller(actor: Actor, extra: Iterable[str] = ()) -> bool:
    """Returns whether a manager works for the cluster, by its name or because it writes the status subresource.

    Args:
        actor: The manager.
        extra: Patterns for more controllers.
    """
    if actor.subresource == "status":
        # People can write the status with kubectl.
        return not _matches("hand_tools", actor.manager)
    return _matches("controllers", actor.manager) or _matches_any(tuple(extra), actor.manager)


def controllers_among(actors: Sequence[Actor], extra: Iterable[str] = ()) -> frozenset[Actor]:
    """Returns those managers of one object that work for the cluster.

    An operator also writes the metadata and the spec of the objects whose status it keeps, such as its finalizer.

    Args:
        actors: The managers in the object's ``managedFields``.
        extra: Patterns for more controllers.
    """
    operators = {
        actor.manager
        for actor in actors
        if actor.subresource == "status" and is_controller(actor) and program_of(actor.manager) is None
    }
    return frozenset(actor for actor in actors if actor.manager in operators or is_controller(actor, extra))


def is_hand_tool(actor: Actor) -> bool:
    """Returns whether people use a manager by hand: kubectl's commands, user interfaces and API clients."""
    return actor.manager != BEFORE_FIRST_APPLY and _matches("hand_tools", actor.manager)


def is_editor(actor: Actor) -> bool:
    """Returns whether people edit objects with a manager, which does not create or apply them as a whole."""
    return is_hand_tool(actor) and actor.manager not in _CREATORS and not is_kubectl_apply(actor)


def may_create(actor: Actor) -> bool:
    """Returns whether a manager may have created an object: not if it is a command of kubectl that only edits."""
    return not (is_editor(actor) and actor.manager.startswith("kubectl-"))


def known_appliers() -> tuple[str, ...]:
    """Returns the names of the known appliers, those that take precedence first."""
    known = _known_managers()
    names = [name for program in known.programs.values() for name in program]
    return (*sorted(names, key=str.casefold), *sorted({name for name, _ in known.kubectl_appliers}))


def applies_as_command(manager: str) -> bool:
    """Returns whether a manager is a known applier that people also run by hand."""
    return program_of(manager) in _known_managers().commands


def is_gitops_applier(actor: Actor) -> bool:
    """Returns whether a manager is a known applier other than ``kubectl apply``."""
    return _program(replace(actor, subresource=None)) is not None


def _matches(group: str, manager: str) -> bool:
    return _matches_any(_known_managers().names[group], manager)


@lru_cache(maxsize=4096)
def _matches_any(patterns: tuple[str, ...], manager: str) -> bool:
    return bool(patterns) and _expression(patterns).match(manager) is not None


@lru_cache(maxsize=64)
def _expression(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, patterns)), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _KnownManagers:
    names: dict[str, tuple[str, ...]]
    programs: dict[str, tuple[str, ...]]
    commands: frozenset[str]
    kubectl_appliers: frozenset[tuple[str, str]]


@cache
def _known_managers() -> _KnownManagers:
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("managers.json").read_text("utf-8"))
    return _KnownManagers(
        names={group: tuple(data[group]) for group in ("by_apply_only", "hand_tools", "controllers")},
        programs={program: tuple(names) for program, names in data["appliers"].items()},
        commands=frozenset(data["commands"]),
        kubectl_appliers=frozenset((item["manager"], item["operation"]) for item in data["kubectl_appliers"]),
    )
