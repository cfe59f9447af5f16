"""The history file: its schema and migrations, one transaction at a time, and what to do with a damaged file."""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from drift.errors import BrokenHistoryError, HistoryError

#: Seconds that a run waits for the lock of another one. A transaction takes milliseconds.
_LOCK_TIMEOUT: Final = 30
#: Seconds that a run waits while another one moves a damaged file. The command `flock` may lock the folder for longer.
_MOVE_TIMEOUT: Final = 5
_MOVE_POLL: Final = 0.02
_MAGIC: Final = b"SQLite format 3\0"
#: Marks an SQLite file as a history: "drft". The header of the file has it at this offset.
APPLICATION_ID: Final = 0x64726674
_MARK: Final = APPLICATION_ID.to_bytes(4)
_MARK_OFFSET: Final = 68
#: Three bytes that are the same in the header of every database.
_FRACTIONS: Final = bytes((64, 32, 32))
_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
#: Suffixes of the files that belong to a database. The database itself is moved last, so that a new database at
#: its path cannot pick up the old journal files.
_SUFFIXES: Final = ("-wal", "-shm", "-journal", "")
#: Closing a file drops all POSIX locks of the process on it, including those of other threads. So threads take turns.
_THREAD_LOCK: Final = threading.RLock()


@contextmanager
def write_transaction(file: Path, *, check: bool) -> Iterator[sqlite3.Connection]:
    """Opens a transaction in the current schema. It is committed unless the block raises.

    The file is created if it does not exist, but not its folder. With ``check``, the whole file is first read for
    damage.

    Raises:
        BrokenHistoryError: The file is damaged.
        HistoryError: The file cannot be written, or is not a history.
    """
    with _in_place(file), _explain_errors(file), closing(_connect(file, "mode=rwc")) as connection:
        connection.execute("BEGIN")
        schema_version(connection, str(file))
        connection.execute("COMMIT")
        if check:
            _check(connection, file, "quick_check")
        connection.execute("PRAGMA synchronous = FULL")
        # Fails while another run does the same, and on network file systems. The history also works without WAL.
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
def read_transaction(file: Path) -> Iterator[sqlite3.Connection]:
    """Opens the current contents in the current schema, without changing the file.

    Raises:
        BrokenHistoryError: The file is damaged.
        HistoryError: The file does not exist, cannot be read, or is not a history.
    """
    with _in_place(file), _explain_errors(file), closing(_connect_to_read(file)) as connection:
        connection.execute("BEGIN")
        if schema_version(connection, str(file)) == SCHEMA_VERSION:
            yield connection
            return
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
            connection.backup(copy)
            copy.row_factory = sqlite3.Row
            migrate(copy, str(file))
            yield copy


