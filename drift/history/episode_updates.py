"""Records the episodes that a watch saw open or end between two scans, with their exact times."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from drift.history.episodes import Episode, merge_actors, merge_causes
from drift.history.recording import delete_expired, has_episode
from drift.history.rows import actors_of, actors_text, insert_episode, member_of, scope_number
from drift.history.times import store_datetime, stored
from drift.model import Cause, Unmanaged


def update_episodes(connection: sqlite3.Connection, episodes: Sequence[Episode]) -> None:
    """Implements `drift.history.store.History.update_episodes`."""
    connection.row_factory = sqlite3.Row
    for episode in episodes:
        scope = scope_number(connection, episode.scope)
        if not _update_open_episode(connection, scope, episode):
            reopened = has_episode(connection, scope, episode.id)
            insert_episode(connection, scope, replace(episode, reopened=reopened), Unmanaged.NAMESPACE)
    delete_expired(connection, store_datetime(datetime.now(UTC)))


def _update_open_episode(connection: sqlite3.Connection, scope: int, episode: Episode) -> bool:
    """Updates the open episode of the finding. Returns False if there is none."""
    row = connection.execute(
        "SELECT number, cause, actors FROM episodes WHERE scope = ? AND id = ? AND ended_at IS NULL",
        (scope, episode.id),
    ).fetchone()
    if row is None:
        return False
    last_seen = stored(episode.last_seen)
    # Clocks may be set back, and the file may come from another machine. An episode never ends before it began, and is
    # never seen after it ended.
    seen = "max(last_seen, ?)" if episode.ended_at is None else "max(first_seen, ?)"
    ended = "NULL" if episode.ended_at is None else "max(first_seen, ?)"
    connection.execute(
        f"UPDATE episodes SET last_seen = {seen}, cause = ?, severity = ?, actors = ?, state = ?, ended_at = {ended}"  # noqa: S608
        " WHERE number = ?",
        (
            last_seen,
            merge_causes(member_of(row, "cause", Cause), episode.cause),
            episode.severity,
            actors_text(merge_actors(actors_of(row), episode.actors)),
            episode.state,
            *(() if episode.ended_at is None else (stored(episode.ended_at),)),
            row["number"],
        ),
    )
    return True
