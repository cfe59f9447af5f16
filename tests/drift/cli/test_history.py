"""`drift report --history` and `drift history`: ages, resolved findings, and a report even if the file is unusable."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from drift.report.formats import Format

MANIFESTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop}
data: {key: git}
"""
LIVE = MANIFESTS.replace("git", "live")
Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text(MANIFESTS)
    Path("live.yaml").write_text(LIVE)
    Path("same.yaml").write_text(MANIFESTS)
    return tmp_path


def scan(live: str = "live.yaml", *flags: str, history: str = "h.db", manifests: str = "m.yaml") -> int:
    return main(["report", manifests, "--live", live, "--history", history, *flags])


def saved(*flags: str, live: str = "live.yaml") -> dict[str, Any]:
    scan(live, "--output", "json=r.json", *flags)
    document: dict[str, Any] = json.loads(Path("r.json").read_text())
    return document


def test_reports_show_new_ongoing_and_resolved_findings(capsys: Out) -> None:
    assert scan() == 1
    assert "medium   NEW ~ data.key" in capsys.readouterr().out
    assert scan() == 1
    assert "open for " in capsys.readouterr().out
    assert scan("same.yaml") == 0
    assert "1 finding resolved since the last scan: ConfigMap shop/a data.key, after " in capsys.readouterr().out
    assert scan() == 1
    assert "medium   REOPENED ~ data.key" in capsys.readouterr().out


def test_without_a_history_nothing_is_recorded_or_shown(folder: Path, capsys: Out) -> None:
    assert main(["report", "m.yaml", "--live", "live.yaml", "--output", "json"]) == 1

    document = json.loads(capsys.readouterr().out)
    assert (document["resolved"], document["past"]) == ([], [])
    assert document["objects"][0]["findings"][0]["lifecycle"] is None
    assert sorted(path.name for path in folder.iterdir()) == ["live.yaml", "m.yaml", "same.yaml"]


@pytest.mark.parametrize("form", Format)
def test_a_saved_report_gives_the_same_bytes_as_the_scan(form: Format, capsys: Out) -> None:
    scan()
    scan("same.yaml", "--quiet")
    capsys.readouterr()
    # The commands of a report name its JSON file.
    made = "r.json" if form is Format.JSON else "x"
    scan("live.yaml", f"--output={form}={made}", *(["--output=json=r.json"] if made == "x" else []))

    assert main(["render", "r.json", "--output", form]) == 0
    assert capsys.readouterr().out == Path(made).read_text()


def test_two_environments_in_one_file_do_not_resolve_each_other() -> None:
    Path("dev").mkdir()
    Path("dev/m.yaml").write_text(MANIFESTS.replace("name: a", "name: b"))

    scan()
    assert main(["report", "dev", "--live", "same.yaml", "--history", "h.db", "--unmanaged", "off"]) == 1
    document = saved()

    assert document["objects"][0]["findings"][0]["lifecycle"] == "ongoing"


def test_findings_of_a_skipped_kind_are_not_resolved() -> None:
    scan()
    Path("drift.yaml").write_text("unchecked: [{kind: ConfigMap, reason: not ours}]")

    assert saved()["resolved"] == []
    Path("drift.yaml").unlink()
    assert saved()["objects"][0]["findings"][0]["lifecycle"] == "reopened"


def test_an_unwritable_history_exits_with_2_after_the_report(capsys: Out) -> None:
    assert scan(history="nowhere/h.db") == 2

    out, err = capsys.readouterr()
    assert "ConfigMap shop/a  drifted" in out
    assert err == "drift: nowhere/h.db: cannot be used: unable to open database file; the report has no history\n"


def test_a_corrupt_history_is_set_aside_and_the_report_is_made(folder: Path, capsys: Out) -> None:
    Path("h.db").write_bytes(bytes(100))

    assert scan() == 1

    out, err = capsys.readouterr()
    (moved,) = folder.glob("h.db.corrupt-*")
    assert moved.read_bytes() == bytes(100)
    assert err == (
        "drift: h.db: is damaged: it does not begin as a database; "
        f"moved it to {moved.name} and started a new history\n"
    )
    assert "NEW" in out


def test_a_file_of_another_format_stays_and_the_report_is_made(folder: Path, capsys: Out) -> None:
    assert scan(history="m.yaml") == 2

    out, err = capsys.readouterr()
    assert "ConfigMap shop/a  drifted" in out
    assert err == "drift: m.yaml: is not a history; give --history another file; the report has no history\n"
    assert Path("m.yaml").read_text() == MANIFESTS
    assert not list(folder.glob("*.corrupt-*"))


