"""The history as programs use it: recording a scan or a single episode, and reading what was recorded."""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from drift.errors import BrokenHistoryError, HistoryError
from drift.history.changes import DEFAULT_COVERAGE, ScanCoverage
from drift.history.database import reading, set_aside, writing
from drift.history.episode_updates import follow
from drift.history.episodes import Episode, Scope
from drift.history.notifications import Notification, NotificationKind, combine_notifications
from drift.history.recording import forget, record
from drift.history.rows import (
    EPISODES,
    UnreadableRowError,
    episode_of,
    insert_episode,
    is_null,
    member_of,
    scope_number,
    text_of,
    time_of,
    value_of,
)
from drift.history.times import store_datetime
from drift.model import Report, Severity, Unmanaged

_Result = TypeVar("_Result")


class History:
    """A file that remembers. Several processes may use one at once; each call is one short transaction.

    Attributes:
        file: Where it is.

    Args:
        file: Made at the first record where it does not exist; its folder is not.
        warn: Told in a sentence when a damaged file was set aside.
    """

    def __init__(self, file: Path, warn: Callable[[str], None]) -> None:
        self.file = file
        self._warn = warn
        self._checked = False

    def record(
        self,
        report: Report,
        scope: Scope,
        reach: ScanCoverage = DEFAULT_COVERAGE,
        *,
        count_as_scan: bool = True,
        for_notifications: bool = False,
        older: Collection[str] = (),
    ) -> Report:
        """Records what a scan found.

        A finding that already has a ``first_seen`` opens at that time, else at the time of the report. A scan that
        is older than the last one of its scope changes nothing, and only learns what is known.

        Args:
            report: The scan, with the user's policy applied.
            scope: What it is to be compared with.
            reach: How far it looked.
            count_as_scan: Whether it is one more scan, or only an update between two.
            for_notifications: Whether to keep for `news` what is new, worsened and resolved.
            older: The ids of findings that may have begun long before this scan. At the first scan of a scope that
                goes for all of them.

        Returns:
            The report with ages and lifecycles, what is resolved, and the latest scans.

        Raises:
            HistoryError: The file cannot be written.
        """
        return self._write(
            lambda connection: record(
                connection,
                report,
                scope,
                reach,
                count_as_scan=count_as_scan,
                for_notifications=for_notifications,
                older=older,
            )
        )

    def pending_notifications(self, scope: Scope) -> list[Notification]:
        """What nobody was told yet of a scope, of this scan and of earlier ones.

        Raises:
            HistoryError: The file cannot be used.
        """
        return self._write(lambda connection: _pending(connection, scope))

    def mark_delivered(self, items: Sequence[Notification]) -> None:
        """Takes note that somebody was told.

        Raises:
            HistoryError: The file cannot be written.
        """
        numbers = [(number,) for item in items for number in item.numbers]
        self._write(lambda connection: connection.executemany("DELETE FROM undelivered WHERE number = ?", numbers))

    def add_episode(self, episode: Episode) -> None:
        """Records one episode as it is, one that is over for instance: seen by a watch, and gone before a scan.

        Raises:
            HistoryError: The file cannot be written, or the finding is open already.
        """
        self._write(lambda connection: _add(connection, episode))

    def follow(self, episodes: Sequence[Episode]) -> None:
        """Records what a watch has seen, with the times at which it happened: episodes that began, and that ended.

        An episode whose finding is open in the file is that one: it keeps when it was seen first. Any other is added.

        Raises:
            HistoryError: The file cannot be written.
        """
        self._write(lambda connection: follow(connection, episodes))

    def _write(self, action: Callable[[sqlite3.Connection], _Result]) -> _Result:
        try:
            return self._attempt(action)
        except BrokenHistoryError as error:
            moved = set_aside(self.file)
            if moved is not None:
                self._warn(f"{error}; it is kept as {moved}, and a new history begins")
            return self._attempt(action)

    def _attempt(self, action: Callable[[sqlite3.Connection], _Result]) -> _Result:
        with writing(self.file, check=not self._checked) as connection:
            self._checked = True
            with _readable(self.file):
                return action(connection)


@dataclass(frozen=True, slots=True)
class HistoryContents:
    """What a file holds.

    Attributes:
        episodes: Every episode, the oldest first.
        scans: How many scans it remembers.
        last_scan: RFC 3339; None before the first.
    """

    episodes: tuple[Episode, ...]
    scans: int
    last_scan: str | None


def read_history(file: Path) -> HistoryContents:
    """What a file holds; the file stays as it is.

    Raises:
        HistoryError: It does not exist or is no history.
    """
    with reading(file) as connection:
        connection.row_factory = sqlite3.Row
        scans = connection.execute("SELECT count(*) AS number, max(at) AS last FROM scans").fetchone()
        rows = connection.execute(f"{EPISODES} ORDER BY first_seen, episodes.number").fetchall()
    with _readable(file):
        last = None if is_null(scans, "last") else time_of(scans, "last")
        return HistoryContents(tuple(map(episode_of, rows)), value_of(scans, "number", int), last)


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except UnreadableRowError as error:
        raise HistoryError(
            f"{file}: holds what this version of drift does not know: {error}; update drift, or move the file away"
        ) from None


def _add(connection: sqlite3.Connection, episode: Episode) -> None:
    try:
        insert_episode(connection, scope_number(connection, episode.scope), episode, Unmanaged.NAMESPACE)
    except sqlite3.IntegrityError:
        raise HistoryError(f"{episode.path} of {episode.key} is open already") from None
    forget(connection, store_datetime(datetime.now(UTC)))


def _pending(connection: sqlite3.Connection, scope: Scope) -> list[Notification]:
    connection.row_factory = sqlite3.Row
    rows = connection.execute(
        """
        SELECT undelivered.number AS entry, undelivered.news, undelivered.severity_before,
            scopes.cluster, scopes.name AS scope_name, episodes.*
        FROM undelivered
        JOIN episodes ON episodes.number = undelivered.episode
        JOIN scopes ON scopes.number = episodes.scope
        WHERE scopes.cluster = ? AND scopes.name = ?
        ORDER BY undelivered.number
        """,
        (text_of(scope.cluster), text_of(scope.name)),
    )
    return combine_notifications(
        Notification(
            numbers=(value_of(row, "entry", int),),
            number=value_of(row, "number", int),
            news=member_of(row, "news", NotificationKind),
            episode=episode_of(row),
            severity_before=(None if is_null(row, "severity_before") else member_of(row, "severity_before", Severity)),
        )
        for row in rows
    )
