"""Defaults of versions of an API that the shipped schemas lack."""

from typing import Any

import pytest

from drift.schema.types import SchemaDocument, Type
from tests.drift.compare.managed_fields import Fields, causes, compare, entry

DEVICES = "io.k8s.api.resource.v1beta1."
EXACT: Fields = {"name": "gpu", "deviceClassName": "gpu.example.com"}
ALTERNATIVES: Fields = {"name": "gpu", "firstAvailable": [{"name": "big", "deviceClassName": "gpu.example.com"}]}


def _claim_type() -> Type:
    """A ResourceClaim of resource.k8s.io/v1beta1, as Kubernetes 1.32 and 1.33 serve it."""
    string, number = {"type": "string"}, {"type": "integer"}
    sub_request = {"name": string, "deviceClassName": string, "allocationMode": string, "count": number}
    alternatives = {"type": "array", "x-kubernetes-list-type": "atomic"}
    named: dict[str, Fields] = {
        "DeviceSubRequest": sub_request,
        "DeviceRequest": {**sub_request, "firstAvailable": {**alternatives, "items": _reference("DeviceSubRequest")}},
        "DeviceClaim": {"requests": {**alternatives, "items": _reference("DeviceRequest")}},
        "ResourceClaimSpec": {"devices": _reference("DeviceClaim")},
        "ResourceClaim": {"spec": _reference("ResourceClaimSpec")},
    }
    schemas: dict[str, Fields] = {
        DEVICES + name: {"type": "object", "properties": fields} for name, fields in named.items()
    }
    identity = {"group": "resource.k8s.io", "version": "v1beta1", "kind": "ResourceClaim"}
    schemas[DEVICES + "ResourceClaim"]["x-kubernetes-group-version-kind"] = [identity]
    found = SchemaDocument({"components": {"schemas": schemas}}).kind(*identity.values())
    assert found is not None
    return found


def _reference(name: str) -> Fields:
    return {"$ref": f"#/components/schemas/{DEVICES}{name}"}


def _claim(request: Fields, *entries: Fields) -> Fields:
    managed = [{**one, "apiVersion": "resource.k8s.io/v1beta1"} for one in entries]
    metadata: Fields = {"name": "a", "managedFields": managed}
    spec = {"devices": {"requests": [request]}}
    return {"apiVersion": "resource.k8s.io/v1beta1", "kind": "ResourceClaim", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    ("in_git", "live", "is_found"),
    [
        (EXACT, {**EXACT, "allocationMode": "ExactCount", "count": 1}, False),
        (EXACT, {**EXACT, "allocationMode": "ExactCount", "count": 2}, True),
        (EXACT, {**EXACT, "allocationMode": "All"}, True),
        ({**EXACT, "allocationMode": "All"}, {**EXACT, "allocationMode": "All", "count": 1}, True),
        (ALTERNATIVES, {**ALTERNATIVES, "allocationMode": "ExactCount"}, True),
    ],
)
def test_the_number_of_devices(in_git: Fields, live: Fields, *, is_found: bool) -> None:
    applied = entry("kustomize-controller", "Apply", {"spec": {"devices": {"requests": ""}}})
    found: list[Any] = causes(compare(_claim(in_git), _claim(live, applied), schema=_claim_type()))

    assert [path for path, *_ in found] == (["requests"] if is_found else [])
