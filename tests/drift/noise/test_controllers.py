"""Fields that controllers and operators set on objects in Git are silent."""

import base64
import json

import pytest

from tests.drift.conftest import Application
from tests.drift.samples import deployment

AUTOSCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: NAMESPACE}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 2, maxReplicas: 5}
"""


@pytest.mark.parametrize("replicas", ["replicas: 1", ""])
def test_n15_replicas_within_an_autoscalers_range_are_silent(workspace: Application, replicas: str) -> None:
    workspace.write(deployment(spec=replicas) + "---\n" + AUTOSCALER)
    workspace.sync()
    workspace.kubectl("scale", "deployment/web", "--replicas=4")

    scanned = workspace.report()

    assert [(path, cause) for _, _, path, cause in scanned.findings] == [("spec.replicas", "controller")]
    assert scanned.status == 0


WEBHOOK = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NAMESPACE}
webhooks:
  - name: check.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Ignore
    objectSelector: {matchLabels: {nothing-has: this-label}}
    clientConfig: {service: {name: check, namespace: NAMESPACE, path: /}%s}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
"""


ONE_CA, OTHER_CA = (
    base64.b64encode(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n".encode()).decode()
    for text in ("one", "other")
)


@pytest.fixture
def webhook(workspace: Application) -> object:
    yield None
    workspace.cluster.kubectl("delete", "validatingwebhookconfiguration", workspace.namespace, "--ignore-not-found")


def _inject_ca(workspace: Application, bundle: str) -> None:
    patch = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]
    workspace.cluster.kubectl(
        *("patch", "validatingwebhookconfiguration", workspace.namespace, "--type=json", "--field-manager=cainjector"),
        *("--patch", json.dumps(patch)),
    )


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("bundle", ["", ", caBundle: Cg=="])
def test_n16_a_ca_bundle_that_a_controller_fills_in_is_silent(workspace: Application, bundle: str) -> None:
    workspace.write(WEBHOOK % (bundle if bundle != ", caBundle: Cg==" else f", caBundle: {ONE_CA}"))
    workspace.sync()
    workspace.write(WEBHOOK % bundle)
    _inject_ca(workspace, OTHER_CA)

    assert workspace.report().findings == []


@pytest.mark.usefixtures("webhook")
def test_n16_two_real_ca_bundles_that_differ_are_drift(workspace: Application) -> None:
    workspace.write(WEBHOOK % f", caBundle: {ONE_CA}")
    workspace.sync()
    patch = [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": OTHER_CA}]
    workspace.cluster.kubectl(
        "patch", "validatingwebhookconfiguration", workspace.namespace, "--type=json", "--patch", json.dumps(patch)
    )

    assert [(path, cause) for _, _, path, cause in workspace.report().findings] == [
        ("webhooks[name=check.example.com].clientConfig.caBundle", "manual")
    ]


@pytest.mark.usefixtures("webhook")
def test_n17_fields_that_an_operator_rewrites_in_its_webhook_are_silent(workspace: Application) -> None:
    workspace.write(WEBHOOK % "")
    workspace.sync()
    patch = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}]
    workspace.cluster.kubectl(
        *("patch", "validatingwebhookconfiguration", workspace.namespace, "--type=json"),
        *("--field-manager=kyverno-admission-controller", "--patch", json.dumps(patch)),
    )

    scanned = workspace.report()

    assert [cause for *_, cause in scanned.findings] == ["controller"]
    assert scanned.managers == ["kyverno-admission-controller"]
    assert scanned.status == 0


def test_n20_the_volume_that_a_claim_is_bound_to_is_silent(workspace: Application) -> None:
    claim = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: NAMESPACE}
spec: {accessModes: [ReadWriteOnce], storageClassName: "", resources: {requests: {storage: 1Gi}}}
"""
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": workspace.namespace},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/nowhere"},
            "claimRef": {"namespace": workspace.namespace, "name": "data"},
        },
    }
    workspace.kubectl("create", "-f", "-", stdin=json.dumps(volume))
    try:
        workspace.write(
            claim.replace('storageClassName: "", ', "").replace(
                "ReadWriteOnce]", 'ReadWriteOnce], storageClassName: ""'
            )
        )
        workspace.sync()
        workspace.kubectl("wait", "pvc/data", "--for=jsonpath={.status.phase}=Bound", "--timeout=180s")

        assert workspace.report().findings == []
    finally:
        workspace.cluster.kubectl("delete", "persistentvolume", workspace.namespace, "--wait=false")


def test_n21_the_tokens_of_a_service_account_are_silent_and_other_entries_are_not(workspace: Application) -> None:
    workspace.write("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot, namespace: NAMESPACE}\n")
    workspace.sync()
    tokens = [{"name": "robot-token-x7k2p"}, {"name": "robot-dockercfg-9vq4d"}]
    workspace.patch("serviceaccount", "robot", {"secrets": tokens, "imagePullSecrets": tokens[1:]})
    assert workspace.report().findings == []
    workspace.patch("serviceaccount", "robot", {"secrets": [*tokens, {"name": "stolen"}]})

    # Git sets no field of it, so managedFields has no applier.
    assert workspace.report().findings == [("ServiceAccount/robot", "added", "secrets", "unknown")]


def test_n22_the_rules_of_an_aggregated_role_are_silent_and_its_labels_are_not(workspace: Application) -> None:
    role = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAMESPACE}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {kubernetes.io/bootstrapping: rbac-defaults}}]}
rules: []
"""
    workspace.write(role)
    try:
        workspace.sync()
        workspace.kubectl("wait", "clusterrole", workspace.namespace, "--for=jsonpath={.rules}", "--timeout=180s")
        assert workspace.report().findings == []
        workspace.kubectl("label", "clusterrole", workspace.namespace, "team=other")

        assert [path for _, _, path, _ in workspace.report().findings] == ["metadata.labels"]
    finally:
        workspace.cluster.kubectl("delete", "clusterrole", workspace.namespace)


def test_n33_the_claim_that_a_volume_is_bound_to_is_silent(workspace: Application) -> None:
    volume = """
apiVersion: v1
kind: PersistentVolume
metadata: {name: NAMESPACE}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: NAMESPACE, hostPath: {path: /nowhere}}
"""
    claim = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: NAMESPACE}
spec: {accessModes: [ReadWriteOnce], storageClassName: NAMESPACE, resources: {requests: {storage: 1Gi}}}
"""
    workspace.write(volume + "---\n" + claim)
    try:
        workspace.sync()
        workspace.kubectl("wait", "pvc/data", "--for=jsonpath={.status.phase}=Bound", "--timeout=180s")

        assert workspace.report().findings == []
    finally:
        workspace.cluster.kubectl("delete", "persistentvolume", workspace.namespace, "--wait=false")
