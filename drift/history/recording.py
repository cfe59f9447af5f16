"""Recording a scan: within one transaction, episodes open, go on and end, and the report learns what is known."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from drift.history.changes import DriftFinding, EpisodeChanges, OpenEpisode, ScanCoverage, compare, narrower_search
from drift.history.episodes import Episode, EpisodeState, Scope, merge_actors, merge_causes
from drift.history.notifications import NotificationKind
from drift.history.rows import (
    UnreadableRowError,
    actors_of,
    actors_text,
    insert_episode,
    key_of,
    member_of,
    scope_number,
    time_of,
    value_of,
)
from drift.history.times import before, store_datetime, stored
from drift.model import (
    Cause,
    Change,
    Finding,
    Lifecycle,
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


def record(
    connection: sqlite3.Connection,
    report: Report,
    scope: Scope,
    reach: ScanCoverage,
    *,
    count_as_scan: bool,
    for_notifications: bool,
    older: Collection[str] = (),
) -> Report:
    """Records a scan; see `drift.history.store.History.record`."""
    connection.row_factory = sqlite3.Row
    number = scope_number(connection, scope)
    at = stored(report.generated_at)
    changes = compare(report, _open_episodes(connection, number), reach)
    if _is_outdated(connection, number, at):
        return _annotated(connection, report, number, changes, frozenset(), recorded=False)
    reopened = frozenset(
        found.finding.id for found in changes.opened if _has_episode(connection, number, found.finding.id)
    )
    is_first = not _has_scan(connection, number)
    opened = [
        insert_episode(
            connection,
            number,
            replace(
                _new_episode(scope, found, at, reopened),
                start_known=not is_first and found.finding.id not in older,
            ),
            reach.unmanaged,
        )
        for found in changes.opened
    ]
    connection.executemany(
        "UPDATE episodes SET last_seen = max(last_seen, ?), cause = ?, severity = ?, actors = ?, seen_with = ?"
        " WHERE number = ?",
        [_seen_now(episode, found, at, reach.unmanaged) for episode, found in changes.seen],
    )
    connection.executemany(
        "UPDATE episodes SET ended_at = max(?, last_seen), state = ? WHERE number = ?",
        [(at, state, episode.number) for episode, state in changes.ended],
    )
    if for_notifications:
        _keep_news(connection, opened, changes)
    if count_as_scan:
        _insert_scan(connection, number, report, at, changes)
    forget(connection, at)
    return _annotated(connection, report, number, changes, reopened, recorded=True)


def _is_outdated(connection: sqlite3.Connection, scope: int, at: str) -> bool:
    """Whether a newer scan was recorded, of two at once for instance. One in the future is a clock's fault."""
    (last,) = connection.execute("SELECT max(at) FROM scans WHERE scope = ?", (scope,)).fetchone()
    if not isinstance(last, str | None):
        raise UnreadableRowError(f"a scan was made at {last!r:.40}")
    return last is not None and at < last <= store_datetime(datetime.now(UTC))


def _has_scan(connection: sqlite3.Connection, scope: int) -> bool:
    return connection.execute("SELECT 1 FROM scans WHERE scope = ? LIMIT 1", (scope,)).fetchone() is not None


def _open_episodes(connection: sqlite3.Connection, scope: int) -> list[OpenEpisode]:
    rows = connection.execute("SELECT * FROM episodes WHERE scope = ? AND ended_at IS NULL", (scope,))
    return [
        OpenEpisode(
            value_of(row, "number", int),
            value_of(row, "id", str),
            key_of(row),
            member_of(row, "change", Change),
            member_of(row, "cause", Cause),
            member_of(row, "severity", Severity),
            actors_of(row),
            member_of(row, "seen_with", Unmanaged),
        )
        for row in rows
    ]


def _has_episode(connection: sqlite3.Connection, scope: int, finding: str) -> bool:
    known = connection.execute("SELECT 1 FROM episodes WHERE scope = ? AND id = ? LIMIT 1", (scope, finding))
    return known.fetchone() is not None


