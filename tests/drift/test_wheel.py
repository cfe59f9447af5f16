"""The wheel is the reporter alone: it installs and runs where nothing of the generator is."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.drift.conftest import Application
from tests.sandbox.syncers import Syncer

REPOSITORY = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the built wheel and the locked versions of what it depends on, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import hatchling.build; print(hatchling.build.build_wheel(%r))"
    name = _run(sys.executable, "-c", build % str(folder)).split()[-1]
    _run(UV, "venv", "--quiet", "--python", sys.executable, folder / "venv")
    _run(
        *(UV, "pip", "install", "--quiet", "--python", folder / "venv"),
        *("--constraints", "requirements.lock", folder / name),
    )
    return folder / "venv" / "bin"


def _run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=REPOSITORY, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_installs_without_anything_of_the_generator(environment: Path) -> None:
    installed = _run(UV, "pip", "list", "--python", environment.parent).lower()

    assert "kubernetes" in installed
    assert not [name for name in ("cdk8s", "constructs", "jsii", "nodejs") if name in installed]


def test_reports_from_an_empty_environment(application: Application, environment: Path) -> None:
    application.sync(Syncer.FLUX)
    command = (environment / "drift", "report", application.manifests, "--kubeconfig", application.cluster.kubeconfig)

    assert _run(*command).startswith("in sync: ")


def test_compares_with_a_dump_from_an_empty_environment(application: Application, environment: Path) -> None:
    application.sync(Syncer.FLUX)
    dump = application.scratch / "dump.yaml"
    dump.write_text(application.kubectl("get", "configmap", "-o", "yaml", "--show-managed-fields"))
    manifest = next(application.manifests.glob("*configmap*"))

    assert _run(environment / "drift", "report", manifest, "--live", dump) == "in sync: 1 object checked\n"
