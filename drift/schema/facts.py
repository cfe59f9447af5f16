"""Facts that the API server's OpenAPI document does not declare: defaults, omitempty, and allocated fields.

``python -m tools.learn`` learns most of them from a real API server and from the Go types of its API. Defaults that
depend on other fields are functions here. They follow ``pkg/apis/*/defaults.go`` in Kubernetes; the tests check each
against the real API server. Facts are keyed by schema type and field, so they apply to every kind that embeds a type.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

from drift.objects import Json, Object
from drift.schema.types import ABSENT, Shape, Type, compact_schemas

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
_CSR: Final = "io.k8s.api.certificates.v1.CertificateSigningRequestSpec"
#: The name of an alpha or beta type.
_UNSTABLE: Final = re.compile(r"(io\.k8s\.[\w.-]+\.v\d+)(?:alpha|beta)\d+(\.\w+)")
_MAX_INT32: Final = 2**31 - 1
_QUARTER: Final = "25%"
_SCALE_DOWN: Final = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
_SCALE_UP: Final = [{"type": "Pods", "value": 4, "periodSeconds": 15}, *_SCALE_DOWN]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Several possible defaults, for a field whose default depends on something that is not known here."""

    values: tuple[Json, ...]


def _same_as(other: str) -> Rule:
    return lambda siblings: siblings.get(other, ABSENT)


def _pull_policy(image: Json) -> Json:
    """Returns Always for the tag ``latest``, set or implied, and IfNotPresent for any other image or an invalid one."""
    reference = _IMAGE.fullmatch(str(image or ""))
    if reference is None or _IMAGE_ID.fullmatch(reference["name"]):
        return "IfNotPresent"
    return "Always" if (reference["tag"] or ("" if reference["digest"] else "latest")) == "latest" else "IfNotPresent"


def _service_account(pod: Object) -> Json:
    """The deprecated alias of serviceAccountName, which the server keeps equal to it."""
    return pod.get("serviceAccountName", "default")


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


def _template_labels(controller: Object) -> Json:
    part: Json = controller
    for name in ("template", "metadata", "labels"):
        part = part.get(name) if isinstance(part, dict) else None
    return ABSENT if part is None else part


def _policy_types(policy: Object) -> Json:
    return ["Ingress", "Egress"] if policy.get("egress") else ["Ingress"]


def _subject_group(subject: Object) -> Json:
    return _RBAC_GROUP if subject.get("kind") in ("User", "Group") else ABSENT


def _rolling_update(default: Object) -> Rule:
    """Returns the rule for an update strategy: the default applies only if its type is RollingUpdate."""
    return lambda strategy: default if strategy.get("type", "RollingUpdate") == "RollingUpdate" else ABSENT


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


