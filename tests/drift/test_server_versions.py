"""Clusters and dumps of other versions than the shipped schemas, and behaviour of some versions only."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.drift.conftest import Application
from tools.sandbox.proxy import FOREVER, Answer, changed, proxy
from tools.sandbox.syncers import Syncer

WEB = """\
apiVersion: apps/v1
kind: {kind}
metadata: {{name: web, namespace: NAMESPACE}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      hostNetwork: {network}
      containers:
        - name: app
          image: example.com/web:1.0
          env: [{{name: A, value: a}}]
          ports: [{{containerPort: 8080}}]
          volumeMounts: [{{name: data, mountPath: /data}}]
      volumes: [{{name: data, emptyDir: {{}}}}]
"""
POD = "spec.template.spec"
APP = f"{POD}.containers[name=app]"
PORT = f"{APP}.ports[containerPort=8080,protocol=TCP]"
EDITS: dict[str, tuple[dict[str, Any], str]] = {
    "image": ({"image": "example.com/web:2.0"}, f"{APP}.image"),
    "env": ({"env": [{"name": "B", "value": "b"}]}, f"{APP}.env[name=B]"),
    "mount": ({"volumeMounts": [{"name": "data", "mountPath": "/more"}]}, f"{APP}.volumeMounts[mountPath=/more]"),
    "port": ({"ports": [{"containerPort": 9090, "protocol": "TCP"}]}, f"{APP}.ports[containerPort=9090,protocol=TCP]"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_inside_a_list_is_named_with_its_manager(workspace: Application, name: str) -> None:
    container, path = EDITS[name]
    workspace.write(WEB.format(kind="Deployment", network="false"))
    workspace.sync()
    before = workspace.report("--quiet")
    workspace.patch(
        "deployment", "web", {"spec": {"template": {"spec": {"containers": [{"name": "app", **container}]}}}}
    )

    after = workspace.report("--quiet")

    assert before.findings == []
    assert [(where, cause) for _, _, where, cause in after.findings] == [(path, "manual")]
    assert after.managers == ["kubectl-patch"]


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
@pytest.mark.parametrize("adopted", [True, False], ids=["adopted", "synced"])
def test_a_host_network_port_is_silent(workspace: Application, kind: str, adopted: bool) -> None:
    workspace.write(WEB.format(kind=kind, network="true"))
    if adopted:
        workspace.kubectl("create", "--filename", str(workspace.manifests))
        # Kubernetes before 1.28 fills it in as the creator.
        workspace.kubectl(
            "patch", kind, "web", "--field-manager=kubectl-create", "--patch", _with_port({"hostPort": 8080})
        )
    workspace.sync()

    assert workspace.report("--quiet").findings == []


def test_a_host_port_without_host_network_is_found(workspace: Application) -> None:
    workspace.write(WEB.format(kind="Deployment", network="false"))
    workspace.sync()
    workspace.kubectl("patch", "deployment", "web", "--patch", _with_port({"hostPort": 8080}))

    scanned = workspace.report("--quiet")

    assert ("Deployment/web", "added", f"{PORT}.hostPort", "manual") in scanned.findings


def _with_port(fields: dict[str, int]) -> str:
    ports = [{"containerPort": 8080, "protocol": "TCP", **fields}]
    template = {"spec": {"containers": [{"name": "app", "ports": ports}]}}
    return json.dumps({"spec": {"template": template}})


VOLUME = """\
apiVersion: v1
kind: PersistentVolume
metadata: {name: NAMESPACE}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {storage: 1Gi}
  persistentVolumeReclaimPolicy: Retain
  storageClassName: NAMESPACE
  hostPath: {path: /data}
  claimRef: {namespace: NAMESPACE, name: data}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: NAMESPACE}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: NAMESPACE
  resources: {requests: {storage: 1Gi}}
"""


@pytest.mark.parametrize("syncer", [Syncer.FLUX, Syncer.ARGOCD])
def test_a_bound_volume_whose_claim_is_in_git_is_in_sync(workspace: Application, syncer: Syncer) -> None:
    workspace.write(VOLUME)
    workspace.sync(syncer, owner="data")
    volume = workspace.namespace
    try:
        workspace.kubectl("wait", "pvc/data", "--for=jsonpath={.status.phase}=Bound", "--timeout=180s")
        untouched = workspace.report("--quiet")
        workspace.patch("pv", volume, {"spec": {"capacity": {"storage": "2Gi"}}})
        edited = workspace.report("--quiet")
    finally:
        workspace.kubectl("delete", "pv", volume, "--wait=false")

    assert untouched.findings == []
    assert [(path, cause) for _, _, path, cause in edited.findings] == [("spec.capacity.storage", "manual")]


@pytest.mark.parametrize("api_version", ["apps/v1beta1", "extensions/v1beta1"])
def test_a_dump_in_a_removed_version_uses_the_newest_type(workspace: Application, api_version: str) -> None:
    workspace.write(WEB.format(kind="Deployment", network="false"))
    workspace.sync()
    dump = workspace.scratch / "live.json"
    untouched = _report_dump(workspace, dump, api_version)
    workspace.kubectl("set", "env", "deployment/web", "B=b")
    edited = _report_dump(workspace, dump, api_version)

    assert untouched == []
    assert edited == [("Deployment/web", "added", f"{APP}.env[name=B]", "manual")]


def _report_dump(workspace: Application, dump: Path, api_version: str) -> list[tuple[str, str, str, str]]:
    """Compares manifests with a dump, both with the Deployment in another version."""
    live = workspace.kubectl("get", "deployment/web", "--output=json", "--show-managed-fields")
    dump.write_text(live.replace('"apps/v1"', json.dumps(api_version)))
    workspace.write(WEB.format(kind="Deployment", network="false").replace("apps/v1", api_version))
    return workspace.report("--live", str(dump), "--quiet", "--unmanaged", "off").findings


@pytest.mark.parametrize(("version", "is_newer"), [("v1.99.0", True), ("v2.0.1-vendor.1", True), ("v1.20.0", False)])
def test_one_note_says_that_the_server_is_newer(workspace: Application, version: str, is_newer: bool) -> None:
    def relabelled(answer: Answer) -> Answer:
        return replace(answer, body=json.dumps({**json.loads(answer.body), "gitVersion": version}).encode())

    workspace.write(WEB.format(kind="Deployment", network="false"))
    workspace.sync()
    with proxy(workspace.cluster) as running:
        running.on("^/version", changed(relabelled), times=FOREVER)
        scanned = workspace.report("--quiet", kubeconfig=running.kubeconfig(workspace.scratch))

    notes = [note for note in scanned.document["notes"] if f"the server runs Kubernetes {version}, newer than" in note]
    assert len(notes) == is_newer
    assert scanned.findings == []
