"""What was recorded, chosen and counted: which episodes, how many are open, and how long it takes to resolve one."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from drift.errors import UsageError
from drift.globs import Glob
from drift.history.episodes import Episode, EpisodeState
from drift.history.times import store_datetime, stored

_SPAN: Final = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNIT: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class EpisodeFilter:
    """Which episodes are wanted.

    Attributes:
        since: Those that were open at this stored time or later; None for all.
        objects: Those whose object has this name, or this ``Kind/name``.
        namespaces: Those in such a namespace.
        only_open: Those that are open still.
    """

    since: str | None = None
    objects: Glob | None = None
    namespaces: Glob | None = None
    only_open: bool = False

    def matches(self, episode: Episode) -> bool:
        """Whether an episode is wanted."""
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
        count: How many.
        mean_seconds: The mean of those whose start is known; None where there are none.
        unknown: How many have an unknown start.
    """

    count: int
    mean_seconds: float | None
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """What episodes say together.

    Attributes:
        open: How many are open.
        ignored: How many ended because they count no more.
        reverted: Those that a syncer put right within a watch.
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
    """A stored time, of a span before now (``30m``, ``12h``, ``7d``, ``2w``) or of a date or time.

    Raises:
        UsageError: It is none of these.
    """
    span = _SPAN.fullmatch(text)
    try:
        if span:
            return store_datetime(now - timedelta(**{_UNIT[span[2]]: int(span[1])}))
        time = datetime.fromisoformat(text)
        return store_datetime(time if time.tzinfo else time.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise UsageError(f"--since {text}: is neither a span (30m, 12h, 7d, 2w) nor a date or time") from None


def episode_statistics(episodes: Sequence[Episode]) -> Statistics:
    """The statistics of these episodes."""
    resolved = [episode for episode in episodes if episode.state is EpisodeState.RESOLVED]
    return Statistics(
        open=sum(episode.state is EpisodeState.OPEN for episode in episodes),
        ignored=sum(episode.state is EpisodeState.IGNORED for episode in episodes),
        reverted=_lasting(episode for episode in episodes if episode.state is EpisodeState.REVERTED),
        resolved=_lasting(resolved),
        by_cause=_grouped(resolved, lambda episode: episode.cause),
        by_severity=_grouped(resolved, lambda episode: episode.severity),
    )


def seconds_open(episode: Episode, now: datetime) -> float:
    """How long an episode lasted, or has lasted until now."""
    end = now if episode.ended_at is None else datetime.fromisoformat(episode.ended_at)
    return max((end - datetime.fromisoformat(episode.first_seen)).total_seconds(), 0.0)


def _grouped(episodes: Iterable[Episode], group: Callable[[Episode], str]) -> Mapping[str, DurationSummary]:
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(group(episode), []).append(episode)
    return {name: _lasting(groups[name]) for name in sorted(groups)}


def _lasting(episodes: Iterable[Episode]) -> DurationSummary:
    chosen, now = list(episodes), datetime.now(UTC)
    lengths = [seconds_open(episode, now) for episode in chosen if episode.start_known]
    return DurationSummary(len(chosen), sum(lengths) / len(lengths) if lengths else None, len(chosen) - len(lengths))
