"""Episodes of a watch: their cause, their duration, and unknown starts."""

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drift.history.queries import episode_statistics
from drift.history.store import read_history
from tests.drift.conftest import Application
from tests.drift.samples import deployment
from tests.drift.watch.conftest import CONFIG, Process, Start, eventually

FLUX = "kustomize-controller"


def _revert_like_flux(workspace: Application, what: str, by: str) -> None:
    """Reverts like kustomize-controller: one request takes over the fields of others, the next one applies."""
    live = json.loads(workspace.kubectl("get", what, "--output=json", "--show-managed-fields"))
    entries: list[dict[str, Any]] = live["metadata"]["managedFields"]
    applier = next(entry for entry in entries if (entry["manager"], entry["operation"]) == (FLUX, "Apply"))
    editor = next(entry for entry in entries if entry["manager"] == by)
    _merge(applier["fieldsV1"], editor["fieldsV1"])
    entries.remove(editor)
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
def test_a_manual_change_that_revert_like_flux_stays_manual(
    workspace: Application, start: Start, what: str, patch: dict[str, Any], path: str
) -> None:
    workspace.write(f"{CONFIG}---\n{deployment()}")
    workspace.sync()
    history = workspace.scratch / "history.db"
    watching = start(f"--history={history}")

    workspace.kubectl("patch", what, "--patch", json.dumps(patch), "--field-manager=kubectl-edit")
    eventually(lambda: len(_open(history)) == 1, lambda: _open(history))
    _revert_like_flux(workspace, what, "kubectl-edit")
    eventually(lambda: len(watching.events) == 2, lambda: watching.events)
    eventually(lambda: not _open(history))

    (episode,) = read_history(history).episodes
    assert (episode.path, episode.cause, episode.state) == (path, "manual", "reverted")
    assert episode.actors[0].manager == "kubectl-edit"
    assert episode.start_known
    resolved = watching.events[1]
    assert (resolved["event"], resolved["finding"]["cause"]) == ("resolved", "manual")
    assert resolved["seconds"] > 0


def test_a_field_removed_from_git_is_pending_until_the_sync(workspace: Application, start: Start) -> None:
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


def test_means_exclude_findings_from_before_the_watch(workspace: Application, start: Start) -> None:
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


def test_edits_during_the_start_have_no_negative_durations(workspace: Application, start: Start) -> None:
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
    """Edits and reverts continuously from before the start until the watch is healthy."""
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
