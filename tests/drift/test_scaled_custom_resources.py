"""Custom resources whose replicas are set through the scale subresource, and are not in Git."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drift.conftest import Application
from tests.drift.samples import wait_for_schema
from tools.sandbox.syncers import Syncer

GROUP = "NAMESPACE.example.com"
SCALE = "scale: {specReplicasPath: PATH, statusReplicasPath: .status.n}"
DEFINITION = f"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: widgets.{GROUP}}}
spec:
  group: {GROUP}
  scope: Namespaced
  names: {{plural: widgets, singular: widget, kind: Widget}}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {{SUBRESOURCES}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                mode: {{type: string, default: slow}}
                limit: {{type: integer, default: 7}}
                replicas: {{type: integer}}
                size:
                  type: object
                  properties: {{count: {{type: integer}}, step: {{type: integer, default: 1}}}}
            status: {{type: object, properties: {{n: {{type: integer}}}}}}
"""
WIDGET = f"""
---
apiVersion: {GROUP}/v1
kind: Widget
metadata: {{name: gadget, namespace: NAMESPACE}}
spec: {{mode: fast}}
"""


@pytest.fixture(params=[".spec.replicas", ".spec.size.count"])
def path(request: pytest.FixtureRequest) -> str:
    """The path of the replicas in the kind."""
    return str(request.param)


@pytest.fixture
def scalable(workspace: Application, path: str) -> Iterator[Application]:
    """A scalable custom resource, synced by Flux without replicas."""
    yield from _synced(workspace, SCALE.replace("PATH", path))


def _synced(workspace: Application, subresources: str) -> Iterator[Application]:
    definition = DEFINITION.replace("SUBRESOURCES", subresources)
    workspace.write(definition)
    workspace.sync()
    try:
        wait_for_schema(workspace)
        workspace.write(definition + WIDGET)
        workspace.sync()
        yield workspace
    finally:
        workspace.cluster.kubectl("delete", "crd", f"widgets.{workspace.namespace}.example.com", "--wait=false")


def _resource(workspace: Application) -> str:
    return f"widgets.{workspace.namespace}.example.com"


def test_replicas_of_a_custom_resource_set_by_hand_or_by_scaling_are_found_and_nothing_else(
    scalable: Application, path: str
) -> None:
    scanned = scalable.report()

    assert (scanned.status, scanned.findings) == (0, [])

    _patch(scalable, "4")
    scanned = scalable.report()

    assert scanned.findings == [("Widget/gadget", "added", "spec.replicas", "manual")]
    assert scanned.managers == ["kubectl-patch"]

    _patch(scalable, "null")
    scalable.kubectl("scale", f"{_resource(scalable)}/gadget", "--replicas=3")
    scanned = scalable.report()

    # Git does not have the object `size` either.
    expected = [("Widget/gadget", "added", "spec.size" if "size" in path else "spec.replicas", "unknown")]
    assert (scanned.status, scanned.findings) == (1, expected)
    assert scalable.report("--live", str(_dump(scalable)), "--unmanaged=off").findings == expected


def _patch(workspace: Application, replicas: str) -> None:
    patch = f'{{"spec": {{"replicas": {replicas}}}}}'
    workspace.kubectl("patch", _resource(workspace), "gadget", "--type=merge", "--patch", patch)


def _dump(workspace: Application) -> Path:
    folder = workspace.scratch / "dump"
    folder.mkdir()
    for kind in (_resource(workspace), f"crd/{_resource(workspace)}"):
        text = workspace.kubectl("get", kind, "--output=yaml", "--show-managed-fields")
        (folder / f"{len(list(folder.iterdir()))}.yaml").write_text(text)
    return folder


@pytest.mark.parametrize("syncer", [Syncer.ARGOCD, Syncer.ADOPTED, Syncer.HELM])
def test_defaults_beside_replicas_are_silent_however_it_is_synced(workspace: Application, syncer: Syncer) -> None:
    for _ in _synced(workspace, SCALE.replace("PATH", ".spec.size.count")):
        workspace.kubectl("delete", _resource(workspace), "gadget")
        workspace.sync(syncer)
        assert workspace.report().findings == []
