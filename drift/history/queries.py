"""Selects and counts recorded episodes, and reads the gaps: what scans could not check, and for how many in a row."""

import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from drift.errors import UsageError
from drift.globs import Glob
from drift.history.episodes import Episode, EpisodeState, Scope, shown, stored
from drift.history.rows import count_of, key_of, time_of, value_of
from drift.model import SEVERITY_RANK, Evidence, Severity
from drift.objects import ObjectKey
from drift.words import rfc3339_ms

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
        return (
            not (self.only_open and episode.state is not EpisodeState.OPEN)
            and (self.since is None or episode.ended_at is None or stored(episode.ended_at) >= self.since)
            and self.selects(episode.key)
        )

    def select_gaps(self, scopes: "Iterable[ScopeGaps]") -> "Iterator[ScopeGaps]":
        """Yields the gaps of the selected objects. Those of kinds count only if no object or namespace is selected."""
        selects_all = self.objects is None and self.namespaces is None
        for one in scopes:
            gaps = tuple(gap for gap in one.gaps if (selects_all if gap.key is None else self.selects(gap.key)))
            if gaps:
                yield replace(one, gaps=gaps)

    def selects(self, key: ObjectKey) -> bool:
        """Returns whether the filter selects episodes of an object."""
        return (self.namespaces is None or (key.namespace is not None and self.namespaces.matches(key.namespace))) and (
            self.objects is None or any(map(self.objects.matches, (key.name, f"{key.kind}/{key.name}")))
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
        reverted: Those whose object was changed back during a watch, by a GitOps controller or a person.
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
            return rfc3339_ms(now - timedelta(**{_UNIT[span[2]]: int(span[1])}))
        time = datetime.fromisoformat(text)
        return rfc3339_ms(time if time.tzinfo else time.replace(tzinfo=UTC))
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


class By(StrEnum):
    """What the episodes of a group have in common."""

    OBJECT = "object"
    KIND = "kind"
    MANAGER = "manager"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class EpisodeGroup:
    """The episodes of one object, kind, field manager or user.

    Attributes:
        name: An object as ``Kind.group namespace/name``, a kind, a field manager, or a user, perhaps as a pseudonym;
            None for the episodes without a manager or user.
        open: How many are open.
        worst: The worst severity of those; None if none is open.
        ended: Those that ended.
        objects: The objects, the latest first.
        latest: RFC 3339, when the latest one was first seen.
    """

    name: str | None
    open: int
    worst: Severity | None
    ended: DurationSummary
    objects: tuple[ObjectKey, ...]
    latest: str


def groups_of(episodes: Iterable[Episode], by: By) -> Sequence[EpisodeGroup]:
    """Returns the groups with the worst open episodes first, and last the episodes without a name.

    An episode with several managers or users is in the group of each. A user that is only one of several candidates
    does not count.
    """
    by_name: dict[str | None, list[Episode]] = {}
    for episode in sorted(episodes, key=_first_seen, reverse=True):
        for name in _names(episode, by) or (None,):
            by_name.setdefault(name, []).append(episode)
    return sorted((_group(name, found) for name, found in by_name.items()), key=_worst_first)


def _names(episode: Episode, by: By) -> Collection[str]:
    match by:
        case By.OBJECT:
            return {str(episode.key)}
        case By.KIND:
            return {episode.key.kind}
        case By.MANAGER:
            return {actor.manager for actor in episode.actors}
        case By.PERSON:
            known = (actor for actor in episode.actors if actor.evidence not in {None, Evidence.CANDIDATE})
            return {actor.user for actor in known if actor.user is not None}


def _group(name: str | None, episodes: Sequence[Episode]) -> EpisodeGroup:
    """Returns a group of episodes, which are the latest first."""
    still_open = [episode for episode in episodes if episode.state is EpisodeState.OPEN]
    return EpisodeGroup(
        name,
        len(still_open),
        min((episode.severity for episode in still_open), key=SEVERITY_RANK.__getitem__, default=None),
        _summary(episode for episode in episodes if episode.state is not EpisodeState.OPEN),
        tuple(dict.fromkeys(episode.key for episode in episodes)),
        episodes[0].first_seen,
    )


def _worst_first(group: EpisodeGroup) -> tuple[bool, int, int, int, str]:
    worst = len(SEVERITY_RANK) if group.worst is None else SEVERITY_RANK[group.worst]
    return (group.name is None, worst, -group.open, -group.ended.count, group.name or "")


def worst_episodes_first(episodes: Iterable[Episode]) -> Sequence[Episode]:
    """Returns the open episodes by severity and age, the oldest first, and then those that ended, the latest first.

    Scans have times to the second. Of episodes that ended in the same second, those that were seen last come first.
    """
    chosen = sorted(episodes, key=_first_seen)
    still_open = [episode for episode in chosen if episode.state is EpisodeState.OPEN]
    ended = [episode for episode in chosen if episode.state is not EpisodeState.OPEN]
    return [
        *sorted(still_open, key=lambda episode: SEVERITY_RANK[episode.severity]),
        *sorted(ended, key=_end_and_last_seen, reverse=True),
    ]


# The text of a time has milliseconds only if they are not zero, so that it cannot be sorted as text.
def _first_seen(episode: Episode) -> datetime:
    return datetime.fromisoformat(episode.first_seen)


def _end_and_last_seen(episode: Episode) -> tuple[datetime, datetime]:
    last_seen = datetime.fromisoformat(episode.last_seen)
    return (last_seen if episode.ended_at is None else datetime.fromisoformat(episode.ended_at), last_seen)


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


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was not checked. It contains names, never values.

    Attributes:
        key: The object; None for a kind or a part of the search, which the reason names.
        reason: Why, as a sentence.
        since: RFC 3339, the first of the scans in a row that did not check it.
        scans: The number of scans in that row.
    """

    key: ObjectKey | None
    reason: str
    since: str
    scans: int = 1


@dataclass(frozen=True, slots=True)
class ScopeGaps:
    """The gaps of the latest scan of a scope.

    Attributes:
        scope: The scope.
        scans: The number of its recorded scans.
        gaps: The oldest first.
    """

    scope: Scope
    scans: int
    gaps: tuple[Gap, ...]


def read_gaps(connection: sqlite3.Connection) -> tuple[ScopeGaps, ...]:
    """Returns the gaps of all scopes that have any.

    Raises:
        UnreadableRowError: A value is invalid.
    """
    scopes = connection.execute(
        "SELECT number, cluster, name, (SELECT count(*) FROM scans WHERE scans.scope = scopes.number) AS scans"
        " FROM scopes WHERE number IN (SELECT scope FROM gaps) ORDER BY cluster, name"
    ).fetchall()
    return tuple(
        ScopeGaps(
            Scope(value_of(row, "cluster", str), value_of(row, "name", str)),
            count_of(row, "scans"),
            read_gaps_of(connection, value_of(row, "number", int)),
        )
        for row in scopes
    )


def read_gaps_of(connection: sqlite3.Connection, scope: int) -> tuple[Gap, ...]:
    """Returns the gaps of the scope with a number.

    Raises:
        UnreadableRowError: A value is invalid.
    """
    rows = connection.execute(
        "SELECT * FROM gaps WHERE scope = ? ORDER BY since, kind, namespace, name, number", (scope,)
    ).fetchall()
    return tuple(
        Gap(
            key_of(row) if value_of(row, "kind", str) else None,
            value_of(row, "reason", str),
            shown(time_of(row, "since")),
            count_of(row, "scans"),
        )
        for row in rows
    )
