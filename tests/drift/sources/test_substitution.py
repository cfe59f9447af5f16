"""Flux's substitution, and that values of Secrets are hidden in its result."""

import json
import random
from typing import Any

import pytest

from drift.errors import SourceError
from drift.objects import Incomparable, Json
from drift.redaction import Redacted, redact_at, redacted_paths
from drift.sources.substitution import (
    PLACEHOLDER,
    SubstitutionError,
    check_names,
    escape,
    redact_substituted,
    substitute,
)
from tools.sandbox.flux_oracle import ask

VARIABLES = {
    "a": "hello world",
    "b": "",
    "c": "3",
    "path": "/usr/local/lib/x.tar.gz",
    "umlaut": "Grüße",
    "star": "*",
    "up": "ABC",
}
OPERATORS = [
    ":-",
    ":=",
    "=",
    ":+",
    ":?",
    "-",
    "#",
    "##",
    "%",
    "%%",
    "/",
    "//",
    "/#",
    "/%",
    ":",
    ",",
    ",,",
    "^",
    "^^",
    "",
]
# fmt: off
PARTS = [
    "${", "}", "$$", "$", "\\", "/", "//", ":", "-", "=", "?", "+", "#", "%", ",", "^", "*", "[a-z]", "[", "]", "x",
    "lo", "wor", " ", "1", "-1", "2", "\n", ".", "usr", "${a}", "${b:-x}", "${missing:=d}", "{", "${c",
    "missing", *VARIABLES,
]
# fmt: on


def texts(count: int) -> list[str]:
    """Texts with expressions, half of them nearly valid."""
    chance = random.Random(1)  # noqa: S311 - the same texts in every run

    def some(at_most: int) -> str:
        return "".join(chance.choice(PARTS) for _ in range(chance.randint(0, at_most)))

    def expression() -> str:
        return "x${" + chance.choice([*VARIABLES, "missing"]) + chance.choice(OPERATORS) + some(4) + "}y"

    return [expression() if number % 2 else some(9) for number in range(count)]


@pytest.mark.slow
@pytest.mark.usefixtures("flux_oracle")
def test_texts_become_what_flux_makes_of_them() -> None:
    given = texts(20_000)
    expected = json.loads(ask({"texts": given, "variables": VARIABLES, "strict": False}))

    for text, result in zip(given, expected, strict=True):
        try:
            substituted = substitute(text, VARIABLES)
        except SubstitutionError:
            assert result is None, text
        else:
            # Go replaces half of a character when it writes JSON.
            assert substituted.encode(errors="surrogateescape").decode(errors="replace") == result, text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${secret}", "?"),
        ("a-${secret}-b", "a-?-b"),
        ("${secret:-default}", "?"),
        ("${secret:0:1}", "?"),
        ("${#secret}", "?"),
        ("${known/v/${secret}}", "?"),
        ("${known:-${secret}}", "value"),
        ("${known}", "value"),
    ],
)
def test_what_depends_on_an_unknown_value_is_unknown(text: str, expected: str) -> None:
    assert substitute(text, {"known": "value"}, is_complete=False).replace(PLACEHOLDER, "?") == expected


def test_a_name_that_flux_refuses_is_an_error() -> None:
    check_names({"_a1": ""})

    with pytest.raises(SubstitutionError, match="'a-b' is not a valid name"):
        check_names({"a-b": ""})


def config(data: Json) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


@pytest.mark.parametrize(
    ("value", "masked", "hidden"),
    [
        ({"a": "x", "b": "user:pw"}, {"a": "x", "b": f"user:{PLACEHOLDER}"}, {"a": "x", "b": Redacted(b"user:pw")}),
        ({"a": ["x", "pw"]}, {"a": ["x", PLACEHOLDER]}, {"a": ["x", Redacted(b"pw")]}),
        ({"a": 3}, {"a": PLACEHOLDER}, {"a": None}),
        ({"a": {"b": "pw"}}, {"a": PLACEHOLDER}, {"a": None}),
        ({"pw": "x"}, {PLACEHOLDER: "x"}, None),
        ({"a": ["pw", "x"]}, {"a": PLACEHOLDER}, {"a": None}),
        ({"a": True}, {"a": 1}, {"a": None}),
    ],
)
def test_what_differs_from_the_masked_object_is_redacted_or_not_compared(
    value: Json, masked: Json, hidden: Json
) -> None:
    result = redact_substituted(config(value), config(masked))["data"]

    def plain(part: Json) -> Json:
        if isinstance(part, dict):
            return {name: plain(below) for name, below in part.items()}
        return None if isinstance(part, Incomparable) else part

    assert plain(result) == hidden


def test_an_identity_that_depends_on_a_secret_is_an_error_without_the_value() -> None:
    body, masked = config({}), config({})
    body["metadata"]["name"], masked["metadata"]["name"] = "planted", PLACEHOLDER

    with pytest.raises(SourceError, match="the name, namespace or kind of an object is not known") as raised:
        redact_substituted(body, masked)

    assert "planted" not in str(raised.value)


def test_the_same_places_of_another_object_are_redacted_in_every_item_of_a_list() -> None:
    paths = [*redacted_paths({"env": [{"name": "A", "value": Redacted(b"pw")}], "x": Redacted(b"y")})]

    assert paths == [("env", None, "value"), ("x",)]
    assert redact_at({"env": [{"name": "A", "value": "pw"}, {"name": "B", "value": "q"}, 7]}, paths) == {
        "env": [{"name": "A", "value": Redacted(b"pw")}, {"name": "B", "value": Redacted(b"q")}, 7]
    }


@pytest.mark.parametrize("text", ["${pw}", "${pw:0:1}", "${pw/a/b}", "${#pw}", "${pw:=x}", "${none:-${pw}}", "${pw^^}"])
def test_whatever_is_made_of_a_value_is_masked(text: str) -> None:
    masked = substitute(text, {"pw": PLACEHOLDER})

    assert PLACEHOLDER in masked


def test_a_variable_that_is_not_set_is_not_masked() -> None:
    assert substitute("a${none}", {"pw": PLACEHOLDER}) == "a"


@pytest.mark.parametrize(
    "text",
    ["${HOME}", "a$b", "$", "$$", "$$$", "$${HOME}", "$$${HOME}", "a $$ ${HOME:-x} $", "{$}", "${HOME} $5 ${", "plain"],
)
def test_an_escaped_text_is_the_text_after_the_substitution(text: str) -> None:
    escaped = escape({"a": [text, 1], "b": text})

    assert isinstance(escaped, dict)
    assert substitute(str(escaped["b"]), {"HOME": "/root"}) == text
    assert escaped == {"a": [escaped["b"], 1], "b": escaped["b"]}
    assert ("$" in text) or escaped["b"] == text
