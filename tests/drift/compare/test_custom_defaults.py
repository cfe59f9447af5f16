"""Custom resources whose schema declares defaults that are lists or objects, which Git may set empty or in part."""

from typing import Any

import pytest

from drift.schema.types import UNKNOWN, SchemaDocument, Type
from tests.drift.compare.managed_fields import Fields, causes, compare, entry

_NUMBER: Fields = {"type": "integer"}
_ITEM: Fields = {"type": "object", "properties": {"t": {"type": "string"}, "w": {"type": "integer", "default": 1}}}
_META: Fields = {"type": "object", "properties": {"m": _NUMBER, "n": {"type": "integer", "default": 3}}}
_OBJECT: Fields = {"type": "object", "properties": {"a": _NUMBER, "b": {**_NUMBER, "default": 2}}}
_BY_KEY: Fields = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["t"]}
#: The properties of ``spec``, and the value that the server fills in for each.
DEFAULTS: list[tuple[str, Fields, Any]] = [
    ("list", {"type": "array", "items": {"type": "string"}, "default": ["x"]}, ["x"]),
    (
        "set",
        {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set", "default": ["x"]},
        ["x"],
    ),
    ("items", {"type": "array", "items": _ITEM, **_BY_KEY, "default": [{"t": "q"}]}, [{"t": "q", "w": 1}]),
    ("map", {"type": "object", "additionalProperties": {"type": "string"}, "default": {"k": "v"}}, {"k": "v"}),
    ("object", {**_OBJECT, "default": {"a": 1}}, {"a": 1, "b": 2}),
    ("open", {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "default": {"k": "v"}}, {"k": "v"}),
]
CASES = pytest.mark.parametrize(("name", "schema", "default"), DEFAULTS, ids=[name for name, _, _ in DEFAULTS])


def _type(properties: Fields) -> Type:
    kind = {"group": "example.com", "version": "v1", "kind": "Thing"}
    spec = {"type": "object", "properties": {"size": _NUMBER, **properties}}
    thing = {"type": "object", "properties": {"spec": spec}, "x-kubernetes-group-version-kind": [kind]}
    found = SchemaDocument({"components": {"schemas": {"Thing": thing}}}).kind("example.com", "v1", "Thing")
    assert found is not None
    return found


def _thing(spec: Fields, *entries: Fields) -> Fields:
    managed = {"managedFields": [{**one, "apiVersion": "example.com/v1"} for one in entries]} if entries else {}
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t", **managed}, "spec": spec}


def _owned(manager: str, operation: str, spec: Fields) -> Fields:
    """An entry whose manager owns the fields of a spec, the keyed items of lists, and the members of the set."""
    return {**entry(manager, operation, {}), "fieldsV1": {"f:spec": _field_set(spec)}}


def _field_set(value: Any) -> Fields:
    if isinstance(value, dict):
        return {
            f"f:{name}": {f'v:"{member}"': {} for member in below} if name == "set" else _field_set(below)
            for name, below in value.items()
        }
    if isinstance(value, list) and value and "t" in value[0]:
        return {f'k:{{"t":"{item["t"]}"}}': {".": {}, **_field_set(item)} for item in value}
    return {}


def _empty(default: Any) -> Any:
    return type(default)()


@CASES
def test_an_empty_value_in_git_is_in_sync_with_an_empty_live_one(name: str, schema: Fields, default: Any) -> None:
    spec: Fields = {"size": 1, name: _empty(default)}
    live = {"size": 1, name: {"b": 2} if name == "object" else _empty(default)}

    for applier, operation in (("kustomize-controller", "Apply"), ("argocd-controller", "Update")):
        applied = _owned(applier, operation, spec if operation == "Apply" else live)
        for base in (None, _thing(spec)):
            assert causes(compare(_thing(spec), _thing(live, applied), base, schema=_type({name: schema}))) == []


@CASES
def test_a_user_who_restores_the_default_that_git_empties(name: str, schema: Fields, default: Any) -> None:
    spec: Fields = {"size": 1, name: _empty(default)}
    applied = _owned("kustomize-controller", "Apply", {"size": 1})
    edited = _owned("kubectl-edit", "Update", {name: default})

    for base in (None, _thing(spec)):
        found = causes(
            compare(
                _thing(spec), _thing({"size": 1, name: default}, applied, edited), base, schema=_type({name: schema})
            )
        )
        assert {(cause, *managers) for _, _, cause, managers in found} == {("manual", "kubectl-edit")}


@CASES
def test_git_empties_a_default_and_the_change_is_pending(name: str, schema: Fields, default: Any) -> None:
    applied = _owned("kustomize-controller", "Apply", {"size": 1})
    base = _thing({"size": 1})

    found = compare(
        _thing({"size": 1, name: _empty(default)}),
        _thing({"size": 1, name: default}, applied),
        base,
        schema=_type({name: schema}),
    )

    assert causes(found) == [(name, "changed", "pending-sync", [])]


@CASES
def test_a_user_who_empties_a_default_that_git_leaves_to_the_server(name: str, schema: Fields, default: Any) -> None:
    applied = _owned("kustomize-controller", "Apply", {"size": 1})
    edited = _owned("kubectl-edit", "Update", {name: _empty(default)})
    desired = _thing({"size": 1})

    def compare_live(value: Any, *entries: Fields) -> list[tuple[str, str, str, list[str]]]:
        live = _thing({"size": 1, name: value}, applied, *entries)
        return causes(compare(desired, live, schema=_type({name: schema})))

    assert compare_live(default) == []
    assert compare_live(_empty(default), edited) == [(name, "added", "manual", ["kubectl-edit"])]


@pytest.mark.parametrize("default", [None, {}, []])
def test_without_a_default_with_content_an_empty_value_equals_none(default: Any) -> None:
    declared: Fields = {} if default is None else {"default": default}
    schemas: dict[str, Fields] = {
        "list": {"type": "array", "items": {"type": "string"}},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    empty: Fields = {"list": [], "map": {}}
    for name, schema in schemas.items():
        filled = {} if default is None or type(default) is not type(empty[name]) else declared
        kind = _type({name: {**schema, **filled}})
        applied = _owned("kustomize-controller", "Apply", {"size": 1})
        without, with_empty = {"size": 1}, {"size": 1, name: empty[name]}
        assert causes(compare(_thing(with_empty), _thing(without, applied), schema=kind)) == []
        assert causes(compare(_thing(without), _thing(with_empty, applied), schema=kind)) == []


# -- the server fills in the defaults that the schema nests in a default

_TEMPLATE: Fields = {"type": "object", "properties": {"meta": _META, "list": {"type": "array"}, "n": _NUMBER}}
#: The schema, the default that it completes, and an edit of that.
NESTED: list[tuple[Fields, Any, Any]] = [
    ({**_TEMPLATE, "default": {"meta": {}}}, {"meta": {"n": 3}}, {"meta": {"n": 4}}),
    ({**_TEMPLATE, "default": {"meta": {}}}, {"meta": {"n": 3}}, {}),
    ({**_TEMPLATE, "default": {"meta": {}, "list": []}}, {"meta": {"n": 3}, "list": []}, {"meta": {"n": 3, "m": 1}}),
    ({**_TEMPLATE, "default": {"n": 1, "meta": {"n": 5}}}, {"n": 1, "meta": {"n": 5}}, {"n": 1, "meta": {"n": 3}}),
    ({"type": "array", "items": _META, "default": [{"m": 1}]}, [{"m": 1, "n": 3}], [{"m": 1, "n": 4}]),
    (
        {"type": "array", "items": _ITEM, **_BY_KEY, "default": [{"t": "q"}]},
        [{"t": "q", "w": 1}],
        [{"t": "q", "w": 2}],
    ),
    (
        {
            "type": "object",
            "properties": {"all": {"type": "array", "items": _TEMPLATE}},
            "default": {"all": [{"meta": {}}]},
        },
        {"all": [{"meta": {"n": 3}}]},
        {"all": [{"meta": {"n": 3}, "n": 1}]},
    ),
]


@pytest.mark.parametrize(("schema", "filled", "edit"), NESTED)
def test_a_default_that_nested_defaults_complete_is_silent(schema: Fields, filled: Any, edit: Any) -> None:
    desired, kind = _thing({"size": 1}), _type({"template": schema})

    for synced in (_owned("argocd-controller", "Update", {"size": 1, "template": filled}), None):
        applied = synced or _owned("kustomize-controller", "Apply", {"size": 1})
        edited = _owned("kubectl-edit", "Update", {"template": edit})
        found = causes(compare(desired, _thing({"size": 1, "template": edit}, applied, edited), schema=kind))

        assert causes(compare(desired, _thing({"size": 1, "template": filled}, applied), schema=kind)) == []
        assert [managers for _, _, cause, managers in found if cause == "manual"] == [["kubectl-edit"]]


# -- another API version names a field differently


def _edited_in_other_version(spec: Fields, schema: Type) -> list[tuple[str, str, str, list[str]]]:
    """Compares a spec with a live one, which a user edited through a version that has ``colour`` for ``color``."""
    live = _thing({"size": 1, **spec}, _owned("kustomize-controller", "Apply", {"size": 1}))
    edited = {**_owned("kubectl-edit", "Update", {"colour": ""}), "apiVersion": "example.com/v1alpha1"}
    live["metadata"]["managedFields"].append(edited)
    return causes(compare(_thing({"size": 1}), live, schema=schema))


def test_an_edit_through_another_version_that_names_the_field_differently_is_manual() -> None:
    kind = _type({"color": {"type": "string"}, "mode": {"type": "string", "default": "auto"}})

    assert _edited_in_other_version({"mode": "auto"}, kind) == []
    assert _edited_in_other_version({"color": "red", "mode": "auto"}, kind) == [
        ("color", "added", "manual", ["kubectl-edit"])
    ]


def test_a_field_without_owner_and_without_schema_is_a_default() -> None:
    assert _edited_in_other_version({"color": "red"}, UNKNOWN) == []


def test_a_change_through_another_version_is_manual() -> None:
    live = _thing({"color": "red"}, _owned("kustomize-controller", "Apply", {"size": 1}))
    edited = {**_owned("kubectl-edit", "Update", {"colour": ""}), "apiVersion": "example.com/v1alpha1"}
    live["metadata"]["managedFields"].append(edited)

    found = compare(_thing({"color": "blue"}), live, schema=_type({"color": {"type": "string"}}))

    assert causes(found) == [("color", "changed", "manual", ["kubectl-edit"])]
