"""Runs promtool on the alerts: their syntax, and when they fire."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from drift.report.metrics import to_metrics
from tests.drift.report.reports import report
from tests.go_programs import go_program
from tests.rescan.golden import GOLDEN

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent
UNIT_TESTS = sorted(FOLDER.glob("*.yaml"))
PACKAGE = "github.com/prometheus/prometheus/cmd/promtool"
# Without cloud service discovery and optimization, the build takes a third of the time.
BUILD_FLAGS = ("-tags=remove_all_sd", "-gcflags=all=-N -l")


@pytest.fixture(scope="session")
def promtool() -> Path:
    """promtool, at the version in go.mod."""
    return go_program(PACKAGE, FOLDER, *BUILD_FLAGS)


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with the rules of each example environment, as the Prometheus operator writes them."""
    folder = tmp_path_factory.mktemp("rules")
    for environment in ("full", "stateful"):
        found = [yaml.safe_load(path.read_text()) for path in sorted((GOLDEN / environment).glob("prometheusrule-*"))]
        assert found
        groups = [group for rule in found for group in rule["spec"]["groups"]]
        (folder / f"{environment}.yaml").write_text(yaml.safe_dump({"groups": groups}))
    return folder


def run(promtool: Path, *arguments: str, folder: Path) -> str:
    done = subprocess.run([promtool, *arguments], cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("environment", ["full", "stateful"])
def test_promtool_accepts_every_alert(promtool: Path, rules: Path, environment: str) -> None:
    alerts = [rule for group in _groups(rules, environment) for rule in group["rules"]]

    output = run(promtool, "check", "rules", "--lint=all", "--lint-fatal", f"{environment}.yaml", folder=rules)

    assert f"{len(alerts)} rules found" in output


@pytest.mark.parametrize("unit_test", UNIT_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_only_when_they_should(promtool: Path, rules: Path, tmp_path: Path, unit_test: Path) -> None:
    shutil.copytree(rules, tmp_path, dirs_exist_ok=True)
    shutil.copy2(unit_test, tmp_path)

    assert "SUCCESS" in run(promtool, "test", "rules", unit_test.name, folder=tmp_path)


def test_promtool_detects_a_wrong_expectation(promtool: Path, rules: Path, tmp_path: Path) -> None:
    shutil.copytree(rules, tmp_path, dirs_exist_ok=True)
    content = yaml.safe_load(UNIT_TESTS[0].read_text())
    del content["tests"][0]["alert_rule_test"][1]["exp_alerts"]
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(content))

    done = subprocess.run([promtool, "test", "rules", "wrong.yaml"], cwd=tmp_path, check=False, capture_output=True)

    assert done.returncode != 0


@pytest.mark.parametrize("environment", ["full", "stateful"])
def test_every_alert_has_a_firing_and_a_silent_test(rules: Path, environment: str) -> None:
    alerts = {rule["alert"] for group in _groups(rules, environment) for rule in group["rules"]}

    tested = {
        (case["alertname"], bool(case.get("exp_alerts")))
        for path in UNIT_TESTS
        if (content := yaml.safe_load(path.read_text()))["rule_files"] == [f"{environment}.yaml"]
        for test in content["tests"]
        for case in test["alert_rule_test"]
    }

    assert tested == {(alert, fires) for alert in alerts for fires in (True, False)}


def test_alerts_and_dashboard_use_existing_metrics() -> None:
    made = set(re.findall(r"^# TYPE (drift_\w+)", to_metrics(report()), re.MULTILINE))
    asked = {
        name
        for path in sorted((GOLDEN / "full").glob("*rescan-drift*"))
        if path.name.startswith(("prometheusrule-", "configmap-"))
        for name in re.findall(r"\b(drift_\w+)\{", path.read_text())
    }

    assert len(asked) > 4
    assert asked <= made


def _groups(rules: Path, environment: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load((rules / f"{environment}.yaml").read_text())["groups"])
