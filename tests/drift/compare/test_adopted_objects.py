"""Objects that were created by hand and then taken over: whoever created them owns every value the server filled in."""

from typing import Any

import pytest

from drift.compare.objects import compare_object
from drift.model import Cause
from drift.schema.shipped import compact_schemas
from drift.schema.types import SchemaDocument

DOCUMENT = SchemaDocument(compact_schemas())


def findings(kind: str, api_version: str, desired: dict[str, Any], live: dict[str, Any]) -> list[tuple[Any, Cause]]:
    """Paths and causes where the syncer owns what Git has, and kubectl-create all that is live."""
    group, _, version = api_version.rpartition("/")
    schema = DOCUMENT.kind(group, version, kind)
    assert schema is not None
    identity = {"apiVersion": api_version, "kind": kind}
    metadata = {
        **live.get("metadata", {}),
        "name": "one",
        "managedFields": [
            entry("kustomize-controller", "Apply", desired),
            entry("kubectl-create", "Update", live),
        ],
    }
    compared = compare_object(
        {**identity, **desired, "metadata": {**desired.get("metadata", {}), "name": "one"}},
        {**identity, **live, "metadata": metadata},
        None,
        schema,
    )
    return [(judged.difference.path, judged.cause) for judged in compared.differences]


def entry(manager: str, operation: str, owned: dict[str, Any]) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields(owned),
    }


def fields(value: Any) -> dict[str, Any]:
    return {f"f:{name}": fields(below) for name, below in value.items()} if isinstance(value, dict) else {}


@pytest.mark.parametrize(
    ("field", "value"), [("clusterIP", "10.0.0.7"), ("ipFamilyPolicy", "SingleStack"), ("healthCheckNodePort", 30001)]
)
def test_what_is_allocated_for_one_object_is_nothing_where_git_is_silent(field: str, value: object) -> None:
    desired = {"spec": {"selector": {"app": "a"}}}

    assert findings("Service", "v1", desired, {"spec": {**desired["spec"], field: value}}) == []


def test_a_priority_is_admission_s_on_a_pod_and_somebody_s_in_a_template() -> None:
    assert findings("Pod", "v1", {"spec": {}}, {"spec": {"priority": 1000}}) == []
    template: dict[str, Any] = {"template": {"spec": {}}}
    live = {"template": {"spec": {"priority": 1000}}}
    assert findings("Deployment", "apps/v1", {"spec": template}, {"spec": live}) != []


@pytest.mark.parametrize("field", ["storageClassName", "volumeName"])
def test_what_binds_a_claim_is_allocated_on_the_claim_alone(field: str) -> None:
    claim: dict[str, Any] = {"accessModes": ["ReadWriteOnce"]}
    assert findings("PersistentVolumeClaim", "v1", {"spec": claim}, {"spec": {**claim, field: "one"}}) == []

    def pod(spec: dict[str, Any]) -> dict[str, Any]:
        volume = {"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": {"volumes": [volume]}}

    schema = DOCUMENT.kind("", "v1", "Pod")
    assert schema is not None
    assert compare_object(pod(claim), pod({**claim, field: "one"}), None, schema).differences != ()


def test_what_is_allocated_is_compared_where_git_names_it() -> None:
    desired, live = {"spec": {"clusterIP": "10.0.0.7"}}, {"spec": {"clusterIP": "10.0.0.8"}}

    assert findings("Service", "v1", desired, live) != []


@pytest.mark.parametrize(("direction", "is_default"), [("scaleUp", False), ("scaleDown", True)])
def test_the_default_of_one_direction_of_scaling_is_none_of_the_other(direction: str, *, is_default: bool) -> None:
    desired = {"spec": {"behavior": {direction: {"selectPolicy": "Min"}}}}
    policies = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
    live = {"spec": {"behavior": {direction: {"selectPolicy": "Min", "policies": policies}}}}

    assert (findings("HorizontalPodAutoscaler", "autoscaling/v2", desired, live) == []) is is_default


def test_a_job_without_labels_has_those_of_its_template() -> None:
    template = {"template": {"metadata": {"labels": {"task": "sweep"}}}}
    live = {"metadata": {"labels": {"task": "sweep"}}, "spec": template}

    assert findings("Job", "batch/v1", {"spec": template}, live) == []


def test_another_label_on_a_job_is_somebody_s_work() -> None:
    template = {"template": {"metadata": {"labels": {"task": "sweep"}}}}
    live = {"metadata": {"labels": {"task": "scrub"}}, "spec": template}

    assert [cause for _, cause in findings("Job", "batch/v1", {"spec": template}, live)] == [Cause.MANUAL]


def test_a_label_of_the_template_is_no_excuse_where_the_server_copies_none() -> None:
    spec = {"template": {"metadata": {"labels": {"app": "a"}}}}
    live = {"metadata": {"labels": {"app": "a"}}, "spec": spec}

    assert [cause for _, cause in findings("Deployment", "apps/v1", {"spec": spec}, live)] == [Cause.MANUAL]


def test_each_direction_of_an_autoscaler_has_policies_of_its_own() -> None:
    policies = [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ]
    desired = {"spec": {"behavior": {"scaleUp": {"selectPolicy": "Min"}}}}
    live = {"spec": {"behavior": {"scaleUp": {"selectPolicy": "Min", "policies": policies}}}}

    assert findings("HorizontalPodAutoscaler", "autoscaling/v2", desired, live) == []


def test_no_window_before_scaling_down_is_not_the_default() -> None:
    desired: dict[str, Any] = {"spec": {"behavior": {"scaleDown": {"selectPolicy": "Max"}}}}
    live = {"spec": {"behavior": {"scaleDown": {"selectPolicy": "Max", "stabilizationWindowSeconds": 0}}}}

    assert [cause for _, cause in findings("HorizontalPodAutoscaler", "autoscaling/v2", desired, live)] == [
        Cause.MANUAL
    ]


def test_a_host_port_added_by_hand_is_not_taken_for_a_default() -> None:
    pod = {"containers": [{"name": "app", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}
    opened = {"containers": [{"name": "app", "ports": [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]}]}
    desired, live = {"spec": {"template": {"spec": pod}}}, {"spec": {"template": {"spec": opened}}}
    live_entry = entry("kubectl-edit", "Update", {})
    port: dict[str, Any] = {'k:{"containerPort":80,"protocol":"TCP"}': {"f:hostPort": {}}}
    live_entry["fieldsV1"] = {
        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': {"f:ports": port}}}}}
    }
    schema = DOCUMENT.kind("apps", "v1", "Deployment")
    assert schema is not None

    compared = compare_object(
        {"metadata": {"name": "one"}, **desired},
        {"metadata": {"name": "one", "managedFields": [live_entry]}, **live},
        None,
        schema,
    )

    assert [judged.difference.path[-1] for judged in compared.differences] == ["hostPort"]
