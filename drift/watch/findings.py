"""The findings of a watch: which are open, who opened and closed them, their lines, and their episodes in a history."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from drift.config.settings import Settings
from drift.errors import HistoryError
from drift.history.episodes import Episode, EpisodeState, ScanCoverage, Scope, merge_actors, merge_causes
from drift.history.store import History
from drift.kube.live import LiveObject
from drift.managed_fields import Entry, read_entries
from drift.model import Actor, Cause, Finding, ObjectReport, Report, Status
from drift.objects import Json, ObjectKey, at
from drift.report.diff import what_differs
from drift.report.json_report import finding_document
from drift.report.view import CAUSE_TEXT, CHANGE_SIGN, key_name, visible
from drift.scanning.unmanaged import SEARCHED_KINDS
from drift.words import rfc3339_ms

_MINUTE: Final = 60
_HOUR: Final = 3600
#: Episodes written in one transaction, so that other programs do not wait long for the file.
_BATCH: Final = 500
#: Episodes that are kept while the history cannot be written. Older ones are dropped first.
_MAX_UNSAVED: Final = 20_000


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
    # What waited for a sync was synced: the object was changed to what Git says, not back.
    reverted = reverted and tracked.finding.cause is not Cause.PENDING_SYNC
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
    return () if live is None else read_entries(at(live.body, "metadata", "managedFields"))


def to_text_line(change: FindingChange) -> str:
    """Returns one line without a line break. Text from the cluster is escaped."""
    tracked, finding = change.tracked, change.tracked.finding
    parts = [
        f"{rfc3339_ms(tracked.resolved or tracked.opened)} {change.transition:<8} {finding.severity:<8}",
        key_name(tracked.key),
    ]
    if finding.path:
        parts.append(f"{CHANGE_SIGN[finding.change]} {visible(finding.path)}")
    if change.transition is Transition.RESOLVED:
        ended_by = f", ended by {_names(tracked.resolved_by)}" if tracked.resolved_by else ""
        since = "" if tracked.exact else "more than "
        parts.append(f"after {since}{_duration(tracked.seconds)}; {_cause(tracked)}{ended_by}")
    else:
        security = f"{finding.security} security; " if finding.security is not None else ""
        parts += [what_differs(finding), f"{security}{_cause(tracked)}"]
    return "  ".join(parts)


def to_json_line(change: FindingChange) -> str:
    """Returns one JSON object on one line, without a line break."""
    tracked = change.tracked
    document: dict[str, Json] = {
        "event": change.transition,
        "object": {
            "apiVersion": tracked.api_version,
            "kind": tracked.key.kind,
            "namespace": tracked.key.namespace,
            "name": tracked.key.name,
        },
        "finding": finding_document(tracked.finding),
        "openedAt": rfc3339_ms(tracked.opened),
        "exact": tracked.exact,
        "resolvedAt": None if tracked.resolved is None else rfc3339_ms(tracked.resolved),
        "seconds": None if tracked.resolved is None else round(tracked.seconds, 3),
        "resolvedBy": [
            {"manager": actor.manager, "operation": actor.operation, "time": actor.time}
            for actor in tracked.resolved_by
        ],
    }
    # ASCII only: some readers take characters such as U+2028 for a line break.
    return json.dumps(document)


def _cause(tracked: TrackedFinding) -> str:
    cause = CAUSE_TEXT[tracked.finding.cause]
    return f"{cause}: {_names(tracked.finding.actors)}" if tracked.finding.actors else cause


def _names(actors: tuple[Actor, ...]) -> str:
    return ", ".join(visible(actor.manager) for actor in actors)


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.1f} min"
    return f"{seconds / _HOUR:.1f} h"


class Recorder:
    """Writes to the history of one scope. The watch continues if the history cannot be written.

    What could not be written is written first the next time. ``warn`` is called when writing fails for the first time,
    and when it works again.
    """

    def __init__(self, history: History, scope: Scope, warn: Callable[[str], None]) -> None:
        self._history = history
        self._scope = scope
        self._warn = warn
        self._is_broken = False
        self._unsaved: list[Episode] = []

    def record_changes(self, changes: Sequence[FindingChange]) -> None:
        """Records what opened and closed. What existed before the watch is recorded by the scan that found it."""
        self._unsaved += [
            self._episode(change.tracked) for change in changes if change.transition is not Transition.FOUND
        ]
        try:
            self._save()
        except HistoryError as error:
            del self._unsaved[:-_MAX_UNSAVED]
            self._warn_once(error)

    def _save(self) -> None:
        while self._unsaved:
            batch = self._unsaved[:_BATCH]
            self._history.update_episodes(batch)
            del self._unsaved[: len(batch)]

    def record(
        self, report: Report, settings: Settings, *, open_now: Sequence[TrackedFinding], count_as_scan: bool
    ) -> Report:
        """Records a scan.

        The findings in ``open_now`` provide the times of new findings. What does not count as a scan only updates the
        episodes.

        Returns:
            The report with ages and lifecycles from the history, or unchanged if the history cannot be used.
        """
        coverage = ScanCoverage(settings.unmanaged, settings.skips, kinds=SEARCHED_KINDS)
        try:
            # An episode that ended meanwhile has its own times and state, which the scan does not know.
            self._save()
            recorded = self._history.record(
                _with_first_seen(report, open_now),
                self._scope,
                coverage,
                count_as_scan=count_as_scan,
                start_unknown=frozenset(tracked.finding.id for tracked in open_now if not tracked.exact),
            )
        except HistoryError as error:
            self._warn_once(error)
            return report
        if self._is_broken:
            self._is_broken = False
            self._warn("the history can be written again")
        return recorded

    def _warn_once(self, error: HistoryError) -> None:
        if not self._is_broken:
            self._is_broken = True
            self._warn(f"{error}; the watch continues without the history")

    def _episode(self, tracked: TrackedFinding) -> Episode:
        opened = rfc3339_ms(tracked.opened)
        ended = None if tracked.resolved is None else rfc3339_ms(tracked.resolved)
        end_state = EpisodeState.REVERTED if tracked.reverted else EpisodeState.RESOLVED
        return Episode.of_finding(
            tracked.finding,
            scope=self._scope,
            api_version=tracked.api_version,
            key=tracked.key,
            first_seen=opened,
            last_seen=ended or opened,
            ended_at=ended,
            state=EpisodeState.OPEN if ended is None else end_state,
            start_known=tracked.exact,
        )


def _with_first_seen(report: Report, open_now: Sequence[TrackedFinding]) -> Report:
    """Returns the report with the times at which the watch saw its findings open."""
    opened = {tracked.finding.id: rfc3339_ms(tracked.opened) for tracked in open_now}
    return replace(
        report,
        objects=tuple(
            replace(
                item,
                findings=tuple(replace(one, first_seen=opened.get(one.id, one.first_seen)) for one in item.findings),
            )
            if item.findings
            else item
            for item in report.objects
        ),
    )
