"""Recording what a watch sees: episodes with their exact times, between two scans."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from drift.history.episodes import Episode, merge_actors, merge_causes
from drift.history.recording import forget
from drift.history.rows import actors_of, actors_text, insert_episode, member_of, scope_number
from drift.history.times import store_datetime, stored
from drift.model import Cause, Unmanaged


def follow(connection: sqlite3.Connection, episodes: Sequence[Episode]) -> None:
    """Records episodes that began or ended; see `drift.history.store.History.follow`."""
    connection.row_factory = sqlite3.Row
    for episode in episodes:
        scope = scope_number(connection, episode.scope)
        if not _is_known(connection, scope, episode):
            seen = connection.execute("SELECT 1 FROM episodes WHERE scope = ? AND id = ? LIMIT 1", (scope, episode.id))
            reopened = seen.fetchone() is not None
            insert_episode(connection, scope, replace(episode, reopened=reopened), Unmanaged.NAMESPACE)
    forget(connection, store_datetime(datetime.now(UTC)))


def _is_known(connection: sqlite3.Connection, scope: int, episode: Episode) -> bool:
    """Brings the open episode of the finding up to date; False where there is none."""
    row = connection.execute(
        "SELECT number, cause, actors FROM episodes WHERE scope = ? AND id = ? AND ended_at IS NULL",
        (scope, episode.id),
    ).fetchone()
    if row is None:
        return False
    last_seen = stored(episode.last_seen)
    # Clocks are set back, and the file may come from another machine: no episode ends before it began, and none is
    # last seen after it ended.
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
