"""The JSON Schema for editors accepts the same settings as the reader."""

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config import reader
from drift.config.reader import SettingError, json_schema, read_settings
from drift.globs import PATH_GRAMMAR
from drift.objects import Json

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())

FULL: dict[str, Any] = {
    "ignore": [
        {
            "group": "apps",
            "kind": "Deployment",
            "namespace": "shop-*",
            "name": "web",
            "path": "spec.containers[name=web].env[*].value",
            "manager": "kubectl",
            "cause": "manual",
            "reason": "the load test scales it",
            "expires": "2027-01-31",
        }
    ],
    "severity": [
        {
            "group": "",
            "kind": "ConfigMap",
            "path": "data.*",
            "change": "changed",
            "cause": "manual",
            "severity": "low",
            "reason": "tunables",
        }
    ],
    "appliers": ["my-syncer"],
    "controllers": ["my-operator-*"],
    "unchecked": [{"group": "", "kind": "Secret", "reason": "another team reviews them"}],
    "exit": {"causes": ["manual", "pending-sync", "unknown"], "severity": "medium"},
    "unmanaged": "cluster",
    "exclude": ["charts", "**/*-values.yaml"],
    "sources": [
        {"path": "charts/web", "release": "web", "namespace": "shop", "values": ["prod.yaml"], "set": ["a=b"]},
        {"helm-release": "shop/web"},
    ],
}
#: Values to put in every place, valid or not.
VALUES: list[Json] = [
    None, True, False, 0, 1.5, "", " ", "a", "*", "a*", "**", "spec[", "x.y", "off", "namespace", "manual",
    "controller", "added", "high", "2027-02-30", "2027-02-28", "2027-2-28", [], ["a"], ["manual"],
    ["controller"], [None], {},
    {"reason": "x"}, [{"reason": "x"}], [{"kind": "A", "reason": "x"}], [{"severity": "low"}], {"causes": None},
    {"cause": []},
]  # fmt: skip


def _reader_accepts(value: Json) -> bool:
    try:
        read_settings(value)
    except SettingError:
        return False
    return True


def _places(value: Json, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield place
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in parts:
        yield from _places(part, (*place, step))


def _mutations() -> Iterator[Json]:
    """Yields the full settings with one value replaced or removed, or one unknown key added, in every place."""
    for place in _places(FULL):
        if not place:
            yield from VALUES
            continue
        for replacement in VALUES:
            yield _edit(place, replacement)
        if isinstance(place[-1], str):
            yield _edit(place, replacement=None, remove=True)
            yield _edit((*place[:-1], "unknown"), "x")


def _edit(place: tuple[str | int, ...], replacement: Json, *, remove: bool = False) -> Json:
    edited: Any = copy.deepcopy(FULL)
    holder = edited
    for step in place[:-1]:
        holder = holder[step]
    if remove:
        del holder[place[-1]]
    else:
        holder[place[-1]] = replacement
    return edited


def test_the_schema_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_schema_and_reader_accept_all_settings_together() -> None:
    VALIDATOR.validate(FULL)
    assert _reader_accepts(FULL)


def test_schema_and_reader_agree_on_every_edit() -> None:
    edits = list(_mutations())

    assert len(edits) > 800
    assert [edit for edit in edits if _reader_accepts(edit) != VALIDATOR.is_valid(edit)] == []


@given(st.text(st.sampled_from('ab.*[]="\\, \n'), max_size=12))
def test_schema_and_reader_agree_on_path_syntax(path: str) -> None:
    value = {"ignore": [{"path": path, "reason": "x"}]}

    assert _reader_accepts(value) == VALIDATOR.is_valid(value)


@pytest.mark.parametrize(
    ("definition", "keys"),
    [
        ("ignoreRule", reader.IGNORE_KEYS),
        ("severityRule", reader.SEVERITY_KEYS),
        ("uncheckedKind", reader.UNCHECKED_KEYS),
    ],
)
def test_schema_and_reader_have_the_same_keys(definition: str, keys: frozenset[str]) -> None:
    assert SCHEMA["$defs"][definition]["properties"].keys() == keys


def test_schema_and_reader_have_the_same_settings_and_path_pattern() -> None:
    assert SCHEMA["properties"].keys() == reader.KEYS
    assert SCHEMA["properties"]["exit"]["properties"].keys() == reader.EXIT_KEYS
    assert SCHEMA["$defs"]["path"]["pattern"] == PATH_GRAMMAR


def test_every_setting_is_described() -> None:
    def undescribed(properties: dict[str, Any]) -> list[str]:
        return [name for name, field in properties.items() if not field.get("description")]

    assert undescribed(SCHEMA["properties"]) == []
    for definition in SCHEMA["$defs"].values():
        assert undescribed(definition.get("properties", {})) == []
