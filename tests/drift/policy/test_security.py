"""What loosens security, what tightens it, and what does neither."""

from typing import Any

import pytest

from drift.compare.objects import compare_object
from drift.model import Cause, Change, Security, Severity
from drift.objects import Incomparable, Json, Object, ObjectKey, as_object
from drift.policy.findings import missing_finding, object_findings
from drift.policy.security import security_of
from drift.policy.severity import default_table
from drift.schema.types import SchemaDocument, compact_schemas

RBAC = "rbac.authorization.k8s.io"
NETWORKING = "networking.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
POD = "spec.template.spec"
APP = f"{POD}.containers[name=app]"
CONTEXT = f"{APP}.securityContext"
ENFORCE = 'metadata.labels["pod-security.kubernetes.io/enforce"]'
READ = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
EXEC = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}
ALL = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
JANE, JOE = ({"kind": "User", "apiGroup": RBAC, "name": name} for name in ("jane", "joe"))
FROM_WEB = {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 80}]}
PODS = {"podSelector": {"matchLabels": {"app": "web"}}}
OTHER = {"podSelector": {"matchLabels": {"app": "other"}}}
FROM_ALL = {"ports": [{"port": 80}]}
WEB, API = ({"host": host, "http": {"paths": [{"path": "/"}]}} for host in ("web.example", "api.example"))


def _from(*peers: Json) -> Json:
    return {"from": [*peers]}


def _rule(verb: str, group: str, *resources: str) -> Json:
    return {"apiGroups": [group], "resources": [*resources], "verbs": [verb]}


