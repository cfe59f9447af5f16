"""Recording what a watch sees: episodes with their exact times, between two scans."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from drift.history.episodes import Episode
from drift.history.recording import forget
from drift.history.rows import actors_text, insert_episode, scope_number
from drift.history.times import store_datetime, stored
from drift.model import Unmanaged


def follow(connection: sqlite3.Connection, episodes: Sequence[Episode]) -> None:
    """Records episodes that began or ended; see `drift.history.store.History.follow`."""
    for episode in episodes:
        scope = scope_number(connection, episode.scope)
        if not _is_known(connection, scope, episode):
            seen = connection.execute("SELECT 1 FROM episodes WHERE scope = ? AND id = ? LIMIT 1", (scope, episode.id))
            reopened = seen.fetchone() is not None
            insert_episode(connection, scope, replace(episode, reopened=reopened), Unmanaged.NAMESPACE)
    forget(connection, store_datetime(datetime.now(UTC)))


def _is_known(connection: sqlite3.Connection, scope: int, episode: Episode) -> bool:
    """Brings the open episode of the finding up to date; False where there is none."""
    done = connection.execute(
        "UPDATE episodes SET last_seen = max(last_seen, ?), cause = ?, severity = ?, actors = ?, ended_at = ?,"
        " state = ? WHERE scope = ? AND id = ? AND ended_at IS NULL",
        (
            stored(episode.last_seen),
            episode.cause,
            episode.severity,
            actors_text(episode.actors),
            None if episode.ended_at is None else stored(episode.ended_at),
            episode.state,
            scope,
            episode.id,
        ),
    )
    return done.rowcount > 0
