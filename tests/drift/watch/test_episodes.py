"""The cause of an episode is that of its opening, no episode ends before it began, and unknown starts are marked."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drift.history.queries import episode_statistics
from drift.history.store import read_history
from drift.model import Cause, Change, Finding, Severity, Status
from drift.watch.open_findings import OpenFindings, Transition
from tests.drift.conftest import Application
from tests.drift.samples import deployment
from tests.drift.watch.conftest import Process, Start, eventually
from tests.drift.watch.test_open_findings import FINDING, PERSON, START, SYNCER, _item, _report
from tests.drift.watch.test_watch import CONFIG

FLUX = "kustomize-controller"


def _flux_reverts(workspace: Application, what: str, by: str) -> None:
    """As kustomize-controller does: it takes over what others own in one request, and applies in the next one."""
    live = json.loads(workspace.kubectl("get", what, "--output=json", "--show-managed-fields"))
    entries: list[dict[str, Any]] = live["metadata"]["managedFields"]
    ours = next(entry for entry in entries if (entry["manager"], entry["operation"]) == (FLUX, "Apply"))
    theirs = next(entry for entry in entries if entry["manager"] == by)
    _merge(ours["fieldsV1"], theirs["fieldsV1"])
    entries.remove(theirs)
    patch = json.dumps([{"op": "replace", "path": "/metadata/managedFields", "value": entries}])
    workspace.kubectl("patch", what, "--type=json", "--patch", patch, f"--field-manager={FLUX}")
    workspace.sync()


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for name, below in more.items():
        _merge(into.setdefault(name, {}), below)


@pytest.mark.parametrize(
    ("what", "patch", "path"),
    [
        ("configmap/config", {"data": {"added": "x"}}, "data.added"),
        ("configmap/config", {"data": {"a": "edited"}}, "data.a"),
        ("configmap/config", {"metadata": {"labels": {"added": "x"}}}, "metadata.labels"),
        (
            "deployment/web",
            {"spec": {"template": {"spec": {"hostNetwork": True}}}},
            "spec.template.spec.hostNetwork",
        ),
    ],
)
def test_a_change_by_hand_that_flux_reverts_stays_one_by_hand(
    workspace: Application, start: Start, what: str, patch: dict[str, Any], path: str
) -> None:
    workspace.write(f"{CONFIG}---\n{deployment()}")
    workspace.sync()
    history = workspace.scratch / "history.db"
    watching = start(f"--history={history}")

    workspace.kubectl("patch", what, "--patch", json.dumps(patch), "--field-manager=kubectl-edit")
    eventually(lambda: len(_open(history)) == 1, lambda: _open(history))
    _flux_reverts(workspace, what, "kubectl-edit")
    eventually(lambda: len(watching.events) == 2, lambda: watching.events)
    eventually(lambda: not _open(history))

    (episode,) = read_history(history).episodes
    assert (episode.path, episode.cause, episode.state) == (path, "manual", "reverted")
    assert episode.actors[0].manager == "kubectl-edit"
    assert episode.start_known
    resolved = watching.events[1]
    assert (resolved["event"], resolved["finding"]["cause"]) == ("resolved", "manual")
    assert resolved["seconds"] > 0


def test_what_git_dropped_stays_pending_until_it_is_synced(workspace: Application, start: Start) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    history = workspace.scratch / "history.db"
    watching = start(f"--history={history}")

    workspace.write(CONFIG.replace(", b: '2'", ""))
    eventually(lambda: len(watching.events) == 1, lambda: watching.events)
    workspace.sync()
    eventually(lambda: len(watching.events) == 2, lambda: watching.events)
    eventually(lambda: not _open(history))

    (episode,) = read_history(history).episodes
    assert (episode.path, episode.cause) == ("data.b", "pending-sync")


def test_what_was_open_before_the_watch_is_in_no_mean(workspace: Application, start: Start) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    history = workspace.scratch / "history.db"
    workspace.kubectl("patch", "configmap", "config", "--patch", '{"data": {"a": "before"}}')
    watching = start(f"--history={history}")

    workspace.kubectl("patch", "configmap", "config", "--patch", '{"data": {"b": "during"}}')
    eventually(lambda: len(watching.events) == 2, lambda: watching.events)
    workspace.sync()
    eventually(lambda: len(watching.events) == 4, lambda: watching.events)
    eventually(lambda: not _open(history))

    episodes = read_history(history).episodes
    assert {(one.path, one.start_known) for one in episodes} == {("data.a", False), ("data.b", True)}
    reverted = episode_statistics(episodes).reverted
    assert (reverted.count, reverted.unknown) == (2, 1)
    assert reverted.mean_seconds is not None


def test_edits_while_it_starts_have_no_negative_durations(workspace: Application, start: Start) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    history = workspace.scratch / "history.db"
    watching = _edited_while_starting(workspace, start, history)
    workspace.sync()
    eventually(lambda: watching.findings() == [] and not _open(history), watching.findings)

    for event in watching.events:
        assert event["seconds"] is None or event["seconds"] >= 0, event
    with closing(sqlite3.connect(f"file:{history}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT first_seen, last_seen, ended_at FROM episodes").fetchall()
    assert rows
    assert all(first <= last <= ended for first, last, ended in rows), rows


def _edited_while_starting(workspace: Application, start: Start, history: Path) -> Process:
    """Edits and reverts all the time from before the start until it is healthy."""
    done = threading.Event()

    def edit() -> None:
        while not done.is_set():
            workspace.kubectl("patch", "configmap", "config", "--patch", '{"data": {"a": "edited"}}')
            workspace.sync()

    thread = threading.Thread(target=edit)
    thread.start()
    try:
        return start(f"--history={history}")
    finally:
        done.set()
        thread.join()


def _open(history: Path) -> list[str]:
    if not history.exists():
        return []
    return [one.path for one in read_history(history).episodes if one.ended_at is None]


# -- the ledger


def test_an_event_from_before_the_scan_that_found_it_ends_it_after_no_time() -> None:
    ledger = OpenFindings()
    ledger.take_report(_report(_item(FINDING)), START)

    (closed,) = ledger.take_step(_item(status=Status.IN_SYNC), START - timedelta(seconds=5), (SYNCER,))

    assert closed.tracked.seconds == 0
    assert closed.tracked.resolved == closed.tracked.opened


def test_a_clock_that_is_set_back_makes_no_negative_duration() -> None:
    ledger = OpenFindings()
    ledger.take_report(_report(), START)
    ledger.take_step(_item(FINDING), START, ())

    (closed,) = ledger.take_report(_report(), START - timedelta(hours=1))

    assert closed.tracked.seconds == 0


def _causes() -> Iterator[tuple[Cause, Cause, Cause]]:
    yield Cause.MANUAL, Cause.PENDING_SYNC, Cause.MANUAL
    yield Cause.MANUAL, Cause.UNKNOWN, Cause.MANUAL
    yield Cause.PENDING_SYNC, Cause.UNKNOWN, Cause.PENDING_SYNC
    yield Cause.PENDING_SYNC, Cause.MANUAL, Cause.MANUAL
    yield Cause.UNKNOWN, Cause.PENDING_SYNC, Cause.PENDING_SYNC


@pytest.mark.parametrize(("opened", "then", "recorded"), list(_causes()))
def test_the_cause_is_the_one_with_the_most_evidence(opened: Cause, then: Cause, recorded: Cause) -> None:
    ledger = OpenFindings()
    ledger.take_step(_item(replace(FINDING, cause=opened, actors=(PERSON,))), START, ())
    ledger.take_step(_item(replace(FINDING, cause=then, actors=(SYNCER,))), START, ())

    (episode,) = ledger.open
    assert episode.finding.cause is recorded
    assert episode.finding.actors == (PERSON, SYNCER)


def test_what_is_there_when_an_object_comes_into_sight_may_be_of_any_age() -> None:
    ledger = OpenFindings()
    ledger.take_report(_report(_item(status=Status.UNCHECKED), errors=("configmaps in shop: no",)), START)

    (found,) = ledger.take_step(_item(FINDING), START + timedelta(hours=1), ())
    assert (found.transition, found.tracked.exact) == (Transition.FOUND, False)

    ledger.take_step(_item(status=Status.IN_SYNC), START + timedelta(hours=2), ())
    (opened,) = ledger.take_step(_item(FINDING), START + timedelta(hours=3), ())
    assert (opened.transition, opened.tracked.exact) == (Transition.OPENED, True)


def test_what_a_scan_sees_that_the_scan_before_could_not_see_may_be_of_any_age() -> None:
    stray = Finding(
        "stray", Change.UNMANAGED, "", "", None, None, redacted=False, cause=Cause.MANUAL, severity=Severity.LOW
    )
    ledger = OpenFindings()
    ledger.take_report(_report(errors=("configmaps in shop: no",)), START)

    (found,) = ledger.take_report(_report(_item(stray, status=Status.UNMANAGED)), START)

    assert (found.transition, found.tracked.exact) == (Transition.FOUND, False)
    # A trouble that lasts does not make everything else uncertain.
    ledger = OpenFindings()
    for _ in range(2):
        ledger.take_report(_report(errors=("secrets in shop: no",)), START)
    (opened,) = ledger.take_report(
        _report(_item(stray, status=Status.UNMANAGED), errors=("secrets in shop: no",)), START
    )
    assert (opened.transition, opened.tracked.exact) == (Transition.OPENED, True)
