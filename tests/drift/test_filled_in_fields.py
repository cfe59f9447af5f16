"""Fields and keys that the API server adds to those in Git."""

import json
from typing import Any

import pytest
import yaml

from tests.drift.conftest import Application
from tests.drift.samples import deployment
from tools.sandbox.syncers import Syncer

WEB = "spec.template.spec.containers[name=web]"
LIMITS = """
apiVersion: v1
kind: LimitRange
metadata: {name: limits, namespace: NAMESPACE}
spec:
  limits:
    - type: Container
      default: {cpu: 500m}
      defaultRequest: {memory: 64Mi}
      max: {memory: 1Gi, cpu: "2"}
      min: {ephemeral-storage: 1Mi, memory: 1Mi}
    - type: Pod
      max: {cpu: "4"}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: tool, namespace: NAMESPACE}
spec:
  initContainers:
    - {name: setup, image: "setup:1"}
  containers:
    - {name: app, image: "app:1", resources: {limits: {cpu: "1"}}}
    - {name: log, image: "log:1"}
"""
SYNCERS = [Syncer.FLUX, Syncer.ARGOCD, Syncer.HELM, Syncer.ADOPTED]


@pytest.mark.parametrize("syncer", SYNCERS)
def test_a_limit_range_with_defaults_of_different_resources_is_silent(workspace: Application, syncer: Syncer) -> None:
    workspace.write(LIMITS)
    workspace.sync(syncer)

    assert workspace.report().findings == []


def test_an_amount_added_to_the_defaults_of_a_limit_range_is_found(workspace: Application) -> None:
    workspace.write(LIMITS)
    workspace.sync()
    patch = [{"op": "add", "path": "/spec/limits/0/defaultRequest/cpu", "value": "1m"}]
    workspace.kubectl("patch", "limitrange", "limits", "--type=json", "--patch", json.dumps(patch))

    scanned = workspace.report()

    assert scanned.findings == [("LimitRange/limits", "changed", "spec.limits", "manual")]
    assert scanned.managers == ["kubectl-patch"]


def _pod_below_a_limit_range(workspace: Application, syncer: Syncer) -> None:
    workspace.write(LIMITS)
    workspace.sync()
    workspace.write(POD, "pod.yaml")
    workspace.sync(syncer)


@pytest.mark.parametrize("syncer", SYNCERS)
def test_requests_and_limits_from_a_limit_range_are_silent(workspace: Application, syncer: Syncer) -> None:
    _pod_below_a_limit_range(workspace, syncer)
    live = json.loads(workspace.kubectl("get", "pod", "tool", "--output=json"))
    assert "kubernetes.io/limit-ranger" in live["metadata"]["annotations"]

    assert workspace.report("--unmanaged=off").findings == []


def test_a_manual_limit_on_a_pod_with_a_limit_range_is_found(workspace: Application) -> None:
    _pod_below_a_limit_range(workspace, Syncer.ADOPTED)
    container = {"name": "log", "resources": {"requests": {"memory": "100Mi"}}}
    patch = json.dumps({"spec": {"containers": [container]}})
    workspace.kubectl("patch", "pod", "tool", "--subresource=resize", "--patch", patch)

    scanned = workspace.report("--unmanaged=off")

    assert [(path, cause) for _, _, path, cause in scanned.findings] == [
        ("spec.containers[name=log].resources", "manual")
    ]
    assert scanned.managers == ["kubectl-patch"]


def test_a_limit_range_annotation_does_not_hide_another_managers_fields(workspace: Application) -> None:
    workspace.write(POD)
    workspace.sync(Syncer.FLUX)
    text = "LimitRanger plugin set: memory request for container log"
    workspace.kubectl("annotate", "pod", "tool", f"kubernetes.io/limit-ranger={text}")
    patch = json.dumps({"spec": {"containers": [{"name": "log", "resources": {"requests": {"memory": "100Mi"}}}]}})
    workspace.kubectl("patch", "pod", "tool", "--subresource=resize", "--patch", patch)

    paths = {path for _, _, path, _ in workspace.report("--unmanaged=off").findings}

    assert any("resources" in path for path in paths)


