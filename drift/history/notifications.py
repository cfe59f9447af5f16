"""Notifications that wait for delivery: findings that are new, worsened or resolved."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from drift.history.episodes import Episode, EpisodeChanges, EpisodeState, Scope, stored
from drift.history.rows import episode_of, is_null, member_of, text_of, time_of, value_of
from drift.model import SEVERITY_RANK, Severity
from drift.words import rfc3339_ms

#: How long the notifications that a run sends are not sent by another one. A delivery takes at most half of it.
CLAIM: Final = timedelta(seconds=60)


class NotificationKind(StrEnum):
    """What happened to an episode."""

    NEW = "new"
    WORSENED = "worsened"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Notification:
    """One change of an episode.

    Attributes:
        entries: The rows in the history that it covers. They are deleted after delivery.
        episode_number: The number of the episode.
        kind: What happened.
        episode: The episode as it is now.
        severity_before: The severity before it worsened; None for other kinds.
    """

    entries: tuple[int, ...]
    episode_number: int
    kind: NotificationKind
    episode: Episode
    severity_before: Severity | None = None

    @property
    def is_stale(self) -> bool:
        """Whether it no longer matters: the finding is ignored by now, or as severe as before it worsened."""
        if self.episode.state is EpisodeState.IGNORED:
            return True
        before = self.severity_before
        return before is not None and SEVERITY_RANK[self.episode.severity] >= SEVERITY_RANK[before]


def remember_notifications(connection: sqlite3.Connection, scope: int) -> None:
    """Remembers that notifications are sent for a scope, so that runs that send none keep them for those that do."""
    connection.execute("UPDATE scopes SET notifies = 1 WHERE number = ?", (scope,))


def has_notifications(connection: sqlite3.Connection, scope: int) -> bool:
    """Returns whether a run has ever kept notifications for a scope."""
    (notifies,) = connection.execute("SELECT notifies FROM scopes WHERE number = ?", (scope,)).fetchone()
    return bool(notifies)


def insert_notifications(connection: sqlite3.Connection, opened: Sequence[int], changes: EpisodeChanges) -> None:
    """Keeps notifications of what opened (the numbers of its episodes), worsened and was resolved."""
    resolved = [one.number for one, state in changes.ended if state is EpisodeState.RESOLVED]
    _insert(
        connection,
        [
            *((number, NotificationKind.NEW, None) for number in opened),
            *((one.number, NotificationKind.WORSENED, one.episode.severity) for one in changes.worsened),
            *((number, NotificationKind.RESOLVED, None) for number in resolved),
        ],
    )


def insert_opened(connection: sqlite3.Connection, number: int) -> None:
    """Keeps a notification of an episode that a watch saw open."""
    _insert(connection, [(number, NotificationKind.NEW, None)])


def insert_ended(connection: sqlite3.Connection, number: int) -> None:
    """Keeps a notification of an episode that a watch saw end, unless its receiver has not heard of the episode yet."""
    is_new = "episode = ? AND news = ? AND claimed_until IS NULL"
    values = (number, NotificationKind.NEW)
    if connection.execute(f"SELECT 1 FROM undelivered WHERE {is_new}", values).fetchone() is None:  # noqa: S608
        _insert(connection, [(number, NotificationKind.RESOLVED, None)])
    else:
        connection.execute("DELETE FROM undelivered WHERE episode = ?", (number,))


def _insert(connection: sqlite3.Connection, rows: Sequence[tuple[int, NotificationKind, Severity | None]]) -> None:
    connection.executemany("INSERT INTO undelivered (episode, news, severity_before) VALUES (?, ?, ?)", rows)


def pending_notifications(
    connection: sqlite3.Connection, scope: Scope, entries: Collection[int] | None = None
) -> list[Notification]:
    """Returns the notifications of a scope that were not delivered yet, one for each episode.

    Args:
        connection: The history.
        scope: The scope.
        entries: Only these rows; None for all.
    """
    rows = connection.execute(
        """
        SELECT undelivered.number AS entry, undelivered.news, undelivered.severity_before,
            scopes.cluster, scopes.name AS scope_name, episodes.*
        FROM undelivered
        JOIN episodes ON episodes.number = undelivered.episode
        JOIN scopes ON scopes.number = episodes.scope
        WHERE scopes.cluster = ? AND scopes.name = ?
        ORDER BY undelivered.number
        """,
        (text_of(scope.cluster), text_of(scope.name)),
    )
    return _combine(
        Notification(
            entries=(value_of(row, "entry", int),),
            episode_number=value_of(row, "number", int),
            kind=member_of(row, "news", NotificationKind),
            episode=episode_of(row),
            severity_before=(None if is_null(row, "severity_before") else member_of(row, "severity_before", Severity)),
        )
        for row in rows
        if entries is None or value_of(row, "entry", int) in entries
    )


def claim_notifications(connection: sqlite3.Connection, scope: Scope, now: datetime) -> list[Notification]:
    """Returns the pending notifications that no other run is sending, which are this run's for a minute."""
    free = [row["number"] for row in connection.execute("SELECT * FROM undelivered") if not _is_claimed(row, now)]
    claimed = pending_notifications(connection, scope, {*free})
    until = rfc3339_ms(now + CLAIM)
    connection.executemany(
        "UPDATE undelivered SET claimed_until = ? WHERE number = ?",
        [(until, entry) for one in claimed for entry in one.entries],
    )
    return claimed


def _is_claimed(row: sqlite3.Row, now: datetime) -> bool:
    # A run whose clock was ahead may have claimed it for years.
    until = None if is_null(row, "claimed_until") else stored(time_of(row, "claimed_until"))
    return until is not None and rfc3339_ms(now) < until <= rfc3339_ms(now + CLAIM)


def release_notifications(connection: sqlite3.Connection, notifications: Sequence[Notification]) -> None:
    """Lets other runs send notifications, after their delivery failed."""
    entries = [(number,) for notification in notifications for number in notification.entries]
    connection.executemany("UPDATE undelivered SET claimed_until = NULL WHERE number = ?", entries)


def _combine(notifications: Iterable[Notification]) -> list[Notification]:
    """Returns one notification for each episode, in the order of their first ones.

    Resolved replaces everything else. New and then worsened is new. Worsened twice is worsened from the first severity.
    """
    combined: dict[int, Notification] = {}
    for one in notifications:
        known = combined.get(one.episode_number)
        if known is None:
            combined[one.episode_number] = one
        else:
            kept = one if one.kind is NotificationKind.RESOLVED else known
            combined[one.episode_number] = replace(kept, entries=(*known.entries, *one.entries))
    return list(combined.values())


def delete_notifications(connection: sqlite3.Connection, notifications: Sequence[Notification]) -> None:
    """Deletes notifications after their delivery."""
    entries = [(number,) for notification in notifications for number in notification.entries]
    connection.executemany("DELETE FROM undelivered WHERE number = ?", entries)
