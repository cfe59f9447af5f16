"""Which findings are open, and what has opened and closed: each object's story in the order in which it happened."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from drift.model import Actor, Finding, ObjectKey, ObjectReport, Report, Status


class Turn(StrEnum):
    """What happened to a finding."""

    #: It was there when the watching began.
    FOUND = "found"
    OPENED = "opened"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Episode:
    """A finding from when it was seen first to when it was seen to be gone.

    Attributes:
        key: Its object.
        api_version: The version its object was compared in.
        finding: As it was seen last; its actors are all that were seen while it was open, in their order.
        opened: When it was seen first.
        exact: Whether that is when it came about; not so for what was there before the watching.
        resolved: When it was seen to be gone; None while it is open.
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
class News:
    """One thing that happened to a finding."""

    turn: Turn
    episode: Episode


class Ledger:
    """Keeps the open findings that count, and tells what changes.

    What is not known (an object that is out of sight, a scan that could not look everywhere) closes nothing.
    """

    def __init__(self) -> None:
        self._open: dict[ObjectKey, dict[str, Episode]] = {}
        self._began = False

    @property
    def open(self) -> list[Episode]:
        """What is open."""
        return [episode for episodes in self._open.values() for episode in episodes.values()]

    def take_step(self, item: ObjectReport, at: datetime, writers: Sequence[Actor]) -> list[News]:
        """Takes in what was found of one object right after it had changed.

        Args:
            item: What was found.
            at: When it changed.
            writers: Who wrote it then; named where a finding has nobody on record.
        """
        return self._take(item, at, writers, exact=True, reverted=True)

    def _take(
        self, item: ObjectReport, at: datetime, writers: Sequence[Actor], *, exact: bool, reverted: bool
    ) -> list[News]:
        if item.status is Status.UNCHECKED:
            return []
        known = self._open.get(item.key, {})
        now = {finding.id: finding for finding in item.findings if finding.is_drift}
        news = [
            News(Turn.RESOLVED, replace(known[gone], resolved=at, resolved_by=tuple(writers), reverted=reverted))
            for gone in known.keys() - now.keys()
        ]
        still = {}
        for name, finding in now.items():
            episode = known.get(name)
            if episode is None:
                episode = Episode(item.key, item.api_version, _with_actors(finding, (), writers), at, exact)
                news.append(News(Turn.OPENED if exact else Turn.FOUND, episode))
            elif episode.finding != finding:
                episode = replace(episode, finding=_with_actors(finding, episode.finding.actors, writers))
            still[name] = episode
        if still:
            self._open[item.key] = still
        else:
            self._open.pop(item.key, None)
        return sorted(news, key=lambda one: one.episode.finding.path)

    def take_report(self, report: Report, at: datetime) -> list[News]:
        """Takes in a scan of everything. What the first one finds was there before."""
        exact, self._began = self._began, True
        news = [one for item in report.objects for one in self._take(item, at, (), exact=exact, reverted=False)]
        if not report.errors:
            reported = {item.key for item in report.objects}
            for key in self._open.keys() - reported:
                news += [News(Turn.RESOLVED, replace(episode, resolved=at)) for episode in self._open.pop(key).values()]
        return news


def _with_actors(finding: Finding, before: Iterable[Actor], writers: Iterable[Actor]) -> Finding:
    """The finding with all its actors so far; a later time of one replaces an earlier."""
    actors = {_who(actor): actor for actor in before}
    actors.update((_who(actor), actor) for actor in finding.actors or writers)
    return replace(finding, actors=tuple(actors.values()))


def _who(actor: Actor) -> tuple[str, str, str | None]:
    return actor.manager, actor.operation, actor.subresource
