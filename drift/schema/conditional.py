"""Defaults that depend on an object's other fields: what the API server would fill in beside what is there.

One function per field, from the object that holds the field to the value the server gives it. The functions restate
``pkg/apis/*/defaults.go`` of Kubernetes; the tests hold each against the real API server.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from drift.model import Json, Object
from drift.schema.types import ABSENT

Rule = Callable[[Object], Json]

_HOST: Final = (
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])"
)
_REPOSITORY: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_DIGEST: Final = r"sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}"
#: What github.com/distribution/reference, which the API server uses, reads as the reference of an image.
_IMAGE: Final = re.compile(
    rf"(?P<name>(?:{_HOST}(?::[0-9]+)?/)?{_REPOSITORY}(?:/{_REPOSITORY})*)"
    rf"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?(?:@(?P<digest>{_DIGEST}))?"
)
#: It takes this for the ID of an image, and refuses it.
_IMAGE_ID: Final = re.compile("[a-f0-9]{64}")

_CORE: Final = "io.k8s.api.core.v1."
_APPS: Final = "io.k8s.api.apps.v1."
_RBAC: Final = "io.k8s.api.rbac.v1."
_CRD: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
_RBAC_GROUP: Final = "rbac.authorization.k8s.io"
_AUTOSCALING: Final = "io.k8s.api.autoscaling.v2."
_JOB: Final = "io.k8s.api.batch.v1.JobSpec"
_DEVICES: Final = "io.k8s.api.resource.v1."
_MAX_INT32: Final = 2**31 - 1
_QUARTER: Final = "25%"
_SCALE_DOWN: Final = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
_SCALE_UP: Final = [{"type": "Pods", "value": 4, "periodSeconds": 15}, *_SCALE_DOWN]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Several defaults, where what decides between them is out of sight."""

    values: tuple[Json, ...]


def _pull_policy(container: Object) -> Json:
    return _pull_policy_of(container.get("image"))


def _image_volume_pull_policy(volume: Object) -> Json:
    return _pull_policy_of(volume.get("reference"))


def _pull_policy_of(image: Json) -> Json:
    """Always for the tag ``latest``, given or implied; IfNotPresent else, also for what is no valid reference."""
    reference = _IMAGE.fullmatch(str(image or ""))
    if reference is None or _IMAGE_ID.fullmatch(reference["name"]):
        return "IfNotPresent"
    return "Always" if (reference["tag"] or ("" if reference["digest"] else "latest")) == "latest" else "IfNotPresent"


def _target_port(port: Object) -> Json:
    return port.get("port", ABSENT)


def _service_account(pod: Object) -> Json:
    """The deprecated twin of serviceAccountName, kept equal to it."""
    return pod.get("serviceAccountName", "default")


def _service_account_name(pod: Object) -> Json:
    del pod
    return "default"


def _requests(resources: Object) -> Json:
    # Filled in when a pod is made, from a template too; each by itself, but a whole is all that is known here.
    return resources.get("limits", ABSENT)


def _empty_dir(volume: Object) -> Json:
    return {} if not volume.keys() - {"name"} else ABSENT


def _container_limits(item: Object) -> Json:
    return item.get("max", ABSENT) if item.get("type") == "Container" else ABSENT


def _container_requests(item: Object) -> Json:
    """The limit by default, else the most, else the least that is allowed: what counts more comes later."""
    if item.get("type") != "Container":
        return ABSENT
    parts = [part for name in ("min", "max", "default") if isinstance(part := item.get(name), dict)]
    return {name: value for part in parts for name, value in part.items()} or ABSENT


def _data_source_reference(claim: Object) -> Json:
    return claim.get("dataSource", ABSENT)


def _template_labels(controller: Object) -> Json:
    part: Json = controller
    for name in ("template", "metadata", "labels"):
        part = part.get(name) if isinstance(part, dict) else None
    return ABSENT if part is None else part


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
    is_external = service.get("type") in {"NodePort", "LoadBalancer"} or service.get("externalIPs")
    return "Cluster" if is_external else ABSENT


def _internal_traffic_policy(service: Object) -> Json:
    return ABSENT if service.get("type") == "ExternalName" else "Cluster"


def _allocates_node_ports(service: Object) -> Json:
    return True if service.get("type") == "LoadBalancer" else ABSENT


def _client_ip_timeout(service: Object) -> Json:
    return {"clientIP": {"timeoutSeconds": 10800}} if service.get("sessionAffinity") == "ClientIP" else ABSENT


def _completions(job: Object) -> Json:
    """As many as parallelism only where neither is given, and then both are 1."""
    return 1 if job.get("parallelism", 1) == 1 else ABSENT


def _backoff_limit(job: Object) -> Json:
    return 6 if "backoffLimitPerIndex" not in job else _MAX_INT32


def _pod_replacement_policy(job: Object) -> Json:
    return "Failed" if job.get("podFailurePolicy") else "TerminatingOrFailed"


def _device_count(request: Object) -> Json:
    return 1 if request.get("allocationMode", "ExactCount") == "ExactCount" else ABSENT


def _list_kind(names: Object) -> Json:
    return f"{names.get('kind')}List"


def _singular(names: Object) -> Json:
    return str(names.get("kind", "")).lower()


