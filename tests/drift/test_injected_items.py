"""Edits in list items that a webhook added: the report names the field, not the whole list."""

import json
from typing import Any

import pytest

from tests.drift.conftest import Application
from tests.drift.samples import deployment
from tools.sandbox.syncers import Syncer

POD = "spec.template.spec"
SIDECAR = {
    "name": "proxy",
    "image": "proxy:1",
    "ports": [{"containerPort": 15001}],
    "env": [{"name": "A", "value": "1"}],
}


def _pod(spec: dict[str, Any]) -> str:
    return json.dumps({"spec": {"template": {"spec": spec}}})


def _inject(workspace: Application) -> None:
    """Adds items as a webhook does while Flux applies the object, so that Flux is their manager."""
    workspace.write(deployment())
    workspace.sync(Syncer.FLUX)
    pod = {"initContainers": [SIDECAR], "volumes": [{"name": "certs", "emptyDir": {"medium": "Memory"}}]}
    patch = ("patch", "deployment", "web", "--field-manager=kustomize-controller", "--patch", _pod(pod))
    workspace.kubectl(*patch)


EDITS = [
    ({"image": "evil:1"}, f"{POD}.initContainers[name=proxy].image"),
    ({"env": [{"name": "A", "value": "2"}]}, f"{POD}.initContainers[name=proxy].env[name=A].value"),
    ({"env": [{"name": "B", "value": "2"}]}, f"{POD}.initContainers[name=proxy].env[name=B]"),
    (
        {"ports": [{"containerPort": 15001, "hostPort": 15001}]},
        f"{POD}.initContainers[name=proxy].ports[containerPort=15001,protocol=TCP].hostPort",
    ),
    ({"securityContext": {"readOnlyRootFilesystem": True}}, f"{POD}.initContainers[name=proxy].securityContext"),
]


@pytest.mark.parametrize(("edit", "path"), EDITS)
def test_an_edit_in_an_injected_container_names_the_field(
    workspace: Application, edit: dict[str, Any], path: str
) -> None:
    _inject(workspace)
    workspace.kubectl("patch", "deployment", "web", "--patch", _pod({"initContainers": [{"name": "proxy", **edit}]}))

    scanned = workspace.report()

    added = [finding for finding in scanned.findings if finding[3] == "manual"]
    assert added == [("Deployment/web", "added", path, "manual")]
    assert "kubectl-patch" in scanned.managers


def test_an_edit_in_an_injected_volume_names_the_field(workspace: Application) -> None:
    _inject(workspace)
    volume = {"name": "certs", "emptyDir": {"sizeLimit": "1Gi"}}
    workspace.kubectl("patch", "deployment", "web", "--patch", _pod({"volumes": [volume]}))

    manual = [finding for finding in workspace.report().findings if finding[3] == "manual"]

    assert [path for _, _, path, _ in manual] == [f"{POD}.volumes[name=certs].emptyDir.sizeLimit"]


def test_a_list_that_was_added_by_hand_is_one_finding(workspace: Application) -> None:
    workspace.write(deployment())
    workspace.sync(Syncer.FLUX)
    workspace.kubectl("patch", "deployment", "web", "--patch", _pod({"initContainers": [SIDECAR]}))

    scanned = workspace.report()

    assert scanned.findings == [("Deployment/web", "added", f"{POD}.initContainers", "manual")]


def test_a_container_added_by_hand_beside_an_injected_one_is_one_finding(workspace: Application) -> None:
    _inject(workspace)
    containers = [{"name": "debug", "image": "busybox:1"}]
    workspace.kubectl("patch", "deployment", "web", "--patch", _pod({"initContainers": containers}))

    manual = [finding for finding in workspace.report().findings if finding[3] == "manual"]

    assert [path for _, _, path, _ in manual] == [f"{POD}.initContainers[name=debug]"]
