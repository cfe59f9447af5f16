"""Writes the episodes and gaps of a scan, and the episodes that a watch saw open or end between two scans.

The caller opens the transaction.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from drift.history.episodes import (
    DriftFinding,
    Episode,
    EpisodeChanges,
    EpisodeState,
    OpenEpisode,
    ScanCoverage,
    Scope,
    episode_changes,
    merge_actors,
    merge_causes,
    narrower_search,
    shown,
    stored,
)
from drift.history.notifications import (
    has_notifications,
    insert_ended,
    insert_notifications,
    insert_opened,
    remember_notifications,
)
from drift.history.queries import Gap, read_gaps_of
from drift.history.rows import (
    EPISODES,
    UnreadableRowError,
    actors_of,
    actors_text,
    count_of,
    episode_of,
    insert_episode,
    is_null,
    member_of,
    scope_number,
    text_of,
    time_of,
    value_of,
)
from drift.model import (
    NOT_SEARCHED,
    Cause,
    Finding,
    Lifecycle,
    PastScan,
    Report,
    Resolved,
    Status,
    Unmanaged,
    Verdict,
)
from drift.objects import ObjectKey
from drift.words import rfc3339_ms

#: Ended episodes and scans are deleted after a year and a month, so that a yearly audit finds its whole year.
RETENTION: Final = timedelta(days=400)
#: The length of a stored time up to its seconds.
_SECONDS: Final = len("2026-01-31T12:00:00")
#: Past scans in a report.
_PAST_SCANS: Final = 50


def record_scan(
    connection: sqlite3.Connection,
    report: Report,
    scope: Scope,
    coverage: ScanCoverage,
    *,
    count_as_scan: bool,
    for_notifications: bool,
    start_unknown: Collection[str],
) -> Report:
    """Implements `drift.history.store.History.record`."""
    number = scope_number(connection, scope)
    at = stored(report.generated_at)
    newest = _newest_scan(connection)
    was_open = _open_episodes(connection, number)
    changes = episode_changes(report, was_open, coverage)
    first_seen = {known.episode.id: known.episode.first_seen for known, _ in changes.seen}
    if _is_outdated(connection, number, at):
        lifecycles = {found.finding.id: Lifecycle.NEW for found in changes.opened}
        return _with_history(report, lifecycles, first_seen, (), _past_scans(connection, number))
    is_first = not _has_row(connection, "scans", number)
    since = _SinceLastScan(_last_scan(connection, number, at), at)
    ended = since.ended(connection, number)
    opened = [
        _new_episode(
            scope,
            found,
            at,
            reopened=_has_row(connection, "episodes", number, found.finding.id),
            start_known=not is_first and found.finding.id not in start_unknown,
        )
        for found in changes.opened
    ]
    numbers = [insert_episode(connection, number, episode, coverage.unmanaged) for episode in opened]
    _update_known_episodes(connection, changes, at, coverage.unmanaged)
    if for_notifications:
        remember_notifications(connection, number)
    if has_notifications(connection, number):
        insert_notifications(connection, numbers, changes)
    open_ids = {known.episode.id for known in was_open} | {episode.id for episode in opened}
    resolved = _resolved_findings(changes, [episode for episode in ended if episode.id not in open_ids], at)
    if count_as_scan:
        had = {episode.id for episode in ended}
        new = {episode.id for episode in opened} | {
            known.episode.id for known, _ in changes.seen if since.contains(known.episode.first_seen)
        }
        _insert_scan(connection, number, report, at, new=len(new - had), resolved=len(resolved))
        _record_gaps(connection, number, report)
    _delete_expired(connection, at, newest)
    return _with_history(
        report,
        {
            episode.id: Lifecycle.REOPENED if episode.reopened else Lifecycle.NEW
            for episode in (*opened, *(known.episode for known, _ in changes.seen if since.began(known.episode)))
        },
        first_seen | {episode.id: shown(stored(episode.first_seen)) for episode in opened},
        resolved,
        _past_scans(connection, number),
    )


@dataclass(frozen=True, slots=True)
class _SinceLastScan:
    """What a watch recorded between two scans that count.

    Times are compared in whole seconds, as reports have them. A watch has the milliseconds of events.

    Attributes:
        last: The stored time of the last scan; "" before the first.
        at: The stored time of this scan.
    """

    last: str
    at: str

    def contains(self, time: str) -> bool:
        """Returns whether a time is after the last scan, and not after this one."""
        return self.last[:_SECONDS] < stored(time)[:_SECONDS] <= self.at[:_SECONDS]

    def began(self, episode: Episode) -> bool:
        """Returns whether the last scan did not have the finding of an episode yet."""
        return self.last[:_SECONDS] < stored(episode.first_seen)[:_SECONDS]

    def ended(self, connection: sqlite3.Connection, scope: int) -> Sequence[Episode]:
        """Returns the episodes that the last scan had, and that ended since."""
        rows = connection.execute(
            f"{EPISODES} WHERE scope = ? AND ended_at > ? AND state IN (?, ?)",
            (scope, self.last, EpisodeState.RESOLVED, EpisodeState.REVERTED),
        )
        return [
            episode
            for episode in map(episode_of, rows)
            if not self.began(episode) and episode.ended_at is not None and self.contains(episode.ended_at)
        ]


def update_episodes(connection: sqlite3.Connection, episodes: Sequence[Episode]) -> None:
    """Implements `drift.history.store.History.update_episodes`."""
    for episode in episodes:
        scope = scope_number(connection, episode.scope)
        number = _update_open_episode(connection, scope, episode)
        if number is None:
            reopened = _has_row(connection, "episodes", scope, episode.id)
            added = insert_episode(connection, scope, replace(episode, reopened=reopened), Unmanaged.NAMESPACE)
            if episode.ended_at is None and has_notifications(connection, scope):
                insert_opened(connection, added)
        elif episode.ended_at is not None and has_notifications(connection, scope):
            insert_ended(connection, number)
    _delete_expired(connection, rfc3339_ms(datetime.now(UTC)), _newest_scan(connection))


def _open_episodes(connection: sqlite3.Connection, scope: int) -> list[OpenEpisode]:
    rows = connection.execute(f"{EPISODES} WHERE scope = ? AND ended_at IS NULL", (scope,))
    return [
        OpenEpisode(value_of(row, "number", int), episode_of(row), member_of(row, "seen_with", Unmanaged))
        for row in rows
    ]


def _last_scan(connection: sqlite3.Connection, scope: int, at: str) -> str:
    """Returns the time of the last scan up to a time; "" if there is none."""
    rows = connection.execute("SELECT max(at) AS last FROM scans WHERE scope = ? AND at <= ?", (scope, at))
    row = rows.fetchone()
    return "" if is_null(row, "last") else stored(time_of(row, "last"))


def _is_outdated(connection: sqlite3.Connection, scope: int, at: str) -> bool:
    """Returns whether a newer scan was recorded, for example by a parallel run. Scans in the future do not count."""
    (last,) = connection.execute("SELECT max(at) FROM scans WHERE scope = ?", (scope,)).fetchone()
    if not isinstance(last, str | None):
        raise UnreadableRowError(f"the time of a scan is {last!r:.40}")
    return last is not None and at < last <= rfc3339_ms(datetime.now(UTC))


def _has_row(connection: sqlite3.Connection, table: str, scope: int, finding: str | None = None) -> bool:
    """Returns whether a scope has scans, or episodes of a finding, open or ended."""
    condition, values = ("", (scope,)) if finding is None else (" AND id = ?", (scope, finding))
    rows = connection.execute(f"SELECT 1 FROM {table} WHERE scope = ?{condition} LIMIT 1", values)  # noqa: S608
    return rows.fetchone() is not None


def _new_episode(scope: Scope, found: DriftFinding, at: str, *, reopened: bool, start_known: bool) -> Episode:
    first_seen = found.finding.first_seen or at
    return Episode.of_finding(
        found.finding,
        scope=scope,
        api_version=found.item.api_version,
        key=found.item.key,
        first_seen=first_seen,
        last_seen=max(stored(first_seen), at),
        reopened=reopened,
        start_known=start_known,
    )


def _update_known_episodes(connection: sqlite3.Connection, changes: EpisodeChanges, at: str, search: Unmanaged) -> None:
    connection.executemany(
        "UPDATE episodes SET last_seen = max(last_seen, ?), cause = ?, severity = ?, actors = ?, seen_with = ?"
        " WHERE number = ?",
        [
            (
                at,
                merge_causes(was_open.episode.cause, found.finding.cause),
                found.finding.severity,
                actors_text(merge_actors(was_open.episode.actors, found.finding.actors)),
                narrower_search(was_open.seen_with, search),
                was_open.number,
            )
            for was_open, found in changes.seen
        ],
    )
    connection.executemany(
        "UPDATE episodes SET ended_at = max(?, last_seen), state = ? WHERE number = ?",
        [(at, state, was_open.number) for was_open, state in changes.ended],
    )


def _update_open_episode(connection: sqlite3.Connection, scope: int, episode: Episode) -> int | None:
    """Updates the open episode of the finding and returns its number; None if there is none."""
    row = connection.execute(
        "SELECT number, cause, actors FROM episodes WHERE scope = ? AND id = ? AND ended_at IS NULL",
        (scope, episode.id),
    ).fetchone()
    if row is None:
        return None
    number = value_of(row, "number", int)
    # Clocks may be set back, and the file may come from another machine. An episode never ends before it began, and is
    # never seen after it ended.
    seen = "max(last_seen, ?)" if episode.ended_at is None else "max(first_seen, ?)"
    ended = "NULL" if episode.ended_at is None else "max(first_seen, ?)"
    connection.execute(
        f"UPDATE episodes SET last_seen = {seen}, cause = ?, severity = ?, actors = ?, state = ?, ended_at = {ended}"  # noqa: S608
        " WHERE number = ?",
        (
            stored(episode.last_seen),
            merge_causes(member_of(row, "cause", Cause), episode.cause),
            episode.severity,
            actors_text(merge_actors(actors_of(row), episode.actors)),
            episode.state,
            *(() if episode.ended_at is None else (stored(episode.ended_at),)),
            number,
        ),
    )
    return number


def _insert_scan(
    connection: sqlite3.Connection, scope: int, report: Report, at: str, *, new: int, resolved: int
) -> None:
    (open_now,) = connection.execute(
        "SELECT count(*) FROM episodes WHERE scope = ? AND ended_at IS NULL", (scope,)
    ).fetchone()
    connection.execute(
        "INSERT INTO scans (scope, at, complete, open, new, resolved, git_commit) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            scope,
            at,
            int(report.verdict is not Verdict.INCOMPLETE),
            open_now,
            new,
            resolved,
            report.manifests.git_commit,
        ),
    )


def _newest_scan(connection: sqlite3.Connection) -> str | None:
    """Returns the time of the newest scan of all scopes; None if there is none."""
    row = connection.execute("SELECT max(at) AS last FROM scans").fetchone()
    return None if is_null(row, "last") else stored(time_of(row, "last"))


def _delete_expired(connection: sqlite3.Connection, now: str, newest: str | None) -> None:
    """Deletes ended episodes and scans that are older than `RETENTION`.

    The clock of one run may be years ahead, so the age counts until the newest scan before it, if that is earlier.

    Args:
        connection: The history.
        now: A stored time.
        newest: The stored time of the newest scan before; None if there is none, and so nothing that is old.
    """
    if newest is None:
        return
    limit = rfc3339_ms(datetime.fromisoformat(min(now, newest)) - RETENTION)
    connection.execute(
        "DELETE FROM undelivered WHERE episode IN (SELECT number FROM episodes WHERE ended_at < ?)", (limit,)
    )
    connection.execute("DELETE FROM episodes WHERE ended_at < ?", (limit,))
    connection.execute("DELETE FROM scans WHERE at < ?", (limit,))
    connection.execute("DELETE FROM gaps WHERE scope NOT IN (SELECT scope FROM scans)")


# -- gaps


def _record_gaps(connection: sqlite3.Connection, scope: int, report: Report) -> None:
    """Replaces the gaps of a scope with those after a scan."""
    gaps = _gaps_after(report, read_gaps_of(connection, scope))
    connection.execute("DELETE FROM gaps WHERE scope = ?", (scope,))
    connection.executemany(
        "INSERT INTO gaps (scope, api_group, kind, namespace, name, reason, since, scans)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(scope, *_key_columns(gap.key), gap.reason, stored(gap.since), gap.scans) for gap in gaps],
    )


def _gaps_after(report: Report, before: Iterable[Gap]) -> tuple[Gap, ...]:
    """Returns the gaps after a scan. One that existed before keeps its start, and counts one more scan."""
    known = {_gap_identity(gap): gap for gap in before}
    found = {_gap_identity(gap): gap for gap in _gaps(report)}
    return tuple(
        replace(gap, since=known[name].since, scans=known[name].scans + 1) if name in known else gap
        for name, gap in found.items()
    )


def _gap_identity(gap: Gap) -> tuple[ObjectKey | None, str]:
    """Returns what identifies a gap. For an object, the reason may change from scan to scan."""
    return (gap.key, "" if gap.key is not None else gap.reason)


def _gaps(report: Report) -> Iterator[Gap]:
    unchecked = [item for item in report.objects if item.status is Status.UNCHECKED]
    reasons = {item.reason for item in unchecked if item.reason}
    for item in unchecked:
        yield Gap(item.key, text_of(item.reason or ""), report.generated_at)
    # The error of a kind that cannot be read is also the reason of each of its objects.
    errors = (error for error in report.errors if error.partition(": ")[2] not in reasons)
    for text in (*errors, *(note for note in report.notes if note.startswith(NOT_SEARCHED))):
        yield Gap(None, text_of(text), report.generated_at)


def _key_columns(key: ObjectKey | None) -> tuple[str | None, ...]:
    """Returns the columns of the key of a gap; empty strings and NULL for a gap without an object."""
    if key is None:
        return ("", "", None, "")
    return (
        text_of(key.group),
        text_of(key.kind),
        None if key.namespace is None else text_of(key.namespace),
        text_of(key.name),
    )


# -- the report


def _with_history(
    report: Report,
    lifecycles: Mapping[str, Lifecycle],
    first_seen: Mapping[str, str],
    resolved: tuple[Resolved, ...],
    past: tuple[PastScan, ...],
) -> Report:
    """Returns the report with the lifecycles of findings that are not ongoing, and when each was first seen, by id."""

    def annotate(finding: Finding) -> Finding:
        if not finding.is_drift:
            return finding
        return replace(
            finding,
            first_seen=first_seen.get(finding.id, report.generated_at),
            lifecycle=lifecycles.get(finding.id, Lifecycle.ONGOING),
        )

    return replace(
        report,
        objects=tuple(
            replace(item, findings=tuple(map(annotate, item.findings))) if item.findings else item
            for item in report.objects
        ),
        resolved=resolved,
        past=past,
    )


def _resolved_findings(changes: EpisodeChanges, before: Iterable[Episode], at: str) -> tuple[Resolved, ...]:
    """Returns the findings that this scan resolved, and those whose episodes ended before."""
    ended = [
        *(
            (was_open.episode, max(at, stored(was_open.episode.last_seen)))
            for was_open, state in changes.ended
            if state is EpisodeState.RESOLVED
        ),
        *((episode, stored(episode.ended_at or at)) for episode in before),
    ]
    resolved = (
        Resolved(
            id=episode.id,
            api_version=episode.api_version,
            key=episode.key,
            path=episode.path,
            change=episode.change,
            cause=episode.cause,
            severity=episode.severity,
            first_seen=episode.first_seen,
            resolved_at=shown(ended_at),
        )
        for episode, ended_at in ended
    )
    return tuple(sorted(resolved, key=lambda one: (*one.key.order, one.path)))


def _past_scans(connection: sqlite3.Connection, scope: int) -> tuple[PastScan, ...]:
    rows = connection.execute(
        "SELECT * FROM scans WHERE scope = ? ORDER BY at DESC, number DESC LIMIT ?", (scope, _PAST_SCANS)
    ).fetchall()
    return tuple(
        PastScan(
            time_of(row, "at"),
            count_of(row, "open"),
            count_of(row, "new"),
            count_of(row, "resolved"),
            bool(value_of(row, "complete", int)),
        )
        for row in reversed(rows)
    )
