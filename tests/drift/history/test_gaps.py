"""What no scan has checked, in the history."""

from dataclasses import replace
from pathlib import Path

import pytest

from drift.globs import Glob
from drift.history.gaps import Gap, ScopeGaps
from drift.history.queries import EpisodeFilter
from drift.history.store import History, read_history
from drift.model import NOT_SEARCHED, ObjectReport, Status
from tests.drift.history.scans import SCOPE, at
from tests.drift.report.reports import finding, item, report

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
    History(file, lambda _: None).record(report(ROLE, generated_at="2027-06-01T12:00:00Z"), other)

    assert [one.scope for one in read_history(file).gaps] == [other]


def test_filters_select_the_gaps_of_their_objects(file: Path) -> None:
    gaps = _record(file, (ROLE, item("Pod", "web", Status.UNCHECKED, reason="r")), notes=(PODS,))

    def selected(**filters: Glob) -> list[str]:
        chosen = EpisodeFilter(**filters).of_gaps(gaps)  # type: ignore[arg-type]
        return ["" if gap.key is None else gap.key.name for one in chosen for gap in one.gaps]

    assert selected() == ["", "web", "reader"]
    assert selected(objects=Glob("Role/*")) == ["reader"]
    assert selected(namespaces=Glob("other")) == []
