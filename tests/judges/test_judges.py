"""The page on linters answers every finding of kube-score, and no finding that is gone."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.go_programs import go_program
from tests.rescan.golden import GOLDEN

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parents[1]
PAGE = REPOSITORY / "docs/judges.md"
PACKAGE = "github.com/zegl/kube-score/cmd/kube-score"
MANIFESTS = {
    "dev": REPOSITORY / "dist/dev",
    "prod": REPOSITORY / "dist/prod",
    "full": GOLDEN / "full",
    "stateful": GOLDEN / "stateful",
}
BEST_GRADE = 10
Findings = set[tuple[str, str]]
"""The id of a check, and the environment in which it finds something."""


@pytest.fixture(scope="session")
def kube_score() -> Path:
    """kube-score, at the version in go.mod."""
    return go_program(PACKAGE, FOLDER)


def answered(tool: str) -> Findings:
    """The findings of a tool that the page has a row for."""
    section = PAGE.read_text().split(f"\n## {tool}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([A-Za-z0-9_-]+)`[^|]*\| ([a-z, ]+) \| \S.*\|$", section, re.MULTILINE)
    return {(check, environment) for check, where in rows for environment in where.split(", ")}


def scored(kube_score: Path, folders: Mapping[str, Path]) -> Findings:
    found = set()
    for environment, folder in folders.items():
        files = [str(path) for path in sorted(folder.glob("*.yaml")) if path.name != "kustomization.yaml"]
        command = [str(kube_score), "score", "--output-format=json", "--exit-one-on-warning=false", *files]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        objects = json.loads(done.stdout)
        assert {"Deployment", "StatefulSet"} & {each["type_meta"]["kind"] for each in objects}
        for each in objects:
            for check in each["checks"]:
                if not check["skipped"] and check["grade"] < BEST_GRADE:
                    found.add((check["check"]["id"], environment))
    return found


def test_every_finding_of_kube_score_is_answered(kube_score: Path) -> None:
    found = scored(kube_score, MANIFESTS)

    assert answered("kube-score") == found


def test_a_new_finding_would_be_missed_in_the_page(kube_score: Path, tmp_path: Path) -> None:
    text = (MANIFESTS["prod"] / "deployment-rescan-app.yaml").read_text()
    (tmp_path / "deployment.yaml").write_text(text.replace("memory: 200Mi", "cpu: 200m"))

    assert ("container-resources", "prod") in scored(kube_score, {"prod": tmp_path}) - answered("kube-score")


def test_every_finding_of_checkov_is_answered() -> None:
    checkov = shutil.which("checkov")
    if checkov is None:
        pytest.skip("checkov is not installed; `make judges` runs it")
    found = set()
    for environment, folder in MANIFESTS.items():
        command = [checkov, "--directory", str(folder), "--framework=kubernetes", "--quiet", "--output=json"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        found |= {(check["check_id"], environment) for check in json.loads(done.stdout)["results"]["failed_checks"]}

    assert answered("checkov") == found