# Kind and group ("" and "apps" are left out), path, the tighter value and the looser one; None is absent.
PAIRS: list[tuple[Any, str, Json, Json]] = [
    ("Deployment", f"{CONTEXT}.privileged", None, True),
    ("Deployment", f"{CONTEXT}.privileged", False, True),
    ("Deployment", f"{CONTEXT}.allowPrivilegeEscalation", False, None),
    ("Deployment", f"{CONTEXT}.runAsNonRoot", True, False),
    ("Deployment", f"{POD}.securityContext.runAsNonRoot", True, None),
    ("Deployment", f"{CONTEXT}.runAsUser", 1000, 0),
    ("Deployment", f"{CONTEXT}.runAsUser", None, 0),
    ("Deployment", f"{POD}.securityContext.runAsUser", 1000, None),
    ("Deployment", f"{CONTEXT}.runAsNonRoot", None, False),
    ("Deployment", CONTEXT, None, {"runAsNonRoot": False}),
    ("Deployment", f"{POD}.initContainers[name=app].securityContext.runAsNonRoot", None, False),
    ("Deployment", f"{CONTEXT}.readOnlyRootFilesystem", True, None),
    ("Deployment", f"{CONTEXT}.capabilities.add", ["NET_ADMIN"], ["NET_ADMIN", "SYS_PTRACE"]),
    ("Deployment", f"{CONTEXT}.capabilities.add", ["NET_ADMIN"], ["ALL"]),
    ("Deployment", f"{CONTEXT}.capabilities.drop", ["ALL"], ["NET_RAW"]),
    ("Deployment", f"{CONTEXT}.capabilities.drop", ["ALL"], None),
    ("Deployment", f"{CONTEXT}.capabilities", {"drop": ["ALL"]}, None),
    ("Deployment", f"{CONTEXT}.seccompProfile.type", "RuntimeDefault", "Unconfined"),
    ("Deployment", f"{CONTEXT}.seccompProfile", None, {"type": "Unconfined"}),
    ("Deployment", f"{POD}.securityContext.seccompProfile", {"type": "RuntimeDefault"}, None),
    ("Deployment", f"{CONTEXT}.appArmorProfile.type", "RuntimeDefault", "Unconfined"),
    ("Deployment", f"{POD}.securityContext", {"runAsNonRoot": True}, None),
    ("Deployment", CONTEXT, None, {"privileged": True}),
    ("Deployment", f"{POD}.hostNetwork", None, True),
    ("Pod", "spec.hostPID", None, True),
    (("CronJob", "batch"), "spec.jobTemplate.spec.template.spec.hostIPC", None, True),
    ("Deployment", f"{POD}.hostUsers", False, None),
    ("Deployment", f"{POD}.automountServiceAccountToken", False, None),
    ("ServiceAccount", "automountServiceAccountToken", False, True),
    ("Deployment", f"{POD}.volumes[name=x]", None, {"name": "x", "hostPath": {"path": "/"}}),
    ("Deployment", f"{POD}.volumes[name=x].hostPath", None, {"path": "/"}),
    ("Deployment", f"{APP}.volumeMounts[mountPath=/x].readOnly", True, None),
    ("Deployment", f"{APP}.ports[containerPort=80,protocol=TCP].hostPort", None, 80),
    ("Deployment", f"{POD}.containers[name=debug]", None, {"name": "debug", "securityContext": {"privileged": True}}),
    ("Namespace", ENFORCE, "restricted", "baseline"),
    ("Namespace", ENFORCE, "baseline", None),
    ("Namespace", "metadata.labels", {"pod-security.kubernetes.io/enforce": "baseline", "a": "b"}, None),
    ("Service", "spec.type", "ClusterIP", "NodePort"),
    ("Service", "spec.type", "NodePort", "LoadBalancer"),
    ("Service", "spec.ports[port=22,protocol=TCP]", None, {"port": 22, "protocol": "TCP"}),
    ("Service", "spec.externalIPs", ["10.0.0.1"], ["10.0.0.1", "10.0.0.2"]),
    ("Service", "spec.loadBalancerSourceRanges", ["10.0.0.0/8"], None),
    ("Service", "spec.loadBalancerSourceRanges", ["10.1.0.0/16"], ["10.0.0.0/8"]),
    ("Service", "spec.loadBalancerSourceRanges", ["10.0.0.0/8"], ["10.0.0.0/8", "0.0.0.0/0"]),
    ("Service", "spec.loadBalancerSourceRanges", ["10.0.0.0/8", "fd00::/8"], ["0.0.0.0/0", "::/0"]),
    ("Service", "spec.loadBalancerSourceRanges", ["0.0.0.0/0"], ["0.0.0.0/0", "::/0"]),
    ("Service", "spec.loadBalancerSourceRanges", ["::/0"], None),
    (("Ingress", NETWORKING), "spec.tls", [{"hosts": ["a"]}, {"hosts": ["b"]}], [{"hosts": ["a"]}]),
    (("Ingress", NETWORKING), "spec.tls", [{"secretName": "s"}], None),
    (("Ingress", NETWORKING), "spec.tls", [{"hosts": ["*.example.com"]}], [{"hosts": ["a.example.com"]}]),
    (("Ingress", NETWORKING), "spec.rules", [WEB], [WEB, API]),
    (("NetworkPolicy", NETWORKING), "spec.ingress", [FROM_WEB], [FROM_WEB, {}]),
    (("NetworkPolicy", NETWORKING), "spec.ingress", [FROM_WEB], [FROM_ALL]),
    (("NetworkPolicy", NETWORKING), "spec.ingress", None, [FROM_WEB]),
    *(
        (("NetworkPolicy", NETWORKING), "spec.ingress", [tight], [loose])
        for tight, loose in (
            (_from({"ipBlock": {"cidr": "10.1.0.0/16"}}), _from({"ipBlock": {"cidr": "10.0.0.0/8"}})),
            (
                _from({"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}),
                _from({"ipBlock": {"cidr": "0.0.0.0/0"}}),
            ),
            (
                _from({"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}),
                _from({"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.1.0.0/16"]}}),
            ),
            (_from({"podSelector": {"matchLabels": {"app": "web"}}}), _from({"podSelector": {}})),
            (_from({"podSelector": {}}), _from({"namespaceSelector": {}})),
            ({"ports": [{"port": 80}]}, {"ports": [{"port": 1, "endPort": 65535}]}),
            ({"ports": [{"port": 80, "protocol": "TCP"}]}, {"ports": [{}]}),
            ({"ports": [{"port": 80}]}, {"ports": [{"port": 80}, {"port": 80, "protocol": "UDP"}]}),
        )
    ),
    (("NetworkPolicy", NETWORKING), "spec.policyTypes", ["Ingress", "Egress"], ["Ingress"]),
    (("NetworkPolicy", NETWORKING), "spec.podSelector", {}, {"matchLabels": {"app": "web"}}),
    (("Role", RBAC), "rules", [READ], [READ, EXEC]),
    (("ClusterRole", RBAC), "rules", [READ], [ALL]),
    (("Role", RBAC), "rules", [{**READ, "resourceNames": ["a"]}], [READ]),
    (("RoleBinding", RBAC), "subjects", [JANE], [JANE, JOE]),
    (("ClusterRoleBinding", RBAC), "subjects", None, [JOE]),
    (
        ("RoleBinding", RBAC),
        "roleRef",
        {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"},
        {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
    ),
    (
        ("RoleBinding", RBAC),
        "roleRef",
        {"apiGroup": RBAC, "kind": "Role", "name": "config-reader"},
        {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
    ),
    (("ClusterRole", RBAC), f'metadata.labels["{RBAC}/aggregate-to-admin"]', None, "true"),
    (("ValidatingWebhookConfiguration", ADMISSION), "webhooks[name=x].failurePolicy", "Fail", "Ignore"),
    (("ValidatingWebhookConfiguration", ADMISSION), "webhooks[name=x]", {"name": "x"}, None),
    (("ValidatingAdmissionPolicyBinding", ADMISSION), "spec.validationActions", ["Deny"], ["Audit"]),
    (("APIService", "apiregistration.k8s.io"), "spec.insecureSkipTLSVerify", None, True),
]
NEITHER: list[tuple[Any, str, Json, Json]] = [
    ("Deployment", f"{APP}.image", "a", "b"),
    ("Deployment", f"{CONTEXT}.privileged", None, False),
    ("Deployment", f"{CONTEXT}.capabilities.drop", ["ALL"], ["ALL", "NET_RAW"]),
    ("Deployment", f"{CONTEXT}.runAsUser", 1000, 2000),
    ("Deployment", f"{CONTEXT}.runAsUser", 1000, "root"),
    # The Pod may have what a container no longer sets.
    ("Deployment", f"{CONTEXT}.runAsNonRoot", True, None),
    ("Deployment", f"{CONTEXT}.runAsUser", 1000, None),
    ("Deployment", CONTEXT, {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}, None),
    ("Deployment", f"{CONTEXT}.capabilities.add", ["NET_RAW"], ["CAP_NET_RAW"]),
    # A container that is new is no tighter than none, and one that is gone no looser.
    (
        "Deployment",
        f"{POD}.containers[name=x]",
        None,
        {"name": "x", "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}},
    ),
    ("Deployment", f"{POD}.containers[name=x]", {"name": "x", "securityContext": {"runAsNonRoot": True}}, None),
    ("Deployment", f"{POD}.volumes[name=x].hostPath.path", "/a", "/b"),
    ("Namespace", 'metadata.labels["pod-security.kubernetes.io/warn"]', "restricted", "privileged"),
    ("Namespace", ENFORCE, "restricted", "no such level"),
    # The default.
    ("Service", "spec.loadBalancerSourceRanges", ["0.0.0.0/0"], None),
    ("Service", "spec.loadBalancerSourceRanges", None, ["0.0.0.0/0", "::/0"]),
    ("Service", "spec.loadBalancerSourceRanges", ["0.0.0.0/0"], ["0.0.0.0/0", "10.0.0.0/8"]),
    (("NetworkPolicy", NETWORKING), "spec.ingress", [FROM_ALL], [FROM_ALL, FROM_WEB]),
    (("NetworkPolicy", NETWORKING), "spec.ingress", [_from(PODS, OTHER)], [_from(PODS), _from(OTHER)]),
    (
        ("NetworkPolicy", NETWORKING),
        "spec.ingress",
        [_from({"namespaceSelector": {}})],
        [_from({"namespaceSelector": {}, "podSelector": {}})],
    ),
    (("CiliumNetworkPolicy", "cilium.io"), "spec.ingress", [{}], []),
    (("ClusterRole", RBAC), "rules", [ALL], [ALL, READ]),
    (("ClusterRole", RBAC), "rules", [READ], [{**READ, "verbs": ["get"]}, {**READ, "verbs": ["list"]}]),
    (("RoleBinding", RBAC), "subjects", [JANE, JOE], [JOE, JANE]),
    (("Role", "example.com"), "rules", [READ], [ALL]),
    ("Service", "spec.ports[port=80,protocol=TCP].targetPort", 80, 8080),
]


def judge(kind: Any, path: str, desired: Json, live: Json) -> Security | None:
    name, group = kind if isinstance(kind, tuple) else (kind, "apps" if kind == "Deployment" else "")
    change = Change.ADDED if desired is None else Change.REMOVED if live is None else Change.CHANGED
    return security_of(
        ObjectKey(group, name, "shop", "x"),
        path,
        change,
        desired,
        live,
        objects=(_body(path, desired), _body(path, live)),
    )


def _body(path: str, value: Json) -> Object:
    for name in [] if value is None else reversed(path.split(".")):
        value = {name: value}
    return as_object(value)


@pytest.mark.parametrize(("kind", "path", "tight", "loose"), PAIRS)
def test_a_difference_loosens_security_and_the_opposite_one_tightens_it(
    kind: Any, path: str, tight: Json, loose: Json
) -> None:
    assert judge(kind, path, tight, loose) is Security.LOOSENS
    assert judge(kind, path, loose, tight) is Security.TIGHTENS


@pytest.mark.parametrize(("kind", "path", "desired", "live"), NEITHER)
def test_other_differences_do_neither(kind: Any, path: str, desired: Json, live: Json) -> None:
    assert judge(kind, path, desired, live) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{CONTEXT}.runAsNonRoot", True),
        (f"{CONTEXT}.runAsUser", 1000),
        (f"{CONTEXT}.seccompProfile", {"type": "RuntimeDefault"}),
    ],
)
def test_a_container_that_sets_what_it_may_have_from_its_pod_is_no_looser_without_it(path: str, value: Json) -> None:
    assert judge("Deployment", path, None, value) is Security.TIGHTENS
    assert judge("Deployment", path, value, None) is None


@pytest.mark.parametrize("hostile", [7, "text", [None], [[]], [{"a": []}], {"b": {}}, True])
@pytest.mark.parametrize("row", PAIRS, ids=[row[1] for row in PAIRS])
def test_values_of_unexpected_types_are_compared_without_an_error(
    row: tuple[Any, str, Json, Json], hostile: Json
) -> None:
    kind, path, tight, loose = row
    for desired, live in ((hostile, loose), (tight, hostile), (hostile, None), (None, hostile)):
        judge(kind, path, desired, live)


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_a_new_validating_webhook_only_restricts(policy: str) -> None:
    webhook = {"name": "x", "failurePolicy": policy}
    kind = ("ValidatingWebhookConfiguration", ADMISSION)

    assert judge(kind, "webhooks[name=x]", None, webhook) is Security.TIGHTENS
    assert judge(kind, "webhooks[name=x]", webhook, None) is Security.LOOSENS
    assert judge(("MutatingWebhookConfiguration", ADMISSION), "webhooks[name=x]", None, webhook) is None


def test_a_change_that_loosens_and_tightens_loosens() -> None:
    value = {"privileged": True, "runAsNonRoot": True}

    assert judge("Deployment", CONTEXT, None, value) is Security.LOOSENS


def test_a_role_with_too_many_permissions_is_not_compared() -> None:
    huge = {name: [str(number) for number in range(200)] for name in ("apiGroups", "resources", "verbs")}

    assert judge(("Role", RBAC), "rules", [READ], [huge]) is None


@pytest.mark.parametrize(
    ("group", "kind", "spec", "security"),
    [
        (NETWORKING, "NetworkPolicy", {}, Security.LOOSENS),
        (NETWORKING, "NetworkPolicy", {"policyTypes": ["Egress"]}, Security.LOOSENS),
        (NETWORKING, "NetworkPolicy", {"policyTypes": ["Egress"], "ingress": [FROM_WEB]}, Security.LOOSENS),
        # Without other policies, all is allowed now; beside one that denies all, nothing is.
        (NETWORKING, "NetworkPolicy", {"ingress": [FROM_WEB]}, None),
        (NETWORKING, "NetworkPolicy", {"ingress": [Incomparable("encrypted")]}, None),
        (NETWORKING, "NetworkPolicy", {"ingress": [{}]}, Security.TIGHTENS),
        (NETWORKING, "NetworkPolicy", {"ingress": [{}], "policyTypes": ["Ingress", "Egress"]}, Security.LOOSENS),
        (ADMISSION, "ValidatingWebhookConfiguration", {}, Security.LOOSENS),
        (RBAC, "RoleBinding", {}, Security.TIGHTENS),
        ("apps", "Deployment", {}, None),
    ],
)
def test_a_missing_policy_that_only_restricts_loosens_and_a_missing_binding_tightens(
    group: str, kind: str, spec: Json, security: Security | None
) -> None:
    key = ObjectKey(group, kind, "shop", "x")

    assert missing_finding(key, {"spec": spec}, "", Cause.UNKNOWN).security is security


WEB_PODS = {"matchLabels": {"app": "web"}}
X, XY = ({"matchExpressions": [{"key": "a", "operator": "In", "values": values}]} for values in (["x"], ["x", "y"]))
NOT_X, NOT_XY = (
    {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": values}]} for values in (["x"], ["x", "y"])
)
HAS_A, LACKS_A = ({"matchExpressions": [{"key": "a", "operator": name}]} for name in ("Exists", "DoesNotExist"))
FOR_WEB: Object = {"podSelector": WEB_PODS}
DENIES_ALL: Object = {"policyTypes": ["Ingress", "Egress"]}
ALLOWS_ALL: Object = {"ingress": [{}]}
DNS = [{"ports": [{"port": 53, "protocol": "UDP"}]}]


def network_findings(desired: Json, live: Json) -> dict[str, Security | None]:
    """Compares two NetworkPolicies as a scan does."""
    schema = SchemaDocument(compact_schemas()).kind(NETWORKING, "v1", "NetworkPolicy")
    assert schema is not None
    bodies = [
        {
            "apiVersion": f"{NETWORKING}/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "x", "namespace": "shop"},
            "spec": {"podSelector": {}, **spec},
        }
        for spec in (desired, live)
    ]
    compared = compare_object(bodies[0], bodies[1], None, schema)
    return {
        finding.path: finding.security
        for finding in object_findings(compared, ObjectKey(NETWORKING, "NetworkPolicy", "shop", "x"), "")
    }


@pytest.mark.parametrize(
    ("desired", "live", "path", "security"),
    [
        # Rules for more pods open connections beside other policies, and close the rest where there are none.
        ({"podSelector": WEB_PODS, "ingress": [FROM_WEB]}, {"ingress": [FROM_WEB]}, "spec.podSelector", None),
        ({"ingress": [FROM_WEB]}, {"podSelector": WEB_PODS, "ingress": [FROM_WEB]}, "spec.podSelector", None),
        (ALLOWS_ALL, {**ALLOWS_ALL, "podSelector": WEB_PODS}, "spec.podSelector", Security.TIGHTENS),
        ({**ALLOWS_ALL, "podSelector": WEB_PODS}, ALLOWS_ALL, "spec.podSelector", Security.LOOSENS),
        (DENIES_ALL, {**DENIES_ALL, "podSelector": WEB_PODS}, "spec.podSelector", Security.LOOSENS),
        ({**DENIES_ALL, "podSelector": WEB_PODS}, DENIES_ALL, "spec.podSelector", Security.TIGHTENS),
        ({**DENIES_ALL, "podSelector": X}, {**DENIES_ALL, "podSelector": XY}, "spec.podSelector", Security.TIGHTENS),
        ({**DENIES_ALL, "podSelector": X}, {**DENIES_ALL, "podSelector": WEB_PODS}, "spec.podSelector", "loosens"),
        # Ingress is no longer isolated. Without types, a policy always isolates it.
        (FOR_WEB, {**FOR_WEB, "policyTypes": ["Egress"]}, "spec.policyTypes", "loosens"),
        ({}, {"policyTypes": ["Egress"]}, "spec", Security.LOOSENS),
        ({"policyTypes": ["Egress"]}, {"policyTypes": ["Ingress", "Egress"]}, "spec.policyTypes", Security.TIGHTENS),
        ({"policyTypes": ["Ingress", "Egress"]}, {"policyTypes": ["Egress"]}, "spec.policyTypes", Security.LOOSENS),
        # Egress is no longer isolated: that opens all, or closes DNS beside a policy that denies all egress.
        ({"egress": DNS}, {"egress": DNS, "policyTypes": ["Ingress"]}, "spec.policyTypes", None),
        ({"egress": [{}]}, {"egress": [{}], "policyTypes": ["Ingress"]}, "spec.policyTypes", Security.TIGHTENS),
        ({"egress": DNS}, {"policyTypes": ["Ingress"]}, "spec.egress", None),
        # The type remains when the rules are gone.
        ({"egress": DNS}, DENIES_ALL, "spec.egress", Security.TIGHTENS),
        # Git denies all egress, which is opened.
        (DENIES_ALL, {**DENIES_ALL, "egress": [{}]}, "spec.egress", Security.LOOSENS),
        ({**DENIES_ALL, "egress": [{}]}, DENIES_ALL, "spec.egress", Security.TIGHTENS),
        # It allows DNS where another policy denies all egress, and denies the rest where none does.
        (FOR_WEB, {**FOR_WEB, **DENIES_ALL, "egress": DNS}, "spec.egress", None),
        (FOR_WEB, {**FOR_WEB, **DENIES_ALL, "egress": [{}]}, "spec.egress", Security.LOOSENS),
        # Rules for a direction that the policy does not isolate have no effect.
        (
            {**FOR_WEB, "policyTypes": ["Ingress"]},
            {**FOR_WEB, "policyTypes": ["Ingress"], "egress": [{}]},
            "spec.egress",
            None,
        ),
    ],
)
def test_policies_add_up_and_isolate_the_pods_of_their_types(
    desired: Json, live: Json, path: str, security: Security | None
) -> None:
    assert network_findings(desired, live)[path] == security
    assert network_findings(live, live) == {}


@pytest.mark.parametrize(
    ("tight", "loose"),
    [
        (X, XY),
        (X, HAS_A),
        (X, {}),
        (NOT_XY, NOT_X),
        (LACKS_A, NOT_X),
        ({"matchLabels": {"a": "y"}}, NOT_X),
        ({"matchLabels": {"a": "y"}}, XY),
        ({"matchLabels": {"a": "x", "b": "y"}}, X),
    ],
)
def test_a_peer_that_selects_more_pods_loosens(tight: Json, loose: Json) -> None:
    rules = [[_from({"podSelector": selector})] for selector in (tight, loose)]

    assert network_findings({"ingress": rules[0]}, {"ingress": rules[1]}) == {"spec.ingress": Security.LOOSENS}
    assert network_findings({"ingress": rules[1]}, {"ingress": rules[0]}) == {"spec.ingress": Security.TIGHTENS}


@pytest.mark.parametrize(
    ("one", "other"), [(X, {"matchLabels": {"a": "x"}}), (XY, {"matchExpressions": [{**XY["matchExpressions"][0]}]})]
)
def test_peers_that_select_the_same_pods_do_neither(one: Json, other: Json) -> None:
    rules = [[_from({"podSelector": selector})] for selector in (one, other)]

    assert set(network_findings({"ingress": rules[0]}, {"ingress": rules[1]}).values()) <= {None}


def test_what_loosens_security_is_at_least_high_unless_a_controller_did_it() -> None:
    key, path = ObjectKey("", "Service", "shop", "x"), "metadata.labels.team"
    table = default_table()

    assert table.severity(key, path, Change.CHANGED, Cause.MANUAL) is Severity.LOW
    assert table.severity(key, path, Change.CHANGED, Cause.MANUAL, security=Security.TIGHTENS) is Severity.LOW
    assert table.severity(key, path, Change.CHANGED, Cause.MANUAL, security=Security.LOOSENS) is Severity.HIGH
    assert table.severity(key, path, Change.CHANGED, Cause.CONTROLLER, security=Security.LOOSENS) is Severity.INFO


@pytest.mark.parametrize(
    ("path", "live", "severity"),
    [
        ("rules", [READ, ALL], Severity.CRITICAL),
        ("rules", [READ, EXEC], Severity.HIGH),
        ("rules", [*[READ] * 200, ALL], Severity.CRITICAL),
        ("rules", [_rule("*", "", "*")], Severity.CRITICAL),
        ("rules", [_rule("*", RBAC, "*")], Severity.CRITICAL),
        ("rules", [_rule("*", RBAC, "roles", "rolebindings")], Severity.CRITICAL),
        ("rules", [_rule("escalate", RBAC, "clusterroles")], Severity.CRITICAL),
        ("rules", [_rule("impersonate", "", "users")], Severity.CRITICAL),
        ("rules", [_rule("*", "", "serviceaccounts")], Severity.CRITICAL),
        ("rules", [_rule("impersonate", "*", "*")], Severity.CRITICAL),
        # All of one API that leads to no other one, and verbs that mean nothing for their resources.
        ("rules", [_rule("*", "acme.cert-manager.io", "*")], Severity.HIGH),
        ("rules", [_rule("*", RBAC, "rolebindings")], Severity.HIGH),
        ("rules", [_rule("bind", "example.com", "roles")], Severity.HIGH),
        ("rules", [_rule("*", "", "pods")], Severity.HIGH),
        ("roleRef", {"kind": "ClusterRole", "name": "cluster-admin"}, Severity.CRITICAL),
        ("roleRef", {"kind": "Role", "name": "cluster-admin"}, Severity.HIGH),
    ],
)
def test_a_change_that_gives_full_control_is_critical(path: str, live: Json, severity: Severity) -> None:
    key = ObjectKey(RBAC, "Role", "shop", "x")

    assert default_table().severity(key, path, Change.CHANGED, Cause.MANUAL, live, Security.LOOSENS) is severity
