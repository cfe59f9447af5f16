"""A document that cannot be read: the others are compared, the exit status is 2, and nothing is concluded from it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from drift.report.formats import Format


def config_map(name: str, value: str = "git", namespace: str = "shop") -> str:
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata: {{key: {value}}}\n"
    )


BROKEN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a broken document between two others. All of their objects are in the dump, and one more."""
    monkeypatch.chdir(tmp_path)
    Path("apps").mkdir()
    Path("apps/a.yaml").write_text(config_map("a"))
    Path("apps/b.yaml").write_text(f"{BROKEN}---\n{config_map('c')}")
    objects = [config_map("a", "edited"), config_map("b"), config_map("c"), config_map("extra")]
    Path("live.yaml").write_text("---\n".join(objects))
    return tmp_path


def report(*flags: str) -> tuple[int, dict[str, Any]]:
    status = main(["report", "apps", "--live", "live.yaml", "--output", "json=r.json", *flags])
    document: dict[str, Any] = json.loads(Path("r.json").read_text())
    return status, document


@pytest.mark.parametrize("flags", [(), ("--exit-zero",), ("--unmanaged", "cluster"), ("--shard", "1/1")])
def test_the_others_are_compared_and_no_object_is_unmanaged(flags: tuple[str, ...]) -> None:
    status, document = report(*flags)

    assert status == 2
    assert document["summary"]["verdict"] == "incomplete"
    assert document["summary"]["objects"] == {
        **dict.fromkeys(("missing", "unmanaged", "unchecked"), 0),
        "checked": 2,
        "inSync": 1,
        "drifted": 1,
    }
    assert (
        document["errors"] == document["manifests"]["unread"] == ["apps/b.yaml:4:1: did not find expected ',' or '}'"]
    )
    assert any(note.startswith("one document could not be read, so what else") for note in document["notes"])


def test_without_the_broken_document_the_other_objects_are_unmanaged() -> None:
    Path("apps/b.yaml").write_text(config_map("c"))

    status, document = report()

    assert status == 1
    unmanaged = [item["name"] for item in document["objects"] if item["status"] == "unmanaged"]
    assert unmanaged == ["b", "extra"]


def test_an_unread_object_of_the_cluster_does_not_change_the_exit_status() -> None:
    Path("apps/d.yaml").write_text(config_map("d").replace("v1\n", "example.org/v1\n"))

    assert report("--unmanaged", "off")[0] == 2


def test_an_object_that_is_described_twice_is_unchecked_and_both_places_are_named(
    stderr: Callable[[], str],
) -> None:
    Path("apps/b.yaml").write_text(f"# again\n---\n{config_map('a')}---\n{config_map('c')}")

    status, document = report("--unmanaged", "off")

    assert status == 2
    assert {item["name"]: item["status"] for item in document["objects"]} == {"a": "unchecked"}
    assert document["summary"]["objects"]["inSync"] == 1
    error = "apps/b.yaml:3:1: ConfigMap shop/a is also defined in apps/a.yaml:1; remove one of them"
    assert document["manifests"]["unread"] == [error]
    assert stderr() == f"drift: {error}\n"


def test_nothing_is_resolved_in_the_history() -> None:
    broken = Path("apps/b.yaml").read_text()
    Path("apps/b.yaml").write_text(config_map("c"))
    report("--history", "h.db")
    Path("apps/b.yaml").write_text(broken)
    Path("apps/a.yaml").write_text(config_map("a", "edited"))

    status, document = report("--history", "h.db")

    assert (status, document["resolved"]) == (2, [])
    assert (document["past"][-1]["open"], document["past"][-1]["complete"]) == (3, False)
    Path("apps/b.yaml").write_text("---\n".join([config_map("b"), config_map("c")]))
    _, document = report("--history", "h.db")
    assert sorted(f"{item['name']} {item['change']}" for item in document["resolved"]) == ["a changed", "b unmanaged"]


def test_standard_error_says_why_if_no_text_report_does(
    stderr: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    report("--quiet")
    assert stderr() == "drift: apps/b.yaml:4:1: did not find expected ',' or '}'\n"

    assert main(["report", "apps", "--live", "live.yaml"]) == 2
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "not checked: apps/b.yaml:4:1: did not find expected" in captured.out


@pytest.mark.parametrize("form", [form for form in Format if form is not Format.METRICS])
def test_every_format_names_the_place(form: Format) -> None:
    main(["report", "apps", "--live", "live.yaml", "--output", f"{form}=report"])

    text = Path("report").read_text()
    assert "did not find expected" in text
    place = {
        Format.GITHUB: "::error file=apps/b.yaml,line=4,title=not read::",
        Format.SARIF: '"uri": "apps/b.yaml",',
        Format.MARKDOWN: "apps/b.yaml:4:1",
    }
    assert place.get(form, "apps/b.yaml:4:1") in text


def test_merged_reports_keep_what_could_not_be_read() -> None:
    report()

    main(["render", "r.json", "r.json", "--output", "json=merged.json"])

    document = json.loads(Path("merged.json").read_text())
    assert (
        document["manifests"]["unread"] == document["errors"] == ["apps/b.yaml:4:1: did not find expected ',' or '}'"]
    )
    assert document["summary"]["verdict"] == "incomplete"


def test_excluded_files_are_not_read() -> None:
    assert report("--exclude", "b.yaml", "--unmanaged", "off")[0] == 1

    Path("drift.yaml").write_text("exclude: [apps/b.yaml]\n")
    assert report("--unmanaged", "off")[1]["manifests"]["unread"] == []


def test_an_empty_glob_is_a_usage_error(stderr: Callable[[], str]) -> None:
    with pytest.raises(SystemExit):
        main(["report", "apps", "--exclude", ""])

    assert "argument --exclude: give a glob" in stderr()
