"""Edits rows of a history: values that the reporter never writes, in a valid SQLite file."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import Any, Final

_VALUES: Final[Sequence[Any]] = [
    *(None, 0, 1, -1, 2**63 - 1, -(2**63), 0.5, 1e308, float("inf")),
    *(
        "",
        " ",
        "x" * 5_000,
        "\x1b]0;x\x07",
        "<script>",
        "::error::",
        "]]>",
        "| a |",
        "0",
        "open",
        "new",
        "manual",
        "high",
    ),
    *("2026-13-45T99:99:99Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-01-01", "now"),
    *("[]", "{}", "null", "[null]", '[{"manager": 1}]', '[["a"]]', "[" * 5_000, '"x"', "1e9999"),
    *(b"", b"\xff\xfe", b"x" * 5_000, b"[]"),
]
#: The header bytes for the kind of journal; a database in memory has none.
_JOURNAL: Final = slice(18, 20)
_ROLLBACK: Final = b"\x01\x01"


def rework(data: bytes, choose: Callable[[Sequence[Any]], Any]) -> bytes:
    """Makes a few edits in a database.

    Args:
        data: The file.
        choose: Returns one of several values.
    """
    content = bytearray(data)
    content[_JOURNAL] = _ROLLBACK
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.deserialize(bytes(content))
        # Another program may have written what the reporter never does.
        database.execute("PRAGMA ignore_check_constraints = ON")
        for _ in range(choose(range(1, 5))):
            names = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            if names:
                # SQLite refuses some edits, such as NULL in a required column; no file can have these.
                with suppress(sqlite3.Error):
                    _change(database, choose(names)[0], choose)
        return database.serialize()


def _change(database: sqlite3.Connection, table: str, choose: Callable[[Sequence[Any]], Any]) -> None:
    column = choose(database.execute(f"PRAGMA table_info({table})").fetchall())[1]
    one_row = f"rowid IN (SELECT rowid FROM {table} ORDER BY rowid LIMIT 1 OFFSET {choose(range(6))})"  # noqa: S608
    action = choose(["one", "one", "one", "all", "remove", "repeat", "drop column", "drop table", "version"])
    if action in {"one", "all"}:
        where = one_row if action == "one" else "TRUE"
        database.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (choose(_VALUES),))  # noqa: S608
    elif action == "remove":
        database.execute(f"DELETE FROM {table} WHERE {one_row}")  # noqa: S608
    elif action == "repeat":
        others = [name for _, name, *_, is_key in database.execute(f"PRAGMA table_info({table})") if not is_key]
        listed = ", ".join(others)
        database.execute(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {table} WHERE {one_row}")  # noqa: S608
    elif action == "drop column":
        database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    elif action == "drop table":
        database.execute(f"DROP TABLE {table}")
    else:
        database.execute(f"PRAGMA user_version = {choose(range(10))}")
