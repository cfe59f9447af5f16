"""Episodes as rows of the file, and back."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

from drift.history.episodes import Episode, Scope, State
from drift.history.times import shown, stored
from drift.model import Actor, Cause, Change, ObjectKey, Severity, Unmanaged

#: What `episode_of` reads, with the columns of its scope.
EPISODES: Final = """
    SELECT scopes.cluster, scopes.name AS scope_name, episodes.* FROM episodes
    JOIN scopes ON scopes.number = episodes.scope
"""


def scope_number(connection: sqlite3.Connection, scope: Scope) -> int:
    """The number of a scope, which is added where it is not there."""
    named = (text_of(scope.cluster), text_of(scope.name))
    connection.execute("INSERT INTO scopes (cluster, name) VALUES (?, ?) ON CONFLICT DO NOTHING", named)
    number: int = connection.execute("SELECT number FROM scopes WHERE cluster = ? AND name = ?", named).fetchone()[0]
    return number


def insert_episode(connection: sqlite3.Connection, scope: int, episode: Episode, seen_with: Unmanaged) -> int:
    """Adds an episode and returns its number."""
    values = {
        "scope": scope,
        "id": episode.id,
        "api_version": episode.api_version,
        "api_group": episode.key.group,
        "kind": episode.key.kind,
        "namespace": episode.key.namespace,
        "name": episode.key.name,
        "path": episode.path,
        "change": episode.change,
        "cause": episode.cause,
        "severity": episode.severity,
        "actors": actors_text(episode.actors),
        "first_seen": stored(episode.first_seen),
        "last_seen": stored(episode.last_seen),
        "ended_at": None if episode.ended_at is None else stored(episode.ended_at),
        "state": episode.state,
        "reopened": int(episode.reopened),
        "seen_with": seen_with,
    }
    columns, places = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(
        f"INSERT INTO episodes ({columns}) VALUES ({places})",  # noqa: S608
        [text_of(value) if isinstance(value, str) else value for value in values.values()],
    )
    number: int = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
    return number


def episode_of(row: sqlite3.Row) -> Episode:
    """The episode of a row of `EPISODES`."""
    return Episode(
        scope=Scope(row["cluster"], row["scope_name"]),
        id=row["id"],
        api_version=row["api_version"],
        key=key_of(row),
        path=row["path"],
        change=Change(row["change"]),
        cause=Cause(row["cause"]),
        severity=Severity(row["severity"]),
        actors=tuple(Actor(*actor) for actor in json.loads(row["actors"])),
        first_seen=shown(row["first_seen"]),
        last_seen=shown(row["last_seen"]),
        ended_at=None if row["ended_at"] is None else shown(row["ended_at"]),
        state=State(row["state"]),
        reopened=bool(row["reopened"]),
    )


def key_of(row: sqlite3.Row) -> ObjectKey:
    """The object of a row."""
    return ObjectKey(row["api_group"], row["kind"], row["namespace"], row["name"])


def actors_text(actors: Sequence[Actor]) -> str:
    """Field managers as they are kept: JSON."""
    return json.dumps([[actor.manager, actor.operation, actor.subresource, actor.time] for actor in actors])


def text_of(text: str) -> str:
    """The text without what cannot be written as UTF-8: halves of characters, which JSON can spell."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
