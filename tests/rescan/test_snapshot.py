"""The committed manifests are the golden copy of what the code synthesizes."""

from pathlib import Path

import pytest

from tests.rescan.golden import GOLDEN
from tests.rescan.trees import differences


def test_dist_is_what_the_code_synthesizes(repository: Path, synthesized: Path) -> None:
    reject(differences(repository / "dist", synthesized), "dist/")


def test_the_examples_are_what_the_code_synthesizes(examples: Path) -> None:
    reject(differences(GOLDEN, examples), "tests/rescan/golden/")


def reject(found: str, folder: str) -> None:
    if found:
        pytest.fail(f"{folder} is not what the code synthesizes; `make synth` accepts this:\n\n{found}", pytrace=False)


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
