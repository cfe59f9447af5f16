"""Manifests that are edited, broken or replaced during a watch."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drift.config.settings import Settings
from drift.model import ManifestsInfo, SourceInfo, SourceKind
from drift.sources.model import Desired, Rendered
from drift.watch import manifest_files
from drift.watch.comparison import DesiredState
from drift.watch.manifest_files import InputState, ManifestsReloaded, ManifestsUnreadable, ManifestWatcher, fingerprint
from tests.drift.conftest import Application
from tests.drift.watch.conftest import CONFIG, SHORT, Begin, eventually

EDITED = CONFIG.replace("a: '1'", "a: '2'")


def test_edited_manifests_are_reloaded(workspace: Application, watch: Begin) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    watching = watch()
    assert watching.findings() == []

    workspace.write(EDITED)
    eventually(lambda: watching.findings() == [("ConfigMap/config", "changed", "data.a", "pending-sync")])
    workspace.write(CONFIG.replace("name: config", "name: another"), "another.yaml")
    eventually(lambda: len(watching.findings()) == 2, watching.findings)
    workspace.sync()
    eventually(lambda: watching.findings() == [], watching.findings)

    assert watching.happened.count(("resolved", "data.a")) == 1
    assert "drift_watch_manifest_reloads_total 2" in watching.text("/metrics")


OTHER = CONFIG.replace("name: config", "name: other")


def test_a_broken_document_is_reported_and_the_others_stay_compared(workspace: Application, watch: Begin) -> None:
    workspace.write(CONFIG)
    workspace.write(OTHER, "other.yaml")
    workspace.sync()
    patch = json.dumps({"data": {"a": "edited"}})
    workspace.kubectl("patch", "configmap", "other", "--patch", patch)
    watching = watch()
    eventually(lambda: len(watching.findings()) == 1, watching.findings)

    workspace.write("kind: [broken\n", "other.yaml")
    eventually(lambda: not watching.is_healthy)

    assert "other.yaml:2:1: " in watching.text("/healthz")
    assert [error.partition(":")[0] for error in watching.report()["errors"]] == [f"{workspace.manifests}/other.yaml"]
    assert watching.report()["summary"]["objects"]["unmanaged"] == 0
    eventually(lambda: any("incomplete: " in line and "other.yaml" in line for line in watching.log), watching.state)
    workspace.kubectl("patch", "configmap", "config", "--patch", patch)
    eventually(lambda: len(watching.findings()) == 1, watching.findings)
    assert ("resolved", "data.a") not in watching.happened

    workspace.write(OTHER, "other.yaml")
    eventually(lambda: watching.is_healthy, lambda: watching.text("/healthz"))
    assert len(watching.findings()) == 2


def test_the_last_good_manifests_stay_in_use_if_none_can_be_read(workspace: Application, watch: Begin) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    watching = watch()

    workspace.write("kind: [broken\n")
    eventually(lambda: not watching.is_healthy)

    assert "manifests.yaml" in watching.text("/healthz")
    assert any("cannot be read" in note and "manifests.yaml" in note for note in watching.report()["notes"])
    eventually(lambda: any("cannot be read" in message for message in watching.log), watching.state)
    workspace.kubectl("patch", "configmap", "config", "--patch", json.dumps({"data": {"a": "edited"}}))
    eventually(lambda: len(watching.findings()) == 1, watching.findings)

    workspace.write(CONFIG)
    eventually(lambda: watching.is_healthy, lambda: watching.text("/healthz"))


def test_two_manifests_of_one_object_count_as_broken(workspace: Application, watch: Begin) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    watching = watch()

    workspace.write(CONFIG, "again.yaml")
    eventually(lambda: not watching.is_healthy)

    assert "is also defined in" in watching.text("/healthz")
    assert watching.report()["summary"]["objects"]["unchecked"] == 1


def test_a_symlink_to_another_folder_is_noticed(workspace: Application, watch: Begin) -> None:
    first, second = (_checkout(workspace, name, text) for name, text in (("first", CONFIG), ("second", EDITED)))
    workspace.manifests.rmdir()
    workspace.manifests.symlink_to(first)
    workspace.sync()
    watching = watch()
    assert watching.findings() == []

    # Like git-sync: a new symlink replaces the old one.
    link = workspace.scratch / "new"
    link.symlink_to(second)
    link.rename(workspace.manifests)

    eventually(lambda: len(watching.findings()) == 1, watching.findings)


def _checkout(workspace: Application, name: str, text: str) -> Path:
    folder = workspace.scratch / name
    folder.mkdir()
    (folder / "manifests.yaml").write_text(text.replace("NAMESPACE", workspace.namespace))
    return folder


@pytest.mark.parametrize(
    ("name", "is_noticed"),
    [
        ("Kustomization", True),
        ("sub/Kustomization", True),
        ("a.yaml", True),
        ("sub/a.json", True),
        ("history.db", False),
    ],
)
def test_a_file_that_is_read_is_noticed(tmp_path: Path, name: str, *, is_noticed: bool) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    seen = [fingerprint([str(tmp_path)])]
    for text in ("resources: [a.yaml]\n", "resources: [a.yaml, b.yaml]\n"):
        file.write_text(text)
        seen.append(fingerprint([str(tmp_path)]))

    assert len({*seen}) == (3 if is_noticed else 1)
    assert fingerprint([str(file)]) != fingerprint([str(tmp_path / "none")])


def test_a_source_that_could_not_be_rendered_is_tried_again_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest_files, "_RETRY_SECONDS", -1)
    info = SourceInfo(SourceKind.KUSTOMIZE, "apps")
    results = [*(Rendered(info, failure=said) for said in ("no answer", "no answer", "refused")), Rendered(info)]
    states = [DesiredState(Desired((source,)), ManifestsInfo((), None, None), Settings()) for source in results]
    rest = iter(states[1:])
    emitted: list[object] = []
    watcher = ManifestWatcher(
        lambda: InputState(()),
        seen=InputState(()),
        desired=states[0],
        load=lambda: next(rest),
        timing=SHORT,
        emit=emitted.append,
    )

    # Once it is rendered, nothing is read again.
    for _ in range(5):
        watcher.poll()

    assert emitted == [ManifestsReloaded(states[2]), ManifestsReloaded(states[3])]


@pytest.mark.parametrize("fails", ["state", "load"])
def test_an_unexpected_error_is_said_and_the_manifests_are_read_again(
    fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest_files, "_RETRY_SECONDS", 0.01)
    desired = DesiredState(Desired(()), ManifestsInfo((), None, None), Settings())
    failures, emitted = [fails], list[object]()

    def fail_once(what: str) -> None:
        if what in failures:
            failures.remove(what)
            raise RecursionError

    def state() -> InputState:
        fail_once("state")
        return InputState(("edited",))

    def load() -> DesiredState:
        fail_once("load")
        return desired

    seen = InputState(("first",))
    watcher = ManifestWatcher(state, seen=seen, desired=desired, load=load, timing=SHORT, emit=emitted.append)
    watcher.start()
    eventually(lambda: len(emitted) == 2)
    watcher.stop()

    assert emitted == [ManifestsUnreadable("unexpected RecursionError"), ManifestsReloaded(desired)]


class Inputs:
    """Files and sources in the cluster, which change before, during or after a load."""

    def __init__(self) -> None:
        self.files = self.commit = 0
        self.during: list[str] = []
        self.emitted: list[object] = []
        self.watcher = ManifestWatcher(
            self.state, seen=self.state(), desired=self.load(), load=self.load, timing=SHORT, emit=self.emitted.append
        )

    def state(self) -> InputState:
        return InputState((self.files,), (self.commit,))

    def load(self) -> DesiredState:
        loaded = DesiredState(Desired(()), ManifestsInfo((str(self.files),), str(self.commit), None), Settings())
        for what in self.during[:1]:
            setattr(self, what, getattr(self, what) + 1)
        del self.during[:1]
        return loaded

    @property
    def read(self) -> list[tuple[str, str | None]]:
        reloaded = [one.desired.info for one in self.emitted if isinstance(one, ManifestsReloaded)]
        return [(info.paths[0], info.git_commit) for info in reloaded]


def test_a_sync_during_each_load_does_not_keep_edits_from_being_served() -> None:
    inputs = Inputs()
    inputs.files = 1
    inputs.during = ["commit"] * 3
    for _ in range(6):
        inputs.watcher.poll()

    assert inputs.read == [("1", "0"), ("1", "1"), ("1", "2"), ("1", "3")]


def test_a_source_that_differs_at_each_poll_is_loaded() -> None:
    inputs = Inputs()
    for _ in range(3):
        inputs.commit += 1
        inputs.watcher.poll()

    assert inputs.read == [("0", "1"), ("0", "2"), ("0", "3")]


def test_files_that_change_during_a_load_are_read_again_once_they_stay_the_same() -> None:
    inputs = Inputs()
    inputs.files = 1
    inputs.during = ["files"]
    for _ in range(5):
        inputs.watcher.poll()

    assert inputs.read == [("2", "0")]


@pytest.mark.parametrize("what", ["files", "commit"])
def test_a_forced_reload_is_never_dropped(what: str) -> None:
    inputs = Inputs()
    inputs.during = [what]
    inputs.watcher.poll(force=True)
    assert inputs.read == [("0", "0")]

    for _ in range(3):
        inputs.watcher.poll()
    assert inputs.read == [("0", "0"), ("1", "0") if what == "files" else ("0", "1")]


def test_a_slow_load_does_not_delay_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(manifest_files, "monotonic", lambda: now[0])
    inputs, waits = Inputs(), list[float]()

    class Woken(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            if len(waits) > 3:
                inputs.watcher.stop()
            return len(waits) == 1

    def slow(seconds: float, function: Callable[[], Any]) -> Callable[[], Any]:
        def slowed() -> Any:
            now[0] += seconds
            return function()

        return slowed

    inputs.watcher._woken = Woken()  # noqa: SLF001
    inputs.watcher._load = slow(60, inputs.load)  # noqa: SLF001
    inputs.watcher._state = slow(0.5, inputs.state)  # noqa: SLF001
    inputs.watcher.start()
    eventually(lambda: len(waits) == 4)

    assert waits == [SHORT.files_interval, 5, 5, 5]
