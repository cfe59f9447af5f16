"""Which findings are open, and what has opened and closed: each object's story in the order in which it happened."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from drift.history.episodes import merge_actors, merge_causes
from drift.model import Actor, Finding, ObjectKey, ObjectReport, Report, Status


class Transition(StrEnum):
    """What happened to a finding."""

    #: It was there when the watch began, or when the watch could see its object again.
    FOUND = "found"
    OPENED = "opened"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class TrackedFinding:
    """A finding from when it was seen first to when it was seen to be gone.

    Attributes:
        key: Its object.
        api_version: The version its object was compared in.
        finding: As it was last seen; its cause and its actors are those of the whole episode, see
            `drift.history.episodes`.
        opened: When it was first seen.
        exact: Whether it began then. False if it was there before the watch could see its object.
        resolved: When it was seen to be gone, never before ``opened``; None while it is open.
        resolved_by: Who wrote the object then, as far as is on record.
        reverted: Whether the live object has changed back, rather than what is wanted of it.
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
        """How long it was open; 0 while it is."""
        return 0.0 if self.resolved is None else (self.resolved - self.opened).total_seconds()


@dataclass(frozen=True, slots=True)
class FindingChange:
    """One thing that happened to a finding."""

    transition: Transition
    tracked: TrackedFinding


class OpenFindings:
    """Keeps the open findings that count, and tells what changes.

    What is not known (an object that is out of sight, a scan that could not look everywhere) closes nothing. What is
    there when an object comes into sight may be of any age.
    """

    def __init__(self) -> None:
        self._open: dict[ObjectKey, dict[str, TrackedFinding]] = {}
        self._began = False
        self._unseen: set[ObjectKey] = set()
        self._errors: frozenset[str] = frozenset()

    @property
    def open(self) -> list[TrackedFinding]:
        """What is open."""
        return [episode for episodes in self._open.values() for episode in episodes.values()]

    def take_step(self, item: ObjectReport, at: datetime, writers: Sequence[Actor]) -> list[FindingChange]:
        """Takes in what was found of one object right after it had changed.

        Args:
            item: What was found.
            at: When it changed.
            writers: Who wrote it then; named where a finding has nobody on record.
        """
        return self._take(item, at, writers, exact=True, reverted=True)

    def _take(
        self, item: ObjectReport, at: datetime, writers: Sequence[Actor], *, exact: bool, reverted: bool
    ) -> list[FindingChange]:
        if item.status is Status.UNCHECKED:
            self._unseen.add(item.key)
            return []
        exact = exact and item.key not in self._unseen
        self._unseen.discard(item.key)
        known = self._open.get(item.key, {})
        now = {finding.id: finding for finding in item.findings if finding.is_drift}
        news = [
            FindingChange(Transition.RESOLVED, _closed(known[gone], at, resolved_by=tuple(writers), reverted=reverted))
            for gone in known.keys() - now.keys()
        ]
        still = {}
        for name, finding in now.items():
            episode = known.get(name)
            if episode is None:
                began = replace(finding, actors=merge_actors((), finding.actors or writers))
                episode = TrackedFinding(item.key, item.api_version, began, at, exact)
                news.append(FindingChange(Transition.OPENED if exact else Transition.FOUND, episode))
            elif episode.finding != finding:
                episode = replace(episode, finding=_carried_on(episode.finding, finding, writers))
            still[name] = episode
        if still:
            self._open[item.key] = still
        else:
            self._open.pop(item.key, None)
        return sorted(news, key=lambda one: one.tracked.finding.path)

    def take_report(self, report: Report, at: datetime) -> list[FindingChange]:
        """Takes in a scan of everything. What the first one finds was there before."""
        errors = frozenset(report.errors)
        # Where an error is gone, this scan saw what the one before it could not see.
        exact = self._began and self._errors <= errors
        self._began, self._errors = True, errors
        news = [one for item in report.objects for one in self._take(item, at, (), exact=exact, reverted=False)]
        self._unseen = {item.key for item in report.objects if item.status is Status.UNCHECKED}
        if not report.errors:
            reported = {item.key for item in report.objects}
            for key in self._open.keys() - reported:
                news += [
                    FindingChange(Transition.RESOLVED, _closed(episode, at)) for episode in self._open.pop(key).values()
                ]
        return news


def _closed(
    episode: TrackedFinding, at: datetime, *, resolved_by: tuple[Actor, ...] = (), reverted: bool = False
) -> TrackedFinding:
    # Events and scans carry the times of several threads, and a clock may be set back.
    return replace(episode, resolved=max(at, episode.opened), resolved_by=resolved_by, reverted=reverted)


def _carried_on(before: Finding, now: Finding, writers: Iterable[Actor]) -> Finding:
    """The finding of an episode that goes on."""
    cause = merge_causes(before.cause, now.cause)
    return replace(now, cause=cause, actors=merge_actors(before.actors, now.actors or writers))
