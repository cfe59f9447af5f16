"""The role of each field manager: the applier that syncs Git, a controller, or anyone else."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import translate
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from drift.managed_fields import Entry
from drift.model import Actor, Json, Object

#: Manager, operation and subresource.
ManagerName = tuple[str, str, str | None]


class Role(Enum):
    """What a field manager is to the comparison."""

    APPLIER = auto()
    CONTROLLER = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Managers:
    """The field managers that a user adds to the known ones, and the applier that a scan inferred.

    Attributes:
        appliers: Managers that sync Git; they outrank the known ones.
        controllers: Managers that work for the cluster; ``*`` stands for any characters.
        inferred: The manager that counts as the applier where no known one has written the object; None without one.
    """

    appliers: tuple[str, ...] = ()
    controllers: tuple[str, ...] = ()
    inferred: str | None = None


#: Only the known managers.
NO_OTHERS = Managers()


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles of one object's managers.

    Attributes:
        of_entry: By the index of the entry in ``managedFields``.
        is_server_side: Whether the applier uses server-side apply.
    """

    of_entry: tuple[Role, ...]
    is_server_side: bool = False

    @property
    def has_applier(self) -> bool:
        """Whether an applier has written the object; otherwise it was made by hand, or by a controller."""
        return Role.APPLIER in self.of_entry


def assign_roles(actors: Sequence[Actor], managers: Managers, *, has_tracking: bool = False) -> Roles:
    """The role of each manager of one object.

    Appliers that only sync Git outrank ``kubectl apply``: on an object that Flux or Argo CD has applied, a later
    ``kubectl apply`` is an edit by hand.

    Args:
        actors: The managers of the object's ``managedFields``.
        managers: The user's managers, and the inferred applier.
        has_tracking: Whether the object carries a GitOps controller's tracking label or annotation that Git does not
            have. If that controller is not among the managers, the object was made again by hand, and ``kubectl
            apply`` is not its applier.
    """
    ranks = [
        [actor.manager in managers.appliers for actor in actors],
        [_is_known_applier(actor) for actor in actors],
        [actor.manager == managers.inferred and actor.subresource is None for actor in actors],
        [_is_kubectl_apply(actor) and not has_tracking for actor in actors],
    ]
    applies = next((rank for rank in ranks if any(rank)), [False] * len(actors))
    return Roles(
        tuple(
            Role.APPLIER
            if is_applier
            else Role.CONTROLLER
            if is_controller(actor, managers.controllers)
            else Role.OTHER
            for actor, is_applier in zip(actors, applies, strict=True)
        ),
        any(is_applier and actor.operation == "Apply" for actor, is_applier in zip(actors, applies, strict=True)),
    )


class Election:
    """Infers the applier of a source whose objects no known applier has written: once for all of its objects.

    Attributes:
        has_known_applier: Whether a known applier has written any object, so that none is inferred.
    """

    def __init__(self, managers: Managers) -> None:
        self._managers = managers
        self._votes: Counter[str | None] = Counter()
        self._needs: dict[tuple[ManagerName, ...], bool] = {}
        self.has_known_applier = False

    def needs_vote(self, names: tuple[ManagerName, ...]) -> bool:
        """Whether the roles on an object depend on the election; counts an object that needs no vote.

        Args:
            names: The managers of the object's ``managedFields``.
        """
        needs = self._needs.get(names)
        if needs is None:
            actors = [Actor(*name, None) for name in names]
            is_known = any(actor.manager in self._managers.appliers or _is_known_applier(actor) for actor in actors)
            self.has_known_applier |= is_known
            needs = self._needs[names] = not is_known and any(map(self._is_candidate, actors))
        if names and not needs and not self.has_known_applier:
            self._votes["kubectl" if any(_is_kubectl_apply(Actor(*name, None)) for name in names) else None] += 1
        return needs

    def vote(self, entries: Sequence[Entry], desired: Object, live: Object) -> None:
        """Counts an object for the manager that owns most of the fields which are live as its manifest sets them.

        A manager that made them other than that did not sync Git.
        """
        owned: Counter[str] = Counter()
        for entry in entries:
            if self._is_candidate(entry.actor) or _is_kubectl_apply(entry.actor):
                manager = "kubectl" if _is_kubectl_apply(entry.actor) else entry.actor.manager
                owned[manager] += _count_owned(entry.fields, desired, live)
        best = max(owned, key=lambda manager: (owned[manager], manager), default=None)
        self._votes[best if best is not None and owned[best] else None] += 1

    def winner(self) -> str | None:
        """The manager that owns most fields of more than half of the objects; None without one."""
        if self.has_known_applier or not self._votes:
            return None
        manager, votes = max(self._votes.items(), key=lambda item: (item[1], item[0] or ""))
        return manager if manager != "kubectl" and votes * 2 > self._votes.total() else None

    def _is_candidate(self, actor: Actor) -> bool:
        return (
            actor.subresource is None
            and not _matches("hand_tools", actor.manager)
            and not _is_kubectl_apply(actor)
            and not is_controller(actor, self._managers.controllers)
        )


