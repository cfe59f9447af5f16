"""Tracks which findings are open and reports what opens and closes, and who wrote the object then."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from drift.history.episodes import merge_actors, merge_causes
from drift.kube.live import LiveObject
from drift.managed_fields import Entry, ManagedFieldsError, read_entries
from drift.model import Actor, Finding, ObjectKey, ObjectReport, Report, Status


class Transition(StrEnum):
    """What happened to a finding."""

    #: The finding existed when the watch started, or when the watch could read its object again.
    FOUND = "found"
    OPENED = "opened"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class TrackedFinding:
    """A finding with the times at which it opened and closed.

    Attributes:
        key: Its object.
        api_version: The version in which its object was compared.
        finding: The latest state of the finding. Its cause and actors are those of the whole time that it was open; see
            `drift.history.episodes`.
        opened: When it was first seen.
        exact: Whether it began at ``opened``. False if it may be older: the watch could not read its object before.
        resolved: When it was seen to be gone, never before ``opened``; None while it is open.
        resolved_by: The managers that wrote the object then, if Kubernetes recorded them.
        reverted: Whether the live object was changed back. False if the manifest was changed instead.
    """

    key: ObjectKey
    api_version: str
    finding: Finding
    opened: datetime
    exact: bool
    resolved: datetime | None = None
    resolved_by: tuple[Actor, ...] = ()
    reverted: bool = False

    @property
    def seconds(self) -> float:
        """How long it was open; 0 if it still is."""
        return 0.0 if self.resolved is None else (self.resolved - self.opened).total_seconds()


@dataclass(frozen=True, slots=True)
class FindingChange:
    """A finding that was found, opened or resolved."""

    transition: Transition
    tracked: TrackedFinding


class OpenFindings:
    """Keeps the open findings that count as drift, and returns what changes.

    An object that could not be read, or a scan that is incomplete, closes nothing. What is found when an object becomes
    readable may be of any age.
    """

    def __init__(self) -> None:
        self._open: dict[ObjectKey, dict[str, TrackedFinding]] = {}
        self._has_scanned = False
        self._unchecked: set[ObjectKey] = set()
        self._errors: frozenset[str] = frozenset()

    @property
    def open(self) -> list[TrackedFinding]:
        """The open findings."""
        return [tracked for of_object in self._open.values() for tracked in of_object.values()]

    def update_object(self, item: ObjectReport, at: datetime, writers: Sequence[Actor]) -> list[FindingChange]:
        """Takes in the comparison of one object right after it changed.

        A finding without a recorded manager gets the writers of the object as its actors.
        """
        return self._update(item, at, writers, exact=True, reverted=True)

    def update_all(self, report: Report, at: datetime) -> list[FindingChange]:
        """Takes in a full scan. What the first scan finds may be of any age."""
        errors = frozenset(report.problems)
        # If an error of the last scan is gone, this scan saw objects that the last one could not read.
        exact = self._has_scanned and self._errors <= errors
        self._has_scanned, self._errors = True, errors
        changes = [one for item in report.objects for one in self._update(item, at, (), exact=exact, reverted=False)]
        self._unchecked = {item.key for item in report.objects if item.status is Status.UNCHECKED}
        if not report.problems:
            reported = {item.key for item in report.objects}
            for key in self._open.keys() - reported:
                changes += [
                    FindingChange(Transition.RESOLVED, _resolved(tracked, at))
                    for tracked in self._open.pop(key).values()
                ]
        return changes

    def _update(
        self, item: ObjectReport, at: datetime, writers: Sequence[Actor], *, exact: bool, reverted: bool
    ) -> list[FindingChange]:
        if item.status is Status.UNCHECKED:
            self._unchecked.add(item.key)
            return []
        exact = exact and item.key not in self._unchecked
        self._unchecked.discard(item.key)
        known = self._open.get(item.key, {})
        findings = {finding.id: finding for finding in item.findings if finding.is_drift}
        changes = [
            FindingChange(
                Transition.RESOLVED, _resolved(known[gone], at, resolved_by=tuple(writers), reverted=reverted)
            )
            for gone in known.keys() - findings.keys()
        ]
        still_open = {}
        for name, finding in findings.items():
            tracked = known.get(name)
            if tracked is None:
                with_actors = replace(finding, actors=merge_actors((), finding.actors or writers))
                tracked = TrackedFinding(item.key, item.api_version, with_actors, at, exact)
                changes.append(FindingChange(Transition.OPENED if exact else Transition.FOUND, tracked))
            elif tracked.finding != finding:
                tracked = replace(tracked, finding=_merged(tracked.finding, finding, writers))
            still_open[name] = tracked
        if still_open:
            self._open[item.key] = still_open
        else:
            self._open.pop(item.key, None)
        return sorted(changes, key=lambda change: change.tracked.finding.path)


def _resolved(
    tracked: TrackedFinding, at: datetime, *, resolved_by: tuple[Actor, ...] = (), reverted: bool = False
) -> TrackedFinding:
    # Events and scans take their times in different threads, and a clock may be set back.
    return replace(tracked, resolved=max(at, tracked.opened), resolved_by=resolved_by, reverted=reverted)


def _merged(before: Finding, now: Finding, writers: Iterable[Actor]) -> Finding:
    """Returns the latest finding, with the cause and actors of the whole time that it was open."""
    cause = merge_causes(before.cause, now.cause)
    return replace(now, cause=cause, actors=merge_actors(before.actors, now.actors or writers))


def writers(before: LiveObject | None, after: LiveObject | None) -> tuple[Actor, ...]:
    """Returns the field managers whose entries were added or updated between two versions of an object.

    The result is empty if a manager only removed fields or deleted the object: Kubernetes records neither.
    """
    if after is None:
        return ()
    old = {_manager(entry.actor): entry for entry in _entries(before)}
    new = _entries(after)
    updated = tuple(entry.actor for entry in new if _is_updated(old.get(_manager(entry.actor)), entry))
    # Times have a resolution of one second. Within the same second, only the owned fields show a second write. They
    # also shrink when another manager takes a field over, so they count only if no time has changed.
    return updated or tuple(
        entry.actor for entry in new if old.get(_manager(entry.actor), entry).fields != entry.fields
    )


def _is_updated(old: Entry | None, new: Entry) -> bool:
    return old is None or old.actor.time != new.actor.time


def _manager(actor: Actor) -> tuple[str, str, str | None]:
    return actor.manager, actor.operation, actor.subresource


def _entries(live: LiveObject | None) -> tuple[Entry, ...]:
    metadata = {} if live is None else live.body.get("metadata")
    try:
        return read_entries((metadata.get("managedFields") if isinstance(metadata, dict) else None) or [])
    except ManagedFieldsError:
        return ()
