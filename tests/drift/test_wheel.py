"""The wheel holds only the reporter, and runs without the packages of the generator."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drift.conftest import Application
from tools.sandbox.syncers import Syncer

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
BUILD = "import hatchling.build; print(hatchling.build.build_wheel(%r))"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with only the built wheel and its locked dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    name = _run(sys.executable, "-c", BUILD % str(folder)).split()[-1]
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

    assert "in sync: " in _run(*command)


def test_compares_with_a_dump_from_an_empty_environment(application: Application, environment: Path) -> None:
    application.sync(Syncer.FLUX)
    dump = application.scratch / "dump.yaml"
    dump.write_text(application.kubectl("get", "configmap", "-o", "yaml", "--show-managed-fields"))
    manifest = next(application.manifests.glob("*configmap*"))

    assert _run(environment / "drift", "report", manifest, "--live", dump) == "in sync: 1 object checked\n"


def _build_elsewhere(folder: Path, mask: int, age: int) -> bytes:
    """Builds the wheel from a copy of the sources with another path, other permissions and other times."""
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(REPOSITORY / name, folder)
    shutil.copytree(REPOSITORY / "drift", folder / "drift", ignore=shutil.ignore_patterns("__pycache__"))
    for file in (folder / "drift").rglob("*"):
        if file.is_file():
            file.chmod(0o666 & ~mask)
            os.utime(file, (age, age))
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1767225600", "TZ": "Asia/Tokyo" if mask else "UTC"}
    command = [sys.executable, "-c", BUILD % str(folder / "out")]
    (folder / "out").mkdir()
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, env=environment)
    return (folder / "out" / done.stdout.split()[-1]).read_bytes()


def test_builds_of_the_same_sources_are_the_same_bytes(tmp_path: Path) -> None:
    here = _build_elsewhere(tmp_path / "here", mask=0o022, age=1_700_000_000)
    there = _build_elsewhere(tmp_path / "a longer name for there", mask=0, age=1_600_000_000)

    assert here == there
