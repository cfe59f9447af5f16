"""A history as text, worst first, or as JSON: its episodes, their statistics, and what was not checked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from drift.history.episodes import Episode, EpisodeState, Scope
from drift.history.queries import (
    By,
    DurationSummary,
    EpisodeGroup,
    Gap,
    ScopeGaps,
    Statistics,
    episode_statistics,
    groups_of,
    seconds_open,
    worst_episodes_first,
)
from drift.model import API_VERSION
from drift.objects import Json, indented_json
from drift.report.json_report import actor_document
from drift.report.text import SEVERITY_STYLE, Line, Terminal
from drift.report.view import duration, key_name, managers_and_users, sentence, short
from drift.words import first_few, plural, rfc3339

_NAMED_OBJECTS: Final = 3
#: Characters of a time that are its date.
_DATE: Final = 10
#: Lines about gaps of one scope.
_MAX_GAPS: Final = 20
_INDENT: Final = 10
_STATE_STYLE: Final = {
    EpisodeState.OPEN: "bold yellow",
    EpisodeState.RESOLVED: "green",
    EpisodeState.REVERTED: "green",
    EpisodeState.IGNORED: "dim",
}
#: The last heading of a table of groups, and what a group without a name is called.
_GROUP_NAMES: Final = {
    By.OBJECT: ("object", ""),
    By.KIND: ("kind", ""),
    By.MANAGER: ("field manager", "(not recorded)"),
    By.PERSON: ("user", "(no user known)"),
}


@dataclass(frozen=True, slots=True)
class Timeline:
    """The selected part of a history.

    Attributes:
        episodes: Oldest first.
        scans: The number of scans of all scopes.
        last_scan: RFC 3339; None before the first scan.
        now: RFC 3339, UTC; open episodes have lasted until then.
        gaps: What the latest scan of each scope did not check.
    """

    episodes: tuple[Episode, ...]
    scans: int
    last_scan: str | None
    now: str
    gaps: tuple[ScopeGaps, ...] = ()


def timeline_text(timeline: Timeline, by: By | None = None, *, color: bool, width: int | None) -> str:
    """Returns the episodes, or groups of them, the worst first; below them what was not checked, and statistics.

    Args:
        timeline: The episodes.
        by: What to group the episodes by; None lists each.
        color: Whether to write ANSI colours.
        width: Columns to fold at; None does not fold, for a pipe.
    """
    line = Terminal(width, color).line
    if by is not None:
        return "".join(_group_lines(line, groups_of(timeline.episodes, by), by))
    statistics = (line((text, "")) for text in _statistics_lines(timeline))
    return "".join([*_episode_lines(line, timeline), *_gap_lines(line, timeline.gaps), *statistics])


def _episode_lines(line: Line, timeline: Timeline) -> Iterator[str]:
    now = datetime.fromisoformat(timeline.now)
    scopes: dict[Scope, list[Episode]] = {}
    for episode in worst_episodes_first(timeline.episodes):
        scopes.setdefault(episode.scope, []).append(episode)
    for scope, episodes in scopes.items():
        yield line((short(str(scope)), "bold"))
        for episode in episodes:
            yield line(
                (f"{episode.severity:<{_INDENT}}", SEVERITY_STYLE[episode.severity]),
                (f"{short(key_name(episode.key))}  {short(episode.path) or f'({episode.change})'}", ""),
                indent=_INDENT,
            )
            managers = ", ".join(who for who, _ in managers_and_users(episode.actors))
            yield line(
                (" " * _INDENT, ""),
                (_state(episode, now), _STATE_STYLE[episode.state]),
                (f"; {episode.cause}: {managers}" if managers else f"; {episode.cause}", "dim"),
                indent=_INDENT,
            )
        yield "\n"


def _state(episode: Episode, now: datetime) -> str:
    lasted = ("" if episode.start_known else "> ") + duration(seconds_open(episode, now))
    if episode.ended_at is not None:
        return f"{episode.state} after {lasted}, at {_to_the_second(episode.ended_at)}"
    again = "again " if episode.reopened else ""
    return f"open {again}for {lasted}, since {_to_the_second(episode.first_seen)}"


def _group_lines(line: Line, groups: Sequence[EpisodeGroup], by: By) -> Iterator[str]:
    """Yields the rows of a table. Names of any length are in its last column, so that the others stay aligned."""
    heading, unnamed = _GROUP_NAMES[by]
    rows = [
        ("worst", "open", "ended", "mean time", "latest"),
        *(
            (
                group.worst or "-",
                str(group.open),
                str(group.ended.count),
                "-" if group.ended.mean_seconds is None else duration(group.ended.mean_seconds),
                _to_the_second(group.latest)[:_DATE],
            )
            for group in groups
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    indent = sum(widths) + 2 * len(widths)
    names = [heading, *(_group_name(group, by, unnamed) for group in groups)]
    styles = ["dim", *("" if group.worst is None else SEVERITY_STYLE[group.worst] for group in groups)]
    for row, name, style in zip(rows, names, styles, strict=True):
        worst, *others = (cell.ljust(width + 2) for cell, width in zip(row, widths, strict=True))
        yield line((worst, style), ("".join(others) + name, "dim" if row is rows[0] else ""), indent=indent)


def _group_name(group: EpisodeGroup, by: By, unnamed: str) -> str:
    if by is By.OBJECT:
        return short(key_name(group.objects[0]))
    name = short(group.name) if group.name is not None else unnamed
    # In groups by kind, the names of the objects do not repeat it.
    objects = [key_name(key).removeprefix(f"{name} ") for key in group.objects]
    return f"{name}: {first_few([short(text) for text in objects], _NAMED_OBJECTS)}"


def _gap_lines(line: Line, scopes: Sequence[ScopeGaps]) -> Iterator[str]:
    for one in scopes:
        yield line((f"not checked: {short(str(one.scope))}", "bold"))
        gaps = list(_gaps_of_scope(one))
        yield from (line((f"  {text}", ""), indent=4) for text in gaps[:_MAX_GAPS])
        if len(gaps) > _MAX_GAPS:
            yield line((f"  {len(gaps) - _MAX_GAPS} more; --output json lists all", ""), indent=4)
        yield "\n"


def _gaps_of_scope(gaps: ScopeGaps) -> Iterator[str]:
    """Yields a line for each kind in a namespace that was not checked for one reason, in as many scans."""
    ordered = sorted(gaps.gaps, key=lambda gap: (-gap.scans, *_group_of_gap(gap)))
    for _, found in groupby(ordered, lambda gap: (gap.scans, _group_of_gap(gap))):
        first, *others = found
        since = f"{_scans(first.scans, gaps.scans)}, since {_to_the_second(first.since)}"
        if first.key is None:
            yield f"{sentence(first.reason)} ({since})"
        else:
            names = first_few([short(gap.key.name) for gap in (first, *others) if gap.key is not None], _NAMED_OBJECTS)
            where = "" if first.key.namespace is None else f" {short(first.key.namespace)}/"
            yield f"{short(first.key.kind)}{where or ' '}{names}: {sentence(first.reason)} ({since})"


def _scans(count: int, total: int) -> str:
    if count >= total:
        return f"in all {plural(count, 'scan')}"
    return "in the last scan" if count == 1 else f"in the last {count} scans"


def _group_of_gap(gap: Gap) -> tuple[str, str, str]:
    return ("", "", gap.reason) if gap.key is None else (gap.key.kind, gap.key.namespace or "", gap.reason)


def _to_the_second(time: str) -> str:
    return rfc3339(datetime.fromisoformat(time))


def timeline_json(timeline: Timeline, by: By | None = None) -> str:
    """Returns the timeline as a JSON document of ``drift/v1``, ending in a newline."""
    now = datetime.fromisoformat(timeline.now)
    document = {
        "apiVersion": API_VERSION,
        "kind": "DriftHistory",
        "generatedAt": timeline.now,
        "scans": {"count": timeline.scans, "last": timeline.last_scan},
        "people": [_person(group) for group in groups_of(timeline.episodes, By.PERSON) if group.name is not None],
        "groups": [_group_document(group) for group in (() if by is None else groups_of(timeline.episodes, by))],
        "notChecked": [
            {"cluster": one.scope.cluster, "scope": one.scope.name, "scans": one.scans, **_gap_document(gap)}
            for one in timeline.gaps
            for gap in one.gaps
        ],
        "statistics": _statistics_document(episode_statistics(timeline.episodes)),
        "episodes": [_episode_document(episode, now) for episode in timeline.episodes],
    }
    return indented_json(document)


def _statistics_lines(timeline: Timeline) -> Iterator[str]:
    totals = episode_statistics(timeline.episodes)
    if totals.resolved.mean_seconds is not None:
        yield f"mean time to resolve: {_mean(totals.resolved)}"
        yield f"  by cause: {_means(totals.by_cause)}"
        yield f"  by severity: {_means(totals.by_severity)}"
    if totals.reverted.mean_seconds is not None:
        yield f"mean time until a change was reverted: {_mean(totals.reverted)}"
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
    return "; ".join(f"{name} {_mean(summary)}" for name, summary in groups.items() if summary.mean_seconds is not None)


def _mean(summary: DurationSummary) -> str:
    return f"{duration(summary.mean_seconds or 0)} ({summary.count - summary.unknown})"


def _person(group: EpisodeGroup) -> dict[str, Json]:
    return {
        "user": group.name,
        "open": group.open,
        "ended": _summary_document(group.ended),
        "objects": len(group.objects),
        "latest": group.latest,
    }


def _group_document(group: EpisodeGroup) -> dict[str, Json]:
    return {
        "name": group.name,
        "open": group.open,
        "worst": group.worst,
        "ended": _summary_document(group.ended),
        "objects": [str(key) for key in group.objects],
        "latest": group.latest,
    }


def _gap_document(gap: Gap) -> dict[str, Json]:
    key = gap.key
    return {
        "group": None if key is None else key.group,
        "kind": None if key is None else key.kind,
        "namespace": None if key is None else key.namespace,
        "name": None if key is None else key.name,
        "reason": gap.reason,
        "since": gap.since,
        "notCheckedIn": gap.scans,
    }


def _statistics_document(totals: Statistics) -> dict[str, Json]:
    return {
        "open": totals.open,
        "ignored": totals.ignored,
        "reverted": _summary_document(totals.reverted),
        "resolved": _summary_document(totals.resolved),
        "resolvedByCause": {name: _summary_document(summary) for name, summary in totals.by_cause.items()},
        "resolvedBySeverity": {name: _summary_document(summary) for name, summary in totals.by_severity.items()},
    }


def _summary_document(summary: DurationSummary) -> dict[str, Json]:
    mean = summary.mean_seconds
    return {
        "count": summary.count,
        "meanSeconds": None if mean is None else round(mean, 3),
        "startUnknown": summary.unknown,
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