def move_aside(file: Path) -> Path | None:
    """Renames a damaged file and its journal files. It overwrites nothing. A link to the file stays.

    Returns:
        The new path, or None if another run has moved the file already.

    Raises:
        HistoryError: The file cannot be moved, or is the damaged database of another program.
    """
    file = _without_links(file)
    try:
        with _THREAD_LOCK, _locked(file.parent):
            # Another run may have moved the damaged file already, so that this is a new one.
            if not _is_damaged(file):
                return None
            if not _is_marked(file):
                raise HistoryError(f"{file}: is a damaged database of another program; give --history another file")
            target = _free_name(file)
            for suffix in _SUFFIXES:
                with suppress(FileNotFoundError):
                    Path(f"{file}{suffix}").rename(f"{target}{suffix}")
            return target
    except OSError as error:
        raise HistoryError(f"{file}: is damaged and cannot be moved aside: {error.strerror}") from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps other runs out. It locks the folder, because a lock on the file would conflict with SQLite's locks."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _in_place(file: Path) -> Iterator[None]:
    """Keeps other runs from moving the file: SQLite would use the journal files of the new one with it.

    A folder that cannot be locked is not, and then no run can move the file.
    """
    with _THREAD_LOCK, ExitStack() as stack:
        with suppress(OSError):
            descriptor = os.open(_without_links(file).parent, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            _wait_for_shared_lock(descriptor)
        yield


def _wait_for_shared_lock(descriptor: int) -> None:
    end = time.monotonic() + _MOVE_TIMEOUT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return
            time.sleep(_MOVE_POLL)
        else:
            return


def _without_links(file: Path) -> Path:
    """Returns the file that a link leads to, beside which SQLite has the journal files."""
    return Path(os.path.realpath(file)) if file.is_symlink() else file


def _is_damaged(file: Path) -> bool:
    if not file.exists():
        return False
    try:
        with _explain_errors(file), closing(_connect(file, "mode=rw")) as connection:
            _check(connection, file, "integrity_check")
    except BrokenHistoryError:
        return True
    return False


def _is_marked(file: Path) -> bool:
    """Returns whether the header of a damaged file is that of a history, or is damaged itself.

    https://www.sqlite.org/fileformat.html#the_database_header
    """
    with file.open("rb") as opened:
        header = opened.read(_MARK_OFFSET + len(_MARK))
    page_size = int.from_bytes(header[16:18])
    has_size = page_size == 1 or (512 <= page_size <= 32768 and page_size.bit_count() == 1)  # noqa: PLR2004
    is_whole = len(header) == _MARK_OFFSET + len(_MARK) and header.startswith(_MAGIC)
    is_header = is_whole and has_size and header[21:24] == _FRACTIONS
    return header[_MARK_OFFSET:] == _MARK or not is_header


def _free_name(file: Path) -> Path:
    base = f"{file}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names = (Path(base if number == 1 else f"{base}-{number}") for number in range(1, 1000))
    return next(name for name in names if not name.exists())


def _check_file_header(file: Path) -> None:
    """Rejects a file that is not a database before SQLite opens it and deletes its journal files.

    Only a header that is cut off or zeroed is damage. Any other start is that of a file of another format.
    """
    if not file.exists():
        return
    if not file.is_file():
        raise HistoryError(f"{file}: is not a file; give --history a file name")
    with file.open("rb") as opened:
        start = opened.read(len(_MAGIC))
    if start in {b"", _MAGIC}:
        return
    if _MAGIC.startswith(start) or not any(start):
        raise BrokenHistoryError(f"{file}: is damaged: it does not begin as a database")
    raise HistoryError(f"{file}: is not a history; give --history another file")


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    _check_file_header(file)
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?{mode}", uri=True, timeout=_LOCK_TIMEOUT, isolation_level=None
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _connect_to_read(file: Path) -> sqlite3.Connection:
    """Connects for reading, even if SQLite cannot create journal files in the folder."""
    if not file.exists():
        raise HistoryError(f"{file}: no such file; `drift report --history {file}` creates it")
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


def _check(connection: sqlite3.Connection, file: Path, pragma: str) -> None:
    (found,) = connection.execute(f"PRAGMA {pragma}(1)").fetchone()
    if found != "ok":
        # The first of two lines only names the database.
        raise BrokenHistoryError(f"{file}: is damaged: {found.splitlines()[-1]}")


@contextmanager
def _explain_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        # Errors that Python itself raises, such as invalid UTF-8, have no error code.
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _BROKEN:
            raise BrokenHistoryError(f"{file}: is damaged: {error}") from None
        if isinstance(error, sqlite3.OperationalError):
            raise HistoryError(f"{file}: cannot be used: {error}") from None
        raise
    except UnicodeDecodeError:
        raise BrokenHistoryError(f"{file}: is damaged: it contains text that is not UTF-8") from None
    except OSError as error:
        raise HistoryError(f"{file}: cannot be used: {error.strerror}") from None


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
    (
        "ALTER TABLE scopes ADD COLUMN notifies INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE undelivered ADD COLUMN claimed_until TEXT",
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
