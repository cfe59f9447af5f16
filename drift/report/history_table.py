"""What a history holds, as a table for a terminal or as JSON: a line for each episode, and what they say together."""

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
from drift.history.queries import DurationSummary, Statistics, episode_statistics, seconds_open
from drift.model import Json
from drift.report.text import SEVERITY_STYLE
from drift.report.view import duration, key_name, plural, short

_COLUMNS: Final = ("opened", "lasted", "state", "object", "path", "cause", "severity", "manager")
_STATE_STYLE: Final = {
    EpisodeState.OPEN: "bold yellow",
    EpisodeState.RESOLVED: "green",
    EpisodeState.REVERTED: "green",
    EpisodeState.IGNORED: "dim",
}


@dataclass(frozen=True, slots=True)
class Timeline:
    """What was chosen of a history.

    Attributes:
        episodes: The oldest first.
        scans: How many scans there were, of all scopes.
        last_scan: RFC 3339; None before the first.
        now: RFC 3339, UTC: until when open episodes have lasted.
    """

    episodes: tuple[Episode, ...]
    scans: int
    last_scan: str | None
    now: str


def timeline_text(timeline: Timeline, *, color: bool, width: int | None) -> str:
    """The timeline as tables, one for each scope, and the statistics below them.

    Args:
        timeline: What to show.
        color: Whether to write ANSI colours.
        width: Columns; None leaves lines as long as they are, for a pipe.
    """
    scopes: dict[Scope, list[Episode]] = {}
    for episode in timeline.episodes:
        scopes.setdefault(episode.scope, []).append(episode)
    if width is None and not color:
        return _plain(scopes, timeline)
    out = io.StringIO()
    console = Console(
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
    for scope, episodes in scopes.items():
        console.print(Text(short(str(scope)), "bold"), overflow="fold")
        console.print(_table(episodes, datetime.fromisoformat(timeline.now)))
        console.print()
    for line in _said_together(timeline):
        console.print(Text(line), overflow="fold")
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _plain(scopes: Mapping[Scope, Sequence[Episode]], timeline: Timeline) -> str:
    """The same without a terminal to fit into: laying out a large table takes a hundred times as long."""
    lines: list[str] = []
    for scope, episodes in scopes.items():
        rows = [_COLUMNS, *(_cells(episode, datetime.fromisoformat(timeline.now)) for episode in episodes)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        cells = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines += [short(str(scope)), *cells, ""]
    return "".join(f"{line}\n" for line in [*lines, *_said_together(timeline)])


def timeline_json(timeline: Timeline) -> str:
    """The timeline as a JSON document of ``drift/v1``, ending in a newline."""
    now = datetime.fromisoformat(timeline.now)
    document = {
        "apiVersion": "drift/v1",
        "kind": "DriftHistory",
        "generatedAt": timeline.now,
        "scans": {"count": timeline.scans, "last": timeline.last_scan},
        "statistics": _statistics(episode_statistics(timeline.episodes)),
        "episodes": [_episode(episode, now) for episode in timeline.episodes],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _table(episodes: Sequence[Episode], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in _COLUMNS:
        table.add_column(Text(name, "dim"), overflow="fold")
    for episode in episodes:
        styles = {"state": _STATE_STYLE[episode.state], "severity": SEVERITY_STYLE[episode.severity]}
        cells = zip(_COLUMNS, _cells(episode, now), strict=True)
        table.add_row(*(Text(cell, styles.get(name, "")) for name, cell in cells))
    return table


def _cells(episode: Episode, now: datetime) -> tuple[str, ...]:
    """What stands below each of the columns."""
    managers = ", ".join(dict.fromkeys(short(actor.manager) for actor in episode.actors))
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


def _said_together(timeline: Timeline) -> Iterator[str]:
    told = episode_statistics(timeline.episodes)
    if told.resolved.mean_seconds is not None:
        yield f"mean time to resolve: {_mean(told.resolved)}"
        yield f"  by cause: {_means(told.by_cause)}"
        yield f"  by severity: {_means(told.by_severity)}"
    if told.reverted.mean_seconds is not None:
        yield f"reverted by a syncer, on average after: {_mean(told.reverted)}"
    unknown = told.resolved.unknown + told.reverted.unknown
    if unknown:
        yield f"not in the means, because the start is not known: {unknown}"
    ends = [
        (told.resolved.count, EpisodeState.RESOLVED),
        (told.reverted.count, EpisodeState.REVERTED),
        (told.ignored, EpisodeState.IGNORED),
    ]
    yield ", ".join([f"{told.open} open", *(f"{number} {state}" for number, state in ends if number)])
    last = f", the last at {timeline.last_scan}" if timeline.last_scan else ""
    yield f"{plural(timeline.scans, 'scan')}{last}"


def _means(groups: Mapping[str, DurationSummary]) -> str:
    return "; ".join(f"{name} {_mean(lasting)}" for name, lasting in groups.items() if lasting.mean_seconds is not None)


def _mean(lasting: DurationSummary) -> str:
    return f"{duration(lasting.mean_seconds or 0)} ({lasting.count - lasting.unknown})"


def _statistics(told: Statistics) -> dict[str, Json]:
    return {
        "open": told.open,
        "ignored": told.ignored,
        "reverted": _lasting(told.reverted),
        "resolved": _lasting(told.resolved),
        "resolvedByCause": {name: _lasting(lasting) for name, lasting in told.by_cause.items()},
        "resolvedBySeverity": {name: _lasting(lasting) for name, lasting in told.by_severity.items()},
    }


def _lasting(lasting: DurationSummary) -> dict[str, Json]:
    mean = lasting.mean_seconds
    return {
        "count": lasting.count,
        "meanSeconds": None if mean is None else round(mean, 3),
        "startUnknown": lasting.unknown,
    }


def _episode(episode: Episode, now: datetime) -> dict[str, Json]:
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
        "actors": [
            {
                "manager": actor.manager,
                "operation": actor.operation,
                "subresource": actor.subresource,
                "time": actor.time,
            }
            for actor in episode.actors
        ],
        "state": episode.state,
        "reopened": episode.reopened,
        "firstSeen": episode.first_seen,
        "lastSeen": episode.last_seen,
        "endedAt": episode.ended_at,
        "startKnown": episode.start_known,
        "openSeconds": round(seconds_open(episode, now), 3),
    }
