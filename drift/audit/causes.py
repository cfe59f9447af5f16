"""Decides what an audit log makes certain about the cause of a finding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from drift.audit.named import Named
from drift.audit.users import Syncers, is_of_cluster
from drift.audit.writes import Write
from drift.model import Cause, Change, Evidence, Finding, ObjectKey
from drift.policy.severity import default_table


@dataclass(frozen=True, slots=True)
class Causes:
    """Decides for the findings of one object.

    Attributes:
        writes: The writes to the object.
        syncers: Tells syncs of Git from other writes.
    """

    writes: Sequence[Write]
    syncers: Syncers

    def judged(self, key: ObjectKey, finding: Finding, named: Sequence[Named]) -> Finding:
        """Returns a finding with the cause that its users make certain, and with the severity that goes with it."""
        causes = {
            self._of(one.write, finding)
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

    def _of(self, write: Write, finding: Finding) -> Cause | None:
        """Returns the cause of a difference that a write made, or None to leave it as it is."""
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
            # Without knowing who syncs, it is a pipeline that applies Git, or a person who uses the applier's name.
            return Cause.MANUAL if self.syncers.is_by_hand(write, self.writes) else None
        if is_of_cluster(write.user) or self.syncers.is_controller(write):
            # An object that is missing counts as drift whatever deleted it.
            is_whole = finding.change is Change.MISSING or finding.is_being_deleted
            return None if is_whole or finding.cause is Cause.MANUAL else Cause.CONTROLLER
        return Cause.MANUAL
