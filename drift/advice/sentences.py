"""One sentence that says what to do about a finding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from drift.advice.commands import ControllerState, controller_state
from drift.advice.refusals import deletes_more, is_immutable, is_not_kept, is_not_to_delete, is_pending
from drift.model import Cause, Change, Finding, ObjectReport, Security, SourceInfo


@dataclass(frozen=True, slots=True)
class _Advice:
    """A row of the table.

    Attributes:
        text: The sentence, without a full stop; ``{source}`` stands for the name of the source, and ``{more}`` for what
            the deletion of the object may delete, too.
        causes: The causes that it is for; empty for all.
        changes: The changes that it is for; empty for all.
        states: The states of the GitOps controller that it is for; empty for all.
        kinds: The kinds of object that it is for; empty for all.
        deletes_more: Whether it is only for objects whose deletion may delete more.
        applies: What else must hold of the object and the finding.
    """

    text: str
    causes: frozenset[Cause] = frozenset()
    changes: frozenset[Change] = frozenset()
    states: frozenset[ControllerState] = frozenset()
    kinds: frozenset[str] = frozenset()
    deletes_more: bool = False
    applies: Callable[[ObjectReport, Finding], bool] = lambda *_: True

    def is_for(self, finding: Finding, item: ObjectReport, state: ControllerState) -> bool:
        return (
            (not self.causes or finding.cause in self.causes)
            and (not self.changes or finding.change in self.changes)
            and (not self.states or state in self.states)
            and (not self.kinds or item.kind in self.kinds)
            and (not self.deletes_more or deletes_more(item) is not None)
            and self.applies(item, finding)
        )


_PENDING: Final = frozenset({Cause.PENDING_SYNC})
_UNKNOWN: Final = frozenset({Cause.UNKNOWN})
_SUSPENDED: Final = frozenset({ControllerState.SUSPENDED})
_MANUAL: Final = frozenset({ControllerState.MANUAL})
#: The first row that fits a finding is its advice.
_TABLE: Final[Sequence[_Advice]] = (
    _Advice(
        "wait until its finalizers are done, and find out who deleted it before you sync",
        applies=lambda _, finding: finding.is_being_deleted,
    ),
    _Advice(
        "correct the field in Git, or remove it there: a sync cannot set it",
        applies=lambda _, finding: is_not_kept(finding),
    ),
    _Advice("resume {source}, which is suspended, to deploy this", _PENDING, states=_SUSPENDED),
    _Advice("sync {source}, whose automatic sync is off, to deploy this", _PENDING, states=_MANUAL),
    _Advice(
        "fix what {source} reports; until then it does not deploy this",
        _PENDING,
        states=frozenset({ControllerState.FAILING}),
    ),
    _Advice("wait for the next sync of {source}, or sync it now", _PENDING, states=frozenset({ControllerState.ACTIVE})),
    _Advice(
        "let your GitOps controller prune it, or commit it to Git again: its deletion may also delete {more}",
        _PENDING,
        frozenset({Change.UNMANAGED}),
        deletes_more=True,
    ),
    _Advice(
        "delete it, or let your GitOps controller prune it: Git has dropped it",
        _PENDING,
        frozenset({Change.UNMANAGED}),
    ),
    _Advice("sync, or find out why your GitOps controller has not synced yet", _PENDING),
    _Advice(
        "commit it to Git, or find out who needs it before you delete it: that may also delete {more}",
        changes=frozenset({Change.UNMANAGED}),
        deletes_more=True,
    ),
    _Advice(
        "delete it, or find out who needs it and commit it to Git: it loosens security",
        changes=frozenset({Change.UNMANAGED}),
        applies=lambda _, finding: finding.security is Security.LOOSENS,
    ),
    _Advice(
        "delete it, add it to Git in encrypted form, or ignore it with a reason in drift.yaml",
        changes=frozenset({Change.UNMANAGED}),
        kinds=frozenset({"Secret"}),
    ),
    _Advice(
        "delete it, commit it to Git, or ignore it with a reason in drift.yaml",
        changes=frozenset({Change.UNMANAGED}),
    ),
    _Advice(
        "check in the history of its file whether it was ever deployed; then sync, or remove it from Git",
        _UNKNOWN,
        frozenset({Change.MISSING}),
    ),
    _Advice(
        "resume {source}, which is suspended, to create it again, or remove it from Git",
        changes=frozenset({Change.MISSING}),
        states=_SUSPENDED,
    ),
    _Advice(
        "sync {source}, whose automatic sync is off, to create it again, or remove it from Git",
        changes=frozenset({Change.MISSING}),
        states=_MANUAL,
    ),
    _Advice("sync to create it again, or remove it from Git", changes=frozenset({Change.MISSING})),
    _Advice(
        "keep it in Git, or back up what the object holds before you recreate it: the API server refuses to change "
        "this field",
        applies=lambda item, finding: is_immutable(item, finding) and is_not_to_delete(item),
    ),
    _Advice(
        "recreate it from Git, or change it there by hand: the API server refuses to change this field",
        applies=is_immutable,
    ),
    _Advice(
        "remove it in the cluster, as a sync may not, or add it to Git in encrypted form to keep it",
        changes=frozenset({Change.ADDED}),
        applies=lambda _, finding: finding.redacted,
    ),
    _Advice(
        "remove it in the cluster, as a sync may not, or commit it to Git to keep it",
        changes=frozenset({Change.ADDED}),
    ),
    _Advice(
        "check the history of the file in Git before you sync: Kubernetes kept no record of who did this", _UNKNOWN
    ),
    _Advice(
        "sync to restore the value in Git, or change it there by hand",
        applies=lambda _, finding: finding.redacted,
    ),
    _Advice(
        "sync to restore the order in Git, or change it there: the order of this list has a meaning",
        changes=frozenset({Change.REORDERED}),
    ),
    _Advice(
        "revert it, or commit it to Git before you resume {source}: a suspended source undoes nothing",
        states=_SUSPENDED,
    ),
    _Advice("sync to undo it, or commit the live value to Git to keep it"),
)


def advice(finding: Finding, item: ObjectReport, source: SourceInfo | None) -> str | None:
    """Returns what to do about a finding, as a sentence without a full stop; None if it does not count as drift.

    Args:
        finding: The finding.
        item: Its object.
        source: The source of its object; None if it has none.
    """
    if not finding.is_drift:
        return None
    if is_pending(item, finding):
        finding = replace(finding, cause=Cause.PENDING_SYNC)
    state = controller_state(source)
    found = next(row for row in _TABLE if row.is_for(finding, item, state))
    return found.text.format(source="" if source is None else source.name, more=deletes_more(item))
