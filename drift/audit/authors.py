"""Finds the users that made a difference, or created or deleted an object, among the writes of an audit log."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final

from drift.audit.effects import UNKNOWN, Effect, Target
from drift.audit.events import parse_time
from drift.audit.users import (
    Attribution,
    Syncers,
    is_cluster_component,
    is_garbage_collector,
    is_namespace_controller,
    is_one_user,
    latest_per_user,
)
from drift.audit.writes import Owner, Place, Write, WriteLog
from drift.kube.resources import Resources
from drift.model import Actor, Cause, Change, Evidence, Finding
from drift.objects import ObjectKey
from drift.policy.severity import default_table

#: The number of a part of an added mapping (None: the whole value), and the write that set it.
_Setter = tuple[int | None, Write]
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
#: The garbage collector deletes an object soon after its last owner.
_COLLECTED_WITHIN: Final = timedelta(minutes=1)
#: How many owners of owners are followed.
_MAX_DEPTH: Final = 8


@dataclass(frozen=True, slots=True)
class Trail:
    """The writes to one object.

    Attributes:
        writes: In the order in which they took effect.
        syncers: Tells syncs from other writes.
    """

    writes: Sequence[Write]
    syncers: Syncers

    def creators(self, finding: Finding) -> Sequence[Attribution]:
        """Returns who created an unmanaged object; if the log has no creation, who may have written its fields."""
        created = _last_creation(self.writes)
        if created is None:
            return self._by_managers(finding, list(self.writes), is_complete=False)
        others = [Attribution(actor) for actor in finding.actors if not created.was_by(actor)]
        return [Attribution.for_finding(created, finding, Evidence.EXACT), *others]

    def editors(self, index: int, target: Target) -> Sequence[Attribution]:
        """Returns who made a difference in an object that is in Git and in the cluster.

        Args:
            index: The index of the finding in the effects of each write.
            target: The finding.
        """
        finding = target.finding
        has_owner = finding.change in {Change.ADDED, Change.CHANGED} and bool(finding.actors)
        authors = self._authors(finding, index)
        if authors:
            named = [Attribution.for_finding(write, finding, Evidence.EXACT) for write in latest_per_user(authors)]
            if has_owner:
                named += [
                    Attribution(actor) for actor in finding.actors if not any(one.was_by(actor) for one in authors)
                ]
            return named
        start = self._start(finding)
        writes = [
            write
            for position, write in enumerate(self.writes)
            if not write.is_deletion
            and (start is None or position >= start)
            and not (write.set_nothing and finding.change is not Change.REMOVED)
            and (write.subresource != "scale" or target.is_scale)
            and not (write.effects and write.effects[index].is_touched is False)
        ]
        if has_owner:
            return self._by_managers(finding, writes, is_complete=start is not None)
        return self._without_owner(target, writes, is_complete=start is not None)

    def with_cause(self, key: ObjectKey, finding: Finding, named: Sequence[Attribution]) -> Finding:
        """Returns a finding with the cause that its users prove, and with the severity of that cause."""
        causes = {
            self._cause(one.write, finding)
            for one in named
            if one.write is not None and one.evidence is not Evidence.CANDIDATE
        }
        cause = causes.pop() if len(causes) == 1 else None
        if cause is None or cause is finding.cause:
            return finding
        finding = replace(finding, cause=cause)
        if finding.is_being_deleted:
            return finding
        return replace(finding, severity=default_table().of_finding(key, finding))

    def _cause(self, write: Write, finding: Finding) -> Cause | None:
        """Returns the cause that a write proves for a difference; None if it proves nothing new."""
        if finding.cause is Cause.PENDING_SYNC:
            is_overruled = self.syncers.records_no_revision(write.manager) and self.syncers.is_by_hand(
                write, self.writes
            )
            return Cause.MANUAL if is_overruled else None
        if finding.cause is Cause.CONTROLLER:
            return None
        if self.syncers.is_by_syncer(write):
            return Cause.PENDING_SYNC
        if self.syncers.is_sync_manager(write.manager):
            # Unless the users that sync are known, it may be a pipeline that applies Git, or a person.
            return Cause.MANUAL if self.syncers.is_by_hand(write, self.writes) else None
        if is_cluster_component(write.user) or self.syncers.is_controller(write):
            # A missing object is drift, whatever deleted it.
            is_missing = finding.change is Change.MISSING or finding.is_being_deleted
            return None if is_missing or finding.cause is Cause.MANUAL else Cause.CONTROLLER
        return Cause.MANUAL

    def _authors(self, finding: Finding, index: int) -> list[Write]:
        """Returns the writes that made a difference, if their bodies prove it; else none."""
        setters: Sequence[_Setter] = ()
        is_uncertain = False
        last_change: Effect | None = None
        # Digests of the value and its parts after the writes so far.
        value: bytes | None = None
        parts: Sequence[bytes | None] = ()
        seen_versions: set[int] = set()
        is_removal = finding.change is Change.REMOVED
        for write in self.writes:
            if write.is_deletion:
                setters, is_uncertain, last_change, value, parts = (), False, None, None, ()
                continue
            effect = write.effects[index] if write.effects else UNKNOWN
            changed = _has_changed(effect, value)
            if write.resource_version in seen_versions or (value is None and write.set_nothing and not is_removal):
                # A write that changes nothing returns the version that an earlier write made.
                changed = False
            if write.resource_version is not None:
                seen_versions.add(write.resource_version)
            if write.is_creation:
                setters, is_uncertain, changed = (), False, None if effect.after is None else True
            if changed:
                changed_parts = _changed_parts([None] * len(effect.parts) if write.is_creation else parts, effect.parts)
                setters = self._setters(finding, setters, write, effect, changed_parts)
                last_change, is_uncertain = effect, False
            elif changed is None:
                is_uncertain = True
            if effect.after is not None or changed is not False:
                value, parts = effect.after, effect.parts
        authors = [write for _, write in setters]
        if last_change is None or not self._proves(finding, authors, last_change, is_uncertain=is_uncertain):
            return []
        return authors

    def _setters(
        self, finding: Finding, setters: Sequence[_Setter], write: Write, effect: Effect, changed_parts: frozenset[int]
    ) -> Sequence[_Setter]:
        """Returns the writes that set a value, given those before this write and the parts that it set."""
        if finding.change is not Change.ADDED:
            return [(None, write)]
        if effect.is_absent or (write.is_creation and self._is_sync(write)):
            # A field of a created object is a default, or Git had it then.
            return ()
        if changed_parts:
            kept = [one for one in setters if one[0] not in changed_parts]
            return [*kept, *((part, write) for part in sorted(changed_parts))]
        return [*setters, (None, write)] if isinstance(finding.live, dict | list) else [(None, write)]

    def _proves(self, finding: Finding, setters: Sequence[Write], last: Effect, *, is_uncertain: bool) -> bool:
        """Returns whether the last known change resulted in the live value."""
        if not setters or last.is_live is False:
            return False
        is_scalar = finding.change is Change.CHANGED and not isinstance(finding.live, dict | list)
        if is_uncertain and not (is_scalar and last.is_live and not self._is_sync(setters[-1])):
            return False
        if finding.change is Change.REMOVED:
            # If an applier created the object without the field, Git did not have it yet.
            is_removal = last.is_absent or last.is_from_response
            return is_removal and not (setters[-1].is_creation and self._is_sync(setters[-1]))
        return not last.is_absent and last.after is not None and self._has_last_write(finding)

    def _has_last_write(self, finding: Finding) -> bool:
        """Returns whether the log has the last write of an owner of the field. If not, later ones may be missing."""
        times = [(actor, parse_time(actor.time)) for actor in finding.actors]
        return not times or any(
            time is None or any(write.was_by(actor) and write.is_at(time) for write in self.writes)
            for actor, time in times
        )

    def _start(self, finding: Finding) -> int | None:
        """Returns the index of the last write after which a field was as in Git; None if the log has none."""
        for position in range(len(self.writes) - 1, -1, -1):
            write = self.writes[position]
            if write.is_creation or self._resets(write, finding):
                return position
        return None

    def _resets(self, write: Write, finding: Finding) -> bool:
        """Whether a write is a sync that restores the field. A sync keeps a field that another manager added."""
        if not self.syncers.is_apply(write):
            return False
        if self.syncers.is_sync_manager(write.manager):
            return finding.change is not Change.ADDED
        is_kept = finding.change is Change.ADDED and not any(map(write.was_by, finding.actors))
        return self.syncers.is_sync(write) and not is_kept

    def _is_sync(self, write: Write) -> bool:
        """Whether a write applies a manifest that may be the one in Git."""
        return self.syncers.is_apply(write) and not self.syncers.is_by_hand(write, self.writes)

    def _by_managers(self, finding: Finding, writes: Sequence[Write], *, is_complete: bool) -> Sequence[Attribution]:
        """Returns the users that wrote under the field managers of a finding."""
        named = [one for actor in finding.actors for one in self._by_manager(actor, writes, is_complete=is_complete)]
        return named if any(one.write is not None for one in named) else ()

    def _by_manager(self, actor: Actor, writes: Sequence[Write], *, is_complete: bool) -> Iterator[Attribution]:
        last = parse_time(actor.time)
        # A later write under this manager would have given it a later time, if it had changed anything.
        writes = [one for one in writes if one.was_by(actor) and (last is None or one.second <= last)]
        latest = [write for write in writes if last is None or write.is_at(last)]
        if not latest:
            # The log lacks the last write under this manager.
            yield Attribution(actor)
            return
        if self.syncers.is_sync_manager(actor.manager):
            # Every sync writes all fields, so only the last one counts.
            writes, is_complete = latest, True
        elif not all(map(self.syncers.is_sync, latest)):
            # After a sync under the same manager, the field was as in Git.
            writes = [write for write in writes if not self.syncers.is_sync(write)]
        is_certain = is_complete and is_one_user(writes)
        for write in latest_per_user(writes):
            yield Attribution(actor, write, Evidence.LIKELY if is_certain else Evidence.CANDIDATE)

    def _without_owner(self, target: Target, writes: Sequence[Write], *, is_complete: bool) -> Sequence[Attribution]:
        """Returns the users that may have made a difference that managedFields does not record."""
        finding = target.finding
        if finding.cause is Cause.PENDING_SYNC or finding.note is not None:
            # No user made it.
            return ()
        is_scaling = target.is_scale and finding.change is not Change.REMOVED
        writes = [
            write
            for write in writes
            if not self._is_sync(write)
            and not self.syncers.is_controller(write)
            and (write.subresource == "scale" or not is_scaling)
        ]
        # Without its body, it is unknown whether a write touched the field.
        are_relevant = is_scaling or all(write.effects for write in writes)
        is_certain = are_relevant and is_complete and is_one_user(writes)
        evidence = Evidence.LIKELY if is_certain else Evidence.CANDIDATE
        return [Attribution.by(write, evidence) for write in latest_per_user(writes)]


def _last_creation(writes: Sequence[Write]) -> Write | None:
    return next((write for write in reversed(writes) if write.is_creation), None)


def _changed_parts(before: Sequence[bytes | None], after: Sequence[bytes | None]) -> frozenset[int]:
    """Returns the numbers of the parts of a mapping that a write changed; none if unknown."""
    if not before or not after:
        return frozenset()
    return frozenset(
        number for number, (old, new) in enumerate(zip(before, after, strict=True)) if new is not None and old != new
    )


def _has_changed(effect: Effect, before: bytes | None) -> bool | None:
    """Returns whether a write changed a value, from the digest of the value before; None if unknown."""
    if effect.after is not None and before is not None:
        # The server may change fields that the request does not name.
        return effect.after != before
    return effect.is_touched


# -- deletions


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
        created = _last_creation(self.log.of(place))
        return self._deletion(_Lifetime(place, None if created is None else created.received))

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
        name = life.place.name
        found = [
            *(write for write in self._writes_to(life.place) if write.verb == "delete"),
            *(write for write in self._writes_to(life.place.collection) if write.names is None or name in write.names),
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
