"""The script and the workflow in docs/fixing.md that open a pull request for what is live."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.drift.actions.test_adopt import LIVE, MANIFESTS

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs/fixing.md").read_text()
# Records each call of gh. There is a pull request after the first one was created.
GH = """\
#!/bin/sh
echo "$1 $2" >> "$CALLS"
if [ "$2" = list ]; then grep -c create "$CALLS" || true; else cat > "$CALLS.body"; fi
"""

# Each test runs several processes.
pytestmark = pytest.mark.slow


def _block(language: str) -> str:
    found: str
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return found


def _run(folder: Path, *command: str) -> str:
    programs = folder.parent / "programs"
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "CALLS": str(folder.parent / "calls"),
        **{f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of a repository with a remote, and programs that the script calls."""
    programs, checkout = tmp_path / "programs", tmp_path / "checkout"
    programs.mkdir()
    (programs / "gh").write_text(GH)
    (programs / "drift").write_text(f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" -m drift "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    _run(tmp_path, "git", "init", "--quiet", "--bare", "--initial-branch=main", "origin")
    _run(tmp_path, "git", "clone", "--quiet", "origin", "checkout")
    (checkout / "manifests").mkdir()
    (checkout / "manifests/shop.yaml").write_text(MANIFESTS)
    (checkout / ".gitignore").write_text("live.yaml\n")
    (checkout / "live.yaml").write_text(LIVE)
    _run(checkout, "git", "switch", "--quiet", "--create", "main")
    _run(checkout, "git", "add", ".")
    _run(checkout, "git", "commit", "--quiet", "--message=first")
    return checkout


def _propose(checkout: Path) -> None:
    script = checkout.parent / "drift-adopt.sh"
    script.write_text(_block("sh"))
    _run(checkout, "drift", "report", "manifests/", "--live=live.yaml", "--exit-zero", "--output=json=report.json")
    _run(checkout, "sh", str(script), "report.json")


def test_the_script_proposes_what_is_live_once(checkout: Path) -> None:
    report = (
        "drift",
        "report",
        "manifests/",
        "--live=live.yaml",
        "--exit-zero",
        "--quiet",
        "--output=json=report.json",
    )
    script = checkout.parent / "drift-adopt.sh"
    script.write_text(_block("sh"))

    for _ in range(2):
        _run(checkout, "git", "switch", "--quiet", "main")
        _run(checkout, *report)
        _run(checkout, "sh", str(script), "report.json")

    calls, body = checkout.parent / "calls", checkout.parent / "calls.body"
    assert calls.read_text().splitlines() == ["pr list", "pr create", "pr list"]
    assert "data.mode" in body.read_text()
    changed = _run(checkout, "git", "diff", "--name-status", "main", "origin/drift/adopt")
    assert changed.split() == ["A", "manifests/configmap-stray.yaml", "M", "manifests/shop.yaml"]
    assert "mode: slow" in _run(checkout, "git", "show", "origin/drift/adopt:manifests/shop.yaml")


def test_the_script_proposes_nothing_if_nothing_was_changed_by_hand(checkout: Path) -> None:
    (checkout / "live.yaml").write_text(MANIFESTS)

    _propose(checkout)

    assert not (checkout.parent / "calls").exists()


def test_the_script_fails_if_the_report_cannot_be_adopted(checkout: Path) -> None:
    script = checkout.parent / "drift-adopt.sh"
    script.write_text(_block("sh"))
    (checkout / "report.json").write_text("{}")

    with pytest.raises(subprocess.CalledProcessError) as caught:
        _run(checkout, "sh", str(script), "report.json")

    assert caught.value.returncode == 2
    assert not (checkout.parent / "calls").exists()


def test_the_workflow_has_no_known_weakness(tmp_path: Path) -> None:
    workflow = tmp_path / ".github/workflows/adopt.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(_block("yaml"))
    zizmor = Path(sys.executable).with_name("zizmor")

    done = subprocess.run(
        [zizmor, "--offline", "--quiet", "--no-exit-codes", "--format=plain", tmp_path / ".github"],
        check=True,
        capture_output=True,
        text=True,
    )

    assert "No findings" in done.stdout + done.stderr, done.stdout
    inputs = yaml.safe_load((REPOSITORY / "action.yml").read_text())["inputs"]
    (step,) = [one for one in yaml.safe_load(_block("yaml"))["jobs"]["adopt"]["steps"] if one.get("id") == "drift"]
    assert set(step["with"]) <= set(inputs)


def test_the_workflow_checks_out_the_history() -> None:
    """Without the last synced commit, what Git has just added would be adopted as deleted."""
    steps = yaml.safe_load(_block("yaml"))["jobs"]["adopt"]["steps"]
    (checkout,) = [one for one in steps if one.get("uses", "").startswith("actions/checkout@")]

    assert checkout["with"]["fetch-depth"] == 0
