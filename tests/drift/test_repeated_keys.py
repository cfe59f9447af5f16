"""List items with the same key, such as two host ports of one container port, on a real API server."""

import json

import pytest

from tests.drift.conftest import Application
from tests.drift.samples import deployment
from tools.sandbox.syncers import Syncer

PORTS = "spec.template.spec.containers[name=web].ports"
TWO_PORTS = deployment(container="ports: [{containerPort: 93, hostPort: 9376}, {containerPort: 93, hostPort: 9377}]")
KEY = "containerPort=93,protocol=TCP"
# The API server refuses a server-side apply of a list with repeated keys.
CLIENT_SIDE = (Syncer.ARGOCD, Syncer.KUBECTL, Syncer.HELM)


@pytest.mark.parametrize("syncer", CLIENT_SIDE)
def test_synced_ports_with_the_same_key_are_silent(workspace: Application, syncer: Syncer) -> None:
    workspace.write(TWO_PORTS)
    workspace.sync(syncer)

    scanned = workspace.report()

    assert (scanned.status, scanned.findings) == (0, [])


@pytest.mark.parametrize("syncer", CLIENT_SIDE)
@pytest.mark.parametrize(("position", "name"), [(0, KEY), (1, f"{KEY},occurrence=2")])
def test_each_of_two_ports_with_one_key_is_compared(
    workspace: Application, syncer: Syncer, position: int, name: str
) -> None:
    workspace.write(TWO_PORTS)
    workspace.sync(syncer)
    path = f"/spec/template/spec/containers/0/ports/{position}/hostPort"
    patch = json.dumps([{"op": "replace", "path": path, "value": 9999}])
    workspace.kubectl("patch", "deployment", "web", "--type=json", "--patch", patch)

    scanned = workspace.report()

    assert scanned.findings == [("Deployment/web", "changed", f"{PORTS}[{name}].hostPort", "manual")]
    assert scanned.managers == ["kubectl-patch"]
    (finding,) = scanned.document["objects"][0]["findings"]
    assert finding["pointer"] == path
    assert finding["live"] == 9999


def test_a_third_port_with_the_same_key_is_found(workspace: Application) -> None:
    workspace.write(TWO_PORTS)
    workspace.sync(Syncer.ARGOCD)
    port = {"containerPort": 93, "hostPort": 9378, "protocol": "TCP"}
    patch = json.dumps([{"op": "add", "path": "/spec/template/spec/containers/0/ports/-", "value": port}])
    workspace.kubectl("patch", "deployment", "web", "--type=json", "--patch", patch)

    scanned = workspace.report()

    assert scanned.findings == [("Deployment/web", "added", f"{PORTS}[{KEY},occurrence=3]", "manual")]
    assert scanned.managers == ["kubectl-patch"]


def test_a_port_removed_from_two_with_the_same_key_is_found(workspace: Application) -> None:
    workspace.write(TWO_PORTS)
    workspace.sync(Syncer.ARGOCD)
    patch = json.dumps([{"op": "remove", "path": "/spec/template/spec/containers/0/ports/1"}])
    workspace.kubectl("patch", "deployment", "web", "--type=json", "--patch", patch)

    findings = workspace.report().findings

    assert findings == [("Deployment/web", "removed", f"{PORTS}[{KEY},occurrence=2]", "manual")]


def test_pull_secrets_given_twice_are_silent_until_one_is_gone(workspace: Application) -> None:
    workspace.write(deployment(pod="imagePullSecrets: [{name: a}, {name: a}, {name: b}]"))
    workspace.sync(Syncer.HELM)
    assert workspace.report().findings == []
    patch = json.dumps([{"op": "remove", "path": "/spec/template/spec/imagePullSecrets/2"}])
    workspace.kubectl("patch", "deployment", "web", "--type=json", "--patch", patch)

    paths = [path for _, _, path, _ in workspace.report().findings]

    assert paths == ["spec.template.spec.imagePullSecrets[name=b]"]
