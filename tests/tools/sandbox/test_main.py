import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
PROGRAM = [sys.executable, "-m", "tools.sandbox"]


@pytest.mark.sandbox
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_cluster_runs_until_a_signal_ends_it(tmp_path: Path, end: signal.Signals) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    command = [*PROGRAM, "--kubeconfig", str(kubeconfig)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        assert program.stdout.readline().startswith("The sandbox cluster is ready at https://127.0.0.1:")
        assert kubeconfig.stat().st_mode & 0o777 == 0o600

        program.send_signal(end)

        assert program.stdout.read().endswith("The sandbox cluster ends.\n")
        assert program.wait() == 0
        assert not kubeconfig.exists()


@pytest.mark.sandbox
def test_a_command_runs_with_its_own_cluster() -> None:
    command = [*PROGRAM, "--", "sh", "-c", "kubectl get namespace default --output=name; exit 7"]

    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (7, "namespace/default\n")


def test_an_error_is_one_line(tmp_path: Path) -> None:
    environment = {"KUBEBUILDER_ASSETS": str(tmp_path)}

    done = subprocess.run(PROGRAM, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith(f"error: KUBEBUILDER_ASSETS={tmp_path} lacks etcd, ")
    assert done.stderr.count("\n") == 1