def _new_episode(scope: Scope, found: DriftFinding, at: str, reopened: frozenset[str]) -> Episode:
    finding = found.finding
    first_seen = finding.first_seen or at
    return Episode.of_finding(
        finding,
        scope=scope,
        api_version=found.item.api_version,
        key=found.item.key,
        first_seen=first_seen,
        last_seen=max(stored(first_seen), at),
        reopened=finding.id in reopened,
    )


def _keep_news(connection: sqlite3.Connection, opened: Sequence[int], changes: EpisodeChanges) -> None:
    resolved = [episode.number for episode, state in changes.ended if state is EpisodeState.RESOLVED]
    connection.executemany(
        "INSERT INTO undelivered (episode, news, severity_before) VALUES (?, ?, ?)",
        [
            *((number, NotificationKind.NEW, None) for number in opened),
            *((episode.number, NotificationKind.WORSENED, episode.severity) for episode in changes.worsened),
            *((number, NotificationKind.RESOLVED, None) for number in resolved),
        ],
    )


def _seen_now(episode: OpenEpisode, found: DriftFinding, at: str, search: Unmanaged) -> tuple[str | int, ...]:
    finding = found.finding
    with_ = narrower_search(episode.seen_with, search)
    cause = merge_causes(episode.cause, finding.cause)
    actors = actors_text(merge_actors(episode.actors, finding.actors))
    return (at, cause, finding.severity, actors, with_, episode.number)


def _insert_scan(connection: sqlite3.Connection, scope: int, report: Report, at: str, changes: EpisodeChanges) -> None:
    (open_now,) = connection.execute(
        "SELECT count(*) FROM episodes WHERE scope = ? AND ended_at IS NULL", (scope,)
    ).fetchone()
    resolved = sum(state is EpisodeState.RESOLVED for _, state in changes.ended)
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


def forget(connection: sqlite3.Connection, now: str) -> None:
    """Takes out what has been over for long. ``now`` is a stored time."""
    limit = before(now, KEPT)
    connection.execute(
        "DELETE FROM undelivered WHERE episode IN (SELECT number FROM episodes WHERE ended_at < ?)", (limit,)
    )
    connection.execute("DELETE FROM episodes WHERE ended_at < ?", (limit,))
    connection.execute("DELETE FROM scans WHERE at < ?", (limit,))


# -- the report with what is known


def _annotated(
    connection: sqlite3.Connection,
    report: Report,
    scope: int,
    changes: EpisodeChanges,
    reopened: frozenset[str],
    *,
    recorded: bool,
) -> Report:
    known = {
        value_of(row, "id", str): time_of(row, "first_seen")
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


def _resolved(connection: sqlite3.Connection, changes: EpisodeChanges) -> Iterator[Resolved]:
    for episode, state in changes.ended:
        if state is EpisodeState.RESOLVED:
            row = connection.execute("SELECT * FROM episodes WHERE number = ?", (episode.number,)).fetchone()
            yield Resolved(
                id=value_of(row, "id", str),
                api_version=value_of(row, "api_version", str),
                key=key_of(row),
                path=value_of(row, "path", str),
                change=member_of(row, "change", Change),
                cause=member_of(row, "cause", Cause),
                severity=member_of(row, "severity", Severity),
                first_seen=time_of(row, "first_seen"),
                resolved_at=time_of(row, "ended_at"),
            )


def _resolved_order(gone: Resolved) -> tuple[str, str, str, str, str]:
    return (gone.key.namespace or "", gone.key.group, gone.key.kind, gone.key.name, gone.path)


def _past(connection: sqlite3.Connection, scope: int) -> tuple[PastScan, ...]:
    rows = connection.execute(
        "SELECT * FROM scans WHERE scope = ? ORDER BY at DESC, number DESC LIMIT ?", (scope, _PAST)
    ).fetchall()
    return tuple(
        PastScan(
            time_of(row, "at"),
            value_of(row, "open", int),
            value_of(row, "new", int),
            value_of(row, "resolved", int),
            bool(value_of(row, "complete", int)),
        )
        for row in reversed(rows)
    )
