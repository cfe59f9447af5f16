"""SIGTERM and SIGINT end a scan at once, with their exit status and without a traceback."""

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import pytest

from drift.cli.several import Observe, in_parallel
from tests.drift.conftest import Application
from tests.drift.kube.hostile_server import kubeconfig
from tools.sandbox import proxy as faults
from tools.sandbox.proxy import Proxy

ROOT = Path(__file__).parents[3]
#: Restores the default handler: SIGINT is ignored in background jobs of a shell.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from drift.cli import program
program()
"""


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        (signal.SIGTERM, 143, "drift: stopped by SIGTERM before it was done\n"),
        (signal.SIGINT, 130, ""),
    ],
)
def test_a_signal_ends_a_scan_that_waits_for_the_server(
    proxied: tuple[Application, Proxy], sent: signal.Signals, status: int, said: str, tmp_path: Path
) -> None:
    application, running = proxied
    running.on("/configmaps", faults.stall)
    report = tmp_path / "report.json"
    report.write_text("old")
    arguments = [
        *("report", str(application.manifests), "--output", f"json={report}"),
        *("--kubeconfig", str(running.kubeconfig(tmp_path))),
    ]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as scan:
        while not any("/configmaps" in asked for asked in running.asked):
            assert scan.poll() is None
            time.sleep(0.01)
        scan.send_signal(sent)
        _, err = scan.communicate(timeout=600)

    assert (scan.returncode, err) == (status, said)
    assert report.read_text() == "old"


IN_PROCESS = PROGRAM.replace("import program\nprogram()", "import main\nsys.exit(main())").replace(
    "import signal", "import signal, sys", 1
)


@pytest.mark.parametrize("program", [PROGRAM, IN_PROCESS], ids=["program", "main"])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_scan_of_several_clusters(sent: signal.Signals, program: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        flags = [f"--kubeconfig={kubeconfig(tmp_path / name, server=server)}" for name in _folders(tmp_path, 6)]
        with subprocess.Popen(
            [sys.executable, "-c", program, "report", str(tmp_path / "a.yaml"), *flags], cwd=ROOT
        ) as scan:
            connections = [silent.accept()[0] for _ in range(4)]
            scan.send_signal(sent)
            status = scan.wait(timeout=30)
        for connection in connections:
            connection.close()

    assert status == {signal.SIGTERM: 143, signal.SIGINT: 130}[sent]


def test_the_other_scans_end_at_their_next_step() -> None:
    has_begun, has_ended, last_has_begun = threading.Event(), threading.Event(), threading.Event()

    def interrupted(_: Observe) -> NoReturn:
        has_begun.wait()
        raise KeyboardInterrupt

    def running(observe: Observe) -> NoReturn:
        has_begun.set()
        try:
            while True:
                observe(None)
                time.sleep(0.01)
        finally:
            has_ended.set()

    def last(_: Observe) -> NoReturn:
        last_has_begun.set()
        raise AssertionError

    with pytest.raises(KeyboardInterrupt):
        in_parallel([interrupted, running, running, running, running, last])

    assert has_ended.wait(30)
    assert not last_has_begun.wait(0.1)


def _folders(parent: Path, count: int) -> list[str]:
    for number in range(count):
        (parent / str(number)).mkdir()
    return [str(number) for number in range(count)]