@pytest.mark.parametrize("syncer", [Syncer.ADOPTED, Syncer.ARGOCD])
def test_requests_copied_from_limits_are_silent(workspace: Application, syncer: Syncer) -> None:
    resources = "resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}"
    workspace.write(POD.replace('resources: {limits: {cpu: "1"}}', resources))
    workspace.sync(syncer)

    assert workspace.report("--unmanaged=off").findings == []


IMAGES = [
    "ko://github.com/example/app",
    "IMAGE_PLACEHOLDER",
    "$(IMAGE)",
    "registry.example.com/Team/app",
    "app:latest@sha256:abc",
    "app:",
    "f" * 64,
    "app",
    "IMAGE/app",
    "app:latest",
    "localhost:5000/app",
    "registry.example.com:5000/team/app:1.0",
    f"app@sha256:{'a' * 64}",
    f"app:latest@sha256:{'a' * 64}",
    f"app@md5:{'a' * 32}",
    "[::1]:5000/app",
    "team/app__x--y.z",
    "team//app",
    "-app",
    f"app:{'t' * 129}",
]


@pytest.mark.parametrize("syncer", [Syncer.ADOPTED, Syncer.FLUX])
def test_the_pull_policy_of_any_image_is_silent(workspace: Application, syncer: Syncer) -> None:
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(IMAGES)]
    workspace.write(deployment(pod=f"initContainers: {json.dumps(containers)}"))
    workspace.sync(syncer)

    assert workspace.report().findings == []


@pytest.mark.parametrize(("image", "policy"), [("IMAGE_PLACEHOLDER", "Always"), ("app", "IfNotPresent")])
def test_another_pull_policy_is_found(workspace: Application, image: str, policy: str) -> None:
    workspace.write(deployment().replace("nginx:1.29", image))
    workspace.sync(Syncer.ADOPTED)
    workspace.patch(
        "deployment",
        "web",
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "imagePullPolicy": policy}]}}}},
    )

    scanned = workspace.report()

    assert scanned.findings == [("Deployment/web", "added", f"{WEB}.imagePullPolicy", "manual")]


CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NAMESPACE, labels: {tier: TEXT}, annotations: {note: TEXT}}
data: {key: TEXT, other: x}
"""


@pytest.mark.parametrize("syncer", SYNCERS)
@pytest.mark.parametrize("text", ["", '""'])
def test_a_null_in_a_map_of_strings_is_silent(workspace: Application, syncer: Syncer, text: str) -> None:
    workspace.write(CONFIG.replace("TEXT", text))
    workspace.sync(syncer)

    assert workspace.report().findings == []


@pytest.mark.parametrize(("text", "expected"), [('""', []), ("full", ["data.key"])])
def test_a_null_in_a_dump_is_an_empty_string(workspace: Application, text: str, expected: list[str]) -> None:
    workspace.write(CONFIG.replace("TEXT", '""').replace('key: ""', f"key: {text}"))
    workspace.sync()
    live: dict[str, Any] = json.loads(
        workspace.kubectl("get", "configmap", "settings", "--output=json", "--show-managed-fields")
    )
    live["data"]["key"] = None
    dump = workspace.scratch / "dump.yaml"
    dump.write_text(yaml.safe_dump(live))

    findings = workspace.report("--live", str(dump), "--unmanaged=off").findings

    assert [path for _, _, path, _ in findings] == expected


@pytest.mark.parametrize("text", ["", '""'])
def test_a_string_in_place_of_a_null_is_found(workspace: Application, text: str) -> None:
    workspace.write(CONFIG.replace("TEXT", text))
    workspace.sync(Syncer.ARGOCD)
    workspace.patch("configmap", "settings", {"data": {"key": "evil"}})

    scanned = workspace.report()

    assert [(path, cause) for _, _, path, cause in scanned.findings] == [("data.key", "manual")]
