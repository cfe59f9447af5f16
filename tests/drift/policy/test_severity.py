"""The shipped severity rules: each of them decides one example."""

from typing import Any

import pytest

from drift.config.settings import SeverityRule
from drift.model import Cause, Change, Severity
from drift.objects import Json, ObjectKey
from drift.policy.severity import default_table

RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
CRD = ("CustomResourceDefinition", "apiextensions.k8s.io")
INGRESS = ("Ingress", "networking.k8s.io")
GATEWAY = "gateway.networking.k8s.io"
POD = "spec.template.spec"
APP = f"{POD}.containers[name=app]"

# Kind and group ("" and "apps" are left out), path, change ("changed" is left out), severity.
ROWS: list[tuple[Any, ...]] = [
    ("Deployment", "spec.replicas", "controller", "info"),
    (("ClusterRole", RBAC), "metadata.deletionTimestamp", "added", "high"),
    ("Deployment", f"{POD}.initContainers", "reordered", "high"),
    ("Deployment", f"{APP}.env", "reordered", "low"),
    ("Namespace", 'metadata.labels["pod-security.kubernetes.io/enforce"]', "high"),
    (("ClusterRole", RBAC), f'metadata.labels["{RBAC}/aggregate-to-admin"]', "critical"),
    ("ServiceAccount", 'metadata.annotations["eks.amazonaws.com/role-arn"]', "high"),
    ("ServiceAccount", 'metadata.annotations["iam.gke.io/gcp-service-account"]', "high"),
    ("ServiceAccount", 'metadata.annotations["azure.workload.identity/client-id"]', "high"),
    (
        "Deployment",
        'spec.template.metadata.annotations["container.apparmor.security.beta.kubernetes.io/app"]',
        "high",
    ),
    ("Deployment", "spec.template.metadata.labels.app", "medium"),
    ("Secret", "metadata.labels.team", "low"),
    (("ClusterRole", RBAC), "metadata.annotations.team", "low"),
    ("Namespace", "metadata.finalizers[=example.com/hold]", "low"),
    ("Secret", "data.password", "high"),
    (("ClusterRoleBinding", RBAC), "subjects", "critical"),
    (("ClusterRole", RBAC), "rules", "critical"),
    (("RoleBinding", RBAC), "", "unmanaged", "high"),
    (("Role", RBAC), "rules", "high"),
    ("ServiceAccount", "automountServiceAccountToken", "high"),
    (("MutatingWebhookConfiguration", ADMISSION), "webhooks[name=x].failurePolicy", "critical"),
    (("ValidatingAdmissionPolicyBinding", ADMISSION), "", "missing", "critical"),
    (("APIService", "apiregistration.k8s.io"), "spec.service.name", "critical"),
    (("CertificateSigningRequest", "certificates.k8s.io"), "", "unmanaged", "high"),
    (("NetworkPolicy", "networking.k8s.io"), "spec.ingress", "high"),
    ("Namespace", "", "missing", "critical"),
    (CRD, "", "missing", "critical"),
    (CRD, "spec.conversion.strategy", "high"),
    ("PersistentVolumeClaim", "", "missing", "critical"),
    ("Deployment", f"{APP}.securityContext.privileged", "critical"),
    ("Deployment", f"{POD}.hostNetwork", "critical"),
    ("Pod", "spec.hostPID", "critical"),
    ("Pod", "spec.hostIPC", "critical"),
    ("PersistentVolume", "spec.hostPath.path", "critical"),
    ("Pod", "spec.hostUsers", "high"),
    ("Deployment", f"{APP}.ports[containerPort=80,protocol=TCP].hostPort", "high"),
    ("PersistentVolume", "spec.local.path", "high"),
    ("Deployment", f"{POD}.securityContext.runAsUser", "high"),
    ("Deployment", f"{POD}.shareProcessNamespace", "high"),
    ("Deployment", f"{POD}.runtimeClassName", "high"),
    ("Deployment", f"{POD}.serviceAccountName", "high"),
    ("Deployment", f"{POD}.serviceAccount", "high"),
    ("Deployment", f"{POD}.automountServiceAccountToken", "high"),
    ("Deployment", f"{POD}.volumes[name=t].projected.sources[].serviceAccountToken.path", "high"),
    ("Deployment", f"{POD}.imagePullSecrets[name=x]", "high"),
    ("Deployment", f"{APP}.env[name=A].valueFrom.secretKeyRef.key", "high"),
    ("Deployment", f"{APP}.envFrom[].secretRef.name", "high"),
    ("Deployment", f"{POD}.volumes[name=t].secret.secretName", "high"),
    ("Deployment", f"{POD}.containers", "critical"),
    ("Deployment", APP, "critical"),
    ("Deployment", f"{POD}.initContainers", "critical"),
    ("Deployment", f"{POD}.initContainers[name=x]", "critical"),
    ("Pod", "spec.ephemeralContainers", "critical"),
    ("Pod", "spec.ephemeralContainers[name=debugger]", "critical"),
    ("Deployment", f"{APP}.image", "high"),
    ("Deployment", f"{APP}.command", "high"),
    ("Deployment", f"{APP}.args", "high"),
    ("Deployment", f"{APP}.lifecycle.preStop", "high"),
    ("Deployment", f"{POD}.dnsConfig.nameservers", "high"),
    ("Deployment", f"{POD}.hostAliases[ip=10.0.0.1]", "high"),
    ("Service", "spec.type", "high"),
    ("Service", "spec.ports[port=80,protocol=TCP].nodePort", "high"),
    ("Service", "spec.selector.app", "high"),
    ("Service", "spec.externalIPs", "high"),
    ("Service", "spec.externalName", "high"),
    ("Service", "spec.loadBalancerSourceRanges", "high"),
    ("Service", "spec.loadBalancerIP", "high"),
    ("Service", "", "unmanaged", "high"),
    ("Endpoints", "subsets", "high"),
    (INGRESS, "spec.rules", "high"),
    (INGRESS, "", "unmanaged", "high"),
    (("Gateway", GATEWAY), "spec.listeners[name=x].port", "high"),
    (("HTTPRoute", GATEWAY), "spec.rules", "high"),
    ("DaemonSet", "", "unmanaged", "high"),
    (("CronJob", "batch"), "", "unmanaged", "high"),
    ("Pod", "", "unmanaged", "high"),
    ("Deployment", f"{APP}.livenessProbe.periodSeconds", "medium"),
    ("Deployment", f"{APP}.readinessProbe.httpGet.path", "medium"),
    ("Deployment", f"{APP}.startupProbe", "medium"),
    ("Deployment", f"{POD}.nodeSelector.zone", "medium"),
    ("Deployment", f"{POD}.affinity.podAffinity", "medium"),
    ("Deployment", f"{POD}.tolerations", "medium"),
    ("Deployment", f"{POD}.topologySpreadConstraints[topologyKey=zone].labelSelector.matchLabels", "medium"),
    ("Pod", "spec.nodeName", "medium"),
    ("Deployment", f"{POD}.schedulerName", "medium"),
    ("Deployment", f"{POD}.priorityClassName", "medium"),
    ("Deployment", "spec.selector.matchLabels.app", "high"),
    (("Widget", "example.com"), "spec.podSelector", "high"),
    (("Widget", "example.com"), "spec.namespaceSelector", "high"),
    (("Widget", "example.com"), "spec.labelSelector", "high"),
    ("PersistentVolume", "spec.persistentVolumeReclaimPolicy", "high"),
    (("StorageClass", "storage.k8s.io"), "reclaimPolicy", "high"),
    ("StatefulSet", "spec.persistentVolumeClaimRetentionPolicy.whenDeleted", "high"),
    ("PersistentVolume", "spec.capacity.storage", "medium"),
    ("PersistentVolumeClaim", "spec.resources.requests.storage", "medium"),
    ("StatefulSet", "spec.volumeClaimTemplates[name=data].spec.storageClassName", "medium"),
    ("Deployment", "spec.replicas", "medium"),
    (("HorizontalPodAutoscaler", "autoscaling"), "spec.minReplicas", "medium"),
    (("HorizontalPodAutoscaler", "autoscaling"), "spec.maxReplicas", "medium"),
    ("Deployment", f"{APP}.resources.limits.memory", "medium"),
    ("Deployment", "spec.revisionHistoryLimit", "low"),
    ("Deployment", "spec.progressDeadlineSeconds", "low"),
    ("Deployment", "spec.minReadySeconds", "low"),
    (("CronJob", "batch"), "spec.successfulJobsHistoryLimit", "low"),
    (("CronJob", "batch"), "spec.failedJobsHistoryLimit", "low"),
    ("ConfigMap", "", "missing", "high"),
    ("ConfigMap", "", "unmanaged", "medium"),
]
APPS = {"Deployment", "DaemonSet", "StatefulSet"}


