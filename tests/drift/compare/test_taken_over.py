"""A manager that took over every field of a small object is its editor; an inferred applier is not."""

from typing import Any

from drift.compare.objects import compare_object
from drift.gitops.managers import NO_OTHERS, Managers
from drift.model import Cause
from drift.schema.shipped import compact_schemas
from drift.schema.types import SchemaDocument
from tests.drift.compare.test_adopted_objects import entry

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
    wanted = {"metadata": {"name": "one"}, **desired}
    compared = compare_object(wanted, {"metadata": metadata, **live}, None, schema, managers=managers)
    return [(str(judged.difference.path[-1]), judged.cause) for judged in compared.differences]


def test_the_only_field_that_somebody_changed_and_one_that_they_added() -> None:
    live = {"data": {"mode": "slow", "extra": "x"}}

    found = causes({"data": {"mode": "fast"}}, live, "somebody", live)

    assert sorted(found) == [("extra", Cause.MANUAL), ("mode", Cause.MANUAL)]


def test_the_same_by_the_applier_that_was_inferred_for_the_source() -> None:
    live = {"data": {"mode": "slow", "rate": "1"}}
    desired = {"data": {"mode": "fast", "rate": "1"}}

    assert causes(desired, live, "robot", live, Managers(inferred="robot")) == [("mode", Cause.PENDING_SYNC)]
