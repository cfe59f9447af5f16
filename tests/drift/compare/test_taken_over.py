"""A manager that owns every field of a small object: an unknown one edited it, an inferred applier synced it."""

from typing import Any

from drift.compare.objects import compare_object
from drift.gitops.managers import NO_OTHERS, Managers
from drift.model import Cause
from drift.schema.types import SchemaDocument, compact_schemas
from tests.drift.compare.managed_fields import entry

DOCUMENT = SchemaDocument(compact_schemas())


def causes(
    desired: dict[str, Any],
    live: dict[str, Any],
    owner: str,
    owned: dict[str, Any],
    managers: Managers = NO_OTHERS,
) -> list[tuple[str, Cause]]:
    schema = DOCUMENT.kind("", "v1", "ConfigMap")
    assert schema is not None
    metadata = {"name": "one", "managedFields": [entry(owner, "Update", owned)]}
    manifest = {"metadata": {"name": "one"}, **desired}
    compared = compare_object(manifest, {"metadata": metadata, **live}, None, schema, managers=managers)
    return [(str(found.difference.path[-1]), found.cause) for found in compared.differences]


def test_fields_that_an_unknown_manager_changed_and_added_are_manual() -> None:
    live = {"data": {"mode": "slow", "extra": "x"}}

    found = causes({"data": {"mode": "fast"}}, live, "editor", live)

    assert sorted(found) == [("extra", Cause.MANUAL), ("mode", Cause.MANUAL)]


def test_a_field_of_an_inferred_applier_is_pending_sync() -> None:
    live = {"data": {"mode": "slow", "rate": "1"}}
    desired = {"data": {"mode": "fast", "rate": "1"}}

    assert causes(desired, live, "robot", live, Managers(inferred="robot")) == [("mode", Cause.PENDING_SYNC)]
