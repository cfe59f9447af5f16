"""``managedFields`` as a tree of owners, and errors for invalid ones."""

from typing import Any

import pytest

from drift.managed_fields import ManagedFieldsError, OwnerNode, build_tree, read_entries
from drift.paths import ItemKey, Path, set_member


def _entry(fields: dict[str, Any], manager: str = "m", **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields, **more}


def _tree(*fields: dict[str, Any]) -> OwnerNode:
    return build_tree(read_entries([_entry(part) for part in fields]))


def _owners(tree: OwnerNode, path: Path) -> set[int] | None:
    node: OwnerNode | None = tree
    for element in path:
        node = node.child(element) if node else None
    return None if node is None else node.all_owners()


def test_a_field_has_the_owners_that_name_it() -> None:
    tree = _tree({"f:spec": {"f:a": {}, "f:b": {}}}, {"f:spec": {"f:a": {}}})

    assert _owners(tree, ("spec", "a")) == {0, 1}
    assert _owners(tree, ("spec", "b")) == {0}
    assert _owners(tree, ("spec", "c")) is None


def test_the_key_of_an_item_has_all_key_fields_in_any_order() -> None:
    tree = _tree({"f:ports": {'k:{"protocol":"TCP","port":80}': {".": {}, "f:port": {}}}})
    key = ItemKey((("port", 80), ("protocol", "TCP")))

    assert _owners(tree, ("ports", key)) == {0}
    assert _owners(tree, ("ports", key, "protocol")) is None


def test_members_of_a_set_are_their_own_keys() -> None:
    tree = _tree({"f:metadata": {"f:finalizers": {".": {}, 'v:"example.com/a"': {}, "v:5": {}}}})

    assert _owners(tree, ("metadata", "finalizers", set_member("example.com/a"))) == {0}
    assert _owners(tree, ("metadata", "finalizers", set_member(5))) == {0}


def test_a_field_owned_as_a_whole_has_no_children() -> None:
    tree = _tree({"f:spec": {"f:selector": {}}})
    selector = tree.children["spec"].children["selector"]

    assert (selector.owners, selector.children) == ([0], {})


def test_a_node_and_its_children_can_have_owners() -> None:
    tree = _tree({"f:labels": {".": {}}}, {"f:labels": {"f:a": {}}})

    assert tree.children["labels"].owners == [0]
    assert _owners(tree, ("labels",)) == {0, 1}


def test_a_field_can_have_any_name() -> None:
    tree = _tree({"f:data": {"f:a.b/c": {}, "f:": {}, "f:f:x": {}, "f:.": {}}})

    assert all(_owners(tree, ("data", name)) == {0} for name in ("a.b/c", "", "f:x", "."))


def test_missing_fields_of_an_entry_have_defaults() -> None:
    entry = read_entries([{}])[0]

    assert (entry.actor.manager, entry.actor.operation, entry.actor.subresource, entry.actor.time) == (
        *("unknown", "Update"),
        *(None, None),
    )
    assert build_tree([entry]).all_owners() == set()


@pytest.mark.parametrize(
    "managed_fields",
    ["x", {"a": 1}, 5, [1], [None], ["x"], [{"manager": 5}], [{"time": {}}], [{"fieldsV1": "x"}], [{"fieldsV1": [1]}]],
)
def test_invalid_entries_are_an_error(managed_fields: Any) -> None:
    with pytest.raises(ManagedFieldsError):
        read_entries(managed_fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"spec": {}},
        {"": {}},
        {"f:spec": 5},
        {"f:spec": None},
        {"k:x": {}},
        {"k:[1]": {}},
        {'k:{"a":[1]}': {}},
        {'k:{"a":{}}': {}},
        {"v:[1]": {}},
        {"v:{}": {}},
        {"i:x": {}},
        {"q:1": {}},
        {"k:" + "[" * 100_000: {}},
    ],
)
def test_an_invalid_field_set_is_an_error_with_a_short_message(fields: dict[str, Any]) -> None:
    with pytest.raises(ManagedFieldsError) as error:
        _tree(fields)

    assert len(str(error.value)) < 150


def test_a_field_set_can_be_nested_to_any_depth() -> None:
    fields: dict[str, Any] = {}
    for _ in range(50_000):
        fields = {"f:a": fields}

    tree = _tree(fields)

    assert tree.all_owners() == {0}
    _take_apart(tree)


def _take_apart(tree: OwnerNode) -> None:
    # CPython deallocates a tree recursively, which is too deep here.
    pending = [tree]
    while pending:
        node = pending.pop()
        pending += node.children.values()
        node.children.clear()
