"""Variables are substituted as Flux's own library does it."""

import json
import random

import pytest

from drift.sources.substitution import SubstitutionError, check_names, substitute
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
@pytest.mark.parametrize("strict", [False, True])
def test_texts_become_what_flux_makes_of_them(strict: bool) -> None:
    given = texts(20_000)
    expected = json.loads(ask({"texts": given, "variables": VARIABLES, "strict": strict}))

    for text, result in zip(given, expected, strict=True):
        try:
            substituted = substitute(text, VARIABLES, strict=strict)
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
    assert substitute(text, {"known": "value"}, placeholder="?") == expected


def test_a_name_that_flux_refuses_is_an_error() -> None:
    check_names({"_a1": ""})

    with pytest.raises(SubstitutionError, match="'a-b' is not a valid name"):
        check_names({"a-b": ""})
