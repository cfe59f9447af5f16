"""Names who deleted an object: also for what was deleted with its namespace, and with the objects that own it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from drift.audit.named import Named, is_one_person, one_each
from drift.audit.users import is_garbage_collector, is_namespace_controller
from drift.audit.writes import Owner, Place, Write, WriteLog
from drift.kube.resources import Resources
from drift.model import Evidence

_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
#: The garbage collector deletes soon after it sees that an owner is gone.
_COLLECTED_WITHIN: Final = timedelta(minutes=1)
#: Owners of owners that are followed.
_MAX_DEPTH: Final = 8


@dataclass(frozen=True, slots=True)
class Deletion:
    """Who deleted an object.

    Attributes:
        writes: The deletions that it was the work of; empty if the log has none.
        evidence: What the names of their users rest on.
        note: With what it was deleted; None if it was deleted by itself.
    """

    writes: Sequence[Write] = ()
    evidence: Evidence = Evidence.EXACT
    note: str | None = None

    def named(self) -> Sequence[Named]:
        """Returns the users."""
        return [Named.by(write, self.evidence, "Delete") for write in one_each(self.writes)]


_NONE: Final = Deletion()


@dataclass(frozen=True, slots=True)
class _Life:
    """An object from its creation to its deletion.

    Attributes:
        place: The object.
        created: When it was created; None if the log does not tell.
        gone: When it was gone at the latest; None for now.
        uid: Its uid; None if the log does not tell.
        depth: How many owners were followed to it.
    """

    place: Place
    created: datetime | None = None
    gone: datetime | None = None
    uid: str | None = None
    depth: int = 0

    def has(self, write: Write) -> bool:
        """Returns whether a deletion ended it."""
        return (
            write.completed >= (self.created or _ALWAYS)
            and (self.gone is None or write.received <= self.gone)
            and (None in {write.uid, self.uid} or write.uid == self.uid)
        )


@dataclass(frozen=True, slots=True)
class Deletions:
    """The deletions in a log.

    Attributes:
        log: The writes to the objects of the report.
        others: The deletions of other objects.
        resources: The kinds that the cluster serves.
    """

    log: WriteLog
    others: WriteLog
    resources: Resources

    def of(self, place: Place) -> Deletion:
        """Returns who deleted an object for the last time, or who deleted what it belonged to."""
        created = next((write for write in reversed(self.log.of(place)) if write.is_creation), None)
        return self._of(_Life(place, None if created is None else created.received))

    def _of(self, life: _Life) -> Deletion:
        deletions = self._direct(life)
        if not deletions:
            return self._with_namespace(life, None)
        first = deletions[0]
        if is_namespace_controller(first):
            found = self._with_namespace(life, first)
        elif is_garbage_collector(first):
            found = self._with_owners(life, first)
        else:
            # Deleting an object twice succeeds while it waits for its finalizers; else the log lacks its new creation.
            deletions = [write for write in deletions if not _is_consequence(write)]
            is_certain = is_one_person(deletions) and not (first.has_selector and first.names is None)
            return Deletion(deletions, Evidence.EXACT if is_certain else Evidence.CANDIDATE)
        return found if found.writes else Deletion((first,))

    def _direct(self, life: _Life) -> Sequence[Write]:
        """Returns the deletions of an object by its name, or with its collection."""
        name, collection = life.place.name, life.place.collection
        found = [
            *(write for log in (self.log, self.others) for write in log.of(life.place) if write.verb == "delete"),
            *(
                write
                for log in (self.log, self.others)
                for write in log.of(collection)
                if write.names is None or name in write.names
            ),
        ]
        return _in_order(filter(life.has, found))

    def _with_namespace(self, life: _Life, first: Write | None) -> Deletion:
        """Returns who deleted the namespace of an object.

        Args:
            life: The object.
            first: Its deletion by the namespace controller; None if the log has no deletion.
        """
        namespace = life.place.namespace
        if namespace is None:
            return _NONE
        gone = life.gone if first is None else first.completed
        deletions = self._direct(_Life(Place.of_namespace(namespace), life.created, gone))
        is_certain = first is not None or life.created is not None
        evidence = Evidence.EXACT if is_certain else Evidence.CANDIDATE
        return Deletion(deletions[-1:], evidence, f"deleted with the namespace {namespace}")

    def _with_owners(self, life: _Life, first: Write) -> Deletion:
        """Returns who deleted the owners of an object that the garbage collector deleted."""
        owners = self._owners(life, first)
        if not owners:
            return self._with_unknown_owner(life, first)
        if life.depth == _MAX_DEPTH:
            return _NONE
        found = [self._of(_Life(place, None, first.completed, uid, life.depth + 1)) for place, uid in owners]
        writes = [write for deletion in found for write in deletion.writes]
        is_certain = is_one_person(writes) and all(one.writes and one.evidence is Evidence.EXACT for one in found)
        note = f"deleted with its owner {', '.join(str(place.name) for place, _ in owners)}"
        return Deletion(writes, Evidence.EXACT if is_certain else Evidence.CANDIDATE, note)

    def _owners(self, life: _Life, first: Write) -> Sequence[tuple[Place, str]]:
        """Returns the owners that an object had when it was deleted, with their uids; none if the log does not tell."""
        known = [
            write.owners
            for write in self.log.of(life.place)
            if write.owners is not None and not write.is_deletion and write.received <= first.completed
        ]
        return [(self._place(owner, life.place.namespace), owner.uid) for owner in known[-1]] if known else ()

    def _place(self, owner: Owner, namespace: str | None) -> Place:
        served = self.resources.preferred(owner.group, owner.kind)
        if served is None:
            # Its kind is gone, and with it all objects of the kind.
            return Place(owner.group, owner.kind, namespace, owner.name)
        return Place(owner.group, served.plural, namespace if served.namespaced else None, owner.name)

    def _with_unknown_owner(self, life: _Life, first: Write) -> Deletion:
        """Returns who may have deleted the owner of an object, if the log does not tell what owned it.

        An owner is in the same namespace, or cluster-scoped.
        """
        deletions = _in_order(
            write
            for log in (self.log, self.others)
            for other, write in log.deletions()
            if _may_own(other, life.place)
            and write.received <= first.completed
            and write.completed >= (life.created or _ALWAYS)
            and not _is_consequence(write)
        )
        note = "deleted by the garbage collector, as its owner was"
        forgotten = [log.forgotten_until for log in (self.log, self.others) if log.forgotten_until is not None]
        is_complete = life.created is not None and all(time < life.created for time in forgotten)
        if is_complete and is_one_person(deletions):
            return Deletion(deletions, Evidence.LIKELY, note)
        recent = [write for write in deletions if write.completed >= first.received - _COLLECTED_WITHIN]
        return Deletion(recent, Evidence.CANDIDATE, note)


def _is_consequence(write: Write) -> bool:
    """Returns whether a deletion follows from another one."""
    return is_garbage_collector(write) or is_namespace_controller(write)


def _may_own(other: Place, place: Place) -> bool:
    if other == place or other.namespace not in {None, place.namespace}:
        return False
    return (other.group, other.resource) != ("", "namespaces") or other.name == place.namespace


def _in_order(writes: Iterable[Write]) -> list[Write]:
    return sorted(writes, key=lambda write: write.received)
