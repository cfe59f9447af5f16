"""Builds ``managedFields`` entries for live objects that are written by hand."""

from typing import Any


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
