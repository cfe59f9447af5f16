"""A literal value is hidden if the variable comes from a Secret on the other side."""

import json
from typing import Any

import pytest

from drift.compare.objects import compare_object
from drift.model import Finding, ObjectKey
from drift.policy.findings import object_findings
from drift.schema.types import UNKNOWN, SchemaDocument, Type, compact_schemas

FROM_SECRET = {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
IN_CLEAR = {"name": "PASSWORD", "value": "hunter2-planted"}
OTHER = {"name": "MODE", "value": "fast"}
KIND = SchemaDocument(compact_schemas()).kind("apps", "v1", "Deployment")


def _deployment(*env: dict[str, Any]) -> dict[str, Any]:
    containers = [{"name": "web", "image": "nginx", "env": list(env)}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "n"},
        "spec": {"template": {"spec": {"containers": containers}}},
    }


def _findings(desired: dict[str, Any], live: dict[str, Any], schema: Type | None) -> tuple[Finding, ...]:
    assert schema is not None
    compared = compare_object(desired, live, None, schema)
    return object_findings(compared, ObjectKey("apps", "Deployment", "n", "a"), "")


@pytest.mark.parametrize("schema", [KIND, UNKNOWN], ids=["typed", "compared as a whole"])
@pytest.mark.parametrize(("desired", "live"), [(FROM_SECRET, IN_CLEAR), (IN_CLEAR, FROM_SECRET)])
def test_a_value_that_replaces_a_reference_to_a_secret_is_redacted(
    desired: dict[str, Any], live: dict[str, Any], schema: Type | None
) -> None:
    found = _findings(_deployment(OTHER, desired), _deployment(OTHER, live), schema)

    assert found
    assert "hunter2-planted" not in json.dumps([(finding.desired, finding.live) for finding in found])
    assert schema is UNKNOWN or any(finding.redacted for finding in found)


def test_other_variables_are_shown() -> None:
    found = _findings(
        _deployment(FROM_SECRET, OTHER), _deployment(FROM_SECRET, {"name": "MODE", "value": "slow"}), KIND
    )

    assert [(finding.desired, finding.live, finding.redacted) for finding in found] == [("fast", "slow", False)]
