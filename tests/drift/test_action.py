"""The steps of the GitHub action, the GitLab template and the release workflow, with a dump and a simulated GitHub."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
ACTION = yaml.safe_load((REPOSITORY / "action.yml").read_text())
PAGE = (REPOSITORY / "docs/github-action.md").read_text()

# Each test runs the shell steps of the action or of a job, and so several processes.
pytestmark = pytest.mark.slow

MANIFEST = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: shop
data:
  level: info
  size: "1"
"""
#: `level` was changed with kubectl edit; Flux still owns `size`.
DUMP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: shop
  uid: 6a1f0f5e-0000-4000-8000-000000000001
  resourceVersion: "7"
  managedFields:
  - {manager: kustomize-controller, operation: Apply, time: "2026-01-01T10:00:00Z",
     apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {"f:data": {"f:size": {}}}}
  - {manager: kubectl-edit, operation: Update, time: "2026-01-01T11:00:00Z",
     apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {"f:data": {"f:level": {}}}}
data:
  level: debug
  size: "1"
"""
# Simulates gh with at most one comment, and records each call.
GH = """\
#!{python}
import json, os, pathlib, sys
folder, call = pathlib.Path(os.environ["PLAYED"]), sys.argv[1:]
body = next((word.partition("body=@")[2] for word in call if word.startswith("body=@")), None)
with open(folder / "calls", "a") as calls:
    print(json.dumps([call, body and pathlib.Path(body).read_text()]), file=calls)
if (folder / "refused").exists():
    sys.exit("gh: HTTP 403")
if "--paginate" in call and (folder / "comment").exists():
    print("42")
if "POST" in call:
    (folder / "comment").touch()
