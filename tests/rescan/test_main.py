"""The commands `python main.py`, `cdk8s synth` and `cdk8s import`, each in a process: jsii makes them slow."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from main import build
from rescan import cli
from tests.rescan.trees import read_tree
from tools.sandbox.binaries import cache_base

pytestmark = pytest.mark.slow

SYNTHESIZED = ("main.py", "rescan", "imports", "cdk8s.yaml")
"""The files of the checkout that a synthesis needs."""

INPUTS = ("cdk8s.yaml", "package-lock.json")
"""What decides, beside the CRDs, what `cdk8s import` makes."""


def run(command: list[str], folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    inherited = {key: value for key, value in os.environ.items() if key != "JSII_NODE"}
    return subprocess.run(
        command, check=False, cwd=folder, env=inherited | environment, capture_output=True, text=True, timeout=600
    )


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    """A copy of the generator for a test to change."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in SYNTHESIZED:
        source = repository / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / name)
    return folder


@pytest.fixture
def cdk8s(repository: Path) -> str:
    """The locked cdk8s command."""
    command = repository / "node_modules/.bin/cdk8s"
    assert command.exists(), "run `make install`, which installs the cdk8s command"
    return str(command)


def with_locked_tools() -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "CDK8S_CHECK_UPGRADE": "false",
    }


@pytest.mark.parametrize(
    "surroundings",
    [
        pytest.param({"LC_ALL": "C", "PYTHONHASHSEED": "1", "PYTHONUTF8": "0"}, id="C locale"),
        pytest.param(
            {"LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"}, id="another locale and zone"
        ),
    ],
)
def test_output_depends_only_on_the_code(repository: Path, tmp_path: Path, surroundings: dict[str, str]) -> None:
    output = tmp_path / "out"

    # Without PATH: Node comes with the Python packages, and the app runs no other program.
    finished = run(
        [sys.executable, str(repository / "main.py")], tmp_path, CDK8S_OUTDIR=str(output), PATH="", **surroundings
    )

    assert finished.returncode == 0, finished.stderr
    assert read_tree(output) == read_tree(repository / "dist")


def test_cdk8s_synth_writes_the_same_files_as_the_app_alone(repository: Path, checkout: Path, cdk8s: str) -> None:
    finished = run([cdk8s, "synth"], checkout, **with_locked_tools())

    assert finished.returncode == 0, finished.stderr
    assert read_tree(checkout / "dist") == read_tree(repository / "dist")


def test_broken_settings_leave_dist_as_it_was_and_end_in_plain_lines(
    repository: Path, checkout: Path, cdk8s: str
) -> None:
    shutil.copytree(repository / "dist", checkout / "dist")
    dev = checkout / "rescan/environments/dev.py"
    dev.write_text(dev.read_text().replace("rescan-dev", "kube-system"))

    finished = run([cdk8s, "synth"], checkout, **with_locked_tools())

    assert finished.returncode == 1
    mistake, failure = finished.stderr.splitlines()
    assert mistake.startswith("dev: settings-have-their-format: namespace is 'kube-system'; ")
    assert failure == 'ERROR: synthesis failed, app expected to create "build/synth"'
    assert read_tree(checkout / "dist") == read_tree(repository / "dist")


def test_synth_to_stdout_leaves_dist_as_it_was(repository: Path, checkout: Path, cdk8s: str) -> None:
    shutil.copytree(repository / "dist", checkout / "dist")

    finished = run([cdk8s, "synth", "--stdout"], checkout, **with_locked_tools())

    assert finished.returncode == 0, finished.stderr
    assert "name: rescan-prod" in finished.stdout
    assert read_tree(checkout / "dist") == read_tree(repository / "dist")


def test_a_second_run_removes_stale_files_and_keeps_other_files(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "dist"
    shutil.copytree(repository / "dist", output)
    stale = output / "no_environment/service-rescan-service.yaml"
    stale.parent.mkdir()
    shutil.copy2(output / "dev/service-rescan-service.yaml", stale)
    note = output / "notes.yaml"
    note.write_text("by: hand\n")
    monkeypatch.setenv("CDK8S_OUTDIR", str(output))

    assert cli.run(build, []) == 0

    assert not stale.parent.exists()
    assert note.read_text() == "by: hand\n"
    note.unlink()
    assert read_tree(output) == read_tree(repository / "dist")


@pytest.fixture
def imported(repository: Path, checkout: Path, cdk8s: str) -> Path:
    """What the locked `cdk8s import` makes of the CRDs. It takes 16 s, so it is kept until an input changes."""
    inputs = [*sorted((repository / "rescan/crds").iterdir()), *map(repository.joinpath, INPUTS)]
    digest = hashlib.sha256(repr([(path.name, path.read_bytes()) for path in inputs]).encode()).hexdigest()
    kept = cache_base() / f"imports-{digest[:12]}"
    if not kept.exists():
        (checkout / "imports").rename(checkout / "before")
        finished = run([cdk8s, "import", "--save=false"], checkout, **with_locked_tools())
        assert finished.returncode == 0, finished.stderr
        assert (checkout / "cdk8s.yaml").read_bytes() == (repository / "cdk8s.yaml").read_bytes()
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            new = shutil.copytree(checkout / "imports", Path(folder, "imports"))
            new.rename(kept)
    return kept


def test_the_classes_in_imports_match_the_crds(repository: Path, imported: Path) -> None:
    assert binary_tree(imported) == binary_tree(repository / "imports"), "run `make imports`"


def binary_tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_an_output_folder_that_cannot_be_written_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    output.write_text("a file")
    monkeypatch.setenv("CDK8S_OUTDIR", str(output))

    assert cli.run(build, []) == 2

    assert capsys.readouterr().err.splitlines()[-1].startswith(f"cannot write {output}/")


def test_a_python_without_the_locked_packages_says_how_to_install_them(checkout: Path) -> None:
    finished = run([sys.executable, "-S", "main.py"], checkout)

    assert finished.returncode == 1
    assert finished.stderr.splitlines() == [
        (
            "the generator's packages are not installed for this Python: run `make install`, then `make synth`,"
            " or put .venv/bin first on PATH"
        )
    ]


RENAMES = {
    "class WebService(": ("WebService", "Anything"),
    "class ConfigVariables(": ("ConfigVariables", "Something"),
    "class RescanChart(": ("RescanChart", "EverythingChart"),
}


def test_names_of_classes_and_constructs_are_not_in_the_manifests(repository: Path, checkout: Path) -> None:
    for path in [checkout / "main.py", *(checkout / "rescan").rglob("*.py")]:
        text = path.read_text()
        for old, new in RENAMES.values():
            text = text.replace(old, new)
        # Construct ids are the second argument of a construct: `RescanService(self, "service", ...)`.
        text = text.replace('(self, "', '(self, "renamed-').replace(
            'self,\n            "', 'self,\n            "renamed-'
        )
        path.write_text(text)

    finished = run([sys.executable, "main.py"], checkout)

    assert finished.returncode == 0, finished.stderr
    assert read_tree(checkout / "dist") == read_tree(repository / "dist")
