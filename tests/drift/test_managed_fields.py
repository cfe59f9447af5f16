"""``managedFields`` as a tree of owners. Entries that cannot be read do not hide the others."""

from typing import Any

import pytest

from drift.managed_fields import NAMELESS, OwnerNode, build_tree, manager_names, read_entries, read_owners
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


@pytest.mark.parametrize("managed_fields", ["x", {"a": 1}, 5])
def test_what_is_not_a_list_of_entries_names_no_manager(managed_fields: Any) -> None:
    (entry,) = read_entries(managed_fields)

    assert (entry.problem, manager_names(managed_fields)) == ("it is not a list", ())


@pytest.mark.parametrize(
    ("malformed", "name"),
    [
        (None, NAMELESS),
        (1, NAMELESS),
        ("x", NAMELESS),
        ([1], NAMELESS),
        ({"manager": 5}, NAMELESS),
        ({"manager": {}}, NAMELESS),
        ({"manager": "m", "subresource": []}, NAMELESS),
        (_entry({}, fieldsV1="x"), ("m", "Apply", None)),
        (_entry({}, fieldsV1=[1]), ("m", "Apply", None)),
        (_entry({}, fieldsV1=None, fieldsType="FieldsV2"), ("m", "Apply", None)),
    ],
)
def test_an_entry_that_cannot_be_read_does_not_hide_the_others(malformed: Any, name: Any) -> None:
    managed_fields = [_entry({"f:a": {}}), malformed, _entry({"f:a": {}}, "other")]
    entries, tree = read_owners(managed_fields)

    assert [entry.problem is None for entry in entries] == [True, False, True]
    assert [entry.actor.manager for entry in entries] == ["m", name[0], "other"]
    assert manager_names(managed_fields) == (("m", "Apply", None), name, ("other", "Apply", None))
    assert _owners(tree, ("a",)) == {0, 2}


def test_an_entry_without_fields_owns_nothing() -> None:
    entries, tree = read_owners([{"manager": "m", "fieldsType": "FieldsV1"}, _entry({}, fieldsV1=None)])

    assert [entry.problem for entry in entries] == [None, None]
    assert tree.all_owners() == set()


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
def test_an_invalid_field_set_is_a_problem_with_a_short_message(fields: dict[str, Any]) -> None:
    entries, tree = read_owners([_entry({"f:spec": {}}), _entry({"f:spec": {}, **fields}, "other")])

    assert [entry.actor.manager for entry in entries] == ["m", "other"]
    assert entries[0].problem is None
    assert 0 < len(entries[1].problem or "") < 150
    assert _owners(tree, ("spec",)) == {0}


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
