"""``drift watch`` as users run it, against the sandbox."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.drift.conftest import Application, forget_versions
from tests.drift.samples import deployment
from tests.drift.watch.conftest import CONFIG, REPOSITORY, Start, eventually
from tools.sandbox.syncers import Syncer

PLANTED = "kept-to-itself-4711"


def test_the_report_equals_that_of_drift_report_and_stays_current(application: Application, start: Start) -> None:
    application.sync(Syncer.FLUX)
    application.kubectl("set", "env", "deployment/rescan-app", "DEBUG=1")
    watching = start()

    report = application.report()
    # What to do with a finding names the file that was written.
    once = json.loads(json.dumps(report.document).replace(f"{application.scratch}/report.json", "report.json"))
    served = watching.report()

    for document in (once, served):
        for name in ("generatedAt", "scan"):
            del document[name]
        forget_versions(document)
    assert served == once
    eventually(lambda: [event["event"] for event in watching.events] == ["found"], lambda: watching.events)

    application.kubectl("create", "configmap", "debug", "--from-literal=a=b")
    application.kubectl("delete", "service", "--all")
    eventually(lambda: len(watching.findings()) == 3, watching.findings)
    application.sync(Syncer.FLUX)
    application.kubectl("delete", "configmap", "debug")
    eventually(lambda: not watching.findings() or watching.findings()[0][2].endswith("[name=DEBUG]"))

    assert {event["event"] for event in watching.events[1:3]} == {"opened"}
    eventually(
        lambda: any(e["event"] == "resolved" and e["finding"]["change"] == "missing" for e in watching.events),
        lambda: watching.events,
    )
    assert json.loads(watching.text("/live.json"))["contact"] is not None
    assert watching.text("/report?format=text").endswith("\n")
    assert "drifted: " in watching.text("/report", Accept="text/plain")


def test_a_quickly_reverted_edit_is_recorded_with_its_manager_and_duration(
    workspace: Application, start: Start
) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    history = workspace.scratch / "history.db"
    watching = start(f"--history={history}")

    patch = json.dumps({"data": {"a": "edited"}})
    workspace.kubectl("patch", "configmap", "config", "--patch", patch, "--field-manager=deploy-script")
    workspace.sync()
    eventually(lambda: len(watching.events) == 2, lambda: watching.events)

    opened, resolved = watching.events
    assert (opened["event"], resolved["event"]) == ("opened", "resolved")
    assert opened["finding"]["live"] == "edited"
    assert [actor["manager"] for actor in opened["finding"]["actors"]] == ["deploy-script"]
    assert resolved["seconds"] >= 0
    assert [actor["manager"] for actor in resolved["resolvedBy"]] == ["kustomize-controller"]
    eventually(lambda: _episodes(history) == [("data.a", "reverted", ["deploy-script"])], lambda: _episodes(history))


def _episodes(history: Path) -> list[tuple[str, str, list[str]]]:
    with closing(sqlite3.connect(f"file:{history}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT path, state, actors FROM episodes ORDER BY number").fetchall()
    return [(path, state, [actor[0] for actor in json.loads(actors)]) for path, state, actors in rows]


def test_a_signal_ends_it_with_status_0(workspace: Application, start: Start) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    for number in (signal.SIGTERM, signal.SIGINT):
        watching = start()
        assert watching.process is not None

        watching.process.send_signal(number)

        assert watching.process.wait(timeout=600) == 0
        assert not any("Traceback" in line for line in watching.err)


def test_it_only_sends_get_list_and_watch_requests(workspace: Application, start: Start) -> None:
    workspace.write(CONFIG + "---\n" + deployment())
    workspace.sync()
    mark = workspace.cluster.audit_mark()
    watching = start()
    workspace.kubectl("set", "env", "deployment/web", "DEBUG=1")
    eventually(lambda: len(watching.findings()) == 1, watching.findings)

    asked = [event for event in workspace.cluster.audit(mark) if event.user_agent == "drift"]

    assert {event.verb for event in asked} == {"get", "list", "watch"}
    assert {event.code for event in asked if event.stage == "ResponseStarted"} == {200}
    # One watch for each kind, in the only namespace of the manifests.
    places = [(event.api_group, event.resource) for event in asked if event.stage == "ResponseStarted"]
    assert len(places) == len(set(places))
    assert {event.namespace for event in asked if event.verb == "watch"} == {workspace.namespace}


def test_no_output_contains_the_value_of_a_secret(workspace: Application, start: Start) -> None:
    data = f"stringData: {{key: {PLANTED}, b: x}}\n"
    workspace.write(f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: NAMESPACE}}\n{data}")
    workspace.sync(Syncer.KUBECTL)
    history = workspace.scratch / "history.db"
    watching = start(f"--history={history}", "--verbose")

    for value in (f"{PLANTED}-edited", f"{PLANTED}-again"):
        workspace.kubectl("patch", "secret", "s", "--patch", json.dumps({"stringData": {"key": value, "new": value}}))
        eventually(lambda: len(watching.findings()) == 2, watching.findings)
    workspace.kubectl("delete", "secret", "s")
    eventually(lambda: ("Secret/s", "missing", "", "unknown") in watching.findings(), watching.findings)

    texts = ["".join(watching.out), "".join(watching.err)]
    texts += [watching.text(path) for path in ("/report.json", "/report.txt", "/report.md", "/metrics", "/healthz")]
    texts += [file.read_bytes().decode("latin-1") for file in workspace.scratch.glob("history.db*")]
    assert "Secret" in texts[0]
    for text in texts:
        assert "kept-to-itself" not in text
        assert "a2VwdC10by1pdHNlbGY" not in text


def test_an_idle_client_does_not_block_others(workspace: Application, start: Start) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    watching = start()
    idle = watching.url.removeprefix("http://").split(":")

    with closing(socket.create_connection((idle[0], int(idle[1])))):
        # This connection sends nothing.
        assert watching.text("/healthz") == "ok\n"
        assert watching.get("/report.json", method="HEAD").data == b""


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (["-"], 2, "cannot read them from standard input"),
        (["nowhere"], 2, "no such file or folder"),
        (["MANIFESTS", "--metrics-port=99999"], 2, "is not a port"),
        (["MANIFESTS", "--metrics-port=0", "--listen=192.0.2.1"], 2, "cannot listen there"),
        (["MANIFESTS", "--context=nope"], 2, "has no context"),
    ],
)
def test_a_usage_error_at_the_start_is_one_line(
    workspace: Application, arguments: list[str], status: int, problem: str
) -> None:
    workspace.write(CONFIG)
    arguments = [str(workspace.manifests) if argument == "MANIFESTS" else argument for argument in arguments]
    command = [sys.executable, "-m", "drift", "watch", *arguments, f"--kubeconfig={workspace.cluster.kubeconfig}"]

    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600, check=False)

    assert done.returncode == status
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
