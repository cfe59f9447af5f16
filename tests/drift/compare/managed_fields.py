"""Builds ``managedFields`` entries for live objects that are written by hand, and compares these with manifests."""

from typing import Any

from drift.compare.objects import ObjectComparison, compare_object
from drift.compare.proof import InSyncProof
from drift.gitops.tracking import reserved_metadata
from drift.kube.live import read_live
from drift.schema.facts import known_facts
from drift.schema.types import SchemaDocument, Type, compact_schemas

DOCUMENT = SchemaDocument(compact_schemas())
Fields = dict[str, Any]


def entry(manager: str, operation: str, owned: dict[str, Any]) -> dict[str, Any]:
    """An entry whose manager owns every field of an object, down to its leaves and lists."""
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": _field_set(owned),
    }


def _field_set(value: Any) -> dict[str, Any]:
    return {f"f:{name}": _field_set(child) for name, child in value.items()} if isinstance(value, dict) else {}


def built_in(api_version: str, kind: str) -> Type:
    group, _, version = api_version.rpartition("/")
    found = DOCUMENT.kind(group, version, kind)
    assert found is not None
    return found


def compare(
    desired: Fields,
    live: Fields,
    base: Fields | None = None,
    *,
    schema: Type | None = None,
    out_of_sync: bool = False,
) -> ObjectComparison:
    """Compares a manifest with a live object, and checks that the proof does not contradict the comparison."""
    read = read_live(live, desired["apiVersion"], desired["kind"])
    schema = schema or built_in(desired["apiVersion"], desired["kind"])
    compared = compare_object(
        desired, read.body, read.last_applied, schema, synced_manifest=base, out_of_sync=out_of_sync
    )
    proof = InSyncProof(known_facts(), reserved_metadata())
    if proof.holds(desired, read.body, base, read.last_applied, schema):
        assert not compared.differences
        assert not compared.assumes_admission
    # tests/conftest.py checks that the comparison without the template is the same.
    proof.without_equal_template(desired, read.body, base, read.last_applied, schema)
    return compared


def causes(compared: ObjectComparison) -> list[tuple[str, str, str, list[str]]]:
    """The last element of the path, the change, the cause and the field managers of each difference."""
    return [
        (
            str(found.difference.path[-1]),
            found.difference.change.value,
            found.cause.value,
            [actor.manager for actor in found.actors],
        )
        for found in compared.differences
    ]
