"""The layout of the file, and how a file of an earlier layout gets to this one: one step after the other."""

import sqlite3
from typing import Final

from drift.errors import HistoryError

#: Tells our files from those of other programs: "drft".
APPLICATION_ID: Final = 0x64726674

#: What leads from each layout to the next, the empty file being layout 0. Steps are never changed, only added.
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
        # What the first scan of a scope found may be of any age.
        """
        UPDATE episodes SET start_known = 0
        WHERE first_seen <= (SELECT min(at) FROM scans WHERE scans.scope = episodes.scope)
        """,
    ),
)
SCHEMA_VERSION: Final = len(MIGRATIONS)


def schema_version(connection: sqlite3.Connection, file: str) -> int:
    """The number of the file's layout; 0 for an empty file. Within a transaction, since another run may be at work.

    Raises:
        HistoryError: It is a database of another program, or of a newer version of this one.
    """
    version = _pragma(connection, "user_version")
    owner = _pragma(connection, "application_id")
    is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if owner != APPLICATION_ID and not (is_empty and owner == 0):
        raise HistoryError(f"{file}: is a database of another program; give --history a file of its own")
    if version > SCHEMA_VERSION:
        raise HistoryError(
            f"{file}: has layout {version} and this drift knows {SCHEMA_VERSION}; update drift, or give another file"
        )
    return version


def migrate(connection: sqlite3.Connection, file: str) -> None:
    """Brings the file to the newest layout, within the transaction that is open.

    Raises:
        HistoryError: As `schema_version`.
    """
    for statements in MIGRATIONS[schema_version(connection, file) :]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
