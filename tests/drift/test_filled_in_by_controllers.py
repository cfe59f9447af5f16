"""Fields that the API server or a controller fills in, and that a user edits: untouched silent, edited drift."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.drift.conftest import Application
from tools.sandbox.syncers import Syncer

BOTH = pytest.mark.parametrize("syncer", [Syncer.FLUX, Syncer.KUBECTL])
BUNDLE = base64.b64encode(b"-----BEGIN CERTIFICATE-----\none\n-----END CERTIFICATE-----\n").decode()
ALLOCATED = """
apiVersion: v1
kind: Service
metadata: {name: open, namespace: NAMESPACE}
spec:
  type: NodePort
  clusterIP: ""
  selector: {app: web}
  ports: [{name: a, port: 80}, {name: b, port: 81, nodePort: 0}]
---
apiVersion: v1
kind: Service
metadata: {name: inner, namespace: NAMESPACE}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: NAMESPACE}
spec: {accessModes: [ReadWriteOnce], storageClassName: NAMESPACE, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: NAMESPACE}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {storage: 1Gi}
  hostPath: {path: /nowhere}
  storageClassName: another
"""
BUNDLES = """
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: NAMESPACE}
webhooks:
  - name: check.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    clientConfig: {service: {name: check, namespace: NAMESPACE}}
    rules: [{apiGroups: [no.example.com], apiVersions: [v1], operations: [CREATE], resources: [things]}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.NAMESPACE.example.com}
spec:
  group: NAMESPACE.example.com
  version: v1
  groupPriorityMinimum: 100
  versionPriority: 10
  caBundle: Cg==
  service: {name: api, namespace: NAMESPACE}
"""
AUTOSCALER = """
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: NAMESPACE}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 3
  targetCPUUtilizationPercentage: 50
