"""SIGTERM and SIGINT end a scan at once, with their exit status and without a traceback."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.drift.conftest import Application
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
