"""Finds the users that deleted an object, among the writes of an audit log."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final

from drift.audit.users import Attribution, is_garbage_collector, is_namespace_controller, is_one_user, latest_per_user
from drift.audit.writes import Owner, Place, Write, WriteLog, last_creation
from drift.kube.resources import Resources
from drift.model import Evidence

_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
#: The garbage collector deletes an object soon after its last owner.
_COLLECTED_WITHIN: Final = timedelta(minutes=1)
#: How many owners of owners are followed.
_MAX_DEPTH: Final = 8


@dataclass(frozen=True, slots=True)
class Deletion:
    """Who deleted an object.

    Attributes:
        writes: The deletions that caused it; empty if the log has none.
        evidence: The evidence for their users.
        note: The owner or namespace with which it was deleted; None if it was deleted by itself.
    """

    writes: Sequence[Write] = ()
    evidence: Evidence = Evidence.EXACT
    note: str | None = None

    def named(self) -> Sequence[Attribution]:
        """Returns the users."""
        return [Attribution.by(write, self.evidence, "Delete") for write in latest_per_user(self.writes)]


_NOT_FOUND: Final = Deletion()


@dataclass(frozen=True, slots=True)
class _Lifetime:
    """An object from its creation to its deletion.

    Attributes:
        place: The object.
        created: When it was created; None if the log does not tell.
        gone_by: The latest time at which it may have been deleted; None for now.
        uid: Its uid; None if the log does not tell.
        depth: How many owners of owners led to it.
    """

    place: Place
    created: datetime | None = None
    gone_by: datetime | None = None
    uid: str | None = None
    depth: int = 0

    def ended_with(self, write: Write) -> bool:
        """Returns whether a deletion may be that of the object."""
        return (
            write.completed >= (self.created or _EARLIEST)
            and (self.gone_by is None or write.received <= self.gone_by)
            and (None in {write.uid, self.uid} or write.uid == self.uid)
        )


@dataclass(frozen=True, slots=True)
class Deletions:
    """The deletions in a log.

    Attributes:
        log: The writes to the objects of the report.
        other_deletions: The deletions of other objects, which may be owners.
        resources: The kinds that the cluster serves.
    """

    log: WriteLog
    other_deletions: WriteLog
    resources: Resources

    def of(self, place: Place) -> Deletion:
        """Returns who last deleted an object, or deleted its owner or namespace."""
        created = last_creation(self.log.of(place))
        return self._deletion(_Lifetime(place, None if created is None else created.received))

    def ends(self, place: Place, created: Write) -> Evidence | None:
        """Returns the evidence that an object was deleted after a creation; None if the log has no deletion."""
        deletions = self._direct(_Lifetime(place, created.received, uid=created.uid))
        if not deletions:
            return None
        are_uncertain = all(write.has_selector and write.names is None for write in deletions)
        return Evidence.CANDIDATE if are_uncertain else Evidence.EXACT

    def _deletion(self, life: _Lifetime) -> Deletion:
        deletions = self._direct(life)
        if not deletions:
            return self._with_namespace(life, None)
        first = deletions[0]
        if is_namespace_controller(first):
            found = self._with_namespace(life, first)
        elif is_garbage_collector(first):
            found = self._with_owners(life, first)
        else:
            # Several deletions succeed while the object waits for its finalizers, or the log lacks its new creation.
            deletions = [write for write in deletions if not _is_consequence(write)]
            is_certain = is_one_user(deletions) and not (first.has_selector and first.names is None)
            return Deletion(deletions, Evidence.EXACT if is_certain else Evidence.CANDIDATE)
        return found if found.writes else Deletion((first,))

    def _direct(self, life: _Lifetime) -> Sequence[Write]:
        """Returns the deletions of an object, by its name or with its collection."""
        name, of_collection = life.place.name, self._writes_to(life.place.collection)
        found = [
            *(write for write in self._writes_to(life.place) if write.verb == "delete"),
            # The collection also has the creations of objects without a name.
            *(
                write
                for write in of_collection
                if write.verb == "deletecollection" and (write.names is None or name in write.names)
            ),
        ]
        return _in_order(filter(life.ended_with, found))

    def _writes_to(self, place: Place) -> Iterator[Write]:
        return chain(self.log.of(place), self.other_deletions.of(place))

    def _with_namespace(self, life: _Lifetime, first: Write | None) -> Deletion:
        """Returns who deleted the namespace of an object. ``first``: its deletion by the namespace controller."""
        namespace = life.place.namespace
        if namespace is None:
            return _NOT_FOUND
        gone = life.gone_by if first is None else first.completed
        deletions = self._direct(_Lifetime(Place.of_namespace(namespace), life.created, gone))
        is_certain = first is not None or life.created is not None
        evidence = Evidence.EXACT if is_certain else Evidence.CANDIDATE
        return Deletion(deletions[-1:], evidence, f"deleted with the namespace {namespace}")

    def _with_owners(self, life: _Lifetime, first: Write) -> Deletion:
        """Returns who deleted the owners of an object that the garbage collector deleted."""
        owners = self._owners(life, first)
        if not owners:
            return self._with_unknown_owner(life, first)
        if life.depth == _MAX_DEPTH:
            return _NOT_FOUND
        found = [self._deletion(_Lifetime(place, None, first.completed, uid, life.depth + 1)) for place, uid in owners]
        writes = [write for deletion in found for write in deletion.writes]
        is_certain = is_one_user(writes) and all(one.writes and one.evidence is Evidence.EXACT for one in found)
        note = f"deleted with its owner {', '.join(str(place.name) for place, _ in owners)}"
        return Deletion(writes, Evidence.EXACT if is_certain else Evidence.CANDIDATE, note)

    def _owners(self, life: _Lifetime, first: Write) -> Sequence[tuple[Place, str]]:
        """Returns the last known owners of an object with their uids; none if the log has none."""
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

    def _with_unknown_owner(self, life: _Lifetime, first: Write) -> Deletion:
        """Returns who may have deleted the owner of an object, if the log does not name the owner.

        An owner is in the same namespace, or cluster-scoped.
        """
        deletions = _in_order(
            write
            for log in (self.log, self.other_deletions)
            for other, write in log.deletions()
            if _may_own(other, life.place)
            and write.received <= first.completed
            and write.completed >= (life.created or _EARLIEST)
            and not _is_consequence(write)
        )
        note = "deleted by the garbage collector, as its owner was"
        forgotten = [log.forgotten_until for log in (self.log, self.other_deletions) if log.forgotten_until is not None]
        is_complete = life.created is not None and all(time < life.created for time in forgotten)
        if is_complete and is_one_user(deletions):
            return Deletion(deletions, Evidence.LIKELY, note)
        recent = [write for write in deletions if write.completed >= first.received - _COLLECTED_WITHIN]
        return Deletion(recent, Evidence.CANDIDATE, note)


def _is_consequence(write: Write) -> bool:
    """Returns whether a controller deleted the object because of another deletion."""
    return is_garbage_collector(write) or is_namespace_controller(write)


def _may_own(other: Place, place: Place) -> bool:
    if other == place or other.namespace not in {None, place.namespace}:
        return False
    return (other.group, other.resource) != ("", "namespaces") or other.name == place.namespace


def _in_order(writes: Iterable[Write]) -> list[Write]:
    return sorted(writes, key=lambda write: write.received)
