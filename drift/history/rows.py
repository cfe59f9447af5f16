"""Converts episodes to rows and back.

SQLite does not enforce types, and another program may have changed the file. So every value is checked when it is read.
"""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from drift.history.episodes import Episode, EpisodeState, Scope, shown, stored
from drift.model import Actor, Cause, Change, Evidence, Severity, Unmanaged
from drift.objects import ObjectKey

#: Characters of an unexpected value in an error message.
_MAX_SHOWN: Final = 40

_Value = TypeVar("_Value", str, int)
_Member = TypeVar("_Member", bound=StrEnum)

#: Selects the columns that `episode_of` reads, including those of the scope.
EPISODES: Final = """
    SELECT scopes.cluster, scopes.name AS scope_name, episodes.* FROM episodes
    JOIN scopes ON scopes.number = episodes.scope
"""


class UnreadableRowError(Exception):
    """A row has a value that this version never writes. The message is one line."""


def scope_number(connection: sqlite3.Connection, scope: Scope) -> int:
    """Returns the number of a scope, and adds the scope if it is new."""
    named = (text_of(scope.cluster), text_of(scope.name))
    if scope.former_name is not None:
        # Without its history, all findings would be new.
        connection.execute(
            "UPDATE OR IGNORE scopes SET name = ? WHERE cluster = ? AND name = ?",
            (named[1], named[0], text_of(scope.former_name)),
        )
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
        "start_known": int(episode.start_known),
    }
    columns, places = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(
        f"INSERT INTO episodes ({columns}) VALUES ({places})",  # noqa: S608
        [text_of(value) if isinstance(value, str) else value for value in values.values()],
    )
    number: int = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
    return number


def episode_of(row: sqlite3.Row) -> Episode:
    """Returns the episode of a row of `EPISODES`.

    Raises:
        UnreadableRowError: A value is invalid.
    """
    return Episode(
        scope=Scope(value_of(row, "cluster", str), value_of(row, "scope_name", str)),
        id=value_of(row, "id", str),
        api_version=value_of(row, "api_version", str),
        key=key_of(row),
        path=value_of(row, "path", str),
        change=member_of(row, "change", Change),
        cause=member_of(row, "cause", Cause),
        severity=member_of(row, "severity", Severity),
        actors=actors_of(row),
        first_seen=time_of(row, "first_seen"),
        last_seen=time_of(row, "last_seen"),
        ended_at=None if is_null(row, "ended_at") else time_of(row, "ended_at"),
        state=member_of(row, "state", EpisodeState),
        reopened=bool(value_of(row, "reopened", int)),
        start_known=bool(value_of(row, "start_known", int)),
    )


def key_of(row: sqlite3.Row) -> ObjectKey:
    """Returns the object of a row.

    Raises:
        UnreadableRowError: A value is invalid.
    """
    return ObjectKey(
        value_of(row, "api_group", str),
        value_of(row, "kind", str),
        None if is_null(row, "namespace") else value_of(row, "namespace", str),
        value_of(row, "name", str),
    )


def is_null(row: sqlite3.Row, column: str) -> bool:
    """Returns whether a column is NULL.

    Raises:
        UnreadableRowError: The column is missing.
    """
    return _raw(row, column) is None


def value_of(row: sqlite3.Row, column: str, kind: type[_Value]) -> _Value:
    """Returns the value of a column.

    Raises:
        UnreadableRowError: It has another type.
    """
    value = _raw(row, column)
    if isinstance(value, kind):
        return value
    raise _unexpected(column, value)


def count_of(row: sqlite3.Row, column: str) -> int:
    """Returns a number that counts something.

    Raises:
        UnreadableRowError: The value is not a number, or is negative.
    """
    value = value_of(row, column, int)
    if value < 0:
        raise _unexpected(column, value)
    return value


def time_of(row: sqlite3.Row, column: str) -> str:
    """Returns a time in the form that reports use.

    Raises:
        UnreadableRowError: The value is not a time.
    """
    value = value_of(row, column, str)
    try:
        stored(value)
        is_time = datetime.fromisoformat(value).tzinfo is not None
    except (ValueError, OverflowError):
        is_time = False
    if not is_time:
        raise _unexpected(column, value)
    return shown(value)


def member_of(row: sqlite3.Row, column: str, kind: type[_Member]) -> _Member:
    """Returns a member of an enum.

    Raises:
        UnreadableRowError: The value is not a member.
    """
    value = _raw(row, column)
    try:
        return kind(value)
    except ValueError:
        raise _unexpected(column, value) from None


def actors_of(row: sqlite3.Row) -> tuple[Actor, ...]:
    """Returns the field managers of an episode.

    Raises:
        UnreadableRowError: The value is invalid.
    """
    text = value_of(row, "actors", str)
    try:
        return tuple(_actor(*parts) for parts in json.loads(text))
    except (TypeError, ValueError, RecursionError):
        raise _unexpected("actors", text) from None


def _actor(manager: object, operation: object, *others: object) -> Actor:
    """Returns an actor from its list in a row. Without a user, and in older files, it ends after the time."""
    if not (isinstance(manager, str) and isinstance(operation, str)):
        raise TypeError
    if len(others) not in {2, 6} or not all(isinstance(text, str | None) for text in others):
        raise TypeError
    texts = [text if isinstance(text, str) else None for text in others]
    subresource, time, user, impersonated_by, user_agent, evidence = (*texts, *[None] * 4)[:6]
    known = None if evidence is None else Evidence(evidence)
    return Actor(manager, operation, subresource, time, user, impersonated_by, user_agent, known)


def _raw(row: sqlite3.Row, column: str) -> Any:
    try:
        return row[column]
    except IndexError:
        raise UnreadableRowError(f"column {column} is missing") from None


def _unexpected(column: str, value: object) -> UnreadableRowError:
    text = repr(value)
    return UnreadableRowError(f"{column} is {text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + '...'}")


def actors_text(actors: Sequence[Actor]) -> str:
    """Returns field managers as the JSON that the file stores."""
    return json.dumps([_actor_parts(actor) for actor in actors])


def _actor_parts(actor: Actor) -> list[str | None]:
    parts = [actor.manager, actor.operation, actor.subresource, actor.time]
    if actor.evidence is None:
        return parts
    return [*parts, actor.user, actor.impersonated_by, actor.user_agent, actor.evidence]


def text_of(text: str) -> str:
    """Replaces lone surrogates, which JSON may contain but UTF-8 cannot encode."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
