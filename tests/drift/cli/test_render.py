"""`drift render`: gives the same bytes as the scan itself; errors are one line."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from drift.cli import main
from drift.report.formats import Format
from drift.report.json_report import to_json
from tests.drift.report.reports import RICH

MANIFESTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop}
data: {key: git}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: same, namespace: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: shop}
data: {password: Z2l0LXNlY3JldA==}
"""
LIVE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop}
data: {key: live}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: same, namespace: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: stray, namespace: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: shop}
data: {password: bGl2ZS1zZWNyZXQ=}
"""
Out = pytest.CaptureFixture[str]


@pytest.fixture
def scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Returns one scan in each format, by the format's name, and writes its JSON to report.json."""
    monkeypatch.chdir(tmp_path)
    Path("manifests.yaml").write_text(MANIFESTS)
    Path("live.yaml").write_text(LIVE)
    flags = [f"--output={form}=report.{form}" for form in Format]

    assert main(["report", "manifests.yaml", "--live", "live.yaml", *flags]) == 1

    return {form: Path(f"report.{form}").read_text() for form in Format}


@pytest.fixture
def saved(tmp_path: Path) -> str:
    file = tmp_path / "saved.json"
    file.write_text(to_json(RICH))
    return str(file)


@pytest.mark.parametrize("form", Format)
def test_a_saved_report_gives_the_same_bytes_as_the_scan(scanned: dict[str, str], form: Format, capsys: Out) -> None:
    assert main(["render", "report.json", "--output", form]) == 0
    assert capsys.readouterr().out == scanned[form]


def test_no_format_contains_a_secret_value(scanned: dict[str, str]) -> None:
    for text in scanned.values():
        for secret in ("git-secret", "live-secret", "Z2l0LXNlY3JldA", "bGl2ZS1zZWNyZXQ"):
            assert secret not in text
        assert "Secret" in text


def test_sources_have_line_numbers(scanned: dict[str, str]) -> None:
    assert json.loads(scanned["json"])["objects"][0]["source"] == {"file": "manifests.yaml", "document": 1, "line": 1}


def test_text_is_the_default(saved: str, capsys: Out) -> None:
    assert main(["render", saved]) == 0
    assert "ClusterRole admin  drifted" in capsys.readouterr().out


def test_several_reports_are_merged(saved: str, capsys: Out) -> None:
    assert main(["render", saved, saved, "--output", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["objects"]) == len(json.loads(to_json(RICH))["objects"])


def test_a_report_can_come_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(to_json(RICH).encode())))

    assert main(["render", "-", "--output", "json"]) == 0
    assert capsys.readouterr().out == to_json(RICH)


def test_ignored_findings_are_shown_on_request(saved: str, capsys: Out) -> None:
    assert main(["render", saved, "-v"]) == 0
    assert "ignored by ignore[0]: not ours" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "{}", "apiVersion: v1"])
def test_a_file_that_is_not_a_report_exits_with_2(content: str, tmp_path: Path, stderr: Callable[[], str]) -> None:
    file = tmp_path / "x.json"
    file.write_text(content)

    assert main(["render", str(file)]) == 2
    text = stderr()
    assert text.startswith(f"drift: {file}: ")
    assert "not a drift report" in text or "not JSON" in text
    assert text.count("\n") == 1


def test_a_missing_file_exits_with_2(stderr: Callable[[], str]) -> None:
    assert main(["render", "nowhere.json"]) == 2
    assert stderr() == "drift: nowhere.json: cannot be read: No such file or directory\n"


def test_two_formats_cannot_share_standard_output(saved: str, stderr: Callable[[], str]) -> None:
    assert main(["render", saved, "--output", "json", "--output", "sarif"]) == 2
    assert "only one --output can go to standard output" in stderr()


@pytest.mark.parametrize("flag", ["--output=pdf", "--markdown-limit=100", "--markdown-limit=x", "--output=json="])
def test_an_invalid_flag_exits_with_2(flag: str, saved: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["render", saved, flag])

    assert end.value.code == 2


def test_markdown_keeps_to_its_limit(saved: str, capsys: Out) -> None:
    assert main(["render", saved, "--output", "markdown", "--markdown-limit", "1048576"]) == 0
    assert capsys.readouterr().out.startswith("## Drift: incomplete\n")


def test_flags_choose_what_is_shown(saved: str, capsys: Out) -> None:
    flags = ["--kind", "DEPLOYMENT", "--kind", "pod", "--only-namespace", "sh*", "--cause", "manual", "--limit", "2"]
    assert main(["render", saved, *flags]) == 0

    text = capsys.readouterr().out
    assert text.count("\n  medium ") == 2
    assert "Deployment shop/web" in text
    assert "Secret shop/db" not in text
    assert "not shown (--kind, --cause, --only-namespace, --limit)" in text
