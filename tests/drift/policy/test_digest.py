"""What an object is, in one line."""

from typing import Any

import pytest

from drift.model import Security, Severity
from drift.objects import ObjectKey
from drift.policy.digest import Digest, digest

RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
POD: dict[str, Any] = {"containers": [{"name": "app", "image": "nginx:1.27"}, {"name": "log", "image": "fluentd"}]}
ADMIN = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
JANE = {"kind": "User", "name": "jane"}
CI = {"kind": "ServiceAccount", "name": "ci", "namespace": "ops"}


def of(group: str, kind: str, body: dict[str, Any]) -> str | None:
    found = digest(ObjectKey(group, kind, "shop", "x"), body)
    return None if found is None else found.text


ROWS: list[tuple[str, str, dict[str, Any], str]] = [
    (RBAC, "RoleBinding", {"roleRef": ADMIN, "subjects": [JANE]}, "grants ClusterRole cluster-admin to User jane"),
    (
        RBAC,
        "ClusterRoleBinding",
        {"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [JANE, CI]},
        "grants ClusterRole view to User jane, ServiceAccount ops/ci",
    ),
    (RBAC, "RoleBinding", {"roleRef": ADMIN}, "grants ClusterRole cluster-admin to no subject"),
    (
        RBAC,
        "Role",
        {
            "rules": [
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
                {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"]},
            ]
        },
        "allows * on deployments.apps (the widest of 2 rules)",
    ),
    (
        RBAC,
        "ClusterRole",
        {"rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]},
        "allows get on /metrics",
    ),
    (
        RBAC,
        "Role",
        {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["a"]}]},
        "allows get on secrets named a",
    ),
    (RBAC, "ClusterRole", {"aggregationRule": {}}, "collects the rules of other cluster roles by their labels"),
    ("", "Pod", {"spec": POD}, "runs nginx:1.27, fluentd"),
    (
        "apps",
        "Deployment",
        {"spec": {"replicas": 3, "template": {"spec": POD}}},
        "runs nginx:1.27, fluentd; 3 replicas",
    ),
    (
        "batch",
        "CronJob",
        {"spec": {"schedule": "0 3 * * *", "suspend": True, "jobTemplate": {"spec": {"template": {"spec": POD}}}}},
        "runs nginx:1.27, fluentd; schedule 0 3 * * *; suspended",
    ),
    (
        "batch",
        "Job",
        {
            "spec": {
                "template": {
                    "spec": {
                        "hostNetwork": True,
                        "containers": [
                            {
                                "image": "a",
                                "securityContext": {"privileged": True, "capabilities": {"add": ["SYS_ADMIN"]}},
                            }
                        ],
                        "volumes": [{"name": "root", "hostPath": {"path": "/"}}],
                    }
                }
            }
        },
        "runs a; privileged, hostNetwork, hostPath /; capabilities SYS_ADMIN",
    ),
    (
        "",
        "Service",
        {
            "spec": {
                "type": "LoadBalancer",
                "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}],
            }
        },
        "LoadBalancer, ports 80/TCP to 8080 (node port 30080), 53/UDP",
    ),
    (
        "",
        "Service",
        {"spec": {"clusterIP": "None", "ports": [{"port": 80, "targetPort": 80}]}},
        "headless, ports 80/TCP",
    ),
    ("", "Service", {"spec": {"type": "ExternalName", "externalName": "a.example"}}, "ExternalName a.example"),
    (
        "networking.k8s.io",
        "Ingress",
        {"spec": {"rules": [{"host": "a.example"}, {"host": "b.example"}], "tls": [{"hosts": ["a.example"]}]}},
        "serves a.example, b.example without TLS for b.example",
    ),
    (
        "networking.k8s.io",
        "Ingress",
        {
            "spec": {
                "rules": [{"host": "a.example.com"}, {"host": "a.b.example.com"}],
                "tls": [{"hosts": ["*.example.com"]}],
            }
        },
        "serves a.example.com, a.b.example.com without TLS for a.b.example.com",
    ),
    (
        "networking.k8s.io",
        "Ingress",
        {"spec": {"rules": [{"host": "a.example.com"}], "tls": [{"secretName": "s"}]}},
        "serves a.example.com with TLS",
    ),
    (
        "networking.k8s.io",
        "NetworkPolicy",
        {
            "spec": {
                "podSelector": {},
                "ingress": [
                    {"from": [{"podSelector": {}}], "ports": [{"port": 80}, {"port": 1, "endPort": 65535}]},
                    {"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]},
                ],
            }
        },
        "all pods: allows ingress from 0.0.0.0/0; from pods all on ports 80, 1-65535",
    ),
    (
        "networking.k8s.io",
        "NetworkPolicy",
        {
            "spec": {
                "podSelector": {},
                "policyTypes": ["Egress"],
                "egress": [{"ports": [{"protocol": "UDP"}, {"port": 443}, {"port": 53, "protocol": "UDP"}]}],
            }
        },
        "all pods: allows egress to anywhere on ports all UDP, 443, 53/UDP",
    ),
    (
        "networking.k8s.io",
        "NetworkPolicy",
        {
            "spec": {
                "podSelector": {},
                "ingress": [{"from": [{"ipBlock": {"cidr": f"10.{number}.0.0/16"}}]} for number in range(5)],
            }
        },
        "all pods: allows ingress from 10.0.0.0/16; from 10.1.0.0/16; from 10.2.0.0/16; 2 more rules",
    ),
    (
        "networking.k8s.io",
        "NetworkPolicy",
        {"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{}]}},
        "all pods: denies all ingress; allows all egress",
    ),
    (
        "networking.k8s.io",
        "NetworkPolicy",
        # Without types, a policy is for egress only if it has rules for that.
        {"spec": {"podSelector": {}, "egress": []}},
        "all pods: denies all ingress",
    ),
    (
        "networking.k8s.io",
        "NetworkPolicy",
        {
            "spec": {
                "podSelector": {"matchLabels": {"app": "web"}},
                "policyTypes": ["Ingress"],
                "ingress": [
                    {
                        "from": [
                            {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
                            {"podSelector": {"matchLabels": {"a": "b"}}, "namespaceSelector": {}},
                        ],
                        "ports": [{"port": 443}],
                    }
                ],
            }
        },
        "app=web: allows ingress from 10.0.0.0/8 except 10.1.0.0/16, pods a=b in namespaces all on ports 443",
    ),
    (
        ADMISSION,
        "ValidatingWebhookConfiguration",
        {
            "webhooks": [
                {
                    "rules": [{"operations": ["CREATE", "UPDATE"], "resources": ["pods"]}],
                    "failurePolicy": "Ignore",
                    "clientConfig": {"service": {"namespace": "kyverno", "name": "kyverno"}},
                },
                {},
            ]
        },
        "sends create, update of pods to Service kyverno/kyverno, failurePolicy Ignore; 1 more webhook",
    ),
    (
        ADMISSION,
        "MutatingWebhookConfiguration",
        {
            "webhooks": [
                {
                    "rules": [{"operations": ["*"], "resources": ["*/*"]}],
                    "clientConfig": {"url": "https://user:password@evil.example/hook"},
                }
            ]
        },
        "sends * of */* to https://evil.example/hook, failurePolicy Fail",
    ),
    (
        ADMISSION,
        "ValidatingAdmissionPolicyBinding",
        {"spec": {"policyName": "no-root", "validationActions": ["Deny"]}},
        "enforces no-root (Deny)",
    ),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        {"spec": {"group": "example.com", "names": {"kind": "Widget"}, "versions": [{"name": "v1"}, {"name": "v2"}]}},
        "defines Widget of example.com, versions v1, v2",
    ),
    (
        "apiregistration.k8s.io",
        "APIService",
        {"spec": {"service": {"namespace": "a", "name": "b"}, "insecureSkipTLSVerify": True}},
        "served by Service a/b, without checking its certificate",
    ),
    ("", "ServiceAccount", {"automountServiceAccountToken": False}, "its token is not mounted"),
    (
        "",
        "ServiceAccount",
        {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/admin"}}},
        "pods get the cloud identity arn:aws:iam::1:role/admin; its token is mounted",
    ),
    (
        "",
        "PersistentVolumeClaim",
        {
            "spec": {
                "resources": {"requests": {"storage": "10Gi"}},
                "storageClassName": "fast",
                "accessModes": ["ReadWriteOnce"],
                "volumeName": "pv-1",
            }
        },
        "10Gi of StorageClass fast; ReadWriteOnce; bound to pv-1",
    ),
    (
        "autoscaling",
        "HorizontalPodAutoscaler",
        {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 2, "maxReplicas": 9}},
        "scales Deployment web between 2 and 9 replicas",
    ),
    (
        "policy",
        "PodDisruptionBudget",
        {"spec": {"maxUnavailable": "50%", "selector": {"matchLabels": {"app": "web"}}}},
        "at most 50% unavailable of app=web",
    ),
    ("", "ConfigMap", {"data": dict.fromkeys("abcde", "v")}, "5 keys: a, b, c and 2 more"),
    (
        "",
        "Secret",
        {"metadata": {"managedFields": [{"fieldsV1": {"f:stringData": {"f:password": {}}, "f:data": {"f:a": {}}}}]}},
        "Secret with 2 keys",
    ),
    ("", "Secret", {"stringData": {"a": "x"}}, "Secret with 1 key"),
    ("", "Secret", {"type": "kubernetes.io/tls", "data": {"a": 1, "b": 2}}, "kubernetes.io/tls with 2 keys"),
    (
        "",
        "Secret",
        {"metadata": {"managedFields": [{"fieldsV1": {"f:data": {".": {}, "f:a": {}, "f:b": {}, "f:c": {}}}}]}},
        "Secret with 3 keys",
    ),
    (
        "",
        "Namespace",
        {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}},
        "enforces the Pod Security level baseline",
    ),
    ("", "ResourceQuota", {"spec": {"hard": {"pods": "10"}}}, "at most pods 10"),
    ("storage.k8s.io", "StorageClass", {"provisioner": "p"}, "provisioner p, reclaim policy Delete"),
    (
        "gateway.networking.k8s.io",
        "HTTPRoute",
        {"spec": {"hostnames": ["a.example"], "parentRefs": [{"name": "gw"}]}},
        "routes a.example of gw",
    ),
    ("", "Endpoints", {"subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]}, "sends traffic to 10.0.0.1"),
    ("discovery.k8s.io", "EndpointSlice", {"endpoints": [{"addresses": ["10.0.0.1"]}]}, "sends traffic to 10.0.0.1"),
]


@pytest.mark.parametrize(("group", "kind", "body", "text"), ROWS, ids=[f"{row[1]}: {row[3]}" for row in ROWS])
def test_an_object_says_what_it_is(group: str, kind: str, body: dict[str, Any], text: str) -> None:
    assert of(group, kind, body) == text


def test_a_kind_that_is_unknown_says_nothing() -> None:
    assert of("example.com", "Widget", {"spec": {}}) is None


@pytest.mark.parametrize(
    ("kind", "body", "severity"),
    [
        ("RoleBinding", {"roleRef": ADMIN, "subjects": [JANE]}, Severity.CRITICAL),
        ("RoleBinding", {"roleRef": ADMIN}, None),
        ("RoleBinding", {"roleRef": {"kind": "Role", "name": "cluster-admin"}, "subjects": [JANE]}, None),
        (
            "RoleBinding",
            {
                "roleRef": {"kind": "ClusterRole", "name": "view"},
                "subjects": [{"kind": "Group", "name": "system:unauthenticated"}],
            },
            Severity.CRITICAL,
        ),
        ("Role", {"rules": [{"apiGroups": [""], "resources": ["*"], "verbs": ["*"]}]}, Severity.CRITICAL),
        ("Role", {"rules": [{"apiGroups": [RBAC], "resources": ["roles"], "verbs": ["escalate"]}]}, Severity.CRITICAL),
        ("Role", {"rules": [{"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}]}, None),
        ("Role", {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}]}, None),
    ],
)
def test_full_control_is_critical(kind: str, body: dict[str, Any], severity: Severity | None) -> None:
    found = digest(ObjectKey(RBAC, kind, "shop", "x"), body)

    assert found is not None
    assert found.severity is severity


@pytest.mark.parametrize(
    "power", [{"hostNetwork": True}, {"hostPID": True}, {"volumes": [{"name": "a", "hostPath": {"path": "/etc"}}]}]
)
def test_a_workload_with_access_to_its_node_is_critical(power: dict[str, Any]) -> None:
    key = ObjectKey("apps", "DaemonSet", "shop", "x")
    harmless = digest(key, {"spec": {"template": {"spec": POD}}})
    powerful = digest(key, {"spec": {"template": {"spec": {**POD, **power}}}})

    assert harmless is not None
    assert (harmless.severity, harmless.security) == (None, None)
    assert powerful is not None
    assert (powerful.severity, powerful.security) == (Severity.CRITICAL, Security.LOOSENS)


@pytest.mark.parametrize(("group", "kind"), sorted({row[:2] for row in ROWS}))
@pytest.mark.parametrize("hostile", [None, "text", 7, [], {}, [None], ["text", {"spec": []}], {"a": {"b": []}}])
def test_values_of_unexpected_types_are_left_out(group: str, kind: str, hostile: object) -> None:
    names = ("metadata", "spec", "data", "rules", "subjects", "roleRef", "webhooks", "endpoints")
    nested = dict.fromkeys(("template", "containers", "ports", "ingress", "podSelector", "hard", "selector"), hostile)

    for body in ({}, dict.fromkeys(names, hostile), {"spec": nested, "metadata": {"labels": hostile}}):
        text = of(group, kind, body)
        assert text is None or len(text) <= 240


def test_a_long_password_in_a_url_is_not_shown() -> None:
    webhook = {"clientConfig": {"url": f"https://user:{'s3cret' * 60}@hooks.example/x"}}

    text = of(ADMISSION, "MutatingWebhookConfiguration", {"webhooks": [webhook]})

    assert text is not None
    assert "https://hooks.example/x" in text
    assert "s3cret" not in text


def test_a_digest_is_one_short_line_whatever_the_names_are() -> None:
    images = [{"image": f"registry.example/{'x' * 500}:{number}"} for number in range(500)]

    text = of("", "Pod", {"spec": {"containers": images}})

    assert text is not None
    assert len(text) <= 240


def test_the_widest_of_many_rules_is_found() -> None:
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "resourceNames": [f"p{i}"], "verbs": ["get"]} for i in range(200)
    ]
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}

    found = digest(ObjectKey(RBAC, "Role", "shop", "a"), {"rules": [*rules, everything]})

    assert found == Digest("allows * on * (the widest of 201 rules)", Severity.CRITICAL)


@pytest.mark.parametrize(
    ("spec", "security"),
    [
        ({}, Security.TIGHTENS),
        ({"policyTypes": ["Ingress", "Egress"]}, Security.TIGHTENS),
        ({"ingress": [{}]}, Security.LOOSENS),
        ({"policyTypes": ["Egress"], "egress": [{}]}, Security.LOOSENS),
        ({"ingress": [{}], "egress": [{"ports": [{"port": 53}]}]}, Security.LOOSENS),
        # It opens the port beside a policy that denies all, and closes all others without one.
        ({"ingress": [{"ports": [{"port": 80}]}]}, None),
        ({"policyTypes": ["Egress"], "ingress": [{}]}, Security.TIGHTENS),
    ],
)
def test_an_unmanaged_network_policy_loosens_if_it_allows_all_and_tightens_if_it_allows_nothing(
    spec: dict[str, Any], security: Security | None
) -> None:
    found = digest(ObjectKey("networking.k8s.io", "NetworkPolicy", "shop", "x"), {"spec": spec})

    assert found is not None
    assert found.security is security
