"""Finds fifty random edits by several field managers while an applier reverts everything every two seconds."""

import json
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.drift.conftest import Application
from tests.drift.watch.conftest import Process, Start, eventually

EDITS = 50
EVERY_SECONDS = 2.0
MANAGERS = ("kubectl-edit", "kubectl-patch", "k9s", "deploy-script", "Lens")
REPLACE = ("replace", "--field-manager=kustomize-controller")
NAMES = [f"object-{number}" for number in range(10)]


def _manifests() -> str:
    documents = []
    for name in NAMES:
        labels: dict[str, Any] = {"labels": {"app": name}, "annotations": {"kept": "1"}}
        metadata = {"name": name, "namespace": "NAMESPACE", **labels}
        container = {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}]}
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
        spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template}
        documents.append({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
        documents.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}})
    return "---\n".join(f"{json.dumps(document)}\n" for document in documents)


def _edit(random_: random.Random, number: int) -> tuple[str, dict[str, Any], str]:
    """Returns a kind, a strategic merge patch, and the path of the resulting finding."""
    value = f"edit-{number}"
    container = "spec.template.spec.containers[name=web]"
    edits: list[tuple[str, dict[str, Any], str]] = [
        ("configmap", {"data": {"a": value}}, "data.a"),
        ("configmap", {"data": {value: "1"}}, f"data.{value}"),
        ("configmap", {"metadata": {"labels": {"app": value}}}, "metadata.labels.app"),
        ("configmap", {"metadata": {"annotations": {value: "x"}}}, f"metadata.annotations.{value}"),
        ("deployment", _container({"image": f"web:{value}"}), f"{container}.image"),
        (
            "deployment",
            _container({"env": [{"name": "A", "value": value}]}),
            f"{container}.env[name=A].value",
        ),
        (
            "deployment",
            _container({"env": [{"name": f"E{number}", "value": "1"}]}),
            f"{container}.env[name=E{number}]",
        ),
        ("deployment", {"spec": {"minReadySeconds": number + 1}}, "spec.minReadySeconds"),
        ("deployment", {"spec": {"template": {"spec": {"hostNetwork": True}}}}, "spec.template.spec.hostNetwork"),
    ]
    return random_.choice(edits)


def _container(fields: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", **fields}]}}}}


@contextmanager
def _applier(workspace: Application) -> Iterator[None]:
    """Reverts everything every two seconds, including additions, like a GitOps controller."""
    manifests = workspace.manifests / "manifests.yaml"
    stopped = threading.Event()

    def run() -> None:
        while not stopped.wait(EVERY_SECONDS):
            # A conflict with a concurrent edit fails, and the next run reverts the object.
            workspace.cluster.kubectl(*REPLACE, f"--filename={manifests}", check=False)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def test_each_of_fifty_edits_is_recorded_with_its_manager_and_duration(workspace: Application, start: Start) -> None:
    workspace.write(_manifests())
    workspace.sync()
    history = workspace.scratch / "history.db"
    watching = start(f"--history={history}")
    random_ = random.Random(4711)  # noqa: S311 - a fixed seed gives the same edits every time
    made: list[tuple[str, str, str]] = []

    with _applier(workspace):
        for number in range(EDITS):
            kind, patch, path = _edit(random_, number)
            manager = random_.choice(MANAGERS)
            # Edit a field again only after its last edit was reverted.
            name = NAMES[number % len(NAMES)]
            times = [edit[:2] for edit in made].count((f"{kind}/{name}", path))
            _wait_until_closed(watching, kind, name, path, times)
            workspace.kubectl("patch", kind, name, "--patch", json.dumps(patch), f"--field-manager={manager}")
            made.append((f"{kind}/{name}", path, manager))
        eventually(lambda: len(_closed(history)) >= EDITS, lambda: _closed(history))

    recorded = [(what, path, manager) for what, path, manager, _ in _closed(history)]
    assert sorted(recorded) == sorted(made)
    # Some edits may happen just before the next revert, but not all of them.
    durations = [seconds for *_, seconds in _closed(history)]
    assert min(durations) >= 0
    assert max(durations) > 0
    eventually(lambda: watching.findings() == [], watching.findings)


def _wait_until_closed(watching: Process, kind: str, name: str, path: str, times: int) -> None:
    """Waits until every edit of a field so far has been reverted."""

    def is_closed() -> bool:
        resolved = [
            event
            for event in watching.events
            if event["event"] == "resolved"
            and (event["object"]["kind"].lower(), event["object"]["name"]) == (kind, name)
            and event["finding"]["path"] == path
        ]
        return len(resolved) == times

    eventually(is_closed, lambda: [event for event in watching.events if event["object"]["name"] == name])


def _closed(history: Path) -> list[tuple[str, str, str, float]]:
    """Returns object, path, manager and duration of every ended episode."""
    query = "SELECT kind, name, path, actors, first_seen, ended_at FROM episodes WHERE state = 'reverted'"
    with closing(sqlite3.connect(f"file:{history}?mode=ro", uri=True)) as connection:
        rows = connection.execute(query).fetchall()
    return [
        (
            f"{kind.lower()}/{name}",
            path,
            ",".join(actor[0] for actor in json.loads(actors)),
            (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds(),
        )
        for kind, name, path, actors, began, ended in rows
    ]
