"""Episodes are chosen by time, object, namespace and state, and counted by cause and severity."""

from datetime import UTC, datetime

import pytest

from drift.errors import UsageError
from drift.globs import Glob
from drift.history.episodes import EpisodeState
from drift.history.queries import DurationSummary, EpisodeFilter, episode_statistics, parse_since
from drift.model import Cause, ObjectKey, Severity
from tests.drift.history.scans import episode

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
ENDED = episode(1, ended_at="2026-01-03T12:00:00Z", state=EpisodeState.RESOLVED)
OPEN = episode(2, key=ObjectKey("apps", "Deployment", "web", "shop"))
GLOBAL = episode(3, key=ObjectKey("", "Namespace", None, "web"))


def chosen(choice: EpisodeFilter) -> list[int]:
    return [int(it.id, 16) for it in (ENDED, OPEN, GLOBAL) if choice.matches(it)]


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [
        (EpisodeFilter(), [1, 2, 3]),
        (EpisodeFilter(only_open=True), [2, 3]),
        (EpisodeFilter(since="2026-01-03T12:00:00.000Z"), [1, 2, 3]),
        (EpisodeFilter(since="2026-01-03T12:00:00.001Z"), [2, 3]),
        (EpisodeFilter(objects=Glob("shop")), [2]),
        (EpisodeFilter(objects=Glob("Deployment/*")), [2]),
        (EpisodeFilter(objects=Glob("*")), [1, 2, 3]),
        (EpisodeFilter(namespaces=Glob("w*")), [2]),
        (EpisodeFilter(namespaces=Glob("*")), [1, 2]),
        (EpisodeFilter(namespaces=Glob("web"), objects=Glob("nothing")), []),
    ],
)
def test_a_choice_covers(choice: EpisodeFilter, numbers: list[int]) -> None:
    assert chosen(choice) == numbers


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("90s", "2026-01-10T11:58:30.000Z"),
        ("30m", "2026-01-10T11:30:00.000Z"),
        ("12h", "2026-01-10T00:00:00.000Z"),
        ("7d", "2026-01-03T12:00:00.000Z"),
        ("2w", "2025-12-27T12:00:00.000Z"),
        ("2026-01-02", "2026-01-02T00:00:00.000Z"),
        ("2026-01-02T10:00:00+02:00", "2026-01-02T08:00:00.000Z"),
    ],
)
def test_a_point_in_time(text: str, time: str) -> None:
    assert parse_since(text, NOW) == time


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7 d", "yesterday", "999999w", "0001-01-01T00:00+14:00"])
def test_what_is_no_point_in_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is neither a span"):
        parse_since(text, NOW)


def test_times_to_resolve_are_counted_by_cause_and_severity() -> None:
    told = episode_statistics(
        [
            episode(1, ended_at="2026-01-01T13:00:00Z", state=EpisodeState.RESOLVED),
            episode(2, ended_at="2026-01-01T15:00:00Z", state=EpisodeState.RESOLVED, cause=Cause.UNKNOWN),
            episode(3, ended_at="2026-01-01T12:00:01.500Z", state=EpisodeState.REVERTED),
            episode(4, ended_at="2026-01-09T12:00:00Z", state=EpisodeState.IGNORED),
            episode(5, severity=Severity.LOW),
        ]
    )

    assert (told.open, told.ignored) == (1, 1)
    assert told.resolved == DurationSummary(2, 7200.0)
    assert told.reverted == DurationSummary(1, 1.5)
    assert told.by_cause == {"manual": DurationSummary(1, 3600.0), "unknown": DurationSummary(1, 10800.0)}
    assert told.by_severity == {"medium": DurationSummary(2, 7200.0)}


def test_nothing_has_no_mean() -> None:
    assert episode_statistics([]).resolved == DurationSummary(0, None)
