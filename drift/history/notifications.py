"""Notifications that wait for delivery: findings that are new, worsened or resolved."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from drift.history.episodes import Episode, EpisodeChanges, EpisodeState, Scope
from drift.history.rows import episode_of, is_null, member_of, text_of, value_of
from drift.model import SEVERITY_RANK, Severity


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


def insert_notifications(connection: sqlite3.Connection, opened: Sequence[int], changes: EpisodeChanges) -> None:
    """Keeps notifications of what opened (the numbers of its episodes), worsened and was resolved."""
    resolved = [one.number for one, state in changes.ended if state is EpisodeState.RESOLVED]
    connection.executemany(
        "INSERT INTO undelivered (episode, news, severity_before) VALUES (?, ?, ?)",
        [
            *((number, NotificationKind.NEW, None) for number in opened),
            *((one.number, NotificationKind.WORSENED, one.episode.severity) for one in changes.worsened),
            *((number, NotificationKind.RESOLVED, None) for number in resolved),
        ],
    )


def pending_notifications(connection: sqlite3.Connection, scope: Scope) -> list[Notification]:
    """Returns the notifications of a scope that were not delivered yet, one for each episode."""
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
    )


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