def _example(row: tuple[Any, ...]) -> tuple[ObjectKey, str, Change, Cause]:
    kind, path, *words = row
    name, group = kind if isinstance(kind, tuple) else (kind, "apps" if kind in APPS else "")
    words = words[:-1]
    cause = Cause.CONTROLLER if words == ["controller"] else Cause.MANUAL
    change = Change(words[0]) if words and cause is Cause.MANUAL else Change.CHANGED
    return ObjectKey(group, name, "shop", "x"), path, change, cause


def _matches(rule: SeverityRule, key: ObjectKey, path: str, change: Change, cause: Cause) -> bool:
    return rule.may_match(key, change, cause) and (rule.path is None or rule.path.matches(path))


@pytest.mark.parametrize(
    ("index", "row"), list(enumerate(ROWS)), ids=[" ".join(map(str, (row[0], *row[1:-1]))) for row in ROWS]
)
def test_a_rule_decides_its_example(index: int, row: tuple[Any, ...]) -> None:
    example = _example(row)
    rules = default_table().rules

    assert default_table().severity(*example) is Severity(row[-1])
    assert next(number for number, rule in enumerate(rules) if _matches(rule, *example)) == index


def test_every_rule_has_an_example_and_a_reason() -> None:
    assert len(default_table().rules) == len(ROWS)
    assert all(rule.reason for rule in default_table().rules)