"""


@dataclass(frozen=True)
class Runner:
    """A checkout of a pull request, in which the steps of the action run."""

    folder: Path

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", *arguments]
        return subprocess.run(command, cwd=self.checkout, check=True, capture_output=True, text=True).stdout.strip()

    def propose(self, old: str, new: str) -> str:
        """Commits a change of the manifest, and returns the revision before it."""
        base = self.git("rev-parse", "HEAD")
        file = self.checkout / "manifests/settings.yaml"
        file.write_text(file.read_text().replace(old, new))
        self.git("commit", "--quiet", "--all", "--message=change")
        return base

    def merge(self, *theirs: str) -> str:
        """Commits a change to the base, and what GitHub or GitLab merges of both. Returns the older base."""
        old = self.git("rev-parse", "HEAD")
        (self.checkout / "manifests/other.yaml").write_text(MANIFEST.replace("settings", "other"))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=other")
        change = self.git("rev-parse", "HEAD")
        self.git("switch", "--quiet", "--detach", old)
        self.propose(*theirs)
        self.git("merge", "--quiet", "--no-edit", change)
        return old

    def run(self, base: str = "", sha: str = "", **inputs: str) -> "subprocess.CompletedProcess[str]":
        """Runs the step that reports, on a pull request if there is a base."""
        values = {
            name: inputs.get(name.replace("-", "_"), given["default"]) for name, given in ACTION["inputs"].items()
        }
        assert set(inputs) <= {name.replace("-", "_") for name in values}
        step = ACTION["runs"]["steps"][1]
        environment = {
            **os.environ,
            **{name: evaluate(text, values, base) for name, text in step["env"].items()},
            "RUNNER_TEMP": str(self.folder / "temporary"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "GITHUB_OUTPUT": str(self.folder / "outputs"),
            "GITHUB_ACTIONS": "true",
            "GITHUB_REF": "refs/pull/5/merge",
            "GITHUB_SHA": sha or self.git("rev-parse", "HEAD"),
            "PLAYED": str(self.folder),
            "PYTHONPATH": str(REPOSITORY),
        }
        # As GitHub starts `shell: bash`.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        return subprocess.run(
            command, cwd=self.checkout, env=environment, check=False, capture_output=True, text=True, timeout=600
        )

    def outputs(self) -> dict[str, str]:
        lines = (self.folder / "outputs").read_text().splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    def calls(self) -> list[tuple[str, str | None]]:
        record = self.folder / "calls"
        return [(" ".join(call), body) for call, body in map(json.loads, record.read_text().splitlines())]


def evaluate(text: str, inputs: dict[str, str], base: str) -> str:
    """Evaluates an expression of the action, as GitHub does."""
    expression = re.fullmatch(r"\$\{\{ (.+) \}\}", text)
    assert expression is not None, text
    context = {
        "github.action_path": str(REPOSITORY),
        "github.token": "token",
        "github.repository": "owner/repository",
        "github.event.pull_request.base.sha": base,
        "github.event.pull_request.number": "5" if base else "",
        **{f"inputs.{name}": value for name, value in inputs.items()},
    }
    choice = re.fullmatch(r"(\S+) == 'true' && (\S+) \|\| ''", expression[1])
    if choice is None:
        return context[expression[1]]
    chosen = choice[2].strip("'") if choice[2].startswith("'") else context[choice[2]]
    return chosen if context[choice[1]] == "true" else ""


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    runner = Runner(tmp_path)
    tools = tmp_path / "temporary/drift-action/bin"
    tools.mkdir(parents=True)
    programs = {"gh": GH.format(python=sys.executable), "drift": f'#!/bin/sh\nexec {sys.executable} -m drift "$@"\n'}
    for name, text in programs.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    (tmp_path / "live.yaml").write_text(DUMP)
    (runner.checkout / "manifests").mkdir(parents=True)
    (runner.checkout / "manifests/settings.yaml").write_text(MANIFEST)
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=all")):
        runner.git(*command)
    return runner


def dump(runner: Runner) -> str:
    return f"--live={runner.folder / 'live.yaml'}\n"


def test_drift_fails_the_step_and_is_in_the_summary_and_the_reports(runner: Runner) -> None:
    done = runner.run(sources="manifests/\n", flags=dump(runner), name="prod")

    assert done.returncode == 1, done.stderr
    outputs = runner.outputs()
    assert set(outputs) == set(ACTION["outputs"])
    assert (outputs["status"], outputs["verdict"]) == ("1", "drifted")
    reports = {file.name for file in Path(outputs["reports"]).iterdir()}
    assert reports == {"drift.json", "drift.md", "drift.sarif", "drift.html"}
    assert "kubectl-edit" in (runner.folder / "summary").read_text()


def test_exit_zero_forgives_drift_but_no_mistake(runner: Runner) -> None:
    assert runner.run(sources="manifests", flags=dump(runner), exit_zero="true").returncode == 0
    assert runner.run(sources="nowhere", flags=dump(runner), exit_zero="true").returncode == 2


def test_a_pull_request_that_overwrites_an_edit_by_hand_fails(runner: Runner) -> None:
    base = runner.propose("info", "warning")

    done = runner.run(base, sources="manifests", flags=dump(runner))

    assert done.returncode == 1, done.stderr
    assert runner.outputs()["status"] == "1"
    assert "overwrites" in (runner.folder / "summary").read_text()
    assert "::error " in done.stdout
    # The report is of the base: what the pull request changes is not in it.
    assert "Git info, live debug" in done.stdout
    assert len(runner.git("worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("change", [('"1"', '"2"'), ("info", "debug")], ids=["another field", "adopts it"])
def test_another_pull_request_passes_although_there_is_drift(runner: Runner, change: tuple[str, str]) -> None:
    done = runner.run(runner.propose(*change), sources="manifests", flags=dump(runner))

    assert done.returncode == 0, done.stdout + done.stderr
    assert runner.outputs()["verdict"] == "drifted"


def test_what_others_merged_since_the_event_is_not_a_part_of_the_pull_request(runner: Runner) -> None:
    old = runner.merge("info", "warning")

    done = runner.run(old, sources="manifests", flags=dump(runner))

    assert done.returncode == 0, done.stdout + done.stderr
    # The report is of the newer base.
    assert "Git warning, live debug" in done.stdout


def test_a_merge_that_the_author_made_is_no_base(runner: Runner) -> None:
    old = runner.merge("info", "warning")
    runner.git("commit", "--quiet", "--allow-empty", "--message=newer than the event")
    github_sha = runner.git("rev-parse", "HEAD")
    runner.git("switch", "--quiet", "--detach", "HEAD^")

    done = runner.run(old, github_sha, sources="manifests", flags=dump(runner))

    assert done.returncode == 1, done.stdout + done.stderr
    assert "Git info, live debug" in done.stdout


EXCLUDING = "exclude: [settings.yaml]\n"


@pytest.mark.parametrize("settings", ["drift.yaml", "other.yaml"])
@pytest.mark.parametrize("flag", ["", "--config={}", "--config\n{}"], ids=["no flag", "one word", "two words"])
def test_a_pull_request_cannot_leave_out_files(runner: Runner, settings: str, flag: str) -> None:
    """Its own settings are not used, neither where the base has none nor where it has some."""
    if flag:
        (runner.checkout / settings).write_text("exit: {causes: [manual]}\n")
        runner.git("add", "--all")
        runner.git("commit", "--quiet", "--message=settings")
    base = runner.propose("info", "warning")
    (runner.checkout / settings).write_text(EXCLUDING)

    done = runner.run(base, sources="manifests", flags=dump(runner) + flag.format(settings))

    assert done.returncode == 1, done.stdout + done.stderr
    assert "overwrites" in (runner.folder / "summary").read_text()
    assert runner.git("worktree", "list").count("\n") == 0


def test_settings_that_an_absolute_flag_names_are_those_of_guard(runner: Runner) -> None:
    settings = runner.folder / "settings.yaml"
    settings.write_text("unknown: true\n")
    base = runner.propose("info", "warning")

    done = runner.run(base, sources="manifests", flags=f"{dump(runner)}--config={settings}")

    assert done.returncode == 2
    settings.write_text("")
    assert runner.run(base, sources="manifests", flags=f"{dump(runner)}--config={settings}").returncode == 1


def test_without_guard_a_pull_request_is_compared_as_it_is(runner: Runner) -> None:
    done = runner.run(runner.propose("info", "debug"), sources="manifests", flags=dump(runner), guard="false")

    assert done.returncode == 0, done.stdout + done.stderr
    assert runner.outputs()["verdict"] == "in-sync"


def test_one_comment_is_written_and_then_updated(runner: Runner) -> None:
    base = runner.propose("info", "warning")
    for _ in range(2):
        runner.run(base, sources="manifests", flags=dump(runner), comment="true", name="prod")

    (_, (posted, body), _, (patched, again)) = runner.calls()
    assert "--method POST --silent repos/{owner}/{repo}/issues/5/comments " in posted
    assert "--method PATCH --silent repos/{owner}/{repo}/issues/comments/42 " in patched
    assert str(body).startswith("<!-- drift: prod -->\n### Drift in prod\n\n| this change | finding | who |")
    assert body == again


def test_a_refused_comment_is_a_warning(runner: Runner) -> None:
    (runner.folder / "refused").touch()

    done = runner.run(runner.propose('"1"', '"2"'), sources="manifests", flags=dump(runner), comment="true")

    assert done.returncode == 0
    assert "drift.sh: could not comment on pull request 5" in done.stderr


def test_a_base_that_was_not_fetched_is_one_clear_line(runner: Runner) -> None:
    done = runner.run("0" * 40, sources="manifests", flags=dump(runner))

    assert done.returncode == 2
    assert "fetch it (actions/checkout: fetch-depth: 0)" in done.stderr


def test_values_of_the_cluster_run_no_commands_of_the_runner(runner: Runner) -> None:
    live = runner.folder / "live.yaml"
    live.write_text(live.read_text().replace("level: debug", 'level: "x ##[add-path]/tmp"'))

    tokens = []
    for _ in range(2):
        lines = runner.run(sources="manifests/", flags=dump(runner)).stdout.splitlines()
        [stop] = [number for number, line in enumerate(lines) if line.startswith("::stop-commands::")]
        token = lines[stop].removeprefix("::stop-commands::")
        assert len(token) == 32
        [found] = [number for number, line in enumerate(lines) if "##[add-path]/tmp" in line]
        assert stop < found < lines.index(f"::{token}::")
        tokens.append(token)

    assert len({*tokens}) == 2


def test_inputs_are_never_run_as_commands(runner: Runner) -> None:
    hostile = "$(touch ran)\n`touch ran`\n;touch ran"

    runner.run(sources=hostile, flags=hostile, name="prod")

    assert not list(runner.folder.rglob("ran"))


def every_script() -> list[tuple[str, str]]:
    scripts = [(step["name"], step["run"]) for step in ACTION["runs"]["steps"]]
    release = yaml.safe_load((REPOSITORY / ".github/workflows/release.yml").read_text())
    for job in release["jobs"].values():
        scripts += [(step["name"], step["run"]) for step in job["steps"] if "run" in step]
    template = gitlab()
    for name in ("drift", "drift-guard"):
        scripts.append((name, "\n".join(template[name]["script"])))
    return scripts


def gitlab() -> dict[str, Any]:
    _, template = yaml.safe_load_all((REPOSITORY / ".gitlab/drift.yml").read_text())
    assert isinstance(template, dict)
    return template


@pytest.mark.parametrize(("name", "script"), every_script())
def test_every_script_is_sound_shell_without_expressions(name: str, script: str) -> None:
    assert "${{" not in script, f"{name}: pass it in env, so that it cannot be run"
    text = re.sub(r"\$\[\[ .*? \]\]", "input", script)
    command = ["shellcheck", "--shell=bash", "-"]
    done = subprocess.run(command, input=text, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_input_and_output_is_used_and_documented() -> None:
    used = json.dumps(ACTION["runs"])
    for name, given in ACTION["inputs"].items():
        assert f"inputs.{name} " in used
        assert f"| `{name}` |" in PAGE
        assert given["description"]
    script = (REPOSITORY / ".github/scripts/drift.sh").read_text()
    for name, given in ACTION["outputs"].items():
        assert given["value"] == f"${{{{ steps.report.outputs.{name} }}}}"
        assert f'publish "{name}=' in script
        assert f"| `{name}` |" in PAGE


def test_the_workflows_in_the_documentation_use_inputs_that_exist() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    steps = [
        step
        for block in blocks
        for job in yaml.safe_load(block)["jobs"].values()
        for step in job["steps"]
        if step.get("uses", "").startswith("OWNER/drift@")
    ]

    assert len(steps) >= 2
    assert {name for step in steps for name in step["with"]} <= set(ACTION["inputs"])


# -- GitLab


def run_job(runner: Runner, name: str, flag: str = "", **variables: str) -> "subprocess.CompletedProcess[str]":
    flags = f"{dump(runner).strip()} {flag}"
    script = "\n".join(gitlab()[name]["script"])
    script = script.replace("$[[ inputs.sources ]]", "manifests").replace("$[[ inputs.flags ]]", flags)
    tools = runner.folder / "temporary/drift-action/bin"
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY), **variables}
    command = ["bash", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=runner.checkout, env=environment, check=False, capture_output=True, text=True, timeout=600
    )


def test_the_gitlab_job_reports_drift_and_keeps_its_artifacts(runner: Runner) -> None:
    done = run_job(runner, "drift")

    assert done.returncode == 1, done.stderr
    artifacts = gitlab()["drift"]["artifacts"]
    for file in [*artifacts["paths"], artifacts["reports"]["junit"]]:
        assert (runner.checkout / file).is_file()


@pytest.mark.parametrize(("new", "status"), [("warning", 1), ("debug", 0)])
def test_the_gitlab_job_of_a_merge_request_guards_edits_by_hand(runner: Runner, new: str, status: int) -> None:
    base = runner.propose("info", new)

    done = run_job(runner, "drift-guard", CI_MERGE_REQUEST_DIFF_BASE_SHA=base)

    assert done.returncode == status, done.stdout + done.stderr


def test_the_gitlab_job_for_merged_results_compares_with_the_target_branch(runner: Runner) -> None:
    old = runner.merge("info", "warning")
    bases = {
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": old,
        "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": runner.git("rev-parse", "HEAD^1"),
    }

    assert run_job(runner, "drift-guard", **bases).returncode == 0
    assert run_job(runner, "drift-guard", CI_MERGE_REQUEST_DIFF_BASE_SHA=old).returncode == 1


@pytest.mark.parametrize("flag", ["", "--config=other.yaml", "--config other.yaml"])
def test_a_merge_request_cannot_leave_out_files(runner: Runner, flag: str) -> None:
    (runner.checkout / "other.yaml").write_text("")
    runner.git("add", "--all")
    runner.git("commit", "--quiet", "--message=settings")
    base = runner.propose("info", "warning")
    for settings in ("drift.yaml", "other.yaml"):
        (runner.checkout / settings).write_text(EXCLUDING)

    done = run_job(runner, "drift-guard", flag, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)

    assert done.returncode == 1, done.stdout + done.stderr


def test_actions_are_pinned_by_commit() -> None:
    uses = re.findall(r"uses: (\S+)", (REPOSITORY / ".github/workflows/release.yml").read_text())

    assert uses
    assert [one for one in uses if not one.startswith("./") and not re.fullmatch(r"\S+@[0-9a-f]{40}", one)] == []


def test_the_notes_of_a_release_are_its_section_of_the_changelog(tmp_path: Path) -> None:
    (command,) = [line for _, script in every_script() for line in script.splitlines() if line.startswith("awk ")]
    (tmp_path / "release").mkdir()
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [1.10.0] - 2026\n\nnew\n\n## [1.1.0] - 2025\n\nold\n")

    shell = ["bash", "-c", command]
    subprocess.run(shell, cwd=tmp_path, env={**os.environ, "GITHUB_REF_NAME": "v1.1.0"}, check=True)

    assert (tmp_path / "release/notes.md").read_text().split() == ["old"]
