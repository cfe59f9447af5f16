"""Inside a list that no schema describes, only its owner can tell a default of another version from somebody's work."""

from typing import Any

import pytest

from drift.compare.objects import compare_object
from drift.schema.types import SchemaDocument

OPEN = SchemaDocument(
    {
        "components": {
            "schemas": {
                "com.example.v1.Thing": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}],
                }
            }
        }
    }
).kind("example.com", "v1", "Thing")


def _thing(rules: list[dict[str, Any]], *managers: tuple[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {"f:spec": {"f:rules": {}}}
    entries = [
        {"manager": name, "operation": operation, "apiVersion": "example.com/v1", "fieldsV1": fields}
        for name, operation in managers
    ]
    metadata: dict[str, Any] = {"name": "t", "managedFields": entries}
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": metadata, "spec": {"rules": rules}}


@pytest.mark.parametrize(
    ("manager", "found"),
    [(("kustomize-controller", "Apply"), []), (("kubectl-edit", "Update"), [("spec", "rules")])],
)
def test_what_is_added_inside_counts_if_somebody_else_owns_the_list(
    manager: tuple[str, str], found: list[tuple[str, str]]
) -> None:
    assert OPEN is not None
    live = _thing([{"host": "a", "port": 80}], manager)

    compared = compare_object(_thing([{"host": "a"}]), live, None, OPEN)

    assert [judged.difference.path for judged in compared.differences] == found
