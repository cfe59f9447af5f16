"""The file on disk: opening it, one transaction at a time, and setting it aside where it is broken."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from drift.errors import HistoryError
from drift.history.layout import NEWEST, layout_of, migrate

#: How long a run waits for another one, whose transaction takes milliseconds.
_PATIENCE_SECONDS: Final = 30
_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
#: What SQLite keeps beside the file. The file itself comes last: without it, nobody takes these for its own.
_BESIDE: Final = ("-wal", "-shm", "-journal", "")


class BrokenHistoryError(HistoryError):
    """The file is no database any more, or damaged."""


@contextmanager
def writing(file: Path, *, check: bool) -> Iterator[sqlite3.Connection]:
    """One transaction, in the newest layout; committed where the block ends without an error, else undone.

    Args:
        file: Made where it does not exist; its folder is not.
        check: Whether to look for damage first, which reads the whole file.

    Raises:
        BrokenHistoryError: The file is damaged.
        HistoryError: It cannot be written, or is not ours.
    """
    _refuse_what_is_no_file(file)
    with _explained(file), _connection(file, "rwc") as connection:
        layout_of(connection, str(file))
        if check:
            _check(connection, file)
        connection.execute("PRAGMA synchronous = FULL")
        # Another run may be in the middle of the same; where it cannot be (a network's folder), it works without.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            migrate(connection, str(file))
            yield connection
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """The file as it is now, in the newest layout; nothing in it or beside it is changed.

    Raises:
        BrokenHistoryError: The file is damaged.
        HistoryError: It does not exist, cannot be read, or is not ours.
    """
    _refuse_what_is_no_file(file)
    if not file.exists():
        raise HistoryError(f"{file}: there is no such file; `drift report --history {file}` makes one")
    with _explained(file), _readable(file) as connection:
        version = layout_of(connection, str(file))
        if version == NEWEST:
            connection.execute("BEGIN")
            yield connection
        else:
            with _copy_in_newest_layout(connection, file) as copy:
                yield copy


def set_aside(file: Path) -> Path | None:
    """Moves a damaged file out of the way, with what SQLite keeps beside it. Nothing is overwritten.

    Returns:
        Where it is now; None where another run has done it already.

    Raises:
        HistoryError: It cannot be moved.
    """
    try:
        with file.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if not _is_still(file, held.fileno()):
                return None
            target = _free_name(file)
            for suffix in _BESIDE:
                with suppress(FileNotFoundError):
                    Path(f"{file}{suffix}").rename(f"{target}{suffix}")
            return target
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HistoryError(f"{file}: is damaged and cannot be set aside: {error.strerror}") from None


def _is_still(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _free_name(file: Path) -> Path:
    base = f"{file}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names = (Path(base if number == 1 else f"{base}-{number}") for number in range(1, 1000))
    return next(name for name in names if not name.exists())


def _refuse_what_is_no_file(file: Path) -> None:
    if file.exists() and not file.is_file():
        raise HistoryError(f"{file}: is no file; give --history the name of one")


@contextmanager
def _connection(file: Path, mode: str) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?{mode if '=' in mode else f'mode={mode}'}",
        uri=True,
        timeout=_PATIENCE_SECONDS,
        isolation_level=None,
    )
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        yield connection
    finally:
        connection.close()


@contextmanager
def _readable(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that reads, also in a folder in which SQLite may not write the files that it keeps beside it."""
    mode = "ro"
    with suppress(sqlite3.OperationalError), _connection(file, mode) as connection:
        connection.execute("SELECT count(*) FROM sqlite_schema")
        yield connection
        return
    with _connection(file, "immutable=1") as connection:
        yield connection


@contextmanager
def _copy_in_newest_layout(connection: sqlite3.Connection, file: Path) -> Iterator[sqlite3.Connection]:
    copy = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.backup(copy)
        migrate(copy, str(file))
        yield copy
    finally:
        copy.close()


def _check(connection: sqlite3.Connection, file: Path) -> None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise BrokenHistoryError(f"{file}: is damaged: {found}")


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in _BROKEN:
            raise BrokenHistoryError(f"{file}: is damaged: {error}") from None
        if isinstance(error, sqlite3.OperationalError):
            raise HistoryError(f"{file}: cannot be used: {error}") from None
        raise