"""


@pytest.fixture
def workspace(workspace: Application) -> Iterator[Application]:
    """A workspace whose cluster-wide objects are removed at the end."""
    yield workspace
    name = workspace.namespace
    for what in (
        f"persistentvolume/{name}",
        f"mutatingwebhookconfiguration/{name}",
        f"apiservice/v1.{name}.example.com",
    ):
        workspace.cluster.kubectl("delete", what, "--ignore-not-found", "--wait=false")


def _synced(workspace: Application, syncer: Syncer, manifests: str) -> None:
    workspace.write(manifests)
    workspace.sync(syncer)
    assert workspace.report().findings == []
    # managedFields has times in whole seconds.
    time.sleep(1.1)


def _patch(workspace: Application, what: str, path: str, value: Any, manager: str = "kubectl-edit") -> None:
    patch = json.dumps([{"op": "add", "path": path, "value": value}])
    workspace.kubectl("patch", what, "--type=json", f"--field-manager={manager}", "--patch", patch)


@BOTH
def test_a_user_who_sets_what_the_server_allocates_is_named(workspace: Application, syncer: Syncer) -> None:
    _synced(workspace, syncer, ALLOCATED)
    used = workspace.kubectl("get", "services", "--all-namespaces", "-o", "jsonpath={..nodePort}").split()
    free = [port for port in range(30000, 32767) if str(port) not in used]
    _patch(workspace, "service/open", "/spec/ports/0/nodePort", free[0])
    _patch(workspace, "service/open", "/spec/ports/1/nodePort", free[1], "deploy-script")
    _patch(workspace, "service/inner", "/spec/ipFamilyPolicy", "PreferDualStack")
    _patch(workspace, "pvc/data", "/spec/volumeName", "mine")
    _patch(
        workspace, f"pv/{workspace.namespace}", "/spec/claimRef", {"namespace": workspace.namespace, "name": "other"}
    )

    scanned = workspace.report()

    assert scanned.findings == [
        (f"PersistentVolume/{workspace.namespace}", "added", "spec.claimRef", "manual"),
        ("PersistentVolumeClaim/data", "added", "spec.volumeName", "manual"),
        ("Service/inner", "added", "spec.ipFamilyPolicy", "manual"),
        ("Service/open", "added", "spec.ports[port=80,protocol=TCP].nodePort", "manual"),
        ("Service/open", "changed", "spec.ports[port=81,protocol=TCP].nodePort", "manual"),
    ]
    assert set(scanned.managers) == {"kubectl-edit", "deploy-script"}


@BOTH
def test_a_port_with_another_number_is_one_edit(workspace: Application, syncer: Syncer) -> None:
    # Its node port and its target port stay, and the user now owns both.
    _synced(workspace, syncer, ALLOCATED)
    _patch(workspace, "service/open", "/spec/ports/0/port", 8080)
    _patch(workspace, "service/open", "/spec/ports/1/port", 8081)

    scanned = workspace.report()

    assert set(scanned.findings) == {
        ("Service/open", "changed", "spec.ports[port=80,protocol=TCP].port", "manual"),
        ("Service/open", "changed", "spec.ports[port=81,protocol=TCP].port", "manual"),
    }
    assert set(scanned.managers) == {"kubectl-edit"}


@BOTH
def test_a_port_with_another_number_and_another_target_is_two_edits(workspace: Application, syncer: Syncer) -> None:
    _synced(workspace, syncer, ALLOCATED)
    _patch(workspace, "service/open", "/spec/ports/0/port", 8080)
    _patch(workspace, "service/open", "/spec/ports/0/targetPort", 9090)

    assert {(change, path) for _, change, path, _ in workspace.report().findings} == {
        ("changed", "spec.ports[port=80,protocol=TCP].port"),
        ("added", "spec.ports[port=80,protocol=TCP].targetPort"),
    }


def test_an_unknown_controller_that_binds_a_volume_is_silent(workspace: Application) -> None:
    _synced(workspace, Syncer.FLUX, ALLOCATED)
    _patch(workspace, "pvc/data", "/spec/volumeName", "mine", "volume-populator")

    assert workspace.report().findings == []


@BOTH
def test_a_ca_bundle_that_a_user_sets_is_drift_and_a_controllers_is_not(workspace: Application, syncer: Syncer) -> None:
    _synced(workspace, syncer, BUNDLES)
    webhook, service = f"mutatingwebhookconfiguration/{workspace.namespace}", f"v1.{workspace.namespace}.example.com"
    _patch(workspace, webhook, "/webhooks/0/clientConfig/caBundle", BUNDLE, "an-operator")
    _patch(workspace, f"apiservice/{service}", "/spec/caBundle", BUNDLE, "cainjector")
    assert workspace.report().findings == []

    other = base64.b64encode(base64.b64decode(BUNDLE).replace(b"one", b"two")).decode()
    _patch(workspace, webhook, "/webhooks/0/clientConfig/caBundle", other)
    _patch(workspace, f"apiservice/{service}", "/spec/caBundle", other)

    scanned = workspace.report()

    assert scanned.findings == [
        (
            f"MutatingWebhookConfiguration/{workspace.namespace}",
            "added",
            "webhooks[name=check.example.com].clientConfig.caBundle",
            "manual",
        ),
        (f"APIService/{service}", "changed", "spec.caBundle", "manual"),
    ]
    assert set(scanned.managers) == {"kubectl-edit"}


@BOTH
def test_an_edit_of_a_field_that_only_a_newer_version_has_is_found(workspace: Application, syncer: Syncer) -> None:
    _synced(workspace, syncer, AUTOSCALER)
    # The controller writes its conditions, which autoscaling/v1 shows as an annotation.
    workspace.kubectl("wait", "hpa/web", "--for=jsonpath={.status.conditions[0].type}=AbleToScale", "--timeout=180s")
    assert workspace.report().findings == []
    _patch(workspace, "hpa/web", "/spec/behavior", {"scaleDown": {"selectPolicy": "Disabled"}})

    scanned = workspace.report()

    assert scanned.findings == [("HorizontalPodAutoscaler/web", "added", "metadata.annotations", "manual")]
    added = scanned.document["objects"][0]["findings"][0]["live"]
    assert added.keys() == {"autoscaling.alpha.kubernetes.io/behavior"}
    assert scanned.managers == ["kubectl-edit"]


@BOTH
def test_an_edit_through_a_version_that_names_the_field_differently_has_its_manager(
    workspace: Application, syncer: Syncer
) -> None:
    _synced(workspace, syncer, AUTOSCALER)
    _patch(workspace, "hpa/web", "/spec/metrics/0/resource/target/averageUtilization", 5)

    scanned = workspace.report()

    assert scanned.findings == [
        ("HorizontalPodAutoscaler/web", "changed", "spec.targetCPUUtilizationPercentage", "manual")
    ]
    assert scanned.managers == ["kubectl-edit"]


def test_a_finalizer_of_claims_on_another_kind_is_drift(workspace: Application) -> None:
    config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: NAMESPACE}\ndata: {a: b}\n"
    _synced(workspace, Syncer.FLUX, config_map)
    _patch(workspace, "configmap/c", "/metadata/finalizers", ["kubernetes.io/pvc-protection"])

    assert workspace.report().findings == [("ConfigMap/c", "added", "metadata.finalizers", "manual")]


def test_an_object_whose_only_field_a_user_took_over_is_not_said_to_lack_an_applier(workspace: Application) -> None:
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r, namespace: NAMESPACE}\n"
    _synced(workspace, Syncer.FLUX, role + 'rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]\n')
    _patch(workspace, "role/r", "/rules/0/verbs/-", "delete")

    scanned = workspace.report()

    assert scanned.findings == [("Role/r", "changed", "rules", "manual")]
    assert scanned.managers == ["kubectl-edit"]
    assert scanned.document["objects"][0]["reason"] is None
