"""The text of a manifest, read back by this reader and by what others take it for."""

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rescan import yaml_style

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text() | st.from_regex(r"[-+]?[0-9._eEoxa-f:]{1,8}", fullmatch=True)
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@settings(deadline=None)
@given(TREES)
def test_what_is_written_is_read_back(tree: Any) -> None:
    assert yaml.safe_load(yaml_style.dump(tree)) == tree


@pytest.mark.parametrize(
    "text",
    [
        "true",
        "no",
        "ON",
        "y",
        "N",
        "null",
        "~",
        "",
        "3000",
        "0o17",
        "017",
        "0x1F",
        "1e3",
        "12e4567",
        "+.5",
        "1_000",
        "1:30",
    ],
)
def test_a_string_that_some_reader_takes_for_something_else_is_quoted(text: str) -> None:
    assert re.fullmatch(r"""a: ["'].*["']\n""", yaml_style.dump({"a": text}))


@pytest.mark.parametrize(
    "text", ["100m", "1Gi", "sqlite:./data/rescan.db", "https://a.example.com/", "v1.0.0", "10.0.0.0/8"]
)
def test_other_strings_are_plain(text: str) -> None:
    assert yaml_style.dump({"a": text}) == f"a: {text}\n"


def test_a_script_keeps_its_lines() -> None:
    assert yaml_style.dump({"a": "set -eu\ndate\n"}) == "a: |\n  set -eu\n  date\n"


def test_what_an_object_is_comes_first_and_the_rest_by_the_alphabet() -> None:
    manifest = {"spec": {"b": 1, "a": 2}, "metadata": {"labels": {}, "name": "x"}, "kind": "K", "apiVersion": "v1"}

    assert yaml_style.dump(manifest) == (
        "apiVersion: v1\nkind: K\nmetadata:\n  name: x\n  labels: {}\nspec:\n  a: 2\n  b: 1\n"
    )


def test_a_long_value_is_one_line_and_a_repeated_one_is_repeated() -> None:
    labels = {"app": "rescan"}

    assert yaml_style.dump([labels, labels]) == "- app: rescan\n- app: rescan\n"
    assert yaml_style.dump({"a": "word " * 100 + "end"}).count("\n") == 1
