"""Records a scan in one transaction: opens, updates and ends episodes, and adds their data to the report."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from drift.history.changes import (
    DriftFinding,
    EpisodeChanges,
    OpenEpisode,
    ScanCoverage,
    episode_changes,
    narrower_search,
)
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

#: Ended episodes and scans are deleted after a year and a month, so that a yearly audit finds its whole year.
RETENTION: Final = timedelta(days=400)
#: Past scans in a report.
_PAST_SCANS: Final = 50


def record(
    connection: sqlite3.Connection,
    report: Report,
    scope: Scope,
    coverage: ScanCoverage,
    *,
    count_as_scan: bool,
    for_notifications: bool,
    start_unknown: Collection[str] = (),
) -> Report:
    """Implements `drift.history.store.History.record`."""
    connection.row_factory = sqlite3.Row
    number = scope_number(connection, scope)
    at = stored(report.generated_at)
    changes = episode_changes(report, _open_episodes(connection, number), coverage)
    if _is_outdated(connection, number, at):
        return _with_history(connection, report, number, changes, frozenset(), recorded=False)
    reopened = frozenset(
        found.finding.id for found in changes.opened if has_episode(connection, number, found.finding.id)
    )
    is_first = not _has_scan(connection, number)
    opened = [
        insert_episode(
            connection,
            number,
            replace(
                _new_episode(scope, found, at, reopened),
                start_known=not is_first and found.finding.id not in start_unknown,
            ),
            coverage.unmanaged,
        )
        for found in changes.opened
    ]
    _update_known_episodes(connection, changes, at, coverage.unmanaged)
    if for_notifications:
        _insert_notifications(connection, opened, changes)
    if count_as_scan:
        _insert_scan(connection, number, report, at, changes)
    delete_expired(connection, at)
    return _with_history(connection, report, number, changes, reopened, recorded=True)


def _is_outdated(connection: sqlite3.Connection, scope: int, at: str) -> bool:
    """Returns whether a newer scan was recorded, for example by a parallel run. Scans in the future do not count."""
    (last,) = connection.execute("SELECT max(at) FROM scans WHERE scope = ?", (scope,)).fetchone()
    if not isinstance(last, str | None):
        raise UnreadableRowError(f"the time of a scan is {last!r:.40}")
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


def has_episode(connection: sqlite3.Connection, scope: int, finding: str) -> bool:
    """Returns whether the history has an episode of a finding, open or ended."""
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


def _update_known_episodes(connection: sqlite3.Connection, changes: EpisodeChanges, at: str, search: Unmanaged) -> None:
    connection.executemany(
        "UPDATE episodes SET last_seen = max(last_seen, ?), cause = ?, severity = ?, actors = ?, seen_with = ?"
        " WHERE number = ?",
        [_update_parameters(episode, found, at, search) for episode, found in changes.seen],
    )
    connection.executemany(
        "UPDATE episodes SET ended_at = max(?, last_seen), state = ? WHERE number = ?",
        [(at, state, episode.number) for episode, state in changes.ended],
    )


def _update_parameters(episode: OpenEpisode, found: DriftFinding, at: str, search: Unmanaged) -> tuple[str | int, ...]:
    finding = found.finding
    seen_with = narrower_search(episode.seen_with, search)
    cause = merge_causes(episode.cause, finding.cause)
    actors = actors_text(merge_actors(episode.actors, finding.actors))
    return (at, cause, finding.severity, actors, seen_with, episode.number)


def _insert_notifications(connection: sqlite3.Connection, opened: Sequence[int], changes: EpisodeChanges) -> None:
    resolved = [episode.number for episode, state in changes.ended if state is EpisodeState.RESOLVED]
    connection.executemany(
        "INSERT INTO undelivered (episode, news, severity_before) VALUES (?, ?, ?)",
        [
            *((number, NotificationKind.NEW, None) for number in opened),
            *((episode.number, NotificationKind.WORSENED, episode.severity) for episode in changes.worsened),
            *((number, NotificationKind.RESOLVED, None) for number in resolved),
        ],
    )


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


def delete_expired(connection: sqlite3.Connection, now: str) -> None:
    """Deletes ended episodes and scans that are older than `RETENTION`. ``now`` is a stored time."""
    limit = before(now, RETENTION)
    connection.execute(
        "DELETE FROM undelivered WHERE episode IN (SELECT number FROM episodes WHERE ended_at < ?)", (limit,)
    )
    connection.execute("DELETE FROM episodes WHERE ended_at < ?", (limit,))
    connection.execute("DELETE FROM scans WHERE at < ?", (limit,))


# -- the report


def _with_history(
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
        resolved=tuple(sorted(_resolved_findings(connection, changes), key=_sort_key)) if recorded else (),
        past=_past_scans(connection, scope),
    )


def _resolved_findings(connection: sqlite3.Connection, changes: EpisodeChanges) -> Iterator[Resolved]:
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


def _sort_key(gone: Resolved) -> tuple[str, str, str, str, str]:
    return (gone.key.namespace or "", gone.key.group, gone.key.kind, gone.key.name, gone.path)


def _past_scans(connection: sqlite3.Connection, scope: int) -> tuple[PastScan, ...]:
    rows = connection.execute(
        "SELECT * FROM scans WHERE scope = ? ORDER BY at DESC, number DESC LIMIT ?", (scope, _PAST_SCANS)
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
