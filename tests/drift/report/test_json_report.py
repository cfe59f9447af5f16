"""Reading saved reports: each error is one line that names the place."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.errors import SavedReportError
from drift.report.formats import Format, Style, render
from drift.report.json_report import read_report, to_json
from drift.report.merge import merge
from tests.drift.report.reports import RICH

VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([]) | st.just({}) | st.just([{}])
)
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> str:
    document: dict[str, Any] = json.loads(to_json(RICH))
    change(document)
    return json.dumps(document)


def test_only_the_decisions_are_lost() -> None:
    assert read_report(to_json(RICH), "r.json") == RICH


def test_unknown_fields_are_ignored() -> None:
    assert read_report(changed(lambda document: document.update(newer=1)), "r.json") == RICH


def test_a_report_of_an_older_release_is_read() -> None:
    def older(document: dict[str, Any]) -> None:
        for name in ("clusters", "scan", "inSync", "resolved", "past"):
            del document[name]
        for item in document["objects"]:
            del item["cluster"], item["byChoice"]
            (item["source"] or {}).pop("line", None)
            for found in item["findings"]:
                del found["lifecycle"]

    read = read_report(changed(older), "r.json")

    assert read.duration_seconds is None
    assert (read.resolved, read.past) == ((), ())
    assert {item.source.line for item in read.objects if item.source} == {1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON: "),
        ("{", "not JSON: "),
        ('{"kind": NaN}', "not JSON: "),
        ('{"kind": ' + "[" * 200_000, "nested too deeply to be a report"),
        ("[]", "not a drift report; `drift report --output json=r.json` writes one"),
        ('{"kind": "List", "apiVersion": "v1"}', "not a drift report; "),
        ('{"kind": "DriftReport"}', "has version None; this drift reads drift/v1"),
        ('{"kind": "DriftReport", "apiVersion": "drift/v2"}', "has version 'drift/v2'; this drift reads drift/v1"),
    ],
)
def test_a_file_that_is_not_a_report_is_refused(text: str, problem: str) -> None:
    with pytest.raises(SavedReportError) as error:
        read_report(text, "r.json")

    assert str(error.value).startswith(f"r.json: {problem}")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_text_is_refused() -> None:
    with pytest.raises(SavedReportError, match=r"r\.json: not UTF-8 text"):
        read_report(b"\x80" + to_json(RICH).encode(), "r.json")


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", "\ufeff"), ("utf-16", "")])
def test_a_file_that_a_windows_shell_wrote_is_read(encoding: str, mark: str) -> None:
    assert read_report((mark + to_json(RICH)).encode(encoding), "r.json") == RICH


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "1" * 5000])
def test_a_number_that_json_lacks_is_refused(number: str) -> None:
    text = to_json(RICH).replace('"desired": 2', f'"desired": {number}')

    with pytest.raises(SavedReportError, match=r"^r\.json: [^\n]*$"):
        read_report(text, "r.json")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda it: it.pop("objects"), "the report: object missing required field `objects`"),
        (lambda it: it.update(objects={}), "objects: expected `array`, got `object`"),
        (lambda it: it["objects"].insert(0, 1), "objects[0]: expected `object`, got `int`"),
        (lambda it: it["objects"][0].update(kind=1), "objects[0].kind: expected `str`, got `int`"),
        (lambda it: it["objects"][0].update(status="odd"), "objects[0].status: not one of in-sync, drifted, "),
        (
            lambda it: it["objects"][0]["findings"][0].pop("id"),
            "objects[0].findings[0]: object missing required field `id`",
        ),
        (
            lambda it: it["objects"][0]["findings"][0].update(redacted=0),
            "objects[0].findings[0].redacted: expected `bool`, got `int`",
        ),
        (lambda it: it["objects"][0]["source"].update(line=-1), "objects[0].source.line: expected `int` >= 1"),
        (lambda it: it.update(generatedAt="yesterday"), "generatedAt: not a time"),
        (
            lambda it: it.update(generatedAt="2026-01-01T00:00:00"),
            "generatedAt: not an RFC 3339 time with a time zone",
        ),
        (
            lambda it: it["scan"].update(durationSeconds=True),
            "scan.durationSeconds: expected `int | float | null`, got `bool`",
        ),
        (lambda it: it.update(notes=["\ud800"]), "not JSON: "),
        (lambda it: it.update(cluster={}), "cluster: object missing required field `context`"),
        (
            lambda it: it.update(shard={"index": 3, "count": 2, "unusedRules": []}),
            "shard: not a shard: index must be from 1 to count",
        ),
    ],
)
def test_an_error_in_a_report_is_located(change: Change, problem: str) -> None:
    with pytest.raises(SavedReportError) as error:
        read_report(changed(change), "r.json")

    assert str(error.value).startswith(f"r.json: {problem}")


def test_a_value_in_a_redacted_finding_is_not_read() -> None:
    def leak(document: dict[str, Any]) -> None:
        for item in document["objects"]:
            for finding in item["findings"]:
                finding.update(redacted=True, desired="leaked", live="leaked")

    assert "leaked" not in to_json(read_report(changed(leak), "r.json"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_report_with_any_value_replaced_is_refused_or_rendered(data: st.DataObject) -> None:
    document: dict[str, Any] = json.loads(to_json(RICH))
    node: Any = document
    while True:
        step = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else list(range(len(node)))))
        below = node[step]
        if not isinstance(below, dict | list) or not below or data.draw(st.booleans()):
            break
        node = below
    node[step] = data.draw(VALUES)
    try:
        report = read_report(json.dumps(document), "r.json")
    except SavedReportError:
        return

    for form in Format:
        assert render(report, form, Style())
    assert to_json(merge([report, RICH]))
