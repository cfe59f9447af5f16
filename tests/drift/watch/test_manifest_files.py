"""Manifests that are edited, broken or replaced during a watch."""

import json
from pathlib import Path

import pytest

from drift.config.settings import Settings
from drift.model import ManifestsInfo, SourceInfo, SourceKind
from drift.sources.model import Desired, Rendered
from drift.watch import manifest_files
from drift.watch.comparison import DesiredState
from drift.watch.manifest_files import ManifestsReloaded, ManifestsUnreadable, ManifestWatcher, fingerprint
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
        tuple, seen=(), desired=states[0], load=lambda: next(rest), timing=SHORT, emit=emitted.append
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

    def state() -> tuple[str, ...]:
        fail_once("state")
        return ("edited",)

    def load() -> DesiredState:
        fail_once("load")
        return desired

    watcher = ManifestWatcher(state, seen=("first",), desired=desired, load=load, timing=SHORT, emit=emitted.append)
    watcher.start()
    eventually(lambda: len(emitted) == 2)
    watcher.stop()

    assert emitted == [ManifestsUnreadable("unexpected RecursionError"), ManifestsReloaded(desired)]
