"""Episodes with an unknown start are marked and excluded from means."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from drift.history import database
from drift.history.episodes import EpisodeState
from drift.history.queries import DurationSummary, episode_statistics
from drift.history.store import History, read_history
from drift.model import Actor, Cause, Status
from drift.report.history_table import Timeline, timeline_json, timeline_text
from tests.drift.history.scans import SCOPE, at, episode
from tests.drift.report.reports import finding, item

FIRST = item("ConfigMap", "a", Status.DRIFTED, finding(1, path="data.x"))
BOTH = item("ConfigMap", "a", Status.DRIFTED, finding(1, path="data.x"), finding(2, path="data.y"))
IN_SYNC = item("ConfigMap", "a", Status.IN_SYNC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def history(file: Path) -> History:
    return History(file, lambda _: None)


def _starts(file: Path) -> dict[str, bool]:
    return {one.path: one.start_known for one in read_history(file).episodes}


def test_findings_of_the_first_scan_of_a_scope_have_an_unknown_start(history: History, file: Path) -> None:
    history.record(at(1, FIRST), SCOPE)
    history.record(at(2, BOTH), SCOPE)
    history.record(at(3, IN_SYNC), SCOPE)

    assert _starts(file) == {"data.x": False, "data.y": True}
    assert episode_statistics(read_history(file).episodes).resolved == DurationSummary(2, 24 * 3600.0, 1)


def test_a_finding_reopened_after_the_first_scan_has_a_known_start(history: History, file: Path) -> None:
    for day, found in enumerate((FIRST, IN_SYNC, FIRST), start=1):
        history.record(at(day, found), SCOPE)

    assert [one.start_known for one in read_history(file).episodes] == [False, True]


def test_the_caller_can_mark_the_start_of_a_finding_as_unknown(history: History, file: Path) -> None:
    history.record(at(1, IN_SYNC), SCOPE)
    history.record(at(2, BOTH), SCOPE, start_unknown={f"{1:016x}"})

    assert _starts(file) == {"data.x": False, "data.y": True}


def test_the_migration_marks_unknown_starts(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in (one for step in database.MIGRATIONS[:2] for one in step):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {database.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 2")
        connection.execute("INSERT INTO scopes VALUES (1, 'https://prod.example.com', 'apps')")
        for day in (1, 2):
            connection.execute(
                "INSERT INTO scans VALUES (?, 1, ?, 1, 1, 0, 0, NULL)", (day, f"2026-01-0{day}T12:00:00.000Z")
            )
            connection.execute(
                "INSERT INTO episodes VALUES (?, 1, ?, 'v1', '', 'ConfigMap', 'shop', 'a', ?, 'changed', 'manual',"
                " 'low', '[]', ?, ?, NULL, 'open', 0, 'namespace')",
                (day, f"{day:016x}", f"data.{day}", *[f"2026-01-0{day}T12:00:00.000Z"] * 2),
            )

    # Reading migrates a copy, writing migrates the file.
    assert _starts(file) == {"data.1": False, "data.2": True}
    History(file, lambda _: None).record(at(3), SCOPE)
    assert _starts(file) == {"data.1": False, "data.2": True}


def test_unknown_starts_are_shown_and_excluded_from_the_means() -> None:
    ended = {"ended_at": "2026-01-01T13:00:00Z", "state": EpisodeState.RESOLVED}
    episodes = (episode(1, **ended), episode(2, **ended, start_known=False))
    timeline = Timeline(episodes, 2, "2026-01-02T12:00:00Z", "2026-01-03T12:00:00Z")

    text = timeline_text(timeline, color=False, width=None)
    document = json.loads(timeline_json(timeline))

    assert "mean time to resolve: 1 h (1)\n" in text
    assert "resolved after > 1 h, at " in text
    assert "left out of the means because their start is unknown: 1\n" in text
    assert document["statistics"]["resolved"] == {"count": 2, "meanSeconds": 3600.0, "startUnknown": 1}
    assert [one["startKnown"] for one in document["episodes"]] == [True, False]


def test_there_is_no_mean_without_a_known_start() -> None:
    only = episode(1, ended_at="2026-01-01T13:00:00Z", state=EpisodeState.RESOLVED, start_known=False)
    text = timeline_text(Timeline((only,), 1, None, "2026-01-03T12:00:00Z"), color=False, width=None)

    assert episode_statistics([only]).resolved == DurationSummary(1, None, 1)
    assert "mean time" not in text
    assert "1 resolved" in text


def test_later_scans_keep_the_first_cause_and_manager(history: History, file: Path) -> None:
    flux = Actor("kustomize-controller", "Apply", None, "2026-01-02T11:00:00Z")
    taken = item("ConfigMap", "a", Status.DRIFTED, finding(1, path="data.x", cause=Cause.PENDING_SYNC, actors=(flux,)))
    history.record(at(1, FIRST), SCOPE)
    (before,) = read_history(file).episodes
    history.record(at(2, taken), SCOPE)

    (after,) = read_history(file).episodes
    assert (before.cause, after.cause) == (Cause.MANUAL, Cause.MANUAL)
    assert after.actors == (*before.actors, flux)


def test_an_end_before_the_start_is_moved_to_the_start(history: History, file: Path) -> None:
    # The scan came from a machine with a fast clock.
    history.record(replace(at(9, FIRST)), SCOPE)
    (open_,) = read_history(file).episodes
    history.update_episodes(
        [replace(open_, last_seen=at(1).generated_at, ended_at=at(1).generated_at, state=EpisodeState.REVERTED)]
    )

    (ended,) = read_history(file).episodes
    assert ended.first_seen == ended.last_seen == ended.ended_at == "2026-01-09T12:00:00Z"
