"""The history as programs use it: recording a scan or a single episode, and reading what was recorded."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from drift.errors import BrokenHistoryError, HistoryError
from drift.history.changes import USUAL_REACH, Changes, Counted, Open, Reach, compare, narrower
from drift.history.database import reading, set_aside, writing
from drift.history.episodes import Episode, Scope, State
from drift.history.times import before, shown, store_datetime, stored
from drift.model import (
    Actor,
    Cause,
    Change,
    Finding,
    Lifecycle,
    ObjectKey,
    PastScan,
    Report,
    Resolved,
    Severity,
    Unmanaged,
    Verdict,
)

#: What is over is forgotten after a year and a month, so that a yearly audit finds all of its year.
KEPT: Final = timedelta(days=400)
#: Scans that a report shows.
_PAST: Final = 50
_EPISODE: Final = """
    SELECT scopes.cluster, scopes.name AS scope_name, episodes.* FROM episodes
    JOIN scopes ON scopes.number = episodes.scope
"""
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
        reach: Reach = USUAL_REACH,
        *,
        count_as_scan: bool = True,
    ) -> Report:
        """Records what a scan found.

        A finding that already has a ``first_seen`` opens at that time, else at the time of the report. A scan that
        is older than the last one of its scope changes nothing, and only learns what is known.

        Args:
            report: The scan, with the user's policy applied.
            scope: What it is to be compared with.
            reach: How far it looked.
            count_as_scan: Whether it is one more scan, or only an update between two.

        Returns:
            The report with ages and lifecycles, what is resolved, and the latest scans.

        Raises:
            HistoryError: The file cannot be written.
        """
        return self._write(lambda connection: _record(connection, report, scope, reach, count_as_scan=count_as_scan))

    def add_episode(self, episode: Episode) -> None:
        """Records one episode as it is, one that is over for instance: seen by a watch, and gone before a scan.

        Raises:
            HistoryError: The file cannot be written, or the finding is open already.
        """
        self._write(lambda connection: _add(connection, episode))

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
            return action(connection)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a file holds.

    Attributes:
        episodes: Every episode, the oldest first.
        scans: How many scans it remembers.
        last_scan: RFC 3339; None before the first.
    """

    episodes: tuple[Episode, ...]
    scans: int
    last_scan: str | None


def read_history(file: Path) -> Recorded:
    """What a file holds; the file stays as it is.

    Raises:
        HistoryError: It does not exist or is no history.
    """
    with reading(file) as connection:
        connection.row_factory = sqlite3.Row
        scans, last = connection.execute("SELECT count(*), max(at) FROM scans").fetchone()
        rows = connection.execute(f"{_EPISODE} ORDER BY first_seen, episodes.number").fetchall()
    try:
        return Recorded(tuple(map(_episode, rows)), scans, None if last is None else shown(last))
    except (TypeError, ValueError) as error:
        raise HistoryError(f"{file}: holds what this version of drift does not know: {error}") from None


# -- recording


def _record(
    connection: sqlite3.Connection, report: Report, scope: Scope, reach: Reach, *, count_as_scan: bool
) -> Report:
    connection.row_factory = sqlite3.Row
    number = _scope_number(connection, scope)
    at = stored(report.generated_at)
    changes = compare(report, _open_episodes(connection, number), reach)
    if _is_outdated(connection, number, at):
        return _annotated(connection, report, number, changes, frozenset(), recorded=False)
    reopened = frozenset(
        found.finding.id for found in changes.opened if _has_episode(connection, number, found.finding.id)
    )
    for found in changes.opened:
        _insert(connection, number, _new_episode(scope, found, at, reopened), reach.unmanaged)
    for episode, found in changes.seen:
        _see(connection, episode, found, at, reach.unmanaged)
    connection.executemany(
        "UPDATE episodes SET ended_at = max(?, last_seen), state = ? WHERE number = ?",
        [(at, state, episode.number) for episode, state in changes.ended],
    )
    if count_as_scan:
        _insert_scan(connection, number, report, at, changes)
    _forget(connection, at)
    return _annotated(connection, report, number, changes, reopened, recorded=True)


def _is_outdated(connection: sqlite3.Connection, scope: int, at: str) -> bool:
    """Whether a newer scan was recorded, of two at once for instance. One in the future is a clock's fault."""
    (last,) = connection.execute("SELECT max(at) FROM scans WHERE scope = ?", (scope,)).fetchone()
    return last is not None and at < last <= store_datetime(datetime.now(UTC))


def _scope_number(connection: sqlite3.Connection, scope: Scope) -> int:
    named = (_text(scope.cluster), _text(scope.name))
    connection.execute("INSERT INTO scopes (cluster, name) VALUES (?, ?) ON CONFLICT DO NOTHING", named)
    number: int = connection.execute("SELECT number FROM scopes WHERE cluster = ? AND name = ?", named).fetchone()[0]
    return number


def _open_episodes(connection: sqlite3.Connection, scope: int) -> list[Open]:
    rows = connection.execute("SELECT * FROM episodes WHERE scope = ? AND ended_at IS NULL", (scope,))
    return [
        Open(row["number"], row["id"], _key(row), Change(row["change"]), Severity(row["severity"]), _seen_with(row))
        for row in rows
    ]


def _seen_with(row: sqlite3.Row) -> Unmanaged:
    return Unmanaged(row["seen_with"])


def _has_episode(connection: sqlite3.Connection, scope: int, finding: str) -> bool:
    known = connection.execute("SELECT 1 FROM episodes WHERE scope = ? AND id = ? LIMIT 1", (scope, finding))
    return known.fetchone() is not None


