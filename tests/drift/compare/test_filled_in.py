"""What the API server fills in is no difference, also if Git or a user has changed what it was derived from."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.drift.compare.managed_fields import Fields, causes, compare, entry

LATER = "2026-01-02T00:00:00Z"


def _body(api_version: str, kind: str, fields: Fields, *entries: Fields, **metadata: Any) -> Fields:
    managed = {"managedFields": [{**one, "apiVersion": api_version} for one in entries]} if entries else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", **metadata, **managed}, **fields}


def _owned(manager: str, operation: str, fields: Fields) -> Fields:
    """An entry with the given FieldsV1."""
    return {**entry(manager, operation, {}), "fieldsV1": fields}


def _in_container(fields: Fields) -> Fields:
    return {"f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:name": {}, "f:image": {}, **fields}}}}


# -- Git sets an empty map or list, and the server fills it


BOOKKEEPING = {"deprecated.daemonset.template.generation": "1"}
LIMITS: Fields = {"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}}


def _pod(pull_secrets: list[Fields], **container: Any) -> Fields:
    return {"spec": {"imagePullSecrets": pull_secrets, "containers": [{"name": "c", "image": "i:1", **container}]}}


EMPTY: list[tuple[str, str, Fields, Fields]] = [
    ("apps/v1", "DaemonSet", {"annotations": {}}, {"annotations": BOOKKEEPING}),
    ("v1", "Namespace", {"labels": {}}, {"labels": {"kubernetes.io/metadata.name": "a"}}),
    ("v1", "ConfigMap", {"labels": {}}, {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}),
]


@pytest.mark.parametrize(("api_version", "kind", "in_git", "filled"), EMPTY)
def test_an_empty_map_of_metadata_that_the_server_fills(
    api_version: str, kind: str, in_git: Fields, filled: Fields
) -> None:
    applied = entry("argocd-controller", "Apply", {"metadata": in_git})
    live = _body(api_version, kind, {}, applied, **filled)

    assert causes(compare(_body(api_version, kind, {}, **in_git), live)) == []
    assert causes(compare(_body(api_version, kind, {}), live)) == []


@pytest.mark.parametrize(("api_version", "kind", "in_git", "filled"), EMPTY)
def test_what_a_user_adds_to_an_empty_map_is_manual(
    api_version: str, kind: str, in_git: Fields, filled: Fields
) -> None:
    (field,) = filled
    applied = entry("argocd-controller", "Apply", {"metadata": in_git})
    edited = entry("kubectl-edit", "Update", {"metadata": {field: {"team": ""}}})
    live = _body(api_version, kind, {}, applied, edited, **{field: {**filled[field], "team": "x"}})

    assert causes(compare(_body(api_version, kind, {}, **in_git), live)) == [
        (field, "added", "manual", ["kubectl-edit"])
    ]


def test_an_empty_list_and_empty_amounts_that_admission_fills() -> None:
    desired = _body("v1", "Pod", _pod([], resources={}))
    fields = _in_container({"f:resources": {}})
    fields["f:spec"]["f:imagePullSecrets"] = {}
    applied = _owned("kustomize-controller", "Apply", fields)
    filled = _pod([{"name": "registry"}], resources=LIMITS)
    added = _in_container({"f:resources": {"f:limits": {"f:nvidia.com/gpu": {}}}})
    edited = _owned("kubectl-edit", "Update", added)
    by_hand = _pod([{"name": "registry"}], resources={**LIMITS, "limits": {"cpu": "1", "nvidia.com/gpu": "1"}})

    assert causes(compare(desired, _body("v1", "Pod", filled, applied))) == []
    assert causes(compare(desired, _body("v1", "Pod", by_hand, applied, edited))) == [
        ("resources", "added", "manual", ["kubectl-edit"])
    ]


# -- the server derived a default from what Git has, and a user edited that


def _deployment(container: Fields, *entries: Fields) -> Fields:
    pod: Fields = {"spec": {"containers": [{"name": "c", **container}]}}
    return _body("apps/v1", "Deployment", {"spec": {"template": pod}}, *entries)


def _of_container(manager: str, *paths: str) -> Fields:
    """An Update entry that owns fields of the container."""
    fields: Fields = {}
    for path in paths:
        node = fields
        for name in path.split("."):
            node = node.setdefault(f"f:{name}", {})
    container = {"f:containers": {'k:{"name":"c"}': {".": {}, **fields}}}
    return _owned(manager, "Update", {"f:spec": {"f:template": {"f:spec": container}}})


def test_the_pull_policy_of_the_image_in_git_stays_silent_if_a_user_sets_another_image() -> None:
    created = _of_container("helm", "name", "imagePullPolicy")
    edited = _of_container("kubectl-set", "image")
    live = _deployment({"image": "nginx:1.2", "imagePullPolicy": "Always"}, created, edited)

    assert causes(compare(_deployment({"image": "nginx"}), live)) == [("image", "changed", "manual", ["kubectl-set"])]


@pytest.mark.parametrize("policy", ["Never", "Always"])
def test_a_pull_policy_that_fits_neither_image_is_manual(policy: str) -> None:
    created = _of_container("helm", "name")
    edited = _of_container("kubectl-edit", "image", "imagePullPolicy")
    live = _deployment({"image": "nginx:1.2", "imagePullPolicy": policy}, created, edited)

    assert sorted(causes(compare(_deployment({"image": "nginx:1.1"}), live))) == [
        ("image", "changed", "manual", ["kubectl-edit"]),
        ("imagePullPolicy", "added", "manual", ["kubectl-edit"]),
    ]


def test_requests_that_the_server_derived_from_the_limits_in_git() -> None:
    created = _of_container("helm", "name", "resources.requests.cpu", "resources.requests.memory")
    edited = _of_container("kubectl-edit", "resources.limits.cpu")
    desired = _deployment({"resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}}})
    derived: Fields = {"limits": {"cpu": "2"}, "requests": {"cpu": "1", "memory": "1Gi"}}

    found = causes(compare(desired, _deployment({"resources": derived}, created, edited)))

    assert found == [("cpu", "changed", "manual", ["kubectl-edit"])]


def test_the_policy_types_of_the_rules_in_git() -> None:
    def policy(fields: Fields, *entries: Fields) -> Fields:
        return _body("networking.k8s.io/v1", "NetworkPolicy", {"spec": {"podSelector": {}, **fields}}, *entries)

    desired = policy({"egress": [{"ports": [{"port": 53}]}]})
    created = entry("helm", "Update", {"spec": {"podSelector": "", "policyTypes": ""}})

    found = causes(compare(desired, policy({"policyTypes": ["Ingress", "Egress"]}, created)))
    opened = causes(compare(desired, policy({"policyTypes": ["Egress"], "egress": desired["spec"]["egress"]}, created)))

    assert [(path, change) for path, change, _, _ in found] == [("egress", "removed")]
    assert [(path, change) for path, change, _, _ in opened] == [("policyTypes", "added")]


def test_the_api_group_of_a_subject_in_an_edited_list() -> None:
    def binding(subjects: list[Fields], *entries: Fields) -> Fields:
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
        kind = "RoleBinding"
        return _body("rbac.authorization.k8s.io/v1", kind, {"roleRef": role, "subjects": subjects}, *entries)

    group = {"apiGroup": "rbac.authorization.k8s.io"}
    edited = entry("kubectl-edit", "Update", {"subjects": ""})

    assert (
        causes(
            compare(
                binding([{"kind": "Group", "name": "x"}]), binding([{"kind": "Group", "name": "x", **group}], edited)
            )
        )
        == []
    )


def test_the_labels_of_the_template_in_git_that_the_server_copied() -> None:
    def controller(template: Fields, *entries: Fields, **metadata: Any) -> Fields:
        spec = {"template": {"metadata": {"labels": template}}}
        return _body("v1", "ReplicationController", {"spec": spec}, *entries, **metadata)

    created = entry("helm", "Update", {"metadata": {"labels": {"app": ""}}})
    edited = entry("kubectl-edit", "Update", {"spec": {"template": {"metadata": {"labels": {"app": ""}}}}})
    live = controller({"app": "b"}, created, edited, labels={"app": "a"})

    assert causes(compare(controller({"app": "a"}), live)) == [("app", "changed", "manual", ["kubectl-edit"])]


# -- the controller manager fills in the rules of an aggregated ClusterRole


@pytest.mark.parametrize(
    ("aggregates", "editor", "expected"),
    [
        (True, None, []),
        (True, "kubectl-edit", []),
        (
            False,
            "kubectl-edit",
            [
                ("aggregationRule", "removed", "manual", ["kubectl-edit"]),
                ("rules", "added", "manual", ["kubectl-edit"]),
            ],
        ),
        (
            False,
            None,
            [
                ("aggregationRule", "removed", "unknown", []),
                ("rules", "added", "controller", ["clusterrole-aggregation-controller"]),
            ],
        ),
    ],
)
@pytest.mark.parametrize("in_git", [{}, {"rules": []}])
def test_the_rules_of_a_role_whose_aggregation_a_user_ended_are_reported(
    in_git: Fields, editor: str | None, expected: list[Any], *, aggregates: bool
) -> None:
    version, kind = "rbac.authorization.k8s.io/v1", "ClusterRole"
    rule: Fields = {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}
    rules: Fields = {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    applied = entry("kustomize-controller", "Apply", {"metadata": {"labels": {"x": ""}}})
    owner = entry("clusterrole-aggregation-controller", "Apply", {"rules": ""})
    if editor is not None:
        owner = {**entry(editor, "Update", {"rules": ""}), "time": LATER}
    live = _body(version, kind, rules | (rule if aggregates else {}), applied, owner, labels={"x": "1"})

    found = compare(_body(version, kind, rule | in_git, labels={"x": "1"}), live)

    assert sorted(causes(found)) == expected


# -- Argo CD's server fills in its Secret


def _argocd_secret(*entries: Fields, name: str = "argocd-secret", **data: str) -> Fields:
    return _body("v1", "Secret", {"type": "Opaque"} | ({"data": data} if data else {}), *entries, name=name)


SERVER_KEYS = {"admin.password": "YQ==", "admin.passwordMtime": "YQ==", "server.secretkey": "YQ=="}


def test_the_keys_of_argocds_server_are_filled_in() -> None:
    applied, server = (
        entry("argocd-controller", "Update", {"type": ""}),
        entry("argocd-server", "Update", {"data": SERVER_KEYS}),
    )

    assert causes(compare(_argocd_secret(), _argocd_secret(applied, server, **SERVER_KEYS))) == []
    # Another Secret, and another key.
    assert causes(compare(_argocd_secret(name="b"), _argocd_secret(applied, server, name="b", **SERVER_KEYS))) != []
    more = entry("argocd-server", "Update", {"data": SERVER_KEYS | {"oidc.secret": ""}})
    found = compare(_argocd_secret(), _argocd_secret(applied, more, **SERVER_KEYS, **{"oidc.secret": "YQ=="}))
    assert causes(found) == [("oidc.secret", "added", "manual", ["argocd-server"])]


def test_a_key_of_argocds_server_that_a_user_set_is_reported() -> None:
    applied, server = (
        entry("argocd-controller", "Update", {"type": ""}),
        entry("argocd-server", "Update", {"data": SERVER_KEYS}),
    )
    edited = {**entry("kubectl-edit", "Update", {"data": {"server.secretkey": ""}}), "time": LATER}
    del server["fieldsV1"]["f:data"]["f:server.secretkey"]

    found = compare(_argocd_secret(), _argocd_secret(applied, server, edited, **SERVER_KEYS))

    assert causes(found) == [("server.secretkey", "added", "manual", ["kubectl-edit"])]


# -- cert-manager or an operator fills in a CA bundle


BUNDLE = "LS0tLS1CRUdJTi"
_CLIENT: Fields = {"service": {"namespace": "n", "name": "s", "path": "/"}}
WITH_BUNDLE: list[tuple[str, str, Any]] = [
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        lambda **bundle: {"webhooks": [{"name": "w.example.com", "clientConfig": {**_CLIENT, **bundle}}]},
    ),
    (
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        lambda **bundle: {
            "spec": {"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": {**_CLIENT, **bundle}}}}
        },
    ),
    ("apiregistration.k8s.io/v1", "APIService", lambda **bundle: {"spec": {"group": "example.com", **bundle}}),
]


@pytest.mark.parametrize(("api_version", "kind", "fields"), WITH_BUNDLE, ids=[kind for _, kind, _ in WITH_BUNDLE])
@pytest.mark.parametrize("in_git", [{}, {"caBundle": "Cg=="}])
def test_a_bundle_is_filled_in_and_a_label_of_that_name_is_not(
    api_version: str, kind: str, fields: Any, in_git: Fields
) -> None:
    applied = entry("kustomize-controller", "Apply", {"metadata": {"labels": {"x": ""}}})
    edited = {**entry("an-editor", "Update", {"metadata": {"labels": {"caBundle": ""}}}), "time": LATER}
    desired = _body(api_version, kind, fields(**in_git), labels={"x": "1"})
    filled, labels = fields(caBundle=BUNDLE), {"x": "1", "caBundle": "x"}

    assert causes(compare(desired, _body(api_version, kind, filled, applied, labels={"x": "1"}))) == []
    assert causes(compare(desired, _body(api_version, kind, filled, applied, edited, labels=labels))) == [
        ("caBundle", "added", "manual", ["an-editor"])
    ]


@pytest.mark.parametrize("before", [{}, {"caBundle": {}}])
def test_a_property_of_a_custom_resource_is_no_bundle(before: Fields) -> None:
    def definition(properties: Fields, *entries: Fields) -> Fields:
        schema: Fields = {"openAPIV3Schema": {"type": "object", "properties": properties}}
        versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
        return _body("apiextensions.k8s.io/v1", "CustomResourceDefinition", {"spec": {"versions": versions}}, *entries)

    known: Fields = {"size": {"type": "integer"}}
    edited = {**entry("kubectl-edit", "Update", {"spec": {"versions": ""}}), "time": LATER}
    desired = definition(known | before)

    assert causes(compare(desired, definition(known | before, edited))) == []
    assert causes(compare(desired, definition(known | {"caBundle": {"type": "string"}}, edited))) == [
        ("versions", "changed", "manual", ["kubectl-edit"])
    ]


# -- bytes, which the server stores on one line


ONE_LINE = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="
OTHER_LINE = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0hCg=="
WRAPPED = f"{ONE_LINE[:20]}\n{ONE_LINE[20:]}\n"


@pytest.mark.parametrize(
    ("api_version", "kind", "fields"),
    [
        ("v1", "ConfigMap", lambda value: {"binaryData": {"f": value}}),
        ("certificates.k8s.io/v1", "CertificateSigningRequest", lambda value: {"spec": {"request": value}}),
        *(
            (api_version, kind, lambda value, make=make: make(caBundle=value))
            for api_version, kind, make in WITH_BUNDLE
        ),
    ],
)
@pytest.mark.parametrize("in_git", [ONE_LINE, f"{ONE_LINE}\n", WRAPPED, WRAPPED.replace("\n", "\r\n")])
def test_bytes_on_several_lines(api_version: str, kind: str, fields: Any, in_git: str) -> None:
    applied = entry("kustomize-controller", "Apply", fields(""))
    edited = entry("kubectl-edit", "Update", fields(""))
    desired = _body(api_version, kind, fields(in_git))

    def found(value: str, *entries: Fields) -> list[tuple[str, str]]:
        compared = compare(desired, _body(api_version, kind, fields(value), *entries), desired)
        return [(change, cause) for _, change, cause, _ in causes(compared)]

    assert found(ONE_LINE, applied) == []
    assert found(OTHER_LINE, edited, applied) == [("changed", "manual")]


# -- objects that no applier has written


MADE_OF_AN_EXPORTED_ONE = {"kustomize.toolkit.fluxcd.io/name": "apps"}


@pytest.mark.parametrize("creator", ["kubectl-create", "before-first-apply", "python-requests", "node-fetch"])
@pytest.mark.parametrize(
    ("editor", "time", "expected"),
    [
        ("kubectl-edit", LATER, True),
        ("kubectl-patch", LATER, True),
        ("kubectl-replace", LATER, False),
        ("kubectl-edit", "2026-01-01T00:00:00Z", False),
    ],
)
def test_an_allocated_value_that_a_user_edited_later_is_manual(
    creator: str, editor: str, time: str, *, expected: bool
) -> None:
    port: Fields = {"port": 80, "protocol": "TCP", "targetPort": 80}
    owned = _owned(creator, "Update", {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}}}}})
    changed: Fields = {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {"f:nodePort": {}}}}}
    edited = {**_owned(editor, "Update", changed), "time": time}
    desired = _body("v1", "Service", {"spec": {"type": "NodePort", "ports": [port]}})

    def found(*entries: Fields) -> list[tuple[str, str, str, list[str]]]:
        spec = {"type": "NodePort", "ports": [{**port, "nodePort": 30001}]}
        created = "2026-01-01T00:00:00Z"
        return causes(compare(desired, _body("v1", "Service", {"spec": spec}, *entries, creationTimestamp=created)))

    assert found(owned) == []
    assert found(owned, edited) == ([("nodePort", "added", "manual", [editor])] if expected else [])


@pytest.mark.parametrize(("manager", "expected"), [("kubectl-label", True), ("kubectl-create", False)])
def test_a_tracking_label_that_a_user_put_on_an_object_of_a_user_is_manual(manager: str, *, expected: bool) -> None:
    created = entry("kubectl-create", "Update", {"data": {"k": ""}})
    labelled = {**entry(manager, "Update", {"metadata": {"labels": MADE_OF_AN_EXPORTED_ONE}}), "time": LATER}
    live = _body("v1", "ConfigMap", {"data": {"k": "v"}}, created, labelled, labels=MADE_OF_AN_EXPORTED_ONE)

    found = causes(compare(_body("v1", "ConfigMap", {"data": {"k": "v"}}), live))

    assert found == ([("labels", "added", "manual", [manager])] if expected else [])


# -- amounts that the server rounds up


def _resources(amount: Any) -> Fields:
    return {"containers": [{"name": "c", "image": "web:1", "resources": {"limits": {"cpu": amount}}}]}


def _metrics(amount: Any) -> list[Fields]:
    target = {"type": "AverageValue", "averageValue": amount}
    return [{"type": "Pods", "pods": {"metric": {"name": "m"}, "target": target}}]


@pytest.mark.parametrize(
    ("api_version", "kind", "fields"),
    [
        ("v1", "Pod", lambda amount: {"spec": _resources(amount)}),
        ("v1", "Pod", lambda amount: {"spec": {"overhead": {"cpu": amount}}}),
        ("v1", "ResourceQuota", lambda amount: {"spec": {"hard": {"requests.cpu": amount}}}),
        ("v1", "LimitRange", lambda amount: {"spec": {"limits": [{"type": "Container", "max": {"cpu": amount}}]}}),
        ("node.k8s.io/v1", "RuntimeClass", lambda amount: {"handler": "h", "overhead": {"podFixed": {"cpu": amount}}}),
    ],
)
def test_an_amount_that_the_server_rounds_up_is_silent(
    api_version: str, kind: str, fields: Callable[[Any], Fields]
) -> None:
    def found(in_git: Any, live: str) -> int:
        owned = {**_owned("kustomize-controller", "Apply", {}), "apiVersion": api_version}
        live_body = _body(api_version, kind, fields(live), owned)
        return len(compare(_body(api_version, kind, fields(in_git)), live_body).differences)

    assert [found(amount, "88m") for amount in (0.0875, "87.5m", "87500u", "88m")] == [0, 0, 0, 0]
    assert [found("87.5m", live) for live in ("87m", "89m")] == [1, 1]


def test_another_quantity_is_exact() -> None:
    api_version, kind = "autoscaling/v2", "HorizontalPodAutoscaler"
    desired = _body(api_version, kind, {"spec": {"maxReplicas": 2, "metrics": _metrics("87.5m")}})
    live = _body(api_version, kind, {"spec": {"maxReplicas": 2, "metrics": _metrics("88m")}})

    assert [found.difference.path for found in compare(desired, live).differences] == [("spec", "metrics")]