def _count_owned(fields: Object, desired: Json, live: Json) -> int:
    """How many fields a field set names that both sides have alike; list items are found by the key it gives."""
    count = 0
    pending: list[tuple[Object, Json, Json]] = [(fields, desired, live)]
    while pending:
        names, wanted, present = pending.pop()
        for name, below in names.items():
            left, right = _part(name, wanted), _part(name, present)
            if left is None or right is None or not isinstance(below, dict):
                continue
            if below:
                pending.append((below, left, right))
            else:
                count += left == right
    return count


def _part(name: str, value: Json) -> Json:
    if name.startswith("f:") and isinstance(value, dict):
        return value.get(name[2:])
    if name.startswith("k:") and isinstance(value, list):
        try:
            key = json.loads(name[2:])
        except ValueError:
            return None
        return next((item for item in value if isinstance(item, dict) and _has_key(item, key)), None)
    return None


def _has_key(item: Object, key: Json) -> bool:
    # The server fills in parts of a key that the manifest leaves out, such as a port's protocol.
    return isinstance(key, dict) and all(item.get(part, wanted) == wanted for part, wanted in key.items())


def _is_known_applier(actor: Actor) -> bool:
    return actor.subresource is None and _matches("appliers", actor.manager)


def _is_kubectl_apply(actor: Actor) -> bool:
    return actor.subresource is None and (actor.manager, actor.operation) in _known_managers().kubectl_appliers


def is_controller(actor: Actor, extra: Iterable[str] = ()) -> bool:
    """Whether a manager works for the cluster: by its name, or because it writes through ``status``.

    Args:
        actor: The manager.
        extra: Patterns of names beside the well-known ones.
    """
    if actor.subresource == "status":
        # People can write there, too.
        return not _matches("hand_tools", actor.manager)
    return _matches("controllers", actor.manager) or _matches_any(tuple(extra), actor.manager)


def known_appliers() -> tuple[str, ...]:
    """The known appliers; those that outrank the others come first."""
    known = _known_managers()
    return (*sorted(known.names["appliers"]), *sorted({name for name, _ in known.kubectl_appliers}))


def is_gitops_applier(actor: Actor) -> bool:
    """Whether a manager is a known applier other than ``kubectl apply``."""
    return _matches("appliers", actor.manager)


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
    kubectl_appliers: frozenset[tuple[str, str]]


@cache
def _known_managers() -> _KnownManagers:
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("managers.json").read_text("utf-8"))
    return _KnownManagers(
        names={group: tuple(data[group]) for group in ("appliers", "hand_tools", "controllers")},
        kubectl_appliers=frozenset((item["manager"], item["operation"]) for item in data["kubectl_appliers"]),
    )
