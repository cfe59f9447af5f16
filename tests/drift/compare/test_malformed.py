"""Manifests with a value of the wrong type, which the API server would refuse: each is compared as far as it goes."""

import copy
from typing import Any

import pytest

from tests.drift.compare.managed_fields import causes, compare

POD: Any = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a"},
    "spec": {
        "containers": [{"name": "app", "image": "app:1", "resources": {"limits": {"cpu": "1"}}}],
        "volumes": [{"name": "data", "emptyDir": {}}],
    },
}
RESOURCES = ("spec", "containers", 0, "resources")
BY_LIMIT_RANGE = {"kubernetes.io/limit-ranger": "LimitRanger plugin set: memory request for container app"}


def _with(body: Any, *path: Any, value: Any) -> Any:
    changed = copy.deepcopy(body)
    node = changed
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*RESOURCES, "requests"), 7),
        ((*RESOURCES, "limits"), "1"),
        ((*RESOURCES, "limits"), ["cpu"]),
        (("spec", "volumes", 0, "name"), ["data"]),
        (("spec", "volumes", 0, "name"), {"a": 1}),
    ],
)
def test_a_pod(path: Any, value: Any) -> None:
    live = _with(POD, *RESOURCES, "requests", value={"cpu": "1", "memory": "1Gi"})
    live["spec"]["volumes"].append({"name": "kube-api-access-abcde", "projected": {}})
    live["metadata"]["annotations"] = BY_LIMIT_RANGE

    assert causes(compare(_with(POD, *path, value=value), live)) != []


def test_a_service_account() -> None:
    account: Any = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}, "secrets": [{"name": "x"}]}
    live = _with(account, "secrets", value=[{"name": "x"}, {"name": "a-token-abcde"}])

    assert causes(compare(account, live)) == []
    assert causes(compare(_with(account, "secrets", 0, "name", value=["x"]), live)) != []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec",), "x"),
        (("spec", "template"), [1]),
        (("spec", "template", "metadata"), "x"),
        (("spec", "template", "metadata", "labels"), "x"),
    ],
)
def test_a_job(path: Any, value: Any) -> None:
    job: Any = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "a"},
        "spec": {"template": {"metadata": {"labels": {"app": "a"}}, "spec": {"restartPolicy": "Never"}}},
    }
    live = _with(job, "metadata", value={"name": "a", "labels": {"app": "a"}})

    assert causes(compare(job, live)) == []
    assert causes(compare(_with(job, *path, value=value), live)) != []