def _scaling_policies(_: Object) -> Json:
    # One type serves both directions, and here it cannot be told which one is meant.
    return AnyOf((_SCALE_UP, _SCALE_DOWN))


def _stabilization_window(rules: Object) -> Json:
    # Scaling down without a window means five minutes, and 0 is something else.
    return 0 if rules.get("policies") == _SCALE_UP else ABSENT


#: Fields that the server sets to what another field was given as. They are no rules, which go by what is live: there
#: the twins always agree, and each would excuse the other.
MIRRORED_FIELDS: Final[Mapping[tuple[str, str], str]] = {
    (_CORE + "PersistentVolumeClaimSpec", "dataSource"): "dataSourceRef",
    (_CORE + "PodSpec", "serviceAccountName"): "serviceAccount",
}
#: Sharper than the rules where it is known which field holds an object, since one type may serve two: type, holder.
DEFAULTS_WITHIN: Final[Mapping[tuple[str, str], Mapping[str, Json]]] = {
    # Scaling down without a window means five minutes, and 0 is something else.
    (_AUTOSCALING + "HPAScalingRules", "scaleDown"): {"policies": _SCALE_DOWN, "stabilizationWindowSeconds": ABSENT},
    (_AUTOSCALING + "HPAScalingRules", "scaleUp"): {"policies": _SCALE_UP, "stabilizationWindowSeconds": 0},
    # Written by the controller that binds the volume.
    (_CORE + "ObjectReference", "claimRef"): {"apiVersion": "v1", "kind": "PersistentVolumeClaim"},
}
#: Of these, an object without labels gets those of its template.
LABELLED_BY_TEMPLATE: Final = frozenset({_JOB.removesuffix("Spec"), _CORE + "ReplicationController"})

#: Maps whose missing keys the server fills in, each by itself, also where Git gives some of them.
_FILLED_BY_KEY: Final = frozenset(
    {
        (_CORE + "LimitRangeItem", "default"),
        (_CORE + "LimitRangeItem", "defaultRequest"),
        (_CORE + "ResourceRequirements", "requests"),
    }
)

RULES: Final[Mapping[tuple[str, str], Rule]] = {
    (_CORE + "Container", "imagePullPolicy"): _pull_policy,
    (_CORE + "EphemeralContainer", "imagePullPolicy"): _pull_policy,
    (_CORE + "ImageVolumeSource", "pullPolicy"): _image_volume_pull_policy,
    (_CORE + "LimitRangeItem", "default"): _container_limits,
    (_CORE + "LimitRangeItem", "defaultRequest"): _container_requests,
    (_CORE + "PersistentVolumeClaimSpec", "dataSourceRef"): _data_source_reference,
    (_CORE + "PodSpec", "serviceAccount"): _service_account,
    (_CORE + "PodSpec", "serviceAccountName"): _service_account_name,
    (_CORE + "ReplicationControllerSpec", "selector"): _template_labels,
    (_CORE + "ResourceRequirements", "requests"): _requests,
    (_CORE + "Volume", "emptyDir"): _empty_dir,
    (_CORE + "ServicePort", "targetPort"): _target_port,
    (_CORE + "ServiceSpec", "externalTrafficPolicy"): _external_traffic_policy,
    (_CORE + "ServiceSpec", "internalTrafficPolicy"): _internal_traffic_policy,
    (_CORE + "ServiceSpec", "allocateLoadBalancerNodePorts"): _allocates_node_ports,
    (_CORE + "ServiceSpec", "sessionAffinityConfig"): _client_ip_timeout,
    (_APPS + "DeploymentStrategy", "rollingUpdate"): _deployment_rolling_update,
    (_APPS + "DaemonSetUpdateStrategy", "rollingUpdate"): _daemon_set_rolling_update,
    (_APPS + "StatefulSetUpdateStrategy", "rollingUpdate"): _stateful_set_rolling_update,
    (_AUTOSCALING + "HPAScalingRules", "policies"): _scaling_policies,
    (_AUTOSCALING + "HPAScalingRules", "stabilizationWindowSeconds"): _stabilization_window,
    (_JOB, "backoffLimit"): _backoff_limit,
    (_JOB, "completions"): _completions,
    (_JOB, "podReplacementPolicy"): _pod_replacement_policy,
    (_DEVICES + "DeviceSubRequest", "count"): _device_count,
    (_DEVICES + "ExactDeviceRequest", "count"): _device_count,
    ("io.k8s.api.networking.v1.NetworkPolicySpec", "policyTypes"): _policy_types,
    (_RBAC + "Subject", "apiGroup"): _subject_group,
    (_RBAC + "RoleRef", "apiGroup"): lambda _: _RBAC_GROUP,
    (_CRD + "CustomResourceDefinitionNames", "listKind"): _list_kind,
    (_CRD + "CustomResourceDefinitionNames", "singular"): _singular,
}


def filled_in(parent: str, field: str, beside: Object) -> Mapping[str, Json]:
    """What the server fills in for the missing keys of a map; empty where it fills in none.

    Args:
        parent: The schema type of the object that holds the map.
        field: The field that holds it.
        beside: That object, live.
    """
    if (parent, field) not in _FILLED_BY_KEY:
        return {}
    value = RULES[parent, field](beside)
    return value if isinstance(value, dict) else {}
