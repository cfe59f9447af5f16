"""Adds to the findings of a report the users that an audit log names, with the evidence for each.

The evidence, best first:

* ``exact``: the bodies of the requests show which write made the difference; or the verb does, for a creation and a
  deletion.
* ``likely``: the log has no bodies, but goes back to the time when the field was as in Git, and since then only one
  user wrote to the object under the field's manager.
* ``candidate``: several users, or a log that begins too late. The report names all of them.

A write whose bodies show that it did not touch the field names no one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from drift.audit.authors import Trail
from drift.audit.deletions import Deletions
from drift.audit.effects import Target
from drift.audit.events import DELETIONS, AuditEvent, ReadTally, Wanted, find_logs, read_events
from drift.audit.users import Attribution, Pseudonyms, Syncers, is_garbage_collector
from drift.audit.writes import MAX_OTHER_DELETIONS, MAX_WRITES, Place, Write, WriteLog
from drift.kube.resources import Resources
from drift.model import Cause, Change, Evidence, Finding, ObjectReport, Report, Status
from drift.words import rfc3339

if TYPE_CHECKING:
    from drift.objects import ObjectKey


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """An audit log, and how to use it.

    Attributes:
        paths: Files, folders or ``-``.
        pseudonyms: What to show of users.
    """

    paths: tuple[str, ...]
    pseudonyms: Pseudonyms = field(default_factory=Pseudonyms)


def join_log(report: Report, options: AuditOptions, resources: Resources, syncers: Syncers) -> Report:
    """Adds the users in an audit log to the findings of a report.

    Args:
        report: The report.
        options: The audit log.
        resources: The kinds that the cluster serves.
        syncers: Tells syncs from other writes.

    Returns:
        The report with users, the causes that the log proves, and notes on the log.

    Raises:
        UsageError: The log cannot be read.
    """
    files = find_logs(options.paths)
    join = AuditJoin(report, resources, syncers, options.pseudonyms)
    if not join.wanted.names:
        return report
    tally = ReadTally()
    # Standard input and pipes can be read only once.
    is_read_twice = all(file != "-" and Path(file).is_file() for file in files)
    for event in read_events(files, replace(join.wanted, deletions_in=None) if is_read_twice else join.wanted, tally):
        join.add(event)
    if is_read_twice and join.needs_owner_deletions():
        # The log may have been rotated since. The first tally has its notes already.
        for event in read_events(find_logs(options.paths), replace(join.wanted, names=frozenset()), ReadTally()):
            join.add_owner_deletion(event)
    report = join.apply(replace(report, notes=(*report.notes, *tally.notes())))
    if tally.begins is None or not any(map(_lacks_user, report.objects)):
        return report
    note = f"audit log: it begins at {rfc3339(tally.begins)}; earlier edits have no user"
    return replace(report, notes=(*report.notes, note))


def _lacks_user(item: ObjectReport) -> bool:
    """Returns whether a manual difference has no certain user."""
    manual = [finding for finding in item.findings if finding.cause is Cause.MANUAL]
    return any(all(actor.evidence in {None, Evidence.CANDIDATE} for actor in finding.actors) for finding in manual)


class AuditJoin:
    """Collects the writes to the objects of a report, and finds the users of its findings.

    Args:
        report: The report.
        resources: See `join_log`.
        syncers: See `join_log`.
        pseudonyms: What to show of users.
    """

    def __init__(self, report: Report, resources: Resources, syncers: Syncers, pseudonyms: Pseudonyms) -> None:
        self._syncers = syncers
        self._pseudonyms = pseudonyms
        self._targets: dict[Place, tuple[Target, ...]] = {}
        self._places: dict[ObjectKey, Place] = {}
        self._log, self._other_deletions = WriteLog(MAX_WRITES), WriteLog(MAX_OTHER_DELETIONS)
        self._deletions = Deletions(self._log, self._other_deletions, resources)
        for item in report.objects:
            if item.findings:
                self._add_object(item, resources)
        #: The events to add. The deletions of other objects count only if `needs_owner_deletions`.
        self.wanted = Wanted(
            frozenset(place.name for place in self._targets if place.name is not None),
            _namespaces_of_deleted(report),
        )

    def _add_object(self, item: ObjectReport, resources: Resources) -> None:
        key = item.key
        served = resources.preferred(key.group, key.kind)
        if served is None:
            return
        place = Place(key.group, served.plural, key.namespace, key.name)
        self._places[key] = place
        found = (Target.of(finding, key.kind, item.api_version) for finding in item.findings)
        self._targets[place] = tuple(target for target in found if target is not None)
        self._targets.setdefault(place.collection, ())
        if key.namespace is not None:
            self._targets.setdefault(Place.of_namespace(key.namespace), ())

    def add(self, event: AuditEvent) -> None:
        """Adds a write to an object of the report, its collection or its namespace; others as `add_owner_deletion`."""
        place = Place.of(event)
        targets = self._targets.get(place)
        if targets is None:
            self.add_owner_deletion(event)
        elif event.subresource != "status":
            self._log.add(place, Write.of(event, targets))

    def add_owner_deletion(self, event: AuditEvent) -> None:
        """Adds a write, if it deletes a possible owner of a deleted object of the report."""
        place, namespaces = Place.of(event), self.wanted.deletions_in
        if (
            namespaces is not None
            and (place.namespace is None or place.namespace in namespaces)
            and place not in self._targets
            and event.subresource != "status"
            and event.verb in DELETIONS
        ):
            self._other_deletions.add(place, Write.of(event, ()))

    def needs_owner_deletions(self) -> bool:
        """Returns whether the garbage collector deleted an object, so that the deletion of its owner names the user."""
        return self.wanted.deletions_in is not None and any(
            is_garbage_collector(write) for _, write in self._log.deletions()
        )

    def apply(self, report: Report) -> Report:
        """Returns the report of this join with the users of its findings."""
        return replace(report, objects=tuple(map(self._object, report.objects)))

    def _object(self, item: ObjectReport) -> ObjectReport:
        place = self._places.get(item.key)
        if place is None:
            return item
        trail = Trail(self._log.of(place), self._syncers)
        targets = {target.finding.id: (number, target) for number, target in enumerate(self._targets[place])}

        def with_users(finding: Finding) -> Finding:
            named, note = self._named(place, finding, trail, targets.get(finding.id))
            if not named:
                return finding
            judged = trail.with_cause(item.key, finding, named)
            actors = tuple(one.shown(self._pseudonyms) for one in named)
            return replace(judged, actors=actors, note=finding.note or note)

        findings = tuple(map(with_users, item.findings))
        is_in_sync = item.status is Status.DRIFTED and not any(finding.is_drift for finding in findings)
        return replace(item, findings=findings, status=Status.IN_SYNC if is_in_sync else item.status)

    def _named(
        self, place: Place, finding: Finding, trail: Trail, target: tuple[int, Target] | None
    ) -> tuple[Sequence[Attribution], str | None]:
        """Returns the users of a finding, and a note on a deletion."""
        if _is_deletion(finding):
            if finding.cause is Cause.PENDING_SYNC:
                # Git did not have it at the last sync, so an earlier deletion was of another object of that name.
                return (), None
            deletion = self._deletions.of(place)
            return deletion.named(), deletion.note
        if finding.change is Change.UNMANAGED:
            return trail.creators(finding, partial(self._deletions.ends, place)), None
        return () if target is None else trail.editors(*target), None


def _namespaces_of_deleted(report: Report) -> frozenset[str] | None:
    """Returns the namespaces of deleted objects and their owners; None if no object was deleted."""
    deleted = [item.key.namespace for item in report.objects if any(map(_is_deletion, item.findings))]
    return frozenset(name for name in deleted if name is not None) if deleted else None


def _is_deletion(finding: Finding) -> bool:
    return finding.change is Change.MISSING or finding.is_being_deleted
