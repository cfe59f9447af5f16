"""Live objects that Git does not have: which of them are somebody's, and which the cluster's own."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any

from drift.model import Actor, Cause, Json, Object
from drift.ownership.fieldset import ManagedFieldsError, read_entries
from drift.ownership.marks import known_marks
from drift.ownership.roles import is_controller


@dataclass(frozen=True, slots=True)
class Stray:
    """A live object that Git does not have.

    Attributes:
        cause: Pending-sync where a syncer's mark says that it was synced once and should have been pruned.
        actors: Its field managers, latest first.
        note: One sentence on what it is, or None.
    """

    cause: Cause
    actors: tuple[Actor, ...]
    note: str | None


def judge_stray(kind: str, body: Object, appliers: Iterable[str], controllers: Iterable[str] = ()) -> Stray | str:
    """Judges a live object that no manifest describes.

    Args:
        kind: Its kind.
        body: At least its metadata.
        appliers: Field managers that sync Git, beside the well-known ones.
        controllers: Field managers that work for the cluster, beside the well-known ones.

    Returns:
        The stray, or one sentence on why the object is none of Git's business.
    """
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    why = _is_the_clusters_own(kind, metadata)
    if why:
        return why
    actors = _actors(metadata)
    mark = _syncer_mark(metadata)
    if mark is not None:
        return Stray(Cause.PENDING_SYNC, actors, f"it carries {mark}: a syncer made it and should have pruned it")
    if any(actor.manager in appliers for actor in actors):
        return Stray(Cause.PENDING_SYNC, actors, "the syncer made it and should have pruned it")
    if not actors:
        return Stray(Cause.UNKNOWN, (), None)
    controllers = tuple(controllers)
    people = tuple(actor for actor in actors if not is_controller(actor, controllers))
    return Stray(Cause.MANUAL, people, None) if people else "controllers made it"


@dataclass(frozen=True, slots=True)
class _SystemObject:
    why: str
    kind: str
    name: str
    namespace: str
    label: str | None
    annotation: str | None

    def matches(self, kind: str, metadata: Object) -> bool:
        return (
            fnmatchcase(kind, self.kind)
            and fnmatchcase(str(metadata.get("name")), self.name)
            and fnmatchcase(str(metadata.get("namespace") or ""), self.namespace)
            and _has(metadata.get("labels"), self.label)
            and _has(metadata.get("annotations"), self.annotation)
        )


def _has(names: Json, wanted: str | None) -> bool:
    if wanted is None:
        return True
    name, _, value = wanted.partition("=")
    return isinstance(names, dict) and name in names and (not value or names[name] == value)


def _is_the_clusters_own(kind: str, metadata: Object) -> str | None:
    if metadata.get("ownerReferences"):
        return "another object owns it"
    if metadata.get("deletionTimestamp"):
        return "it is being deleted"
    return next((own.why for own in _system_objects() if own.matches(kind, metadata)), None)


@cache
def _system_objects() -> tuple[_SystemObject, ...]:
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("system_objects.json").read_text("utf-8"))
    return tuple(
        _SystemObject(
            why=item["why"],
            kind=item.get("kind", "*"),
            name=item.get("name", "*"),
            namespace=item.get("namespace", "*"),
            label=item.get("label"),
            annotation=item.get("annotation"),
        )
        for item in data["objects"]
    )


def _actors(metadata: Object) -> tuple[Actor, ...]:
    try:
        entries = read_entries(metadata.get("managedFields") or [])
    except ManagedFieldsError:
        return ()
    actors = {entry.actor for entry in entries}
    return tuple(sorted(actors, key=lambda actor: (actor.time or "", actor.manager, actor.operation), reverse=True))


def _syncer_mark(metadata: Object) -> str | None:
    for field, names in known_marks().syncer.items():
        present = metadata.get(field)
        if isinstance(present, dict):
            for name in sorted(present):
                if name in names:
                    return f"{field[:-1]} {name}"
    return None
