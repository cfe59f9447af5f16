"""What Flux takes from Secrets is redacted wherever it is."""

from typing import Any

import pytest

from drift.errors import SourceError
from drift.model import Incomparable, Json
from drift.redaction import Redacted, redact_at, redacted_paths
from drift.sources.secret_values import PLACEHOLDER, redact_substituted
from drift.sources.substitution import substitute


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
    masked = substitute(text, {"pw": PLACEHOLDER}, placeholder=PLACEHOLDER, is_complete=True)

    assert PLACEHOLDER in masked


def test_a_variable_that_is_not_set_is_not_masked() -> None:
    assert substitute("a${none}", {"pw": PLACEHOLDER}, placeholder=PLACEHOLDER, is_complete=True) == "a"
