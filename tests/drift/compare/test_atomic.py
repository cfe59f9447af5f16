"""Atomic lists: their items are paired before they are compared."""

from typing import Any

import pytest

from drift.compare.atomic import AtomicValue
from drift.compare.objects import compare_object
from drift.objects import Json
from drift.schema.types import SchemaDocument

ITEM = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "weight": {"type": "integer", "default": 1},
        "parts": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    },
}
DOCUMENT = SchemaDocument(
    {
        "components": {
            "schemas": {
                "Thing": {
                    "type": "object",
                    "properties": {
                        "spec": {"type": "object", "properties": {"rules": {"type": "array", "items": ITEM}}},
                    },
                    "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}],
                }
            }
        }
    }
)


def _sides(desired: Json, live: Json) -> tuple[Json, Json] | None:
    """Both sides of ``spec.rules`` as reported, or None if they are equal."""
    schema = DOCUMENT.kind("example.com", "v1", "Thing")
    assert schema is not None
    entry = {
        "manager": "kubectl-edit",
        "operation": "Update",
        "apiVersion": "example.com/v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsV1": {"f:spec": {"f:rules": {}}},
    }
    body = {"apiVersion": "example.com/v1", "kind": "Thing"}
    compared = compare_object(
        {**body, "metadata": {"name": "one"}, "spec": {"rules": desired}},
        {**body, "metadata": {"name": "one", "managedFields": [entry]}, "spec": {"rules": live}},
        None,
        schema,
    )
    if not compared.differences:
        return None
    (found,) = compared.differences
    assert found.difference.path == ("spec", "rules")
    assert isinstance(found.difference.desired, AtomicValue)
    assert isinstance(found.difference.live, AtomicValue)
    return found.difference.desired.value, found.difference.live.value


def _rule(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, **fields}


def _live(*names: str) -> list[dict[str, Any]]:
    return [_rule(name, weight=1) for name in names]


def _git(*names: str) -> list[dict[str, Any]]:
    return [_rule(name) for name in names]


def test_a_list_with_defaults_is_equal() -> None:
    assert _sides(_git("a", "b"), _live("a", "b")) is None


@pytest.mark.parametrize("names", ["xab", "axb", "abx", "axby", "xyab"])
def test_an_added_item_does_not_reveal_defaults_in_the_others(names: str) -> None:
    desired, live = _sides(_git("a", "b"), _live(*names)) or ([], [])

    assert desired == _git("a", "b")
    assert [rule for rule in live if rule["name"] in "ab"] == _git("a", "b")
    assert [rule["name"] for rule in live] == list(names)


@pytest.mark.parametrize("names", ["a", "b", "c", "ac", "bc"])
def test_a_removed_item_does_not_reveal_defaults_in_the_others(names: str) -> None:
    assert _sides(_git("a", "b", "c"), _live(*names)) == (_git("a", "b", "c"), _git(*names))


def test_an_edited_item_next_to_an_added_one_is_shown_without_defaults() -> None:
    live = [_rule("a", weight=1), _rule("b", weight=1, parts=[{"n": 1}]), _rule("c", weight=1), _rule("x", weight=1)]

    sides = _sides(_git("a", "b", "c"), live)

    assert sides is not None
    assert sides[1][:3] == [_rule("a"), _rule("b", parts=[{"n": 1}]), _rule("c")]


def test_a_value_other_than_the_default_is_shown_in_a_list_of_a_different_length() -> None:
    live = [_rule("a", weight=9), *_live("b", "x")]

    sides = _sides(_git("a", "b"), live)

    assert sides is not None
    assert sides[1][:2] == [_rule("a", weight=9), _rule("b")]


def test_lists_inside_items_are_aligned_too() -> None:
    desired = [_rule("a", parts=[{"n": 1}, {"n": 2}])]
    live = [_rule("a", weight=1, parts=[{"n": 0}, {"n": 1}, {"n": 2}])]

    assert _sides(desired, live) == (desired, [_rule("a", parts=[{"n": 0}, {"n": 1}, {"n": 2}])])


def test_a_list_of_thousands_without_one_item_is_shown_without_defaults() -> None:
    names = [f"rule-{number}" for number in range(3000)]

    sides = _sides(_git(*names), _live(*names[:1500], *names[1501:]))

    assert sides == (_git(*names), _git(*names[:1500], *names[1501:]))


def test_thousands_of_different_items_are_all_shown() -> None:
    desired = _git(*(f"a-{number}" for number in range(2000)))
    live = _git(*(f"b-{number}" for number in range(2001)))

    assert _sides(desired, live) == (desired, live)


def test_deeply_nested_lists_are_compared_once_each() -> None:
    # Otherwise each level would double the work.
    desired: Json = [1]
    live: Json = [2, 3]
    for _ in range(60):
        desired, live = [desired], [live, 0]

    assert _sides(desired, live) == (desired, live)