def _of_exact_request(rule: Rule) -> Rule:
    """Returns the rule for a request of v1beta1, which has the fields of an exact request itself or other requests."""
    return lambda request: rule(request) if request.get("deviceClassName") else ABSENT


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
_DEFAULTS_BY_PARENT_FIELD: Final[Mapping[tuple[str, str], Mapping[str, Json]]] = {
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
    (_CORE + "Container", "imagePullPolicy"): lambda container: _pull_policy(container.get("image")),
    (_CORE + "EphemeralContainer", "imagePullPolicy"): lambda container: _pull_policy(container.get("image")),
    (_CORE + "ImageVolumeSource", "pullPolicy"): lambda volume: _pull_policy(volume.get("reference")),
    (_CORE + "LimitRangeItem", "default"): _container_limits,
    (_CORE + "LimitRangeItem", "defaultRequest"): _container_requests,
    (_CORE + "PersistentVolumeClaimSpec", "dataSourceRef"): _same_as("dataSource"),
    (_CORE + "PodSpec", "serviceAccount"): _service_account,
    (_CORE + "PodSpec", "serviceAccountName"): lambda _: "default",
    (_CORE + "ReplicationControllerSpec", "selector"): _template_labels,
    # Set when a Pod is created, also from a template. The server fills in each resource separately (_FILLED_BY_KEY).
    (_CORE + "ResourceRequirements", "requests"): _same_as("limits"),
    (_CORE + "Volume", "emptyDir"): _empty_dir,
    (_CORE + "ServicePort", "targetPort"): _same_as("port"),
    (_CORE + "ServiceSpec", "externalTrafficPolicy"): _external_traffic_policy,
    (_CORE + "ServiceSpec", "internalTrafficPolicy"): _internal_traffic_policy,
    (_CORE + "ServiceSpec", "allocateLoadBalancerNodePorts"): _allocates_node_ports,
    (_CORE + "ServiceSpec", "sessionAffinityConfig"): _client_ip_timeout,
    (_APPS + "DeploymentStrategy", "rollingUpdate"): _rolling_update(
        {"maxSurge": _QUARTER, "maxUnavailable": _QUARTER}
    ),
    (_APPS + "DaemonSetUpdateStrategy", "rollingUpdate"): _rolling_update({"maxSurge": 0, "maxUnavailable": 1}),
    (_APPS + "StatefulSetUpdateStrategy", "rollingUpdate"): _rolling_update({"partition": 0}),
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
#: The same for fields that the API server of the tests does not have any more.
_OLDER_RULES: Final[Mapping[tuple[str, str], Rule]] = {
    (_DEVICES + "DeviceRequest", "allocationMode"): _of_exact_request(lambda _: "ExactCount"),
    (_DEVICES + "DeviceRequest", "count"): _of_exact_request(_device_count),
}
_ALL_RULES: Final = {**RULES, **_OLDER_RULES}


def is_never_allocated(value: Json, parent: str, field: str) -> bool:
    """Whether a field of a type that may be allocated has a value that nothing allocates."""
    fields = NEVER_ALLOCATED.get(parent, {})
    return field in fields and bool(fields[field] == value)


def filled_in(parent: str, field: str, siblings: Object) -> Mapping[str, Json]:
    """Returns the keys that the server fills in if they are missing from a map, with their values."""
    if (parent, field) not in _FILLED_BY_KEY:
        return {}
    value = RULES[parent, field](siblings)
    return value if isinstance(value, dict) else {}


#: Fields, by schema type, whose values are allocated or generated for one object: addresses, ports, selectors.
#: If Git does not set such a field, its live value is no difference, unless a user set it after the object was created.
#: The user who created an object still owns what was sent then after an applier has taken the object over.
ALLOCATED: Final = frozenset(
    {
        (_CORE + "ServicePort", "nodePort"),
        (_CORE + "ServiceSpec", "clusterIP"),
        (_CORE + "ServiceSpec", "clusterIPs"),
        (_CORE + "ServiceSpec", "healthCheckNodePort"),
        (_CORE + "ServiceSpec", "ipFamilies"),
        (_CORE + "ServiceSpec", "ipFamilyPolicy"),
        (_CORE + "PersistentVolumeClaimSpec", "storageClassName"),
        (_CORE + "PersistentVolumeClaimSpec", "volumeName"),
        (_CORE + "PersistentVolumeSpec", "claimRef"),
        # In the reference to the claim that a volume is bound to.
        (_CORE + "ObjectReference", "resourceVersion"),
        (_CORE + "ObjectReference", "uid"),
        (_CORE + "PodSpec", "priority"),
        # Derived from the Job's UID.
        (_JOB, "selector"),
        # The user that requested the certificate.
        (_CSR, "extra"),
        (_CSR, "groups"),
        (_CSR, "uid"),
        (_CSR, "username"),
    }
)

#: Values of such fields that nothing allocates: a headless Service, a claim for a volume without a class. Only Git or a
#: user sets them, when the object is created.
NEVER_ALLOCATED: Final[Mapping[str, Mapping[str, Json]]] = {
    _CORE + "ServiceSpec": {"clusterIP": "None"},
    _CORE + "PersistentVolumeClaimSpec": {"storageClassName": ""},
}

#: The allocated fields whose values are not bound to one object or one cluster: a manifest may well set them.
CHOOSABLE: Final = frozenset(
    {
        (_CORE + "PersistentVolumeClaimSpec", "storageClassName"),
        (_CORE + "ServiceSpec", "ipFamilies"),
        (_CORE + "ServiceSpec", "ipFamilyPolicy"),
    }
)

#: The allocated fields that bind a volume to a claim. Controllers whose names are not known here write them, too.
BOUND: Final = frozenset(
    {(_CORE + "PersistentVolumeClaimSpec", "volumeName"), (_CORE + "PersistentVolumeSpec", "claimRef")}
)

#: The allocated fields that the server sets only on the object itself, such as the priority that admission derives from
#: the priority class. In a template, a manager has set them.
NOT_IN_TEMPLATES: Final = frozenset(
    {
        (_CORE + "PodSpec", "priority"),
        (_CORE + "PersistentVolumeClaimSpec", "storageClassName"),
        (_CORE + "PersistentVolumeClaimSpec", "volumeName"),
    }
)

#: Fields that the ``scale`` subresource sets. If such a field had no owner before, the API server records none, so an
#: unknown manager set any value other than the default.
SCALED: Final = frozenset(
    {
        (_APPS + "DeploymentSpec", "replicas"),
        (_APPS + "ReplicaSetSpec", "replicas"),
        (_APPS + "StatefulSetSpec", "replicas"),
        (_CORE + "ReplicationControllerSpec", "replicas"),
    }
)


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about built-in types.

    Attributes:
        defaults: The value that the server fills in for an absent field: schema type -> field -> value.
        pointers: The fields whose zero value or empty object the server keeps: schema type -> fields. A type without an
            entry is not built in; the server keeps all of its zero values.
        declared: The fields that each type had when the facts were learned: schema type -> fields. A type without an
            entry is taken to have every field.

    An unknown alpha or beta type has the facts of the stable type with the same group and name.
    """

    defaults: Mapping[str, Mapping[str, Json]]
    pointers: Mapping[str, frozenset[str]]
    declared: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def default(self, parent: Type, field: str, siblings: Object, parent_field: str = "") -> Json:
        """Returns what the server fills in for an absent field, or `ABSENT` if it fills in nothing.

        Args:
            parent: The type of the object that lacks the field.
            field: The field.
            siblings: The object that lacks the field. Some defaults depend on its other fields.
            parent_field: The field that holds that object; "" if it is not known.
        """
        if parent.shape is Shape.MAP:
            # A default in the schema of a map's values does not add keys.
            return ABSENT
        type_name = self._known_name(parent.name)
        more_specific = _DEFAULTS_BY_PARENT_FIELD.get((type_name, parent_field), {})
        if field in more_specific:
            return more_specific[field]
        rule = _ALL_RULES.get((type_name, field))
        if rule is not None:
            return rule(siblings)
        known = self.defaults.get(type_name)
        if known is not None and field in known:
            return known[field]
        return parent.field(field).default

    def is_omitempty(self, parent: Type, field: str) -> bool:
        """Whether the server drops a field's zero value (false, 0, "", an empty object).

        False for a field that is not declared: it belongs to another version of Kubernetes, and may be a pointer with a
        default that is not zero.
        """
        type_name = self._known_name(parent.name)
        pointers = self.pointers.get(type_name)
        if pointers is None or field in pointers:
            return False
        declared = self.declared.get(type_name)
        return declared is None or field in declared

    def _known_name(self, name: str) -> str:
        if name in self.pointers:
            return name
        stable = _stable_name(name)
        return stable if stable in self.pointers else name


@lru_cache(maxsize=4096)
def _stable_name(name: str) -> str:
    """Returns ``io.k8s.api.autoscaling.v2.X`` for ``io.k8s.api.autoscaling.v2beta1.X``; a stable name unchanged."""
    unstable = _UNSTABLE.fullmatch(name)
    return name if unstable is None else unstable[1] + unstable[2]


@cache
def known_facts() -> Facts:
    """Returns the shipped facts."""
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("data/facts.json").read_text("utf-8"))
    return Facts(
        defaults=data["defaults"],
        pointers={name: frozenset(fields) for name, fields in data["pointers"].items()},
        declared={
            name: frozenset(schema["properties"])
            for name, schema in compact_schemas()["components"]["schemas"].items()
            if "properties" in schema
        },
    )