def test_a_scope_needs_a_history(stderr: Callable[[], str]) -> None:
    assert main(["report", "m.yaml", "--live", "live.yaml", "--history-scope", "x"]) == 2
    assert "--history-scope needs --history FILE" in stderr()


def test_manifests_from_a_pipe_need_a_name(stderr: Callable[[], str]) -> None:
    assert main(["report", "-", "--live", "live.yaml", "--history", "h.db"]) == 2
    assert "add --history-scope NAME" in stderr()


def test_a_scope_name_keeps_the_history_of_moved_manifests() -> None:
    saved("--history-scope", "shop")
    Path("moved.yaml").write_text(MANIFESTS)

    scan("live.yaml", "--history-scope", "shop", "--output", "json=r.json", manifests="moved.yaml")

    assert json.loads(Path("r.json").read_text())["objects"][0]["findings"][0]["lifecycle"] == "ongoing"


def test_no_planted_secret_is_in_the_file() -> None:
    planted = "planted-secret-4711"
    coded = base64.b64encode(planted.encode()).decode()
    copy = json.dumps({"data": {"a": coded}, "env": planted}).replace('"', '\\"')

    def secret(text: str, more: str) -> str:
        return f"""\
apiVersion: v1
kind: Secret
metadata:
  name: s
  namespace: shop
  annotations: {{"kubectl.kubernetes.io/last-applied-configuration": "{copy}{more}"}}
data: {{a: {base64.b64encode(f"{planted}{more}".encode()).decode()}}}
stringData: {{b: "{planted}{text}"}}
---
apiVersion: v1
kind: Pod
metadata: {{name: p, namespace: shop}}
spec: {{containers: [{{name: c, image: i, env: [{{name: PASSWORD, value: "{planted}{text}"}}]}}]}}
"""

    Path("m.yaml").write_text(secret("-git", "1"))
    Path("live.yaml").write_text(secret("-live", "2"))

    assert scan() == 1
    assert scan("m.yaml") == 0

    content = Path("h.db").read_bytes()
    assert b"PASSWORD" in content
    assert b"data.b" in content
    assert planted.encode() not in content
    assert coded[:20].encode() not in content


def test_the_history_is_printed(capsys: Out) -> None:
    scan()
    scan("same.yaml")
    capsys.readouterr()

    assert main(["history", "h.db"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("/m.yaml (namespace default) at a dump")
    assert lines[1] == "medium    ConfigMap shop/a  data.key"
    assert lines[2].startswith("          resolved after > ")
    assert "0 open, 1 resolved" in lines
    assert main(["history", "h.db", "--by", "manager"]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("(not recorded): ConfigMap shop/a")


@pytest.mark.parametrize(
    ("flags", "count"),
    [
        ((), 2),
        (("--open",), 1),
        (("--since", "1h"), 2),
        (("--since", "2100-01-01"), 1),
        (("--object", "b*"), 1),
        (("--namespace", "x*"), 0),
    ],
)
def test_flags_filter_episodes(flags: tuple[str, ...], count: int, capsys: Out) -> None:
    Path("m.yaml").write_text(MANIFESTS + "---\n" + MANIFESTS.replace("name: a", "name: b"))
    Path("live.yaml").write_text(LIVE + "---\n" + LIVE.replace("name: a", "name: b"))
    Path("same.yaml").write_text(MANIFESTS + "---\n" + LIVE.replace("name: a", "name: b"))
    scan()
    scan("same.yaml")
    capsys.readouterr()

    assert main(["history", "h.db", "--output", "json", *flags]) == 0
    assert len(json.loads(capsys.readouterr().out)["episodes"]) == count


@pytest.mark.parametrize(("file", "problem"), [("nowhere.db", "no such file"), ("m.yaml", "is not a history")])
def test_a_file_that_is_not_a_history_exits_with_2(file: str, problem: str, stderr: Callable[[], str]) -> None:
    assert main(["history", file]) == 2

    text = stderr()
    assert text.startswith(f"drift: {file}: {problem}")
    assert text.count("\n") == 1


def test_an_invalid_time_exits_with_2(stderr: Callable[[], str]) -> None:
    scan()
    assert main(["history", "h.db", "--since", "tuesday"]) == 2
    assert "--since tuesday: must be a duration" in stderr()
