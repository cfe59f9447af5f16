"""The pages of the generator name only what there is."""

import re
from pathlib import Path

import pytest

from rescan.alerts import drift_alerts
from rescan.charts import watched_drift
from rescan.examples.full import FULL
from rescan.rules import RULES
from rescan.rules.declared import DECLARED_RULES
from rescan.rules.model import rule_name
from rescan.rules.parts import PART_RULES
from tests.rescan import settings_page


def test_the_table_of_the_model_names_every_rule_and_no_other(repository: Path) -> None:
    text = (repository / "docs/rescan-model.md").read_text()
    parts = [rule for rules in PART_RULES.values() for rule in rules]
    rules = {rule_name(rule) for rule in (*RULES, *parts)} | set(DECLARED_RULES)

    named = {name for name in re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", text) if not name.startswith("rescan-")}

    assert named == rules


def test_the_table_of_the_model_names_tests_that_exist(repository: Path) -> None:
    tests = "".join((repository / f"tests/rescan/test_{name}.py").read_text() for name in ("model", "sandbox"))

    named = re.findall(r"`(test_\w+|Test\w+)`", (repository / "docs/rescan-model.md").read_text())

    assert named
    assert [name for name in named if f"def {name}(" not in tests and f"class {name}:" not in tests] == []


@pytest.mark.parametrize(
    ("name", "guide"), [("manifests.yml", "pull-requests.md"), ("drift.yml", "scheduled.md")], ids=str
)
def test_the_page_on_a_workflow_names_its_actions_as_they_are_there(repository: Path, name: str, guide: str) -> None:
    workflow = (repository / ".github/workflows" / name).read_text()
    page = (repository / "docs" / guide).read_text()

    used = set(re.findall(r"uses: (\S+)@([0-9a-f]{40}) # (\S+)", workflow))

    assert len(re.findall("uses:", workflow)) == len(
        re.findall(r"uses: \S+@[0-9a-f]{40} # v[0-9.]+$", workflow, re.MULTILINE)
    )
    assert {
        (action, commit, version) for action, version, commit in re.findall(r"\| `(\S+)` \| (\S+) \| `(\S+)` \|", page)
    } == used


def test_the_page_on_the_drift_job_names_the_alerts(repository: Path) -> None:
    named = re.findall(r"^\| `(RescanDrift\w*)` \|", (repository / "docs/in-cluster.md").read_text(), re.MULTILINE)

    drift = watched_drift(FULL)
    assert drift
    assert named == [alert.name for alert in drift_alerts(drift)]


@pytest.mark.parametrize("page", ["generator.md", "rescan-model.md"])
def test_flux_keeps_what_the_command_for_a_restart_sets(repository: Path, page: str) -> None:
    text = (repository / "docs" / page).read_text()

    commands = re.findall(r"`(kubectl [^`]*rollout\s+restart[^`]*)`", text)

    assert commands
    # Flux removes what managers own whose name begins with "kubectl", at its next interval.
    assert all("--field-manager=flux-client-side-apply" in command for command in commands)


def test_stopping_argo_cd_keeps_the_workloads(repository: Path) -> None:
    page = (repository / "docs/argocd.md").read_text()

    # `argocd app delete` deletes the workloads, too, unless it has this flag.
    assert "kubectl --namespace argocd delete application rescan-prod" in page
    assert "argocd app delete rescan-prod --cascade=false" in page


def test_the_credentials_of_flux_survive_the_step_that_applies_the_folder(repository: Path) -> None:
    page = (repository / "docs/flux.md").read_text()

    # Only what the setting adds is in dist/flux/, which the page applies.
    assert "gitops.flux.git_secret" in page
    assert "spec.secretRef" not in page


def rows(text: str) -> list[list[str]]:
    return [line.split(" | ") for line in text.splitlines()]


def test_the_page_on_settings_is_what_the_classes_declare() -> None:
    expected = rows(settings_page.page(lambda _: "any"))
    actual = rows(settings_page.PAGE.read_text())

    assert [row[:-1] for row in actual if len(row) > 1] == [row[:-1] for row in expected if len(row) > 1]


@pytest.mark.slow
def test_the_page_on_settings_names_the_manifests_that_a_setting_changes() -> None:
    text = settings_page.PAGE.read_text()
    # To try all of them takes minutes: `make settings` does.
    for setting in list(settings_page.settings())[:: settings_page.SAMPLED]:
        row = re.findall(rf"^\| `{re.escape(setting.path)}` .*$", text, re.MULTILINE)
        assert not row or row[0].endswith(f" | {settings_page.changed_manifests(setting)} |"), setting.path
