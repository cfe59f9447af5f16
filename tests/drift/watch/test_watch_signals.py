"""The signals that ``drift watch`` handles."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.drift.conftest import Application
from tests.drift.watch.conftest import CONFIG, PATIENCE, REPOSITORY, Process, Start, eventually


def _signal(watching: Process, number: signal.Signals) -> None:
    assert watching.process is not None
    watching.process.send_signal(number)


def _said(watching: Process, text: str) -> int:
    return sum(text in line for line in watching.err)


def test_sighup_reloads_the_manifests_and_logs_it(workspace: Application, start: Start) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    watching = start()

    for number in (1, 2):
        _signal(watching, signal.SIGHUP)
        eventually(lambda: _said(watching, "reloaded the manifests") == number, lambda: watching.err)  # noqa: B023
        assert _said(watching, "SIGHUP: reloading the manifests") == number

    assert "drift_watch_manifest_reloads_total 2" in watching.text("/metrics")
    assert watching.is_healthy


def test_sighup_with_broken_manifests_keeps_the_last_good_ones(workspace: Application, start: Start) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    watching = start()

    workspace.write("kind: [broken\n", "broken.yaml")
    _signal(watching, signal.SIGHUP)

    eventually(lambda: _said(watching, "broken.yaml") > 0, lambda: watching.err)
    assert not watching.is_healthy
    assert watching.process is not None
    assert watching.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_changes_before_the_signal_are_recorded(workspace: Application, start: Start, number: signal.Signals) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    history = workspace.scratch / "history.db"
    watching = start(f"--history={history}")

    workspace.kubectl("patch", "configmap", "config", "--patch", json.dumps({"data": {"a": "edited"}}))
    eventually(lambda: len(watching.events) == 1)
    _signal(watching, number)

    assert watching.process is not None
    assert watching.process.wait(timeout=PATIENCE) == 0
    assert not any("Traceback" in line for line in watching.err)
    with closing(sqlite3.connect(f"file:{history}?mode=ro", uri=True)) as connection:
        assert connection.execute("SELECT path, state FROM episodes").fetchall() == [("data.a", "open")]


def test_a_second_sigint_ends_it_at_once_without_a_traceback(workspace: Application, start: Start) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    watching = start()

    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        _signal(watching, number)

    assert watching.process is not None
    assert watching.process.wait(timeout=PATIENCE) == 0
    assert not any("Traceback" in line for line in watching.err)


def test_it_ends_when_its_terminal_is_closed(workspace: Application) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    main, terminal = pty.openpty()
    command = [sys.executable, "-m", "drift", "watch", str(workspace.manifests), "--metrics-port=0"]
    with subprocess.Popen(
        [*command, f"--kubeconfig={workspace.cluster.kubeconfig}", f"--namespace={workspace.namespace}"],
        cwd=REPOSITORY,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        try:
            os.close(terminal)
            text = b""
            while b"see http" not in text:
                text += os.read(main, 4096)
            eventually(lambda: _handles_sighup(process.pid))
            os.close(main)
            process.send_signal(signal.SIGHUP)
            assert process.wait(timeout=PATIENCE) == 0
        finally:
            process.kill()


def _handles_sighup(process: int) -> bool:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) & 1 << (signal.SIGHUP - 1))
