"""Finds the users that made a difference, or created an object, among the writes of an audit log."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from drift.audit.effects import Target
from drift.audit.events import parse_time
from drift.audit.setters import ValueHistory
from drift.audit.users import Attribution, Syncers, is_cluster_component, is_one_user, latest_per_user
from drift.audit.writes import Write, last_creation
from drift.model import Actor, Cause, Change, Evidence, Finding
from drift.objects import ObjectKey
from drift.policy.severity import default_table


@dataclass(frozen=True, slots=True)
class Trail:
    """The writes to one object.

    Attributes:
        writes: In the order in which they took effect.
        syncers: Tells syncs from other writes.
    """

    writes: Sequence[Write]
    syncers: Syncers

    def creators(self, finding: Finding, ends: Callable[[Write], Evidence | None]) -> Sequence[Attribution]:
        """Returns who created an unmanaged object; if the log has no creation, who may have written its fields.

        Args:
            finding: The finding.
            ends: Returns the evidence that the object of a creation was deleted, so that another one is live.
        """
        created = last_creation(self.writes)
        ended = None if created is None else ends(created)
        if created is None or ended is Evidence.EXACT:
            return self._by_managers(finding, list(self.writes), is_complete=False)
        others = [Attribution(actor) for actor in finding.actors if not created.was_by(actor)]
        return [Attribution.for_finding(created, finding, ended or Evidence.EXACT), *others]

    def editors(self, index: int, target: Target) -> Sequence[Attribution]:
        """Returns who made a difference in an object that is in Git and in the cluster.

        Args:
            index: The index of the finding in the effects of each write.
            target: The finding.
        """
        finding = target.finding
        has_owner = finding.change in {Change.ADDED, Change.CHANGED} and bool(finding.actors)
        setters = ValueHistory(finding, index, self.writes, self._is_sync).setters()
        if setters:
            named = [Attribution.for_finding(write, finding, Evidence.EXACT) for write in latest_per_user(setters)]
            others = finding.actors if has_owner else ()
            return [*named, *(Attribution(one) for one in others if not any(write.was_by(one) for write in setters))]
        start = self._start(finding)
        writes = [write for write in self.writes[start:] if _may_have_made(write, index, target)]
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


def _may_have_made(write: Write, index: int, target: Target) -> bool:
    """Returns whether a write may have made a difference, as far as its event tells."""
    if write.is_deletion or (write.set_nothing and target.finding.change is not Change.REMOVED):
        return False
    is_possible = write.subresource != "scale" or target.is_scale
    return is_possible and not (write.effects and write.effects[index].is_touched is False)
