"""Names who made a difference in an object that Git and the cluster have, and who created an object."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drift.audit.effects import UNKNOWN, Effect, Target
from drift.audit.named import Named, is_one_person, one_each
from drift.audit.users import Syncers
from drift.audit.writes import Write, parse_time
from drift.model import Actor, Cause, Change, Evidence, Finding

#: A part of an added mapping, or None for the whole value, and the write that set it.
_Setter = tuple[int | None, Write]


@dataclass(frozen=True, slots=True)
class Trail:
    """The writes to one object.

    Attributes:
        writes: In the order in which they took effect.
        syncers: Tells syncs of Git from other writes.
    """

    writes: Sequence[Write]
    syncers: Syncers

    def last_creation(self) -> Write | None:
        """Returns the latest write that created the object, or None if the log has none."""
        return next((write for write in reversed(self.writes) if write.is_creation), None)

    def creation(self, finding: Finding) -> Sequence[Named]:
        """Names who created an unmanaged object; if the log has no creation, who may have written its fields."""
        created = self.last_creation()
        if created is None:
            return self._by_managers(finding, list(self.writes), is_complete=False)
        others = [Named(actor) for actor in finding.actors if not created.was_by(actor)]
        return [Named.for_finding(created, finding, Evidence.EXACT), *others]

    def edit(self, number: int, target: Target) -> Sequence[Named]:
        """Names who made a difference in an object that is in Git and in the cluster.

        Args:
            number: The index of the finding in the effects of the writes.
            target: The finding.
        """
        finding = target.finding
        has_owner = finding.change in {Change.ADDED, Change.CHANGED} and bool(finding.actors)
        authors = self._authors(finding, number)
        if authors:
            named = [Named.for_finding(write, finding, Evidence.EXACT) for write in one_each(authors)]
            if has_owner:
                named += [Named(actor) for actor in finding.actors if not any(one.was_by(actor) for one in authors)]
            return named
        start = self._start(finding)
        writes = [
            write
            for place, write in enumerate(self.writes)
            if not write.is_deletion
            and (start is None or place >= start)
            and not (write.took_nothing and finding.change is not Change.REMOVED)
            and (write.subresource != "scale" or target.is_scale)
            and not (write.effects and write.effects[number].is_touched is False)
        ]
        if has_owner:
            return self._by_managers(finding, writes, is_complete=start is not None)
        return self._without_owner(target, writes, is_complete=start is not None)

    def _authors(self, finding: Finding, number: int) -> list[Write]:
        """Returns the writes that made a value what it is, if their bodies prove it; else none."""
        setters: Sequence[_Setter] = ()
        is_uncertain = False
        last = before = None
        parts: Sequence[bytes | None] = ()
        versions: set[int] = set()
        for write in self.writes:
            if write.is_deletion:
                setters, is_uncertain, last, before, parts = (), False, None, None, ()
                continue
            effect = write.effects[number] if write.effects else UNKNOWN
            changed = _has_changed(effect, before)
            is_removal = finding.change is Change.REMOVED
            if write.order in versions or (before is None and write.took_nothing and not is_removal):
                # A write that changes nothing returns the version that an earlier write made.
                changed = False
            if write.order is not None:
                versions.add(write.order)
            if write.is_creation:
                setters, is_uncertain, changed = (), False, None if effect.after is None else True
            if changed:
                set_now = _changed_parts([None] * len(effect.parts) if write.is_creation else parts, effect.parts)
                setters = self._setters(finding, setters, write, effect, set_now)
                last, is_uncertain = effect, False
            elif changed is None:
                is_uncertain = True
            if effect.after is not None or changed is not False:
                before, parts = effect.after, effect.parts
        authors = [write for _, write in setters]
        return authors if last is not None and self._proves(finding, authors, last, is_uncertain=is_uncertain) else []

    def _setters(
        self, finding: Finding, setters: Sequence[_Setter], write: Write, effect: Effect, set_now: frozenset[int]
    ) -> Sequence[_Setter]:
        """Returns the writes that a value is from, after one more.

        Args:
            finding: The finding of the value.
            setters: The writes before.
            write: The next one.
            effect: What it did.
            set_now: The parts of an added mapping that it set, if that is known.
        """
        if finding.change is not Change.ADDED:
            return [(None, write)]
        if effect.is_absent or (write.is_creation and self._is_sync(write)):
            # What an applier creates is a default, or it was in Git then.
            return ()
        if set_now:
            return [*(one for one in setters if one[0] not in set_now), *((part, write) for part in sorted(set_now))]
        return [*setters, (None, write)] if isinstance(finding.live, dict | list) else [(None, write)]

    def _proves(self, finding: Finding, setters: Sequence[Write], last: Effect, *, is_uncertain: bool) -> bool:
        """Returns whether the last known change led to the live value."""
        if not setters or last.is_live is False:
            return False
        is_scalar = finding.change is Change.CHANGED and not isinstance(finding.live, dict | list)
        if is_uncertain and not (is_scalar and last.is_live and not self._is_sync(setters[-1])):
            return False
        if finding.change is Change.REMOVED:
            # If an applier created the object without the field, Git did not have it yet.
            is_removal = last.is_absent or last.is_answer
            return is_removal and not (setters[-1].is_creation and self._is_sync(setters[-1]))
        return not last.is_absent and last.after is not None and self._has_last_write(finding)

    def _has_last_write(self, finding: Finding) -> bool:
        """Returns whether the log has the last write of a field's owner: without it, something later may be missing."""
        times = [(actor, parse_time(actor.time)) for actor in finding.actors]
        return not times or any(
            time is None or any(write.was_by(actor) and write.is_at(time) for write in self.writes)
            for actor, time in times
        )

    def _start(self, finding: Finding) -> int | None:
        """Returns the index of the write after which a field was as in Git; None if the log begins later."""
        for place in range(len(self.writes) - 1, -1, -1):
            write = self.writes[place]
            if write.is_creation or self._resets(write, finding):
                return place
        return None

    def _resets(self, write: Write, finding: Finding) -> bool:
        """Whether a write is a sync of the field: it overwrites a changed one, but keeps what another manager added."""
        if not self.syncers.is_apply(write):
            return False
        if self.syncers.is_sync_manager(write.manager):
            return finding.change is not Change.ADDED
        is_kept = finding.change is Change.ADDED and not any(map(write.was_by, finding.actors))
        return self.syncers.is_sync(write) and not is_kept

    def _is_sync(self, write: Write) -> bool:
        """Whether a write applies a manifest, unless it is certainly not the one in Git."""
        return self.syncers.is_apply(write) and not self.syncers.is_by_hand(write, self.writes)

    def _by_managers(self, finding: Finding, writes: Sequence[Write], *, is_complete: bool) -> Sequence[Named]:
        """Names the users that wrote under the field managers of a finding.

        Args:
            finding: The finding.
            writes: The writes that may have made it.
            is_complete: Whether no earlier write can have made it.
        """
        named = [one for actor in finding.actors for one in self._by_manager(actor, writes, is_complete=is_complete)]
        return named if any(one.write is not None for one in named) else ()

    def _by_manager(self, actor: Actor, writes: Sequence[Write], *, is_complete: bool) -> Iterator[Named]:
        last = parse_time(actor.time)
        # A later write under this manager would have given it a later time, if it had changed anything.
        writes = [one for one in writes if one.was_by(actor) and (last is None or one.second <= last)]
        latest = [write for write in writes if last is None or write.is_at(last)]
        if not latest:
            # The log lacks the last write under this manager.
            yield Named(actor)
            return
        if self.syncers.is_sync_manager(actor.manager):
            # Every sync writes all fields, so the last one is the one to name.
            writes, is_complete = latest, True
        elif not all(map(self.syncers.is_sync, latest)):
            # After a sync under the same manager, the field was as in Git.
            writes = [write for write in writes if not self.syncers.is_sync(write)]
        is_certain = is_complete and is_one_person(writes)
        for write in one_each(writes):
            yield Named(actor, write, Evidence.LIKELY if is_certain else Evidence.CANDIDATE)

    def _without_owner(self, target: Target, writes: Sequence[Write], *, is_complete: bool) -> Sequence[Named]:
        """Names the users that may have made a difference that the cluster does not record."""
        finding = target.finding
        if finding.cause is Cause.PENDING_SYNC or finding.note is not None:
            # It is not the work of any user.
            return ()
        is_scaling = target.is_scale and finding.change is not Change.REMOVED
        writes = [
            write
            for write in writes
            if not self._is_sync(write)
            and not self.syncers.is_controller(write)
            and (write.subresource == "scale" or not is_scaling)
        ]
        # Without bodies, any write can have removed a field.
        is_narrow = is_scaling or all(write.effects for write in writes)
        is_certain = is_narrow and is_complete and is_one_person(writes)
        evidence = Evidence.LIKELY if is_certain else Evidence.CANDIDATE
        return [Named.by(write, evidence) for write in one_each(writes)]


def _changed_parts(before: Sequence[bytes | None], after: Sequence[bytes | None]) -> frozenset[int]:
    """Returns the parts of a mapping that have another value after a write; none if that is not known."""
    if not before or not after:
        return frozenset()
    return frozenset(
        number for number, (old, new) in enumerate(zip(before, after, strict=True)) if new is not None and old != new
    )


def _has_changed(effect: Effect, before: bytes | None) -> bool | None:
    """Returns whether a write changed a value; None if unknown.

    Args:
        effect: What the write did.
        before: The digest of the value before; None if unknown.
    """
    if effect.after is not None and before is not None:
        # The server may also change what the request did not name.
        return effect.after != before
    return effect.is_touched
