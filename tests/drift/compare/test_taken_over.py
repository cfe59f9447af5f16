"""Whoever took over every field of a small object is its editor, not its syncer."""

from typing import Any

from drift.compare.objects import compare_object
from drift.model import Cause
from drift.schema.shipped import compact_schemas
from drift.schema.types import SchemaDocument
from tests.drift.compare.test_adopted_objects import entry

DOCUMENT = SchemaDocument(compact_schemas())


def causes(desired: dict[str, Any], live: dict[str, Any], owner: str, owned: dict[str, Any]) -> list[tuple[str, Cause]]:
    schema = DOCUMENT.kind("", "v1", "ConfigMap")
    assert schema is not None
    metadata = {"name": "one", "managedFields": [entry(owner, "Update", owned)]}
    compared = compare_object({"metadata": {"name": "one"}, **desired}, {"metadata": metadata, **live}, None, schema)
    return [(str(judged.difference.path[-1]), judged.cause) for judged in compared.judged]


def test_the_only_field_that_somebody_changed_and_one_that_they_added() -> None:
    live = {"data": {"mode": "slow", "extra": "x"}}

    found = causes({"data": {"mode": "fast"}}, live, "somebody", live)

    assert sorted(found) == [("extra", Cause.MANUAL), ("mode", Cause.MANUAL)]


def test_an_unknown_syncer_is_still_known_by_what_is_as_git_has_it() -> None:
    live = {"data": {"mode": "slow", "rate": "1"}}

    assert causes({"data": {"mode": "fast", "rate": "1"}}, live, "syncer", live) == [("mode", Cause.PENDING_SYNC)]
