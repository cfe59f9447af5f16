"""The episodes of a history with their statistics, as tables for a terminal or as JSON."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from drift.history.episodes import Episode, EpisodeState, Scope
from drift.history.queries import DurationSummary, Statistics, episode_statistics, people_of, seconds_open
from drift.model import Json, ObjectKey
from drift.report.json_report import actor_document
from drift.report.text import SEVERITY_STYLE
from drift.report.view import duration, key_name, managers_and_users, plural, short

_COLUMNS: Final = ("opened", "lasted", "state", "object", "path", "cause", "severity", "manager")
_PEOPLE_COLUMNS: Final = ("user", "findings", "open", "mean time to end", "latest", "objects")
_NAMED_OBJECTS: Final = 3
_STATE_STYLE: Final = {
    EpisodeState.OPEN: "bold yellow",
    EpisodeState.RESOLVED: "green",
    EpisodeState.REVERTED: "green",
    EpisodeState.IGNORED: "dim",
}


@dataclass(frozen=True, slots=True)
class Timeline:
    """The selected episodes of a history.

    Attributes:
        episodes: Oldest first.
        scans: The number of scans of all scopes.
        last_scan: RFC 3339; None before the first scan.
        now: RFC 3339, UTC; open episodes have lasted until then.
    """

    episodes: tuple[Episode, ...]
    scans: int
    last_scan: str | None
    now: str


def timeline_text(timeline: Timeline, *, color: bool, width: int | None) -> str:
    """Returns one table for each scope, and the statistics below them.

    Args:
        timeline: The episodes.
        color: Whether to write ANSI colours.
        width: Columns to fold at; None does not fold, for a pipe.
    """
    scopes: dict[Scope, list[Episode]] = {}
    for episode in timeline.episodes:
        scopes.setdefault(episode.scope, []).append(episode)
    if width is None and not color:
        return _plain(scopes, timeline)
    out = io.StringIO()
    console = _console(out, width, color=color)
    for scope, episodes in scopes.items():
        console.print(Text(short(str(scope)), "bold"), overflow="fold")
        console.print(_table(episodes, datetime.fromisoformat(timeline.now)))
        console.print()
    for line in _statistics_lines(timeline):
        console.print(Text(line), overflow="fold")
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _console(out: io.StringIO, width: int | None, *, color: bool) -> Console:
    return Console(
        file=out,
        color_system="standard" if color else None,
        force_terminal=color,
        width=width or 100_000,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        no_color=not color,
    )


def _plain(scopes: Mapping[Scope, Sequence[Episode]], timeline: Timeline) -> str:
    """Returns the same tables unfolded and without Rich, which takes a hundred times as long for a large table."""
    lines: list[str] = []
    for scope, episodes in scopes.items():
        rows = [_COLUMNS, *(_cells(episode, datetime.fromisoformat(timeline.now)) for episode in episodes)]
        lines += [short(str(scope)), *_aligned(rows), ""]
    return "".join(f"{line}\n" for line in [*lines, *_statistics_lines(timeline)])


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yields the lines of a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def people_text(timeline: Timeline, *, color: bool, width: int | None) -> str:
    """Returns one line for each user behind the episodes; see `timeline_text` for the arguments."""
    rows = [
        (
            short(one.user) if one.user is not None else "(no user known)",
            str(one.open + one.ended.count),
            str(one.open),
            "-" if one.ended.mean_seconds is None else duration(one.ended.mean_seconds),
            _to_the_second(one.latest),
            _few(one.objects),
        )
        for one in people_of(timeline.episodes)
    ]
    if width is None and not color:
        return "".join(f"{line}\n" for line in _aligned([_PEOPLE_COLUMNS, *rows]))
    out = io.StringIO()
    table = _new_table(_PEOPLE_COLUMNS)
    for row in rows:
        table.add_row(*map(Text, row))
    _console(out, width, color=color).print(table)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _few(objects: Sequence[ObjectKey]) -> str:
    named = ", ".join(short(key_name(key)) for key in objects[:_NAMED_OBJECTS])
    more = len(objects) - _NAMED_OBJECTS
    return f"{named} and {more} more" if more > 0 else named


def timeline_json(timeline: Timeline) -> str:
    """Returns the timeline as a JSON document of ``drift/v1``, ending in a newline."""
    now = datetime.fromisoformat(timeline.now)
    document = {
        "apiVersion": "drift/v1",
        "kind": "DriftHistory",
        "generatedAt": timeline.now,
        "scans": {"count": timeline.scans, "last": timeline.last_scan},
        "people": [
            {
                "user": one.user,
                "open": one.open,
                "ended": _lasting_document(one.ended),
                "objects": len(one.objects),
                "latest": one.latest,
            }
            for one in people_of(timeline.episodes)
            if one.user is not None
        ],
        "statistics": _statistics_document(episode_statistics(timeline.episodes)),
        "episodes": [_episode_document(episode, now) for episode in timeline.episodes],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _new_table(columns: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(Text(name, "dim"), overflow="fold")
    return table


def _table(episodes: Sequence[Episode], now: datetime) -> Table:
    table = _new_table(_COLUMNS)
    for episode in episodes:
        styles = {"state": _STATE_STYLE[episode.state], "severity": SEVERITY_STYLE[episode.severity]}
        cells = zip(_COLUMNS, _cells(episode, now), strict=True)
        table.add_row(*(Text(cell, styles.get(name, "")) for name, cell in cells))
    return table


def _cells(episode: Episode, now: datetime) -> tuple[str, ...]:
    """Returns one cell for each column."""
    managers = ", ".join(who for who, _ in managers_and_users(episode.actors))
    reopened = ", reopened" if episode.reopened and episode.state is EpisodeState.OPEN else ""
    return (
        _to_the_second(episode.first_seen),
        ("" if episode.start_known else "> ") + duration(seconds_open(episode, now)),
        f"{episode.state}{reopened}",
        short(key_name(episode.key)),
        short(episode.path) or f"({episode.change})",
        episode.cause,
        episode.severity,
        managers or "-",
    )


def _to_the_second(time: str) -> str:
    return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _statistics_lines(timeline: Timeline) -> Iterator[str]:
    totals = episode_statistics(timeline.episodes)
    if totals.resolved.mean_seconds is not None:
        yield f"mean time to resolve: {_mean(totals.resolved)}"
        yield f"  by cause: {_means(totals.by_cause)}"
        yield f"  by severity: {_means(totals.by_severity)}"
    if totals.reverted.mean_seconds is not None:
        yield f"mean time until a GitOps controller reverted a change: {_mean(totals.reverted)}"
    unknown = totals.resolved.unknown + totals.reverted.unknown
    if unknown:
        yield f"left out of the means because their start is unknown: {unknown}"
    ends = [
        (totals.resolved.count, EpisodeState.RESOLVED),
        (totals.reverted.count, EpisodeState.REVERTED),
        (totals.ignored, EpisodeState.IGNORED),
    ]
    yield ", ".join([f"{totals.open} open", *(f"{number} {state}" for number, state in ends if number)])
    last = f", the last at {timeline.last_scan}" if timeline.last_scan else ""
    yield f"{plural(timeline.scans, 'scan')}{last}"


def _means(groups: Mapping[str, DurationSummary]) -> str:
    return "; ".join(f"{name} {_mean(lasting)}" for name, lasting in groups.items() if lasting.mean_seconds is not None)


def _mean(lasting: DurationSummary) -> str:
    return f"{duration(lasting.mean_seconds or 0)} ({lasting.count - lasting.unknown})"


def _statistics_document(totals: Statistics) -> dict[str, Json]:
    return {
        "open": totals.open,
        "ignored": totals.ignored,
        "reverted": _lasting_document(totals.reverted),
        "resolved": _lasting_document(totals.resolved),
        "resolvedByCause": {name: _lasting_document(lasting) for name, lasting in totals.by_cause.items()},
        "resolvedBySeverity": {name: _lasting_document(lasting) for name, lasting in totals.by_severity.items()},
    }


def _lasting_document(lasting: DurationSummary) -> dict[str, Json]:
    mean = lasting.mean_seconds
    return {
        "count": lasting.count,
        "meanSeconds": None if mean is None else round(mean, 3),
        "startUnknown": lasting.unknown,
    }


def _episode_document(episode: Episode, now: datetime) -> dict[str, Json]:
    return {
        "cluster": episode.scope.cluster,
        "scope": episode.scope.name,
        "id": episode.id,
        "apiVersion": episode.api_version,
        "kind": episode.key.kind,
        "namespace": episode.key.namespace,
        "name": episode.key.name,
        "path": episode.path,
        "change": episode.change,
        "cause": episode.cause,
        "severity": episode.severity,
        "actors": [actor_document(actor) for actor in episode.actors],
        "state": episode.state,
        "reopened": episode.reopened,
        "firstSeen": episode.first_seen,
        "lastSeen": episode.last_seen,
        "endedAt": episode.ended_at,
        "startKnown": episode.start_known,
        "openSeconds": round(seconds_open(episode, now), 3),
    }
