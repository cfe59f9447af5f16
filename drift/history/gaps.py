"""What scans could not check, and for how many scans in a row: objects, kinds and parts of the search.

An episode says what a scan saw. Only this says what no scan has ever looked at.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from drift.history.episodes import Scope, shown, stored
from drift.history.rows import count_of, key_of, text_of, time_of, value_of
from drift.model import NOT_SEARCHED, ObjectKey, Report, Status


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was not checked. It contains names, never values.

    Attributes:
        key: The object; None for a kind or a part of the search, which the reason names.
        reason: Why, as a sentence.
        since: RFC 3339, the first scan in a row that did not check it.
        scans: The number of these scans.
    """

    key: ObjectKey | None
    reason: str
    since: str
    scans: int = 1


@dataclass(frozen=True, slots=True)
class ScopeGaps:
    """The gaps of the latest scan of a scope.

    Attributes:
        scope: The scope.
        scans: The number of its recorded scans.
        gaps: Those that have lasted longest first.
    """

    scope: Scope
    scans: int
    gaps: tuple[Gap, ...]


_Identity = tuple[ObjectKey | None, str]


def gaps_after(report: Report, before: Iterable[Gap]) -> tuple[Gap, ...]:
    """Returns what a scan did not check, with what was not checked before it either."""
    known: Mapping[_Identity, Gap] = {_identity(gap): gap for gap in before}
    found = {_identity(gap): gap for gap in _gaps(report)}
    return tuple(
        replace(gap, since=known[name].since, scans=known[name].scans + 1) if name in known else gap
        for name, gap in found.items()
    )


def _identity(gap: Gap) -> _Identity:
    """Returns what makes two gaps the same. An object may be unchecked for another reason than before."""
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


def record_gaps(connection: sqlite3.Connection, scope: int, report: Report) -> None:
    """Replaces the gaps of a scope by those after a scan."""
    gaps = gaps_after(report, _read(connection, scope))
    connection.execute("DELETE FROM gaps WHERE scope = ?", (scope,))
    connection.executemany(
        "INSERT INTO gaps (scope, api_group, kind, namespace, name, reason, since, scans)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(scope, *_columns(gap.key), gap.reason, stored(gap.since), gap.scans) for gap in gaps],
    )


def _columns(key: ObjectKey | None) -> tuple[str | None, ...]:
    """Returns the columns of an object; they are empty for what is no object."""
    if key is None:
        return ("", "", None, "")
    return (
        text_of(key.group),
        text_of(key.kind),
        None if key.namespace is None else text_of(key.namespace),
        text_of(key.name),
    )


def read_gaps(connection: sqlite3.Connection) -> tuple[ScopeGaps, ...]:
    """Returns the gaps of all scopes that have any.

    Raises:
        UnreadableRowError: A value is invalid.
    """
    scopes = connection.execute(
        "SELECT number, cluster, name, (SELECT count(*) FROM scans WHERE scans.scope = scopes.number) AS scans"
        " FROM scopes WHERE number IN (SELECT scope FROM gaps) ORDER BY cluster, name"
    ).fetchall()
    return tuple(
        ScopeGaps(
            Scope(value_of(row, "cluster", str), value_of(row, "name", str)),
            count_of(row, "scans"),
            _read(connection, value_of(row, "number", int)),
        )
        for row in scopes
    )


def _read(connection: sqlite3.Connection, scope: int) -> tuple[Gap, ...]:
    rows = connection.execute(
        "SELECT * FROM gaps WHERE scope = ? ORDER BY since, kind, namespace, name, number", (scope,)
    ).fetchall()
    return tuple(
        Gap(
            key_of(row) if value_of(row, "kind", str) else None,
            value_of(row, "reason", str),
            shown(time_of(row, "since")),
            count_of(row, "scans"),
        )
        for row in rows
    )
