"""Selects recorded episodes and computes statistics: how many are open, and the mean time to resolve."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from drift.errors import UsageError
from drift.globs import Glob
from drift.history.episodes import Episode, EpisodeState, rfc3339, stored
from drift.model import Evidence, ObjectKey

_SPAN: Final = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNIT: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class EpisodeFilter:
    """Selects episodes. An episode must match every criterion.

    Attributes:
        since: It was open at this stored time or later; None for all.
        objects: Its object has this name, or this ``Kind/name``.
        namespaces: Its object is in this namespace.
        only_open: It is still open.
    """

    since: str | None = None
    objects: Glob | None = None
    namespaces: Glob | None = None
    only_open: bool = False

    def matches(self, episode: Episode) -> bool:
        """Returns whether the filter selects an episode."""
        key = episode.key
        return (
            not (self.only_open and episode.state is not EpisodeState.OPEN)
            and (self.since is None or episode.ended_at is None or stored(episode.ended_at) >= self.since)
            and (self.namespaces is None or (key.namespace is not None and self.namespaces.matches(key.namespace)))
            and (self.objects is None or any(map(self.objects.matches, (key.name, f"{key.kind}/{key.name}"))))
        )


@dataclass(frozen=True, slots=True)
class DurationSummary:
    """How long some episodes were open.

    Attributes:
        count: The number of episodes.
        mean_seconds: The mean of the episodes with a known start; None if there are none.
        unknown: The number of episodes with an unknown start.
    """

    count: int
    mean_seconds: float | None
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of episodes.

    Attributes:
        open: How many are open.
        ignored: How many ended because they no longer count as drift.
        reverted: Those that a GitOps controller reverted during a watch.
        resolved: Those that were resolved.
        by_cause: The resolved ones by cause.
        by_severity: The resolved ones by severity.
    """

    open: int
    ignored: int
    reverted: DurationSummary
    resolved: DurationSummary
    by_cause: Mapping[str, DurationSummary]
    by_severity: Mapping[str, DurationSummary]


def parse_since(text: str, now: datetime) -> str:
    """Returns the stored time of a duration before now (``30m``, ``12h``, ``7d``, ``2w``), a date or a time.

    Raises:
        UsageError: The text is neither.
    """
    span = _SPAN.fullmatch(text)
    try:
        if span:
            return rfc3339(now - timedelta(**{_UNIT[span[2]]: int(span[1])}))
        time = datetime.fromisoformat(text)
        return rfc3339(time if time.tzinfo else time.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise UsageError(f"--since {text}: must be a duration (30m, 12h, 7d, 2w), a date or a time") from None


def episode_statistics(episodes: Sequence[Episode]) -> Statistics:
    """Returns the statistics of episodes."""
    resolved = [episode for episode in episodes if episode.state is EpisodeState.RESOLVED]
    return Statistics(
        open=sum(episode.state is EpisodeState.OPEN for episode in episodes),
        ignored=sum(episode.state is EpisodeState.IGNORED for episode in episodes),
        reverted=_summary(episode for episode in episodes if episode.state is EpisodeState.REVERTED),
        resolved=_summary(resolved),
        by_cause=_grouped(resolved, lambda episode: episode.cause),
        by_severity=_grouped(resolved, lambda episode: episode.severity),
    )


@dataclass(frozen=True, slots=True)
class PersonStatistics:
    """The episodes that an audit log gives to one user.

    Attributes:
        user: The user as the history has it, perhaps a pseudonym; None for the episodes that no user is named for.
        open: How many are open.
        ended: Those that ended.
        objects: The objects, the latest first.
        latest: RFC 3339, when the latest one was first seen.
    """

    user: str | None
    open: int
    ended: DurationSummary
    objects: tuple[ObjectKey, ...]
    latest: str


def people_of(episodes: Iterable[Episode]) -> Sequence[PersonStatistics]:
    """Returns the users behind episodes, those with the most first, and last the episodes without a user.

    A user that is only one of several candidates does not count.
    """
    by_user: dict[str | None, list[Episode]] = {}
    for episode in sorted(episodes, key=lambda episode: episode.first_seen, reverse=True):
        named = (actor for actor in episode.actors if actor.evidence not in {None, Evidence.CANDIDATE})
        for user in {actor.user for actor in named} - {None} or {None}:
            by_user.setdefault(user, []).append(episode)
    people = [
        PersonStatistics(
            user,
            sum(episode.state is EpisodeState.OPEN for episode in theirs),
            _summary(episode for episode in theirs if episode.state is not EpisodeState.OPEN),
            tuple(dict.fromkeys(episode.key for episode in theirs)),
            theirs[0].first_seen,
        )
        for user, theirs in by_user.items()
    ]
    return sorted(people, key=lambda one: (one.user is None, -one.open - one.ended.count, one.user or ""))


def seconds_open(episode: Episode, now: datetime) -> float:
    """Returns how long an episode was open, or has been open until now."""
    end = now if episode.ended_at is None else datetime.fromisoformat(episode.ended_at)
    return max((end - datetime.fromisoformat(episode.first_seen)).total_seconds(), 0.0)


def _grouped(episodes: Iterable[Episode], group: Callable[[Episode], str]) -> Mapping[str, DurationSummary]:
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(group(episode), []).append(episode)
    return {name: _summary(groups[name]) for name in sorted(groups)}


def _summary(episodes: Iterable[Episode]) -> DurationSummary:
    chosen, now = list(episodes), datetime.now(UTC)
    durations = [seconds_open(episode, now) for episode in chosen if episode.start_known]
    mean = sum(durations) / len(durations) if durations else None
    return DurationSummary(len(chosen), mean, len(chosen) - len(durations))
