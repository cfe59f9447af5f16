"""What an object is, in one line: what a binding grants, which images a workload runs, what a Service opens.

Objects from a cluster may hold anything, so a value of an unexpected type is left out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from drift.model import Security, Severity
from drift.objects import Object, ObjectKey, as_object, at, objects_at, texts_at
from drift.policy import network_policies, rbac
from drift.policy.security import has_tls, hosts_with_tls
from drift.redaction import without_passwords
from drift.words import first_few, plural

#: The longest digest, in characters.
_MAX_TEXT: Final = 240
_MAX_NAME: Final = 120
_MAX_NAMES: Final = 3
#: The user and the group of a request without credentials.
_ANONYMOUS: Final = frozenset({"system:anonymous", "system:unauthenticated"})
_PROFILE: Final = "pod-security.kubernetes.io/enforce"
_CLOUD_IDENTITIES: Final = (
    "eks.amazonaws.com/role-arn",
    "iam.gke.io/gcp-service-account",
    "azure.workload.identity/client-id",
)


@dataclass(frozen=True, slots=True)
class Digest:
    """What an object is.

    Attributes:
        text: One line, at most 240 characters. It quotes the object and is not escaped.
        severity: The lowest severity that the object can have if it is not in Git; None if only its kind decides.
        security: What the object does to security if it is not in Git; None for nothing, or if that is unknown.
    """

    text: str
    severity: Severity | None = None
    security: Security | None = None


def digest(key: ObjectKey, body: Object) -> Digest | None:
    """Returns what an object is; None if its kind is unknown, or if there is nothing to say.

    Args:
        key: The object.
        body: The object, live or desired; of a Secret, its metadata is enough.
    """
    describe = _KINDS.get((key.group, key.kind))
    found = None if describe is None else describe(body)
    if isinstance(found, str):
        found = Digest(found)
    if found is None or not found.text:
        return None
    return found if len(found.text) <= _MAX_TEXT else replace(found, text=f"{found.text[: _MAX_TEXT - 3]}...")


# -- reading


def _in(body: Object, *path: str) -> Object:
    return as_object(at(body, *path))


def _text(body: Object, name: str) -> str:
    """Returns a string, a number or a boolean as Kubernetes writes it; "" for anything else."""
    value = body.get(name)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)[:_MAX_NAME] if isinstance(value, str | int | float) else ""


def _texts(body: Object, name: str) -> list[str]:
    return [item[:_MAX_NAME] for item in texts_at(body, name)]


def _few(names: Iterable[str], most: int = _MAX_NAMES) -> str:
    """Returns ``a, b, c and 2 more``, each name once."""
    return first_few([name for name in dict.fromkeys(names) if name], most)


def _join(*facts: str | None) -> str:
    return "; ".join(fact for fact in facts if fact)


def _selector(selector: Object, if_empty: str) -> str:
    labels = [f"{name}={value}" for name, value in as_object(selector.get("matchLabels")).items()]
    expressions = [
        f"{_text(one, 'key')} {_text(one, 'operator')} {_few(_texts(one, 'values'))}".strip()
        for one in objects_at(selector, "matchExpressions")
    ]
    return _few([*labels, *expressions]) or if_empty


# -- permissions


def _binding(body: Object) -> Digest:
    role = _in(body, "roleRef")
    subjects = [
        f"{_text(one, 'kind')} {'/'.join(filter(None, (_text(one, 'namespace'), _text(one, 'name'))))}"
        for one in objects_at(body, "subjects")
    ]
    reference = (_text(role, "kind"), _text(role, "name"))
    names = {_text(one, "name") for one in objects_at(body, "subjects")}
    is_critical = reference == ("ClusterRole", "cluster-admin") or not names.isdisjoint(_ANONYMOUS)
    text = f"grants {' '.join(reference)} to {_few(subjects) or 'no subject'}"
    return Digest(text, Severity.CRITICAL if is_critical and subjects else None, Security.LOOSENS if subjects else None)


def _role(body: Object) -> Digest:
    if "aggregationRule" in body:
        return Digest("collects the rules of other cluster roles by their labels")
    rules = objects_at(body, "rules")
    widest = rbac.widest_rule(rules)
    if widest is None:
        return Digest("grants nothing")
    text = f"allows {rbac.rule_text(widest)}{f' (the widest of {len(rules)} rules)' if len(rules) > 1 else ''}"
    return Digest(text, Severity.CRITICAL if rbac.grants_everything(widest) else None)


def _service_account(body: Object) -> Digest:
    annotations = _in(body, "metadata", "annotations")
    identity = _few(_text(annotations, name) for name in _CLOUD_IDENTITIES)
    mounts = "its token is not mounted" if body.get("automountServiceAccountToken") is False else "its token is mounted"
    return Digest(
        _join(f"pods get the cloud identity {identity}" if identity else None, mounts),
        security=Security.LOOSENS if identity else None,
    )


# -- workloads


def _workload(*path: str) -> Callable[[Object], Digest]:
    """Returns the description of a kind that has its pod spec at a path."""
    return lambda body: _pods(_in(body, *path), *_schedule(body))


def _schedule(body: Object) -> list[str]:
    spec = _in(body, "spec")
    return [
        *([f"schedule {_text(spec, 'schedule')}"] if "schedule" in spec else []),
        *([plural(spec["replicas"], "replica")] if type(spec.get("replicas")) is int else []),
        *(["suspended"] if spec.get("suspend") is True else []),
    ]


def _pods(spec: Object, *facts: str) -> Digest:
    containers = [
        *objects_at(spec, "initContainers"),
        *objects_at(spec, "containers"),
        *objects_at(spec, "ephemeralContainers"),
    ]
    images = _few(_text(container, "image") for container in containers)
    contexts = [_in(container, "securityContext") for container in containers]
    added = chain.from_iterable(_texts(_in(context, "capabilities"), "add") for context in contexts)
    paths = [_text(_in(volume, "hostPath"), "path") for volume in objects_at(spec, "volumes") if "hostPath" in volume]
    powers = [
        "privileged" if any(context.get("privileged") is True for context in contexts) else "",
        *(name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name) is True),
        f"hostPath {_few(paths)}" if paths else "",
    ]
    capabilities = _few(added)
    is_powerful = any(powers)
    return Digest(
        _join(
            f"runs {images}" if images else "no containers",
            *facts,
            ", ".join(filter(None, powers)),
            f"capabilities {capabilities}" if capabilities else "",
        ),
        Severity.CRITICAL if is_powerful else None,
        Security.LOOSENS if is_powerful or capabilities else None,
    )


# -- network


def _service(body: Object) -> Digest:
    spec = _in(body, "spec")
    kind = _text(spec, "type") or "ClusterIP"
    if kind == "ExternalName":
        return Digest(f"ExternalName {_text(spec, 'externalName')}")
    ports = _few(map(_port, objects_at(spec, "ports")))
    addresses = _few(_texts(spec, "externalIPs"))
    name = "headless" if _text(spec, "clusterIP") == "None" else kind
    text = _join(f"{name}, ports {ports}" if ports else f"{name}, no ports", addresses and f"external IPs {addresses}")
    return Digest(text, security=Security.LOOSENS if addresses or kind in {"NodePort", "LoadBalancer"} else None)


def _port(port: Object) -> str:
    target, node = _text(port, "targetPort"), _text(port, "nodePort")
    number = f"{_text(port, 'port')}/{_text(port, 'protocol') or 'TCP'}"
    to_target = f" to {target}" if target and target != _text(port, "port") else ""
    return f"{number}{to_target}{f' (node port {node})' if node and node != '0' else ''}"


def _ingress(body: Object) -> Digest:
    spec = _in(body, "spec")
    hosts = [_text(rule, "host") or "any host" for rule in objects_at(spec, "rules")] or ["any host"]
    encrypted = hosts_with_tls(spec.get("tls"))
    plain = _few(host for host in hosts if not has_tls(host, encrypted))
    tls = "with TLS" if not plain else f"without TLS for {plain}" if encrypted else "without TLS"
    return Digest(f"serves {_few(hosts)} {tls}", security=Security.LOOSENS)


def _route(body: Object) -> str:
    parents = _few(_text(parent, "name") for parent in objects_at(body, "spec", "parentRefs"))
    return f"routes {_few(_texts(_in(body, 'spec'), 'hostnames')) or 'any host'} of {parents or 'no gateway'}"


def _network_policy(body: Object) -> Digest:
    pods = _selector(_in(body, "spec", "podSelector"), "all pods")
    rules = [_direction(network_policies.rules_of(body, name), name) for name in network_policies.DIRECTIONS]
    return Digest(f"{pods}: {_join(*rules)}", security=network_policies.security_of_new(body))


def _direction(rules: Sequence[Object] | None, kind: str) -> str:
    peers = "from" if kind == "Ingress" else "to"
    if rules is None:
        return ""
    if not rules:
        return f"denies all {kind.lower()}"
    if any(not rule.get(peers) and not rule.get("ports") for rule in rules):
        return f"allows all {kind.lower()}"
    # The widest first: each phrase says which ports go with which peers.
    rules = sorted(rules, key=lambda rule: (bool(rule.get(peers)), bool(rule.get("ports"))))
    phrases = list(dict.fromkeys(f"{peers} {_connections(rule, peers)}" for rule in rules))
    more = [f"{plural(len(phrases) - _MAX_NAMES, 'more rule')}"] if len(phrases) > _MAX_NAMES else []
    return f"allows {kind.lower()} {_join(*phrases[:_MAX_NAMES], *more)}"


def _connections(rule: Object, peers: str) -> str:
    places = _few(map(_peer, objects_at(rule, peers) or [{}]))
    ports = _few(map(_policy_port, objects_at(rule, "ports")))
    return f"{places} on ports {ports}" if ports else places


def _policy_port(port: Object) -> str:
    """Returns ``80``, ``1-1024``, ``53/UDP`` or ``all UDP``."""
    number, end, protocol = _text(port, "port"), _text(port, "endPort"), _text(port, "protocol") or "TCP"
    if not number:
        return f"all {protocol}"
    return f"{number}{f'-{end}' if end else ''}{'' if protocol == 'TCP' else f'/{protocol}'}"


def _peer(peer: Object) -> str:
    block = _in(peer, "ipBlock")
    if block:
        excluded = _few(_texts(block, "except"))
        return f"{_text(block, 'cidr')}{f' except {excluded}' if excluded else ''}"
    namespaces = f"namespaces {_selector(_in(peer, 'namespaceSelector'), 'all')}" if "namespaceSelector" in peer else ""
    pods = f"pods {_selector(_in(peer, 'podSelector'), 'all')}" if "podSelector" in peer else ""
    return " ".join(filter(None, (pods, "in" if pods and namespaces else "", namespaces))) or "anywhere"


def _endpoints(body: Object) -> str:
    addresses = [
        *(_text(one, "ip") for subset in objects_at(body, "subsets") for one in objects_at(subset, "addresses")),
        *(address for one in objects_at(body, "endpoints") for address in _texts(one, "addresses")),
    ]
    return f"sends traffic to {_few(addresses) or 'no address'}"


# -- extensions of the API server


def _webhooks(body: Object) -> str:
    webhooks = objects_at(body, "webhooks")
    if not webhooks:
        return "no webhooks"
    more = f"; {plural(len(webhooks) - 1, 'more webhook')}" if len(webhooks) > 1 else ""
    return f"{_webhook(webhooks[0])}{more}"


def _webhook(webhook: Object) -> str:
    rules = objects_at(webhook, "rules")
    operations = _few((operation.lower() for rule in rules for operation in _texts(rule, "operations")), 4)
    resources = _few(resource for rule in rules for resource in _texts(rule, "resources"))
    policy = _text(webhook, "failurePolicy") or "Fail"
    client = _client(_in(webhook, "clientConfig"))
    return f"sends {operations or 'nothing'} of {resources or 'nothing'} to {client}, failurePolicy {policy}"


def _client(config: Object) -> str:
    service = _in(config, "service")
    if service:
        return f"Service {_text(service, 'namespace')}/{_text(service, 'name')}"
    url = config.get("url")
    # Cut only afterwards: of a URL that is cut, the end of the password cannot be found.
    return without_passwords(url)[:_MAX_NAME] if isinstance(url, str) else "nowhere"


def _admission_policy(body: Object) -> str:
    spec = _in(body, "spec")
    rules = objects_at(spec, "matchConstraints", "resourceRules")
    resources = _few(resource for rule in rules for resource in _texts(rule, "resources"))
    return f"checks {resources or 'nothing'}, failurePolicy {_text(spec, 'failurePolicy') or 'Fail'}"


def _admission_binding(body: Object) -> str:
    spec = _in(body, "spec")
    actions = _few(_texts(spec, "validationActions"))
    return f"enforces {_text(spec, 'policyName')}{f' ({actions})' if actions else ''}"


def _crd(body: Object) -> str:
    spec = _in(body, "spec")
    versions = _few(_text(version, "name") for version in objects_at(spec, "versions"))
    return f"defines {_text(_in(spec, 'names'), 'kind')} of {_text(spec, 'group')}, versions {versions}"


def _api_service(body: Object) -> str:
    spec = _in(body, "spec")
    service = _in(spec, "service")
    if not service:
        return "served by the API server itself"
    unverified = ", without checking its certificate" if spec.get("insecureSkipTLSVerify") is True else ""
    return f"served by Service {_text(service, 'namespace')}/{_text(service, 'name')}{unverified}"


def _certificate_request(body: Object) -> str:
    spec = _in(body, "spec")
    return f"requests a certificate of {_text(spec, 'signerName')} for {_text(spec, 'username')}"


# -- data and policies


def _config_map(body: Object) -> str:
    keys = [*_in(body, "data"), *_in(body, "binaryData")]
    return f"{plural(len(keys), 'key')}: {_few(key[:_MAX_NAME] for key in keys)}" if keys else "no keys"


def _secret(body: Object) -> str:
    """The type and the number of keys. Metadata has no type, but names the keys in ``managedFields``."""
    entries = objects_at(body, "metadata", "managedFields")
    # Server-side apply records the fields of the manifest, although the server moves stringData to data.
    fields = [_in(entry, "fieldsV1", name) for entry in entries for name in ("f:data", "f:stringData")]
    keys = {
        *_in(body, "data"),
        *_in(body, "stringData"),
        *(name[2:] for names in fields for name in names if name.startswith("f:")),
    }
    return f"{_text(body, 'type') or 'Secret'} with {plural(len(keys), 'key')}"


def _namespace(body: Object) -> str:
    level = _text(_in(body, "metadata", "labels"), _PROFILE)
    return f"enforces the Pod Security level {level}" if level else "enforces no Pod Security level"


def _claim(body: Object) -> str:
    spec = _in(body, "spec")
    size = _text(_in(spec, "resources", "requests"), "storage")
    storage_class = _text(spec, "storageClassName")
    volume = _text(spec, "volumeName")
    return _join(
        f"{size or 'any size'} of {f'StorageClass {storage_class}' if storage_class else 'no StorageClass'}",
        _few(_texts(spec, "accessModes")),
        f"bound to {volume}" if volume else "not bound",
    )


def _volume(body: Object) -> Digest:
    spec = _in(body, "spec")
    claim, path = _in(spec, "claimRef"), _text(_in(spec, "hostPath"), "path")
    text = _join(
        _text(_in(spec, "capacity"), "storage"),
        f"reclaim policy {_text(spec, 'persistentVolumeReclaimPolicy') or 'Retain'}",
        f"claimed by {_text(claim, 'namespace')}/{_text(claim, 'name')}" if claim else "not claimed",
        f"hostPath {path}" if path else "",
    )
    return Digest(text, Severity.CRITICAL if path else None, Security.LOOSENS if path else None)


def _storage_class(body: Object) -> str:
    return f"provisioner {_text(body, 'provisioner')}, reclaim policy {_text(body, 'reclaimPolicy') or 'Delete'}"


def _autoscaler(body: Object) -> str:
    spec = _in(body, "spec")
    target = _in(spec, "scaleTargetRef")
    bounds = f"{_text(spec, 'minReplicas') or '1'} and {_text(spec, 'maxReplicas')} replicas"
    return f"scales {_text(target, 'kind')} {_text(target, 'name')} between {bounds}"


def _disruption_budget(body: Object) -> str:
    spec = _in(body, "spec")
    pods = _selector(_in(spec, "selector"), "all pods")
    if "maxUnavailable" in spec:
        return f"at most {_text(spec, 'maxUnavailable')} unavailable of {pods}"
    return f"at least {_text(spec, 'minAvailable') or '0'} available of {pods}"


def _quota(body: Object) -> str:
    hard = _in(body, "spec", "hard")
    return f"at most {_few(f'{name} {_text(hard, name)}' for name in hard) or 'anything'}"


def _limit_range(body: Object) -> str:
    return f"limits for {_few(_text(limit, 'type') for limit in objects_at(body, 'spec', 'limits')) or 'nothing'}"


def _priority_class(body: Object) -> str:
    return f"priority {_text(body, 'value')}{', the default' if body.get('globalDefault') is True else ''}"


def _ingress_class(body: Object) -> str:
    return f"controller {_text(_in(body, 'spec'), 'controller')}"


def _runtime_class(body: Object) -> str:
    return f"handler {_text(body, 'handler')}"


_POD_TEMPLATE: Final = ("spec", "template", "spec")
_APPS: Final = ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")
_ROUTES: Final = ("GRPCRoute", "HTTPRoute", "TLSRoute")
_KINDS: Final[Mapping[tuple[str, str], Callable[[Object], Digest | str]]] = {
    ("", "ConfigMap"): _config_map,
    ("", "Endpoints"): _endpoints,
    ("", "LimitRange"): _limit_range,
    ("", "Namespace"): _namespace,
    ("", "PersistentVolume"): _volume,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _workload("spec"),
    ("", "ReplicationController"): _workload(*_POD_TEMPLATE),
    ("", "ResourceQuota"): _quota,
    ("", "Secret"): _secret,
    ("", "Service"): _service,
    ("", "ServiceAccount"): _service_account,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _webhooks,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): _admission_policy,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): _admission_binding,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _webhooks,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _crd,
    ("apiregistration.k8s.io", "APIService"): _api_service,
    **{("apps", kind): _workload(*_POD_TEMPLATE) for kind in _APPS},
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("batch", "CronJob"): _workload("spec", "jobTemplate", *_POD_TEMPLATE),
    ("batch", "Job"): _workload(*_POD_TEMPLATE),
    ("certificates.k8s.io", "CertificateSigningRequest"): _certificate_request,
    ("discovery.k8s.io", "EndpointSlice"): _endpoints,
    **{("gateway.networking.k8s.io", kind): _route for kind in _ROUTES},
    ("networking.k8s.io", "Ingress"): _ingress,
    ("networking.k8s.io", "IngressClass"): _ingress_class,
    ("networking.k8s.io", "NetworkPolicy"): _network_policy,
    ("node.k8s.io", "RuntimeClass"): _runtime_class,
    ("policy", "PodDisruptionBudget"): _disruption_budget,
    (rbac.GROUP, "ClusterRole"): _role,
    (rbac.GROUP, "ClusterRoleBinding"): _binding,
    (rbac.GROUP, "Role"): _role,
    (rbac.GROUP, "RoleBinding"): _binding,
    ("scheduling.k8s.io", "PriorityClass"): _priority_class,
    ("storage.k8s.io", "StorageClass"): _storage_class,
}
