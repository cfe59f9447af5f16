"""The schema of the history file, and the migrations from earlier versions of it."""

import sqlite3
from typing import Final

from drift.errors import HistoryError

#: Marks an SQLite file as a history: "drft".
APPLICATION_ID: Final = 0x64726674

#: The statements that lead from each schema version to the next. An empty file has version 0. Never change a migration,
#: only add new ones.
MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """
        CREATE TABLE scopes (
            number INTEGER PRIMARY KEY,
            cluster TEXT NOT NULL,
            name TEXT NOT NULL,
            UNIQUE (cluster, name)
        )
        """,
        """
        CREATE TABLE scans (
            number INTEGER PRIMARY KEY,
            scope INTEGER NOT NULL REFERENCES scopes,
            at TEXT NOT NULL,
            complete INTEGER NOT NULL,
            open INTEGER NOT NULL,
            new INTEGER NOT NULL,
            resolved INTEGER NOT NULL,
            git_commit TEXT
        )
        """,
        "CREATE INDEX scans_by_time ON scans (scope, at)",
        """
        CREATE TABLE episodes (
            number INTEGER PRIMARY KEY,
            scope INTEGER NOT NULL REFERENCES scopes,
            id TEXT NOT NULL,
            api_version TEXT NOT NULL,
            api_group TEXT NOT NULL,
            kind TEXT NOT NULL,
            namespace TEXT,
            name TEXT NOT NULL,
            path TEXT NOT NULL,
            change TEXT NOT NULL,
            cause TEXT NOT NULL,
            severity TEXT NOT NULL,
            actors TEXT NOT NULL,
            first_seen TEXT NOT NULL,
            last_seen TEXT NOT NULL,
            ended_at TEXT,
            state TEXT NOT NULL,
            reopened INTEGER NOT NULL,
            seen_with TEXT NOT NULL
        )
        """,
        "CREATE UNIQUE INDEX open_episodes ON episodes (scope, id) WHERE ended_at IS NULL",
        "CREATE INDEX episodes_by_finding ON episodes (scope, id)",
        "CREATE INDEX episodes_by_end ON episodes (ended_at)",
    ),
    (
        """
        CREATE TABLE undelivered (
            number INTEGER PRIMARY KEY,
            episode INTEGER NOT NULL REFERENCES episodes,
            news TEXT NOT NULL,
            severity_before TEXT
        )
        """,
        "CREATE INDEX undelivered_by_episode ON undelivered (episode)",
    ),
    (
        "ALTER TABLE episodes ADD COLUMN start_known INTEGER NOT NULL DEFAULT 1",
        # The findings of the first scan of a scope may be of any age.
        """
        UPDATE episodes SET start_known = 0
        WHERE first_seen <= (SELECT min(at) FROM scans WHERE scans.scope = episodes.scope)
        """,
    ),
    (
        """
        CREATE TABLE gaps (
            number INTEGER PRIMARY KEY,
            scope INTEGER NOT NULL REFERENCES scopes,
            api_group TEXT NOT NULL,
            kind TEXT NOT NULL,
            namespace TEXT,
            name TEXT NOT NULL,
            reason TEXT NOT NULL,
            since TEXT NOT NULL,
            scans INTEGER NOT NULL
        )
        """,
        "CREATE INDEX gaps_by_scope ON gaps (scope)",
    ),
)
SCHEMA_VERSION: Final = len(MIGRATIONS)


def schema_version(connection: sqlite3.Connection, file: str) -> int:
    """Returns the schema version; 0 for an empty file. Call it in a transaction, because another run may write.

    Raises:
        HistoryError: The file is a database of another program, or has a newer schema.
    """
    version = _pragma(connection, "user_version")
    owner = _pragma(connection, "application_id")
    is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if owner != APPLICATION_ID and not (is_empty and owner == 0):
        raise HistoryError(f"{file}: is a database of another program; give --history another file")
    if version > SCHEMA_VERSION:
        raise HistoryError(
            f"{file}: has schema version {version}, and this version of drift supports up to {SCHEMA_VERSION};"
            " update drift, or use another file"
        )
    return version


def migrate(connection: sqlite3.Connection, file: str) -> None:
    """Migrates the file to the current schema in the open transaction.

    Raises:
        HistoryError: See `schema_version`.
    """
    for statements in MIGRATIONS[schema_version(connection, file) :]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
