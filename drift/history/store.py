"""The API of the history: record scans and episodes of a scope, read them back, keep notifications."""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from drift.errors import BrokenHistoryError, HistoryError, UsageError
from drift.history.database import move_aside, read_transaction, write_transaction
from drift.history.episodes import DEFAULT_COVERAGE, Episode, ScanCoverage, Scope
from drift.history.notifications import (
    Notification,
    claim_notifications,
    delete_notifications,
    pending_notifications,
    release_notifications,
)
from drift.history.queries import ScopeGaps, read_gaps
from drift.history.recording import record_scan, update_episodes
from drift.history.rows import EPISODES, UnreadableRowError, episode_of, is_null, time_of, value_of
from drift.model import ClusterInfo, Report
from drift.sources.git import origin_url, owner_and_name, repository_path, work_tree_of

_Result = TypeVar("_Result")


class History:
    """A history file. Several processes may use it at once; each call is one short transaction.

    The first write creates the file, but not its folder. ``warn`` is called if a damaged file was moved aside.

    Attributes:
        file: Its path.
    """

    def __init__(self, file: Path, warn: Callable[[str], None]) -> None:
        self.file = file
        self._warn = warn
        self._checked = False

    def record(
        self,
        report: Report,
        scope: Scope,
        coverage: ScanCoverage = DEFAULT_COVERAGE,
        *,
        count_as_scan: bool = True,
        for_notifications: bool = False,
        start_unknown: Collection[str] = (),
    ) -> Report:
        """Records the findings of a scan.

        A new episode starts at the ``first_seen`` of its finding if there is one, else at the time of the report. A
        scan that is older than the last one of its scope is not recorded.

        Args:
            report: The report, after severity and ignore rules.
            scope: The scope of the scan.
            coverage: What the scan looked at.
            count_as_scan: Whether it counts as a scan. False only updates the episodes.
            for_notifications: Whether to keep new, worsened and resolved findings for `claim_notifications`, from now
                on in each record of the scope.
            start_unknown: The ids of findings that may have begun long before this scan. The first scan of a scope
                treats all its findings like this.

        Returns:
            The report with ages, lifecycles, resolved findings and the latest scans.

        Raises:
            HistoryError: The file cannot be written.
        """
        return self._write(
            lambda connection: record_scan(
                connection,
                report,
                scope,
                coverage,
                count_as_scan=count_as_scan,
                for_notifications=for_notifications,
                start_unknown=start_unknown,
            )
        )

    def pending_notifications(self, scope: Scope) -> list[Notification]:
        """Returns the notifications of a scope that were not delivered yet, including those of earlier scans.

        Raises:
            HistoryError: The file cannot be used.
        """
        return self._write(lambda connection: pending_notifications(connection, scope))

    def claim_notifications(self, scope: Scope, now: datetime | None = None) -> list[Notification]:
        """Returns the pending notifications of a scope that no other run is sending. For a minute, none gets them.

        Raises:
            HistoryError: The file cannot be used.
        """
        at = now or datetime.now(UTC)
        return self._write(lambda connection: claim_notifications(connection, scope, at))

    def release(self, notifications: Sequence[Notification]) -> None:
        """Lets other runs send notifications whose delivery failed.

        Raises:
            HistoryError: The file cannot be written.
        """
        self._write(lambda connection: release_notifications(connection, notifications))

    def mark_delivered(self, notifications: Sequence[Notification]) -> None:
        """Deletes notifications after their delivery.

        Raises:
            HistoryError: The file cannot be written.
        """
        self._write(lambda connection: delete_notifications(connection, notifications))

    def update_episodes(self, episodes: Sequence[Episode]) -> None:
        """Records episodes that a watch saw open or end.

        If the finding has an open episode, that one is updated and keeps its start. Else the episode is added.

        Raises:
            HistoryError: The file cannot be written.
        """
        self._write(lambda connection: update_episodes(connection, episodes))

    def _write(self, action: Callable[[sqlite3.Connection], _Result]) -> _Result:
        try:
            return self._attempt(action)
        except BrokenHistoryError as error:
            moved = move_aside(self.file)
            if moved is not None:
                self._warn(f"{error}; moved it to {moved} and started a new history")
            return self._attempt(action)

    def _attempt(self, action: Callable[[sqlite3.Connection], _Result]) -> _Result:
        with write_transaction(self.file, check=not self._checked) as connection:
            self._checked = True
            with _explain_unreadable_rows(self.file):
                return action(connection)


@dataclass(frozen=True, slots=True)
class HistoryContents:
    """The contents of a history file.

    Attributes:
        episodes: All episodes, oldest first.
        scans: The number of recorded scans.
        last_scan: RFC 3339; None before the first.
        gaps: What the latest scan of each scope did not check.
    """

    episodes: tuple[Episode, ...]
    scans: int
    last_scan: str | None
    gaps: tuple[ScopeGaps, ...] = ()


def read_history(file: Path) -> HistoryContents:
    """Reads a history without changing the file.

    Raises:
        HistoryError: The file does not exist or is not a history.
    """
    with read_transaction(file) as connection, _explain_unreadable_rows(file):
        scans = connection.execute("SELECT count(*) AS number, max(at) AS last FROM scans").fetchone()
        rows = connection.execute(f"{EPISODES} ORDER BY first_seen, episodes.number").fetchall()
        last = None if is_null(scans, "last") else time_of(scans, "last")
        number = value_of(scans, "number", int)
        return HistoryContents(tuple(map(episode_of, rows)), number, last, read_gaps(connection))


@contextmanager
def _explain_unreadable_rows(file: Path) -> Iterator[None]:
    try:
        yield
    except UnreadableRowError as error:
        raise HistoryError(f"{file}: unexpected content: {error}; update drift, or move the file away") from None


_STDIN: Final = "-"


def scope_of(cluster: ClusterInfo | None, sources: Sequence[str], namespace: str, name: str | None) -> Scope:
    """Returns the scope of a scan.

    Args:
        cluster: The cluster; None for dumps, which all share one scope.
        sources: The paths as the user named them, and other sources as on the command line (``--helm-release all``).
            Inside a Git work tree with an origin, the scope has the repository and the path in it, so that it does not
            depend on where the repository is checked out. Elsewhere, it has the absolute path.
        namespace: The namespace of objects that name none.
        name: ``--history-scope``, which replaces the paths and the namespace; None without the flag.

    Raises:
        UsageError: The manifests are read from standard input and there is no name.
    """
    require_scope_name(sources, name)
    server = cluster.server if cluster else ""
    if name is not None:
        return Scope(server, name)
    places = [(source, source) if source.startswith("--") else _place(source) for source in sources]
    now, before = (
        f"{', '.join(sorted({*places_of_release}))} (namespace {namespace})"
        for places_of_release in zip(*places, strict=True)
    )
    return Scope(server, now, None if now == before else (now, before))


def require_scope_name(sources: Sequence[str], name: str | None) -> None:
    """Checks that there is a name if the manifests are read from standard input.

    Raises:
        UsageError: There is none.
    """
    if name is None and _STDIN in sources:
        raise UsageError("--history needs a name for manifests from standard input; add --history-scope NAME")


def _place(path: str) -> tuple[str, str]:
    """Returns where manifests are, and what older releases called it."""
    absolute = Path(path).resolve()
    top = work_tree_of(absolute)
    if top is None:
        return str(absolute), str(absolute)
    inside, url = absolute.relative_to(top).as_posix(), origin_url(top)
    now, before = repository_path(url), owner_and_name(url)
    return f"{now}:{inside}" if now else str(absolute), f"{before}:{inside}" if before else inside
