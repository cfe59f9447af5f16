"""Defaults that depend on an object's other fields.

There is one function per field. It takes the object that lacks the field and returns what the API server fills in. The
functions follow ``pkg/apis/*/defaults.go`` in Kubernetes; the tests check each against the real API server. The other
fields may have values of any type, also ones that no set can contain.
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
#: A valid image reference according to github.com/distribution/reference, which the API server uses.
_IMAGE: Final = re.compile(
    rf"(?P<name>(?:{_HOST}(?::[0-9]+)?/)?{_REPOSITORY}(?:/{_REPOSITORY})*)"
    rf"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?(?:@(?P<digest>{_DIGEST}))?"
)
#: That library rejects this as the ID of an image.
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
    """Several possible defaults, for a field whose default depends on something that is not known here."""

    values: tuple[Json, ...]


def _pull_policy(container: Object) -> Json:
    return _pull_policy_of(container.get("image"))


def _image_volume_pull_policy(volume: Object) -> Json:
    return _pull_policy_of(volume.get("reference"))


def _pull_policy_of(image: Json) -> Json:
    """Returns Always for the tag ``latest``, set or implied, and IfNotPresent for any other image or an invalid one."""
    reference = _IMAGE.fullmatch(str(image or ""))
    if reference is None or _IMAGE_ID.fullmatch(reference["name"]):
        return "IfNotPresent"
    return "Always" if (reference["tag"] or ("" if reference["digest"] else "latest")) == "latest" else "IfNotPresent"


def _target_port(port: Object) -> Json:
    return port.get("port", ABSENT)


def _service_account(pod: Object) -> Json:
    """The deprecated alias of serviceAccountName, which the server keeps equal to it."""
    return pod.get("serviceAccountName", "default")


def _service_account_name(pod: Object) -> Json:
    del pod
    return "default"


def _requests(resources: Object) -> Json:
    # Set when a Pod is created, also from a template. The server fills in each resource separately (_FILLED_BY_KEY).
    return resources.get("limits", ABSENT)


def _empty_dir(volume: Object) -> Json:
    return {} if not volume.keys() - {"name"} else ABSENT


def _container_limits(item: Object) -> Json:
    return item.get("max", ABSENT) if item.get("type") == "Container" else ABSENT


def _container_requests(item: Object) -> Json:
    """Returns the default limit of each resource, or else the maximum, or else the minimum."""
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
    return _RBAC_GROUP if subject.get("kind") in ("User", "Group") else ABSENT


def _deployment_rolling_update(strategy: Object) -> Json:
    rolls = strategy.get("type", "RollingUpdate") == "RollingUpdate"
    return {"maxSurge": _QUARTER, "maxUnavailable": _QUARTER} if rolls else ABSENT


def _daemon_set_rolling_update(strategy: Object) -> Json:
    rolls = strategy.get("type", "RollingUpdate") == "RollingUpdate"
    return {"maxSurge": 0, "maxUnavailable": 1} if rolls else ABSENT


def _stateful_set_rolling_update(strategy: Object) -> Json:
    return {"partition": 0} if strategy.get("type", "RollingUpdate") == "RollingUpdate" else ABSENT


def _external_traffic_policy(service: Object) -> Json:
    is_external = service.get("type") in ("NodePort", "LoadBalancer") or service.get("externalIPs")
    return "Cluster" if is_external else ABSENT


def _internal_traffic_policy(service: Object) -> Json:
    return ABSENT if service.get("type") == "ExternalName" else "Cluster"


def _allocates_node_ports(service: Object) -> Json:
    return True if service.get("type") == "LoadBalancer" else ABSENT


def _client_ip_timeout(service: Object) -> Json:
    return {"clientIP": {"timeoutSeconds": 10800}} if service.get("sessionAffinity") == "ClientIP" else ABSENT


def _completions(job: Object) -> Json:
    """Returns 1 if parallelism is absent or 1: the server sets completions only if both are absent."""
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
    # Both directions have the same type, and the direction is not known here.
    return AnyOf((_SCALE_UP, _SCALE_DOWN))


def _stabilization_window(rules: Object) -> Json:
    # For scaling down, an absent window means five minutes, not 0.
    return 0 if rules.get("policies") == _SCALE_UP else ABSENT


#: Fields that the server sets to the value of another field. They are not in `RULES`, which read the live object: there
#: both fields always have the same value, and each would explain the other.
MIRRORED_FIELDS: Final[Mapping[tuple[str, str], str]] = {
    (_CORE + "PersistentVolumeClaimSpec", "dataSource"): "dataSourceRef",
    (_CORE + "PodSpec", "serviceAccountName"): "serviceAccount",
}
#: More specific defaults for types that several fields have: (type, field that holds the object) -> defaults.
DEFAULTS_BY_PARENT_FIELD: Final[Mapping[tuple[str, str], Mapping[str, Json]]] = {
    # For scaling down, an absent window means five minutes, not 0.
    (_AUTOSCALING + "HPAScalingRules", "scaleDown"): {"policies": _SCALE_DOWN, "stabilizationWindowSeconds": ABSENT},
    (_AUTOSCALING + "HPAScalingRules", "scaleUp"): {"policies": _SCALE_UP, "stabilizationWindowSeconds": 0},
    # Set by the controller that binds the volume.
    (_CORE + "ObjectReference", "claimRef"): {"apiVersion": "v1", "kind": "PersistentVolumeClaim"},
}
#: Types whose objects get the labels of their template if they have none.
LABELLED_BY_TEMPLATE: Final = frozenset({_JOB.removesuffix("Spec"), _CORE + "ReplicationController"})

#: Maps in which the server fills in each missing key, even if Git sets others.
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


def filled_in(parent: str, field: str, siblings: Object) -> Mapping[str, Json]:
    """Returns the keys that the server fills in if they are missing from a map, with their values."""
    if (parent, field) not in _FILLED_BY_KEY:
        return {}
    value = RULES[parent, field](siblings)
    return value if isinstance(value, dict) else {}