def _new_episode(scope: Scope, found: Counted, at: str, reopened: frozenset[str]) -> Episode:
    item, finding = found.item, found.finding
    first_seen = finding.first_seen or at
    return Episode(
        scope=scope,
        id=finding.id,
        api_version=item.api_version,
        key=item.key,
        path=finding.path,
        change=finding.change,
        cause=finding.cause,
        severity=finding.severity,
        actors=finding.actors,
        first_seen=first_seen,
        last_seen=max(stored(first_seen), at),
        ended_at=None,
        state=State.OPEN,
        reopened=finding.id in reopened,
    )


def _insert(connection: sqlite3.Connection, scope: int, episode: Episode, seen_with: Unmanaged) -> None:
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
        "actors": _actors_text(episode.actors),
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
        [_text(value) if isinstance(value, str) else value for value in values.values()],
    )


def _see(connection: sqlite3.Connection, episode: Open, found: Counted, at: str, search: Unmanaged) -> None:
    finding = found.finding
    connection.execute(
        "UPDATE episodes SET last_seen = max(last_seen, ?), cause = ?, severity = ?, actors = ?, seen_with = ?"
        " WHERE number = ?",
        (
            at,
            finding.cause,
            finding.severity,
            _actors_text(finding.actors),
            narrower(episode.seen_with, search),
            episode.number,
        ),
    )


def _insert_scan(connection: sqlite3.Connection, scope: int, report: Report, at: str, changes: Changes) -> None:
    (open_now,) = connection.execute(
        "SELECT count(*) FROM episodes WHERE scope = ? AND ended_at IS NULL", (scope,)
    ).fetchone()
    resolved = sum(state is State.RESOLVED for _, state in changes.ended)
    connection.execute(
        "INSERT INTO scans (scope, at, complete, open, new, resolved, git_commit) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            scope,
            at,
            int(report.verdict is not Verdict.INCOMPLETE),
            open_now,
            len(changes.opened),
            resolved,
            report.manifests.git_commit,
        ),
    )


def _add(connection: sqlite3.Connection, episode: Episode) -> None:
    connection.row_factory = sqlite3.Row
    number = _scope_number(connection, episode.scope)
    _insert(connection, number, episode, Unmanaged.NAMESPACE)
    _forget(connection, store_datetime(datetime.now(UTC)))


def _forget(connection: sqlite3.Connection, now: str) -> None:
    limit = before(now, KEPT)
    connection.execute("DELETE FROM episodes WHERE ended_at < ?", (limit,))
    connection.execute("DELETE FROM scans WHERE at < ?", (limit,))


# -- the report with what is known


def _annotated(
    connection: sqlite3.Connection,
    report: Report,
    scope: int,
    changes: Changes,
    reopened: frozenset[str],
    *,
    recorded: bool,
) -> Report:
    known = {
        row["id"]: shown(row["first_seen"])
        for row in connection.execute(
            "SELECT id, first_seen FROM episodes WHERE scope = ? AND ended_at IS NULL", (scope,)
        )
    }
    opened = {found.finding.id for found in changes.opened}

    def annotate(finding: Finding) -> Finding:
        if not finding.is_drift:
            return finding
        if finding.id in reopened:
            lifecycle = Lifecycle.REOPENED
        else:
            lifecycle = Lifecycle.NEW if finding.id in opened else Lifecycle.ONGOING
        return replace(finding, first_seen=known.get(finding.id, report.generated_at), lifecycle=lifecycle)

    return replace(
        report,
        objects=tuple(
            replace(item, findings=tuple(map(annotate, item.findings))) if item.findings else item
            for item in report.objects
        ),
        resolved=tuple(sorted(_resolved(connection, changes), key=_resolved_order)) if recorded else (),
        past=_past(connection, scope),
    )


def _resolved(connection: sqlite3.Connection, changes: Changes) -> Iterator[Resolved]:
    for episode, state in changes.ended:
        if state is State.RESOLVED:
            row = connection.execute("SELECT * FROM episodes WHERE number = ?", (episode.number,)).fetchone()
            yield Resolved(
                id=row["id"],
                api_version=row["api_version"],
                key=_key(row),
                path=row["path"],
                change=Change(row["change"]),
                cause=Cause(row["cause"]),
                severity=Severity(row["severity"]),
                first_seen=shown(row["first_seen"]),
                resolved_at=shown(row["ended_at"]),
            )


def _resolved_order(gone: Resolved) -> tuple[str, str, str, str, str]:
    return (gone.key.namespace or "", gone.key.group, gone.key.kind, gone.key.name, gone.path)


def _past(connection: sqlite3.Connection, scope: int) -> tuple[PastScan, ...]:
    rows = connection.execute(
        "SELECT * FROM scans WHERE scope = ? ORDER BY at DESC, number DESC LIMIT ?", (scope, _PAST)
    ).fetchall()
    return tuple(
        PastScan(shown(row["at"]), row["open"], row["new"], row["resolved"], bool(row["complete"]))
        for row in reversed(rows)
    )


# -- rows


def _episode(row: sqlite3.Row) -> Episode:
    return Episode(
        scope=Scope(row["cluster"], row["scope_name"]),
        id=row["id"],
        api_version=row["api_version"],
        key=_key(row),
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


def _key(row: sqlite3.Row) -> ObjectKey:
    return ObjectKey(row["api_group"], row["kind"], row["namespace"], row["name"])


def _actors_text(actors: Sequence[Actor]) -> str:
    return json.dumps([[actor.manager, actor.operation, actor.subresource, actor.time] for actor in actors])


def _text(text: str) -> str:
    """The text without what cannot be written as UTF-8: halves of characters, which JSON can spell."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