@pytest.mark.parametrize(
    ("kind", "path"),
    [("ConfigMap", "data.key"), ("Deployment", f"{APP}.env[name=A].value"), ("Widget", "spec.mode")],
)
def test_a_difference_that_no_rule_matches_is_medium(kind: str, path: str) -> None:
    key = ObjectKey("", kind, "shop", "x")

    assert default_table().severity(key, path, Change.CHANGED, Cause.MANUAL) is Severity.MEDIUM


@pytest.mark.parametrize(
    ("path", "value", "severity"),
    [
        (f"{POD}.volumes[name=x]", {"name": "x", "emptyDir": {}}, "medium"),
        (f"{POD}.volumes[name=x]", {"name": "x", "hostPath": {"path": "/"}}, "critical"),
        (f"{POD}.volumes", [{"name": "x", "secret": {"secretName": "s"}}], "high"),
        (f"{APP}.securityContext", {"privileged": True, "runAsUser": 0}, "critical"),
        (f"{APP}.securityContext", {"runAsUser": 0}, "high"),
        ("metadata.labels", {"team": "x", "tier": "y"}, "low"),
        ("spec.template.metadata", {"annotations": {"a": "b"}}, "low"),
        ("spec.other", {"metadata": {"labels": {"a": "b"}}, "leaf": 1}, "medium"),
        ("spec.other", {}, "medium"),
    ],
)
@pytest.mark.parametrize("change", [Change.ADDED, Change.REMOVED])
def test_a_value_is_as_severe_as_its_most_severe_part(path: str, value: Json, severity: str, change: Change) -> None:
    key = ObjectKey("apps", "Deployment", "shop", "x")

    assert default_table().severity(key, path, change, Cause.MANUAL, value) is Severity(severity)


def test_a_pod_security_label_is_found_in_an_added_map_of_labels() -> None:
    key = ObjectKey("", "Namespace", None, "shop")
    labels = {"pod-security.kubernetes.io/enforce": "privileged", "team": "x"}

    assert default_table().severity(key, "metadata.labels", Change.ADDED, Cause.MANUAL, labels) is Severity.HIGH
