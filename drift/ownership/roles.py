"""Which of an object's field managers syncs Git, which work for the cluster, and which are anybody else."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any

from drift.model import Actor
from drift.ownership.fieldset import Entry


class Role(Enum):
    """What a field manager is to the comparison."""

    APPLIER = auto()
    CONTROLLER = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles of one object's managers.

    Attributes:
        of_entry: By the index of the entry in ``managedFields``.
        inferred: The manager taken for the applier because no known one has touched the object; None otherwise.
    """

    of_entry: tuple[Role, ...]
    inferred: str | None = None


def assign_roles(
    entries: Sequence[Entry],
    extra_appliers: Iterable[str],
    count_owned_desired: Callable[[], Sequence[int]],
    extra_controllers: Iterable[str] = (),
) -> Roles:
    """The role of each manager of one object.

    Syncers outrank appliers that people run by hand: once Flux or Argo CD has applied an object, a later
    ``kubectl apply`` on it is somebody's edit.

    Args:
        entries: The object's ``managedFields``.
        extra_appliers: Managers that the user says sync Git.
        count_owned_desired: Tells how many of the fields that Git wants each entry owns; asked only where no applier is
            known, to infer one.
        extra_controllers: Managers that the user says work for the cluster; ``*`` stands for any characters.
    """
    controllers = tuple(extra_controllers)
    for is_applier in _appliers_by_rank(frozenset(extra_appliers)):
        if any(is_applier(entry.actor) for entry in entries):
            return Roles(
                tuple(_role(entry.actor, controllers, is_applier=is_applier(entry.actor)) for entry in entries)
            )
    roles = [_role(entry.actor, controllers, is_applier=False) for entry in entries]
    inferred = _owner_of_most(entries, roles, count_owned_desired())
    return Roles(
        tuple(
            Role.APPLIER if entry.actor.manager == inferred else role
            for entry, role in zip(entries, roles, strict=True)
        ),
        inferred,
    )


def _owner_of_most(entries: Sequence[Entry], roles: Sequence[Role], owned_desired: Sequence[int]) -> str | None:
    counts: dict[str, int] = {}
    for entry, role, owned in zip(entries, roles, owned_desired, strict=True):
        if role is Role.OTHER and entry.actor.manager not in _known_managers().hand_tools:
            counts[entry.actor.manager] = counts.get(entry.actor.manager, 0) + owned
    best = max(counts, key=lambda manager: (counts[manager], manager), default=None)
    return best if best is not None and counts[best] else None


def _appliers_by_rank(extra: frozenset[str]) -> Iterator[Callable[[Actor], bool]]:
    known = _known_managers()
    yield lambda actor: actor.manager in extra
    yield lambda actor: actor.subresource is None and actor.manager in known.syncers
    yield lambda actor: actor.subresource is None and (actor.manager, actor.operation) in known.hand_appliers


def _role(actor: Actor, controllers: Iterable[str], *, is_applier: bool) -> Role:
    if is_applier:
        return Role.APPLIER
    return Role.CONTROLLER if is_controller(actor, controllers) else Role.OTHER


def is_controller(actor: Actor, extra: Iterable[str] = ()) -> bool:
    """Whether a manager works for the cluster: by name, or because it writes through ``status``.

    Args:
        actor: The manager.
        extra: Patterns of names beside the well-known ones.
    """
    known = _known_managers()
    if actor.subresource == "status":
        # Somebody may write there by hand as well.
        return actor.manager not in known.hand_tools
    return actor.manager in known.controllers or any(
        fnmatchcase(actor.manager, pattern) for pattern in (*known.controller_patterns, *extra)
    )


def known_appliers() -> tuple[str, ...]:
    """The managers that are taken for the one that syncs Git, those first that win over the others."""
    known = _known_managers()
    return (*sorted(known.syncers), *sorted({name for name, _ in known.hand_appliers}))


def is_syncer(actor: Actor) -> bool:
    """Whether a manager is one that syncs Git."""
    return actor.manager in _known_managers().syncers


@dataclass(frozen=True, slots=True)
class _KnownManagers:
    syncers: frozenset[str]
    hand_tools: frozenset[str]
    hand_appliers: frozenset[tuple[str, str]]
    controllers: frozenset[str]
    controller_patterns: tuple[str, ...]


@cache
def _known_managers() -> _KnownManagers:
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("managers.json").read_text("utf-8"))
    return _KnownManagers(
        syncers=frozenset(data["syncers"]),
        hand_tools=frozenset(data["hand_tools"]),
        hand_appliers=frozenset((item["manager"], item["operation"]) for item in data["hand_appliers"]),
        controllers=frozenset(name for name in data["controllers"] if not name.endswith("*")),
        controller_patterns=tuple(name for name in data["controllers"] if name.endswith("*")),
    )
