"""Defaults that depend on an object's other fields: what the API server would fill in beside what is there.

One function per field, from the object that holds the field to the value the server gives it. The functions restate
``pkg/apis/*/defaults.go`` of Kubernetes; the tests hold each against the real API server.
"""

from collections.abc import Callable, Mapping
from typing import Final

from drift.model import Json, Object
from drift.schema.types import ABSENT

Rule = Callable[[Object], Json]

_CORE: Final = "io.k8s.api.core.v1."
_APPS: Final = "io.k8s.api.apps.v1."
_RBAC: Final = "io.k8s.api.rbac.v1."
_CRD: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
_RBAC_GROUP: Final = "rbac.authorization.k8s.io"
_QUARTER: Final = "25%"


def _pull_policy(container: Object) -> Json:
    """Always for ``latest`` or no tag at all, IfNotPresent for any other tag and for digests."""
    image = str(container.get("image", ""))
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if tag == "latest" or (not tag and not digest) else "IfNotPresent"


def _target_port(port: Object) -> Json:
    return port.get("port", ABSENT)


def _service_account(pod: Object) -> Json:
    """The deprecated twin of serviceAccountName, kept equal to it."""
    return pod.get("serviceAccountName", ABSENT)


def _policy_types(policy: Object) -> Json:
    return ["Ingress", "Egress"] if policy.get("egress") else ["Ingress"]


def _subject_group(subject: Object) -> Json:
    return _RBAC_GROUP if subject.get("kind") in {"User", "Group"} else ABSENT


def _deployment_rolling_update(strategy: Object) -> Json:
    rolls = strategy.get("type", "RollingUpdate") == "RollingUpdate"
    return {"maxSurge": _QUARTER, "maxUnavailable": _QUARTER} if rolls else ABSENT


def _daemon_set_rolling_update(strategy: Object) -> Json:
    rolls = strategy.get("type", "RollingUpdate") == "RollingUpdate"
    return {"maxSurge": 0, "maxUnavailable": 1} if rolls else ABSENT


def _stateful_set_rolling_update(strategy: Object) -> Json:
    return {"partition": 0} if strategy.get("type", "RollingUpdate") == "RollingUpdate" else ABSENT


def _external_traffic_policy(service: Object) -> Json:
    return "Cluster" if service.get("type") in {"NodePort", "LoadBalancer"} else ABSENT


def _allocates_node_ports(service: Object) -> Json:
    return True if service.get("type") == "LoadBalancer" else ABSENT


def _client_ip_timeout(service: Object) -> Json:
    return {"clientIP": {"timeoutSeconds": 10800}} if service.get("sessionAffinity") == "ClientIP" else ABSENT


def _list_kind(names: Object) -> Json:
    return f"{names.get('kind')}List"


def _singular(names: Object) -> Json:
    return str(names.get("kind", "")).lower()


def _host_port(port: Object) -> Json:
    # Only where the pod uses the host's network, and then there is no other choice.
    return port.get("containerPort", ABSENT)


RULES: Final[Mapping[tuple[str, str], Rule]] = {
    (_CORE + "Container", "imagePullPolicy"): _pull_policy,
    (_CORE + "EphemeralContainer", "imagePullPolicy"): _pull_policy,
    (_CORE + "ContainerPort", "hostPort"): _host_port,
    (_CORE + "PodSpec", "serviceAccount"): _service_account,
    (_CORE + "ServicePort", "targetPort"): _target_port,
    (_CORE + "ServiceSpec", "externalTrafficPolicy"): _external_traffic_policy,
    (_CORE + "ServiceSpec", "allocateLoadBalancerNodePorts"): _allocates_node_ports,
    (_CORE + "ServiceSpec", "sessionAffinityConfig"): _client_ip_timeout,
    (_APPS + "DeploymentStrategy", "rollingUpdate"): _deployment_rolling_update,
    (_APPS + "DaemonSetUpdateStrategy", "rollingUpdate"): _daemon_set_rolling_update,
    (_APPS + "StatefulSetUpdateStrategy", "rollingUpdate"): _stateful_set_rolling_update,
    ("io.k8s.api.networking.v1.NetworkPolicySpec", "policyTypes"): _policy_types,
    (_RBAC + "Subject", "apiGroup"): _subject_group,
    (_RBAC + "RoleRef", "apiGroup"): lambda _: _RBAC_GROUP,
    (_CRD + "CustomResourceDefinitionNames", "listKind"): _list_kind,
    (_CRD + "CustomResourceDefinitionNames", "singular"): _singular,
}
