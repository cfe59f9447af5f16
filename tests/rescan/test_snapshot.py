"""The committed dist/ is the golden copy of what the code synthesizes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rescan.trees import differences, read_tree


def test_dist_is_what_the_code_synthesizes(repository: Path, synthesized: Path) -> None:
    found = differences(repository / "dist", synthesized)
    if found:
        pytest.fail(f"dist/ is not what the code synthesizes; `make synth` accepts this:\n\n{found}", pytrace=False)


def test_a_difference_names_missing_extra_and_different_files_and_shows_their_lines(tmp_path: Path) -> None:
    golden, actual = tmp_path / "dist", tmp_path / "new"
    for path, text in {
        golden / "prod/gone.yaml": "kind: Secret\n",
        golden / "prod/same.yaml": "a: 1\n",
        golden / "prod/service.yaml": "port: 3000\n",
        actual / "prod/added.yaml": "kind: Job\n",
        actual / "prod/same.yaml": "a: 1\n",
        actual / "prod/service.yaml": "port: 80\n",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    found = differences(golden, actual)

    assert "missing: prod/added.yaml" in found
    assert "+kind: Job" in found
    assert "extra: prod/gone.yaml" in found
    assert "-kind: Secret" in found
    assert "different: prod/service.yaml" in found
    assert "-port: 3000\n+port: 80" in found
    assert "same.yaml" not in found


def run_program(command: list[str], folder: Path, **environment: str) -> None:
    inherited = {key: value for key, value in os.environ.items() if key != "JSII_NODE"}
    finished = subprocess.run(
        command, check=False, cwd=folder, env=inherited | environment, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize(
    "surroundings",
    [
        pytest.param({"LC_ALL": "C", "PYTHONHASHSEED": "1"}, id="C locale"),
        pytest.param(
            {"LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"}, id="another locale and zone"
        ),
    ],
)
def test_output_depends_on_nothing_but_the_code(repository: Path, tmp_path: Path, surroundings: dict[str, str]) -> None:
    output = tmp_path / "out"
    # No PATH: Node comes with the Python packages, and no other program is run.
    run_program(
        [sys.executable, str(repository / "main.py")], tmp_path, CDK8S_OUTDIR=str(output), PATH="", **surroundings
    )

    assert read_tree(output) == read_tree(repository / "dist")


def test_cdk8s_synth_writes_the_same_files_as_the_app_alone(repository: Path, tmp_path: Path) -> None:
    for name in ("cdk8s.yaml", "main.py", "rescan"):
        (tmp_path / name).symlink_to(repository / name)

    run_program(
        [str(repository / "node_modules/.bin/cdk8s"), "synth"],
        tmp_path,
        PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        CDK8S_CHECK_UPGRADE="false",
    )

    assert read_tree(tmp_path / "dist") == read_tree(repository / "dist")
