"""Findings name the author of their line in Git."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from drift.cli import main
from drift.sources.git_blame import blame, read_porcelain

OLD = """apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop}
data:
  b: "1"
  c: "2"
"""


def git(folder: Path, *arguments: str, author: str = "Jane Roe") -> str:
    date = {"GIT_AUTHOR_DATE": "2026-05-12T10:00:00+02:00", "GIT_COMMITTER_DATE": "2026-05-12T10:00:00+02:00"}
    identity = ("-c", f"user.name={author}", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **date}
    ).stdout.strip()


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest with a second commit, by another author, that changed its fifth line."""
    file = tmp_path / "repository" / "a b.yaml"
    file.parent.mkdir()
    file.write_text(OLD)
    git(file.parent, "init", "--quiet", "--initial-branch=main")
    git(file.parent, "add", ".")
    git(file.parent, "commit", "--quiet", "--message=first")
    file.write_text(OLD.replace('b: "1"', 'b: "3"'))
    git(file.parent, "commit", "--quiet", "--all", "--message=scale up\n\nfor the launch", author="Sam Doe")
    return file


def test_a_line_has_the_author_and_the_commit_that_last_changed_it(manifest: Path) -> None:
    lines = blame([(str(manifest), 5), (str(manifest), 6), (str(manifest), 5)])

    changed, first = lines[str(manifest), 5], lines[str(manifest), 6]
    assert (changed.author, changed.summary, changed.time) == ("Sam Doe", "scale up", "2026-05-12T10:00:00+02:00")
    assert changed.commit == git(manifest.parent, "rev-parse", "HEAD")
    assert (first.author, first.summary) == ("Jane Roe", "first")


def test_a_line_that_git_does_not_have_has_no_author(manifest: Path) -> None:
    manifest.write_text(manifest.read_text().replace('c: "2"', 'c: "4"'))
    beside = manifest.with_name("new.yaml")
    beside.write_text(OLD)
    outside = manifest.parents[1] / "outside.yaml"
    outside.write_text(OLD)

    lines = blame([(str(manifest), 6), (str(manifest), 5), (str(beside), 1), (str(outside), 1), ("<stdin>", 1)])

    assert list(lines) == [(str(manifest), 5)]


def test_a_repository_runs_no_program(manifest: Path) -> None:
    folder = manifest.parent
    program = f"touch {folder / 'ran'}; cat"
    (folder / ".gitattributes").write_text("*.yaml diff=evil\n")
    for name in ("diff.evil.textconv", "core.fsmonitor", "core.pager"):
        git(folder, "config", name, program)

    assert blame([(str(manifest), 5)])
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"\n\n\t",
        b"a" * 40 + b"\n",
        b"a" * 40 + b" 1 2 1\nauthor x\nauthor-time 99999999999999999999\nauthor-tz +0000\nsummary y\n\tz",
        b"a" * 40 + b" 1 2 1\nauthor x\nauthor-time 1\nauthor-tz nonsense\nsummary y\n\tz",
        b"a" * 40 + b" 1 2 1\n\tz",
    ],
)
def test_other_output_of_git_names_no_one(output: bytes) -> None:
    assert read_porcelain(output) == {}


def test_a_report_names_the_author_of_the_line_of_the_field(
    manifest: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(manifest.parent)
    live = manifest.parents[1] / "live.yaml"
    live.write_text(OLD.replace('"1"', '"9"').replace("\ndata:", "\ndata:\n  added: x"))
    report = live.with_suffix(".json")

    status = main(["report", manifest.name, "--live", str(live), "--blame", "--output=text", f"--output=json={report}"])

    text, errors = capsys.readouterr()
    assert (status, errors) == (1, "")
    assert f"Git: Sam Doe, 2026-05-12, {git(manifest.parent, 'rev-parse', 'HEAD')[:8]} 'scale up'" in text
    findings = json.loads(report.read_text())["objects"][0]["findings"]
    assert {finding["path"]: finding["git"] and finding["git"]["author"] for finding in findings} == {
        "data.added": None,
        "data.b": "Sam Doe",
    }
