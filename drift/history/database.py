"""The file on disk: opening it, one transaction at a time, and setting it aside where it is broken."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from drift.errors import BrokenHistoryError, HistoryError
from drift.history.migrations import SCHEMA_VERSION, migrate, schema_version

#: How long a run waits for another one, whose transaction takes milliseconds.
_PATIENCE_SECONDS: Final = 30
_MAGIC: Final = b"SQLite format 3\0"
_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
#: What SQLite keeps beside the file. The file itself comes last: without it, nobody takes these for its own.
_BESIDE: Final = ("-wal", "-shm", "-journal", "")


#: To close a file takes away all locks that this process has on it, be they another thread's.
_IN_TURN: Final = threading.RLock()


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
    with _IN_TURN, _explained(file), closing(_connect(file, "mode=rwc")) as connection:
        connection.execute("BEGIN")
        schema_version(connection, str(file))
        connection.execute("COMMIT")
        if check:
            _check(connection, file, "quick_check")
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
    """The file as it is now, in the newest layout; nothing of it is changed.

    Raises:
        BrokenHistoryError: The file is damaged.
        HistoryError: It does not exist, cannot be read, or is not ours.
    """
    with _IN_TURN, _explained(file), closing(_connect_to_read(file)) as connection:
        connection.execute("BEGIN")
        if schema_version(connection, str(file)) == SCHEMA_VERSION:
            yield connection
            return
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
            connection.backup(copy)
            migrate(copy, str(file))
            yield copy


def set_aside(file: Path) -> Path | None:
    """Moves a damaged file out of the way, with what SQLite keeps beside it. Nothing is overwritten.

    Returns:
        Where it is now; None where another run has done it already.

    Raises:
        HistoryError: It cannot be moved.
    """
    try:
        with _IN_TURN, _locked(file.parent):
            # What was found to be damaged may have been set aside by another run, and the file be a new one.
            if not _is_damaged(file):
                return None
            target = _free_name(file)
            for suffix in _BESIDE:
                with suppress(FileNotFoundError):
                    Path(f"{file}{suffix}").rename(f"{target}{suffix}")
            return target
    except OSError as error:
        raise HistoryError(f"{file}: is damaged and cannot be set aside: {error.strerror}") from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds off other runs. The folder is locked, for a lock on the file would get in SQLite's way."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_damaged(file: Path) -> bool:
    if not file.exists():
        return False
    try:
        with _explained(file), closing(_connect(file, "mode=rw")) as connection:
            _check(connection, file, "integrity_check")
    except BrokenHistoryError:
        return True
    return False


def _free_name(file: Path) -> Path:
    base = f"{file}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names = (Path(base if number == 1 else f"{base}-{number}") for number in range(1, 1000))
    return next(name for name in names if not name.exists())


def _refuse_what_is_no_database(file: Path) -> None:
    """Looks at a file before SQLite does, which tidies up beside one that it takes for empty."""
    if not file.exists():
        return
    if not file.is_file():
        raise HistoryError(f"{file}: is no file; give --history the name of one")
    with file.open("rb") as opened:
        start = opened.read(len(_MAGIC))
    if start not in {b"", _MAGIC}:
        raise BrokenHistoryError(f"{file}: is no history")


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    _refuse_what_is_no_database(file)
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?{mode}", uri=True, timeout=_PATIENCE_SECONDS, isolation_level=None
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _connect_to_read(file: Path) -> sqlite3.Connection:
    """A connection that reads, also where SQLite may not write the files that it keeps beside this one."""
    if not file.exists():
        raise HistoryError(f"{file}: there is no such file; `drift report --history {file}` makes one")
    for mode in ("mode=rw", "mode=ro"):
        connection = _connect(file, mode)
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError:
            connection.close()
        else:
            return connection
    return _connect(file, "immutable=1")


def _check(connection: sqlite3.Connection, file: Path, how: str) -> None:
    (found,) = connection.execute(f"PRAGMA {how}(1)").fetchone()
    if found != "ok":
        raise BrokenHistoryError(f"{file}: is damaged: {found}")


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        # What Python itself finds, such as a text that is none, comes without a code.
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _BROKEN:
            raise BrokenHistoryError(f"{file}: is damaged: {error}") from None
        if isinstance(error, sqlite3.OperationalError):
            raise HistoryError(f"{file}: cannot be used: {error}") from None
        raise
    except UnicodeDecodeError:
        raise BrokenHistoryError(f"{file}: is damaged: it holds a text that is none") from None
    except OSError as error:
        raise HistoryError(f"{file}: cannot be used: {error.strerror}") from None
