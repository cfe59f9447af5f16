"""Filters episodes by time, object, namespace and state, and groups them by cause and severity."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drift.errors import UsageError
from drift.globs import Glob
from drift.history.episodes import EpisodeState
from drift.history.queries import DurationSummary, EpisodeFilter, Gap, ScopeGaps, episode_statistics, parse_since
from drift.history.store import History, read_history
from drift.model import NOT_SEARCHED, Cause, ObjectReport, Severity, Status
from drift.objects import ObjectKey
from tests.drift.history.scans import SCOPE, at, episode
from tests.drift.report.reports import finding, item, report

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
def test_a_filter_matches(choice: EpisodeFilter, numbers: list[int]) -> None:
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
def test_since_is_parsed(text: str, time: str) -> None:
    assert parse_since(text, NOW) == time


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7 d", "yesterday", "999999w", "0001-01-01T00:00+14:00"])
def test_an_invalid_since_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="must be a duration"):
        parse_since(text, NOW)


def test_times_to_resolve_are_grouped_by_cause_and_severity() -> None:
    statistics = episode_statistics(
        [
            episode(1, ended_at="2026-01-01T13:00:00Z", state=EpisodeState.RESOLVED),
            episode(2, ended_at="2026-01-01T15:00:00Z", state=EpisodeState.RESOLVED, cause=Cause.UNKNOWN),
            episode(3, ended_at="2026-01-01T12:00:01.500Z", state=EpisodeState.REVERTED),
            episode(4, ended_at="2026-01-09T12:00:00Z", state=EpisodeState.IGNORED),
            episode(5, severity=Severity.LOW),
        ]
    )

    assert (statistics.open, statistics.ignored) == (1, 1)
    assert statistics.resolved == DurationSummary(2, 7200.0)
    assert statistics.reverted == DurationSummary(1, 1.5)
    assert statistics.by_cause == {"manual": DurationSummary(1, 3600.0), "unknown": DurationSummary(1, 10800.0)}
    assert statistics.by_severity == {"medium": DurationSummary(2, 7200.0)}


def test_no_episodes_have_no_mean() -> None:
    assert episode_statistics([]).resolved == DurationSummary(0, None)


REFUSED = "may not be read by this account (get, list roles in shop)"
ROLE = item("Role", "reader", Status.UNCHECKED, reason=REFUSED)
PODS = f"{NOT_SEARCHED}pods in shop: this account may not list them"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "drift.db"


def _record(file: Path, *scans: tuple[ObjectReport, ...], **changes: object) -> tuple[ScopeGaps, ...]:
    history = History(file, lambda _: None)
    for day, items in enumerate(scans, 1):
        history.record(at(day, *items, **changes), SCOPE)
    return read_history(file).gaps


def test_an_object_counts_the_scans_in_a_row_that_did_not_check_it(file: Path) -> None:
    other = item("Role", "reader", Status.UNCHECKED, reason="the server does not answer")

    gaps = _record(file, (), (ROLE,), (other,), (ROLE,))

    assert gaps == (ScopeGaps(SCOPE, 4, (Gap(ROLE.key, REFUSED, "2026-01-02T12:00:00Z", 3),)),)


def test_an_object_that_was_checked_is_no_gap(file: Path) -> None:
    assert _record(file, (ROLE,), (item("Role", "reader", Status.DRIFTED, finding(1)),)) == ()


def test_a_kind_that_is_skipped_on_purpose_is_a_gap(file: Path) -> None:
    (gaps,) = _record(file, (item("Lease", "lock", Status.UNCHECKED, reason="no drift", is_skipped=True),))

    assert [gap.reason for gap in gaps.gaps] == ["no drift"]


def test_errors_and_refused_searches_are_gaps_unless_their_objects_are(file: Path) -> None:
    errors = (f"roles in shop: {REFUSED}", "the search for unmanaged objects did not finish: no answer")

    (gaps,) = _record(file, (ROLE,), (ROLE,), errors=errors, notes=(PODS, "a note"))

    assert [(gap.key, gap.reason, gap.scans) for gap in gaps.gaps] == [
        (None, errors[1], 2),
        (None, PODS, 2),
        (ROLE.key, REFUSED, 2),
    ]


def test_a_watch_that_only_updates_the_episodes_leaves_the_gaps(file: Path) -> None:
    _record(file, (ROLE,))
    History(file, lambda _: None).record(at(2, ROLE), SCOPE, count_as_scan=False)

    assert [gap.scans for one in read_history(file).gaps for gap in one.gaps] == [1]


def test_the_gaps_of_a_scope_are_deleted_with_its_last_scan(file: Path) -> None:
    _record(file, (ROLE,))

    other = replace(SCOPE, name="other")
    for day in (1, 2):
        History(file, lambda _: None).record(report(ROLE, generated_at=f"2027-06-0{day}T12:00:00Z"), other)

    assert [one.scope for one in read_history(file).gaps] == [other]


def test_filters_select_the_gaps_of_their_objects(file: Path) -> None:
    gaps = _record(file, (ROLE, item("Pod", "web", Status.UNCHECKED, reason="r")), notes=(PODS,))

    def selected(**filters: Glob) -> list[str]:
        chosen = EpisodeFilter(**filters).select_gaps(gaps)  # type: ignore[arg-type]
        return ["" if gap.key is None else gap.key.name for one in chosen for gap in one.gaps]

    assert selected() == ["", "web", "reader"]
    assert selected(objects=Glob("Role/*")) == ["reader"]
    assert selected(namespaces=Glob("other")) == []
