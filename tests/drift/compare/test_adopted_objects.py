"""Objects that a user created and Flux took over: the user owns every value that the server filled in."""

from typing import Any

import pytest

from drift.compare.objects import compare_object
from drift.model import Cause
from drift.schema.types import SchemaDocument, compact_schemas
from tests.drift.compare.managed_fields import entry

DOCUMENT = SchemaDocument(compact_schemas())


def differences(kind: str, api_version: str, desired: dict[str, Any], live: dict[str, Any]) -> list[tuple[Any, Cause]]:
    """Paths and causes if Flux owns what Git has, and kubectl-create owns everything that is live."""
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
    return [(found.difference.path, found.cause) for found in compared.differences]


@pytest.mark.parametrize(
    ("field", "value"), [("clusterIP", "10.0.0.7"), ("ipFamilyPolicy", "SingleStack"), ("healthCheckNodePort", 30001)]
)
def test_an_allocated_value_that_git_does_not_set_is_no_difference(field: str, value: object) -> None:
    desired = {"spec": {"selector": {"app": "a"}}}

    assert differences("Service", "v1", desired, {"spec": {**desired["spec"], field: value}}) == []


def test_admission_sets_the_priority_of_a_pod_but_not_of_a_template() -> None:
    assert differences("Pod", "v1", {"spec": {}}, {"spec": {"priority": 1000}}) == []
    template: dict[str, Any] = {"template": {"spec": {}}}
    live = {"template": {"spec": {"priority": 1000}}}
    assert differences("Deployment", "apps/v1", {"spec": template}, {"spec": live}) != []


@pytest.mark.parametrize("field", ["storageClassName", "volumeName"])
def test_the_binding_of_a_claim_is_allocated_on_the_claim_but_not_in_a_template(field: str) -> None:
    claim: dict[str, Any] = {"accessModes": ["ReadWriteOnce"]}
    assert differences("PersistentVolumeClaim", "v1", {"spec": claim}, {"spec": {**claim, field: "one"}}) == []

    def pod(spec: dict[str, Any]) -> dict[str, Any]:
        volume = {"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": {"volumes": [volume]}}

    schema = DOCUMENT.kind("", "v1", "Pod")
    assert schema is not None
    assert compare_object(pod(claim), pod({**claim, field: "one"}), None, schema).differences != ()


def test_an_allocated_value_is_compared_if_git_sets_it() -> None:
    desired, live = {"spec": {"clusterIP": "10.0.0.7"}}, {"spec": {"clusterIP": "10.0.0.8"}}

    assert differences("Service", "v1", desired, live) != []


@pytest.mark.parametrize(("direction", "is_default"), [("scaleUp", False), ("scaleDown", True)])
def test_the_default_policies_of_scaling_down_are_not_those_of_scaling_up(direction: str, *, is_default: bool) -> None:
    desired = {"spec": {"behavior": {direction: {"selectPolicy": "Min"}}}}
    policies = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
    live = {"spec": {"behavior": {direction: {"selectPolicy": "Min", "policies": policies}}}}

    assert (differences("HorizontalPodAutoscaler", "autoscaling/v2", desired, live) == []) is is_default


def test_a_job_without_labels_gets_the_labels_of_its_template() -> None:
    template = {"template": {"metadata": {"labels": {"task": "sweep"}}}}
    live = {"metadata": {"labels": {"task": "sweep"}}, "spec": template}

    assert differences("Job", "batch/v1", {"spec": template}, live) == []


def test_a_job_label_that_differs_from_the_template_is_manual() -> None:
    template = {"template": {"metadata": {"labels": {"task": "sweep"}}}}
    live = {"metadata": {"labels": {"task": "scrub"}}, "spec": template}

    assert [cause for _, cause in differences("Job", "batch/v1", {"spec": template}, live)] == [Cause.MANUAL]


def test_a_label_equal_to_the_template_is_manual_on_kinds_to_which_the_server_copies_none() -> None:
    spec = {"template": {"metadata": {"labels": {"app": "a"}}}}
    live = {"metadata": {"labels": {"app": "a"}}, "spec": spec}

    assert [cause for _, cause in differences("Deployment", "apps/v1", {"spec": spec}, live)] == [Cause.MANUAL]


def test_the_default_policies_of_scaling_up_are_no_difference() -> None:
    policies = [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ]
    desired = {"spec": {"behavior": {"scaleUp": {"selectPolicy": "Min"}}}}
    live = {"spec": {"behavior": {"scaleUp": {"selectPolicy": "Min", "policies": policies}}}}

    assert differences("HorizontalPodAutoscaler", "autoscaling/v2", desired, live) == []


def test_a_scale_down_window_of_zero_is_not_the_default() -> None:
    desired: dict[str, Any] = {"spec": {"behavior": {"scaleDown": {"selectPolicy": "Max"}}}}
    live = {"spec": {"behavior": {"scaleDown": {"selectPolicy": "Max", "stabilizationWindowSeconds": 0}}}}

    assert [cause for _, cause in differences("HorizontalPodAutoscaler", "autoscaling/v2", desired, live)] == [
        Cause.MANUAL
    ]


def test_a_host_port_that_a_user_added_is_not_a_default() -> None:
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

    assert [found.difference.path[-1] for found in compared.differences] == ["hostPort"]
