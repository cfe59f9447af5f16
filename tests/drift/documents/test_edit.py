"""Edits of YAML and JSON text: only the edited part changes, and the result reads as expected."""

import json
import textwrap
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from drift.documents.edit import EditError, add_document, insert_item, lines_of, remove, remove_document, set_value
from drift.documents.parse import read_documents

DEPLOYMENT = """\
# who to ask: the team
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web   # keep
  labels: {app: web, "tier": 'front'}
spec:
  replicas: 2  # two are enough

  template:
    spec:
      containers:
        - name: web
          image: "nginx:1.29" # pinned
          args: [--a, '--b']
          env:
            # the mode
            - name: MODE
              value: 'fast'
            - {name: LEVEL, value: "1"}
        - image: sidecar:1
          name: sidecar
      # the end
"""
CONTAINERS = ("spec", "template", "spec", "containers")


def _changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that only one of two texts has."""
    old, new = before.splitlines(), after.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.mark.parametrize(
    ("steps", "value", "removed", "added"),
    [
        (("spec", "replicas"), 5, ["  replicas: 2  # two are enough"], ["  replicas: 5  # two are enough"]),
        (
            (*CONTAINERS, 0, "image"),
            "nginx:1.30",
            ['          image: "nginx:1.29" # pinned'],
            ['          image: "nginx:1.30" # pinned'],
        ),
        ((*CONTAINERS, 0, "env", 0, "value"), "it's",
         ["              value: 'fast'"], ["              value: 'it''s'"]),
        (
            (*CONTAINERS, 0, "env", 1, "value"),
            "2",
            ['            - {name: LEVEL, value: "1"}'],
            ['            - {name: LEVEL, value: "2"}'],
        ),
        (
            ("metadata", "labels", "team"),
            "on",
            ["  labels: {app: web, \"tier\": 'front'}"],
            ["  labels: {app: web, \"tier\": 'front', team: \"on\"}"],
        ),
        (("metadata", "annotations"), {"a/b": "x: y"}, [], ["  annotations:", '    a/b: "x: y"']),
        (("spec", "paused"), True, [], ["  paused: true"]),
        (
            (*CONTAINERS, 1, "resources"),
            {"limits": {"cpu": "100m"}},
            [],
            ["          resources:", "            limits:", "              cpu: 100m"],
        ),
        ((*CONTAINERS, 0, "args"), ["--a", "--c", "--b"],
         ["          args: [--a, '--b']"], ["          args: [--a, --c, '--b']"]),
        (("spec", "replicas"), None, ["  replicas: 2  # two are enough"], ["  replicas: null  # two are enough"]),
        (
            ("metadata", "labels"),
            {"app": "web"},
            ["  labels: {app: web, \"tier\": 'front'}"],
            ["  labels: {app: web}"],
        ),
    ],
)  # fmt: skip
def test_a_value_is_set(steps: Any, value: Any, removed: list[str], added: list[str]) -> None:
    assert _changed_lines(DEPLOYMENT, set_value(DEPLOYMENT, 1, steps, value)) == (removed, added)


@pytest.mark.parametrize(
    ("steps", "removed", "added"),
    [
        (("spec", "replicas"), ["  replicas: 2  # two are enough"], []),
        (
            ("metadata", "labels", "app"),
            ["  labels: {app: web, \"tier\": 'front'}"],
            ["  labels: {\"tier\": 'front'}"],
        ),
        (
            ("metadata", "labels", "tier"),
            ["  labels: {app: web, \"tier\": 'front'}"],
            ["  labels: {app: web}"],
        ),
        ((*CONTAINERS, 0, "env", 1), ['            - {name: LEVEL, value: "1"}'], []),
        ((*CONTAINERS, 0, "env", 0), ["            - name: MODE", "              value: 'fast'"], []),
        ((*CONTAINERS, 1, "image"), ["        - image: sidecar:1", "          name: sidecar"],
         ["        - name: sidecar"]),
        ((*CONTAINERS, 1), ["        - image: sidecar:1", "          name: sidecar"], []),
    ],
)  # fmt: skip
def test_a_field_or_an_item_is_removed(steps: Any, removed: list[str], added: list[str]) -> None:
    assert _changed_lines(DEPLOYMENT, remove(DEPLOYMENT, 1, steps)) == (removed, added)


def test_an_item_is_inserted_after_the_last_one() -> None:
    edited = insert_item(DEPLOYMENT, 1, CONTAINERS, 9, {"name": "debug", "image": "busybox", "stdin": True})

    assert _changed_lines(DEPLOYMENT, edited) == (
        [],
        ["        - name: debug", "          image: busybox", "          stdin: true"],
    )
    assert edited.index("debug") < edited.index("# the end")


@pytest.mark.parametrize("text", ["2026-02-03", "2026-02-03T04:05:06.10Z", "2026-02-03 04:05:06", "yes", "1e3"])
def test_a_string_that_a_reader_would_take_for_something_else_is_quoted(text: str) -> None:
    edited = set_value("a: {b: x}\nc: y\n", 1, ("c",), text)

    assert edited == f'a: {{b: x}}\nc: "{text}"\n'
    assert set_value("a: {b: x}\nc: y\n", 1, ("a", text), text) == f'a: {{b: x, "{text}": "{text}"}}\nc: y\n'
    assert add_document("", {"a": [text]}) == f'a:\n- "{text}"\n'


@pytest.mark.parametrize("text", ["2026-02-30", "2026-02-03T04:05:06Z", "v1", "12:30"])
def test_a_string_that_every_reader_takes_for_one_is_not_quoted(text: str) -> None:
    assert set_value("a: x\n", 1, ("a",), text) == f"a: {text}\n"


def test_line_ends_of_windows_stay() -> None:
    text = "a:\r\n  b: 1\r\n  c: x\r\n"

    assert set_value(text, 1, ("a", "b"), {"d": [1]}) == "a:\r\n  b:\r\n    d:\r\n    - 1\r\n  c: x\r\n"
    assert remove(text, 1, ("a", "b")) == "a:\r\n  c: x\r\n"


def test_a_text_of_several_lines_is_a_block_scalar() -> None:
    text = "data:\n  a: |\n    one\n    two\n  b: x\n"

    edited = set_value(text, 1, ("data", "a"), "one\n\nthree\n")

    assert edited == "data:\n  a: |\n    one\n\n    three\n  b: x\n"


def _read(text: str) -> list[Any]:
    return [document.value for document in read_documents(text.encode(), "")]


@given(
    st.text()
    | st.text("a \n#:\t😀\x7f\u2028")
    | st.sampled_from(["x\n\n", "a\n\n\n", "😀\n", "a\nb\n", "a\nb\n\n", "a\nb"]),
    st.sampled_from(
        [
            'a: "1"\nb: [x]\n',
            'a: "1"\n\n# comment\nb: [x]\n',
            "a: 1 # comment\nb: [x]\n",
            "a: |\n  1\n  2\n\nb: [x]\n",
            "a: |+\n  1\n\nb: [x]\n",
            "b: [x]\na: '1'\n",
            "b: [x]\na: '1'",
            "b: [x]\r\na: 1\r\n",
            "b: [x]\n",
            "b: [x]",
            "{a: 1, b: [x]}\n",
            '{"a": "1", "b": ["x"]}',
        ]
    ),
)
def test_any_text_is_written_so_that_it_reads_the_same(value: str, text: str) -> None:
    edited = set_value(text, 1, ("a",), value)
    assert _read(edited) == [{"a": value, "b": ["x"]}]
    assert _read(insert_item(edited, 1, ("b",), 1, value)) == [{"a": value, "b": ["x", value]}]
    assert _read(add_document(f"{edited}\n", {"c": [value]})) == [{"a": value, "b": ["x"]}, {"c": [value]}]


def test_json_stays_json() -> None:
    text = json.dumps({"data": {"a": "1", "b": "2"}, "items": []}, indent=2)

    edited = set_value(text, 1, ("data", "c"), "on")

    assert edited.splitlines()[3:5] == ['    "b": "2",', '    "c": "on"']
    assert json.loads(remove(edited, 1, ("data", "a")))["data"] == {"b": "2", "c": "on"}


def test_only_the_numbered_document_changes() -> None:
    text = "---\n# nothing\n---\na: 1\n---\na: 1\n"

    assert set_value(text, 3, ("a",), 2) == "---\n# nothing\n---\na: 1\n---\na: 2\n"
    assert remove_document(text, 2) == "---\n# nothing\n---\na: 1\n"


@pytest.mark.parametrize(
    ("text", "edit", "message"),
    [
        ("a: &x {k: 1}\nb: *x\n", lambda text: set_value(text, 1, ("a", "k"), 9), "alias"),
        ("a: &x {k: 1}\nb: *x\n", lambda text: remove(text, 1, ("a", "k")), "alias"),
        ("a: &x {k: 1}\nb:\n  <<: *x\n  c: 2\n", lambda text: remove(text, 1, ("b", "k")), "merge key"),
        ("a: 1\n", lambda text: set_value(text, 1, ("a", "b", "c"), 9), "no such field"),
        ("a: [1]\n", lambda text: set_value(text, 1, ("a", 3), 9), "no such field"),
        ("a: [1]\n", lambda text: set_value(text, 2, ("a",), 9), "no such"),
    ],
)
def test_what_the_text_does_not_allow_is_refused(text: str, edit: Any, message: str) -> None:
    with pytest.raises(EditError, match=message):
        edit(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40)
    | st.text(st.characters(exclude_categories=["C"]), max_size=8)
    | st.sampled_from(["on", "y", "0644", "1e3", "", " x", "a\nb\n", "a\n", "# no", "- x", "a: b", "~", "x\u2028y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcde"), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
STYLES = {
    "block": lambda value: yaml.safe_dump(value, sort_keys=False, allow_unicode=True),
    "indented": lambda value: "top:\n" + textwrap.indent(yaml.safe_dump(value, sort_keys=False), "    "),
    "flow": lambda value: yaml.safe_dump(value, sort_keys=False, default_flow_style=True),
    "json": lambda value: json.dumps(value, indent=2),
}


@given(
    before=st.dictionaries(st.sampled_from("abcde"), VALUES, min_size=1, max_size=4),
    after=st.dictionaries(st.sampled_from("abcde"), VALUES, min_size=1, max_size=4),
    style=st.sampled_from(sorted(STYLES)),
)
def test_any_object_can_become_any_other(before: Any, after: Any, style: str) -> None:
    text = STYLES[style](before)
    steps = ("top",) if style == "indented" else ()
    (document,) = read_documents(text.encode(), "before")
    before = document.value["top"] if style == "indented" else document.value

    edited = set_value(text, 1, steps, after)

    (read,) = read_documents(edited.encode(), "after")
    assert (read.value["top"] if style == "indented" else read.value) == after
    assert set_value(edited, 1, steps, after) == edited


@pytest.mark.parametrize(
    ("text", "like", "expected"),
    [
        ("", "", "a:\n  b:\n  - 1\n"),
        ("", "x:\n  - y\n", "a:\n  b:\n    - 1\n"),
        ("", '{"x": 1}', "a:\n  b:\n  - 1\n"),
        ("x: 1", "", "x: 1\n---\na:\n  b:\n  - 1\n"),
        ("x: 1\r\n", "", "x: 1\r\n---\r\na:\r\n  b:\r\n  - 1\r\n"),
        ("---\nx: 1\n---\n", "", "---\nx: 1\n---\n---\na:\n  b:\n  - 1\n"),
    ],
)
def test_a_document_is_added_in_the_style_of_the_file(text: str, like: str, expected: str) -> None:
    assert add_document(text, {"a": {"b": [1]}}, like=like) == expected


@pytest.mark.parametrize("text", ['{"x": 1}\n{', "x: [\n", "x: 1\n...\ny"])
def test_a_document_is_not_added_to_what_cannot_be_read(text: str) -> None:
    with pytest.raises(EditError):
        add_document(text, {"a": 1})


def test_the_lines_of_a_field_include_its_key() -> None:
    text = "a: 1\n---\nb:\n  c: |\n    one\n    two\n\nd: {e: 1}\n"

    assert [lines_of(text, 2, (name,)) for name in ("b", "d", "x")] == [range(2, 6), range(7, 8), range(0)]
