"""Episodes open, go on, end and open again as scans find them, and no scan ends what it could not look at."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.history.changes import ScanCoverage
from drift.history.episodes import EpisodeState, Scope
from drift.history.store import History, read_history
from drift.model import Actor, Cause, Change, IgnoredBy, Lifecycle, Report, Severity, Status, Unmanaged
from tests.drift.history.scans import SCOPE, WHOLE, at, episode, findings, lifecycles
from tests.drift.report.reports import HOSTILE, finding, item

DRIFTED = item("ConfigMap", "a", Status.DRIFTED, finding(1, path="data.x"))
OTHER = item("ConfigMap", "b", Status.DRIFTED, finding(2, path="data.y"))
IN_SYNC = item("ConfigMap", "a", Status.IN_SYNC)
STRAY = item("Pod", "debug", Status.UNMANAGED, finding(3, change=Change.UNMANAGED, **WHOLE))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def history(file: Path) -> History:
    return History(file, pytest.fail)


@pytest.fixture
def episodes(file: Path) -> Callable[[], list[tuple[str, str, str | None, EpisodeState]]]:
    """Path, first day, last day and state of every episode."""
    return lambda: [
        (it.path, it.first_seen[8:10], it.ended_at and it.ended_at[8:10], it.state)
        for it in read_history(file).episodes
    ]


Episodes = Callable[[], list[tuple[str, str, str | None, EpisodeState]]]


def test_what_is_found_first_is_new_and_then_ongoing(history: History) -> None:
    first = history.record(at(1, DRIFTED), SCOPE)
    second = history.record(at(2, DRIFTED, OTHER), SCOPE)

    assert lifecycles(first) == {"data.x": Lifecycle.NEW}
    assert lifecycles(second) == {"data.x": Lifecycle.ONGOING, "data.y": Lifecycle.NEW}
    assert findings(second)["data.x"].first_seen == "2026-01-01T12:00:00Z"
    assert findings(second)["data.y"].first_seen == "2026-01-02T12:00:00Z"


def test_what_is_gone_is_resolved_once(history: History, episodes: Episodes) -> None:
    history.record(at(1, DRIFTED), SCOPE)
    second = history.record(at(2, IN_SYNC), SCOPE)
    third = history.record(at(3, IN_SYNC), SCOPE)

    assert [(it.path, it.first_seen, it.resolved_at) for it in second.resolved] == [
        ("data.x", "2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z")
    ]
    assert third.resolved == ()
    assert episodes() == [("data.x", "01", "02", EpisodeState.RESOLVED)]


def test_what_comes_back_is_reopened_in_an_episode_of_its_own(history: History, episodes: Episodes) -> None:
    history.record(at(1, DRIFTED), SCOPE)
    history.record(at(2, IN_SYNC), SCOPE)
    last = history.record(at(3, DRIFTED), SCOPE)

    assert lifecycles(last) == {"data.x": Lifecycle.REOPENED}
    assert findings(last)["data.x"].first_seen == "2026-01-03T12:00:00Z"
    assert lifecycles(history.record(at(4, DRIFTED), SCOPE)) == {"data.x": Lifecycle.ONGOING}
    assert episodes() == [("data.x", "01", "02", EpisodeState.RESOLVED), ("data.x", "03", None, EpisodeState.OPEN)]


def test_the_past_has_every_scan_with_this_one_at_the_end(history: History) -> None:
    history.record(at(1, DRIFTED, OTHER, errors=("pods: why",)), SCOPE)
    last = history.record(at(2, IN_SYNC, OTHER), SCOPE)

    assert [(past.at[8:10], past.open, past.new, past.resolved, past.complete) for past in last.past] == [
        ("01", 2, 2, 0, False),
        ("02", 1, 0, 1, True),
    ]


@pytest.mark.parametrize(
    "aside",
    [{"ignored": IgnoredBy("ignore[0]", "not ours")}, {"cause": Cause.CONTROLLER, "severity": Severity.INFO}],
    ids=["ignored", "controller"],
)
def test_what_does_not_count_any_more_ends_without_being_resolved(
    aside: dict[str, object], history: History, episodes: Episodes
) -> None:
    history.record(at(1, DRIFTED), SCOPE)
    second = history.record(at(2, item("ConfigMap", "a", Status.IN_SYNC, finding(1, path="data.x", **aside))), SCOPE)

    assert episodes() == [("data.x", "01", "02", EpisodeState.IGNORED)]
    assert second.resolved == ()
    assert lifecycles(second) == {"data.x": None}


def test_what_never_counted_has_no_episode(history: History, episodes: Episodes) -> None:
    history.record(at(1, item("ConfigMap", "a", Status.IN_SYNC, finding(1, cause=Cause.CONTROLLER))), SCOPE)

    assert episodes() == []


@pytest.mark.parametrize(
    ("scan", "state"),
    [
        (at(2, item("ConfigMap", "a", Status.UNCHECKED, reason="may not be read")), EpisodeState.OPEN),
        (at(2, item("ConfigMap", "a", Status.UNCHECKED, reason="why", by_choice=True)), EpisodeState.IGNORED),
        (at(2, IN_SYNC, errors=("pods: may not be read",)), EpisodeState.RESOLVED),
        (at(2, errors=("configmaps: may not be read",)), EpisodeState.OPEN),
        (at(2, item("Role", "r", Status.UNCHECKED, reason="why")), EpisodeState.OPEN),
        (at(2), EpisodeState.RESOLVED),
        (
            at(2, item("ConfigMap", "a", Status.MISSING, finding(9, change=Change.MISSING, **WHOLE))),
            EpisodeState.RESOLVED,
        ),
    ],
    ids=[
        "the object could not be read",
        "the user leaves the kind out",
        "the object was read, and something else was not",
        "the object is in neither, or was not looked for",
        "the object is in neither, or another was not read",
        "the object is in neither",
        "the object is deleted",
    ],
)
def test_an_episode_ends_only_where_the_scan_can_tell(
    scan: Report, state: EpisodeState, history: History, episodes: Episodes
) -> None:
    history.record(at(1, DRIFTED), SCOPE)
    history.record(scan, SCOPE)

    assert [it[3] for it in episodes() if it[0] == "data.x"] == [state]


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        (Unmanaged.CLUSTER, Unmanaged.NAMESPACE, EpisodeState.OPEN),
        (Unmanaged.CLUSTER, Unmanaged.CLUSTER, EpisodeState.RESOLVED),
        (Unmanaged.NAMESPACE, Unmanaged.OFF, EpisodeState.OPEN),
        (Unmanaged.NAMESPACE, Unmanaged.CLUSTER, EpisodeState.RESOLVED),
    ],
)
def test_what_git_lacks_is_gone_only_for_a_scan_that_looked_for_it(
    first: Unmanaged, second: Unmanaged, state: EpisodeState, history: History, episodes: Episodes
) -> None:
    history.record(at(1, STRAY), SCOPE, ScanCoverage(first))
    history.record(at(2), SCOPE, ScanCoverage(second))

    assert [it[3] for it in episodes()] == [state]


def test_what_the_narrow_search_has_found_too_it_may_miss(history: History, episodes: Episodes) -> None:
    history.record(at(1, STRAY), SCOPE, ScanCoverage(Unmanaged.CLUSTER))
    history.record(at(2, STRAY), SCOPE, ScanCoverage(Unmanaged.NAMESPACE))
    history.record(at(3), SCOPE, ScanCoverage(Unmanaged.NAMESPACE))

    assert [it[3] for it in episodes()] == [EpisodeState.RESOLVED]


def test_a_part_of_a_scan_says_nothing_of_the_other_parts(history: History, episodes: Episodes) -> None:
    history.record(at(1, DRIFTED, STRAY), SCOPE)
    history.record(at(2), SCOPE, ScanCoverage(covers=lambda key: key.kind == "ConfigMap"))

    assert {it[0]: it[3] for it in episodes()} == {"data.x": EpisodeState.RESOLVED, "": EpisodeState.OPEN}


def test_an_object_of_a_kind_that_is_left_out_is_not_said_to_be_resolved(history: History, episodes: Episodes) -> None:
    history.record(at(1, STRAY), SCOPE)
    history.record(at(2), SCOPE, ScanCoverage(left_out=lambda key: key.kind == "Pod"))

    assert [it[3] for it in episodes()] == [EpisodeState.IGNORED]


@pytest.mark.parametrize("other", [replace(SCOPE, name="else"), replace(SCOPE, cluster="https://else.example.com")])
def test_scans_of_two_scopes_know_nothing_of_each_other(other: Scope, history: History, episodes: Episodes) -> None:
    history.record(at(1, DRIFTED), SCOPE)
    elsewhere = history.record(at(2, IN_SYNC, OTHER), other)
    history.record(at(3, IN_SYNC), other)

    assert lifecycles(elsewhere) == {"data.y": Lifecycle.NEW}
    assert elsewhere.resolved == ()
    assert len(elsewhere.past) == 1
    assert ("data.x", "01", None, EpisodeState.OPEN) in episodes()


def test_a_scan_that_is_older_than_the_last_changes_nothing(history: History, episodes: Episodes) -> None:
    history.record(at(1, DRIFTED), SCOPE)
    history.record(at(3, IN_SYNC, OTHER), SCOPE)
    before = episodes()

    late = history.record(at(2, DRIFTED), SCOPE)

    assert episodes() == before
    assert late.resolved == ()
    assert [past.at[8:10] for past in late.past] == ["01", "03"]


def test_a_scan_that_lies_in_the_future_does_not_stop_the_history(history: History, episodes: Episodes) -> None:
    history.record(replace(at(1, DRIFTED), generated_at="2126-01-01T00:00:00Z"), SCOPE)
    history.record(at(2, IN_SYNC), SCOPE)

    assert [it[3] for it in episodes()] == [EpisodeState.RESOLVED]
    assert all(it.ended_at is not None and it.first_seen <= it.ended_at for it in read_history(history.file).episodes)


def test_the_severity_is_the_latest_the_cause_that_of_the_opening_and_all_actors_are_kept(
    history: History, file: Path
) -> None:
    actor = Actor("kubectl-scale", "Update", "scale", None)
    worse = finding(1, path="data.x", severity=Severity.HIGH, cause=Cause.UNKNOWN, actors=(actor,))
    history.record(at(1, DRIFTED), SCOPE)
    history.record(at(2, item("ConfigMap", "a", Status.DRIFTED, worse)), SCOPE)

    (only,) = read_history(file).episodes
    assert (only.severity, only.cause) == (Severity.HIGH, Cause.MANUAL)
    assert only.actors[-1:] == (actor,)
    assert len(only.actors) == 2
    assert (only.first_seen, only.last_seen) == ("2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z")


def test_an_exact_time_is_kept_where_one_is_known(history: History) -> None:
    known = item("ConfigMap", "a", Status.DRIFTED, finding(1, first_seen="2026-01-01T11:59:58.250Z"))

    assert findings(history.record(at(1, known), SCOPE))["spec.replicas"].first_seen == "2026-01-01T11:59:58.250Z"


def test_an_update_between_two_scans_is_no_scan(history: History, episodes: Episodes) -> None:
    updated = history.record(at(1, DRIFTED), SCOPE, count_as_scan=False)

    assert updated.past == ()
    assert lifecycles(updated) == {"data.x": Lifecycle.NEW}
    assert episodes() == [("data.x", "01", None, EpisodeState.OPEN)]


def test_an_episode_that_no_scan_saw_can_be_recorded(history: History, file: Path) -> None:
    reverted = episode(
        1,
        first_seen="2026-01-01T10:00:00.100Z",
        last_seen="2026-01-01T10:00:01.900Z",
        ended_at="2026-01-01T10:00:02.050Z",
        state=EpisodeState.REVERTED,
    )

    history.add_episode(reverted)

    assert read_history(file).episodes == (reverted,)
    assert lifecycles(history.record(at(2, DRIFTED), SCOPE)) == {"data.x": Lifecycle.REOPENED}


def test_what_has_long_been_over_is_forgotten_and_what_is_open_is_not(history: History, file: Path) -> None:
    def in_year(year: int, *found: object) -> Report:
        return replace(at(1, *found), generated_at=f"{year}-01-01T12:00:00Z")  # type: ignore[arg-type]

    history.record(in_year(2020, DRIFTED, OTHER), SCOPE)
    history.record(in_year(2021, IN_SYNC, OTHER), SCOPE)
    assert len(read_history(file).episodes) == 2

    last = history.record(in_year(2023, IN_SYNC, OTHER), SCOPE)

    assert [it.path for it in read_history(file).episodes] == ["data.y"]
    assert [past.at[:4] for past in last.past] == ["2023"]


def test_no_value_is_in_the_file(history: History, file: Path) -> None:
    planted = "cGxhbnRlZC12YWx1ZQ"
    kept = finding(1, path="data.x", desired=planted, live=[planted], note=planted)
    history.record(at(1, item("ConfigMap", "a", Status.DRIFTED, kept, reason=planted), notes=(planted,)), SCOPE)

    assert planted.encode() not in b"".join(part.read_bytes() for part in file.parent.iterdir())


def test_hostile_names_are_kept_as_they_are(history: History, file: Path) -> None:
    objects = [
        replace(it, findings=tuple(replace(found, first_seen=None) for found in it.findings[:1]))
        for it in HOSTILE.objects
        if it.status is Status.DRIFTED
    ]
    history.record(replace(HOSTILE, objects=tuple(objects)), SCOPE)

    assert {(it.key, it.path) for it in read_history(file).episodes} == {
        (it.key, it.findings[0].path) for it in objects
    }


@settings(max_examples=15, deadline=None)
@given(st.text(st.characters(), max_size=20))
def test_any_text_can_be_recorded(text: str) -> None:
    evil = item(text, text, Status.DRIFTED, finding(1, path=text, actors=(Actor(text, text, text, text),)))
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder, "h.db"), pytest.fail)
        history.record(at(1, evil), Scope(text, text))
        assert lifecycles(history.record(at(2, evil), Scope(text, text))) == {text: Lifecycle.ONGOING}
        assert json.dumps([it.path for it in read_history(history.file).episodes])
