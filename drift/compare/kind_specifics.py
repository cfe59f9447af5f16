"""Removes the fields of certain kinds that controllers or admission set by design, such as a Pod's token volume.

Each function is pure: it takes both normalized trees of one object before they are projected, and returns them without
the fields that must not be compared, with a decision for each.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from drift.compare.normalize import ListMap
from drift.compare.ownership import Ownership, owner_node
from drift.managed_fields import OwnerNode
from drift.model import Decision
from drift.objects import Json, Object, as_object
from drift.paths import ItemKey, Path, render

_Result = tuple[Object, Object, list[Decision]]
#: desired, live -> both without the fields to skip, and the decisions.
_KindFunction = Callable[[Object, Object], _Result]

_CONTROLLER_LABELS: Final = re.compile(r"(?:batch\.kubernetes\.io/)?(?:controller-uid|job-name)")

_DEFAULT_TOLERATION_SECONDS: Final = 300
_TOKEN_VOLUME: Final = re.compile(r"kube-api-access-[a-z0-9]{5}")
_ACCOUNT_MOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
#: The annotation of the LimitRanger admission plugin, for instance "LimitRanger plugin set: cpu, memory request for
#: container app; cpu limit for init container setup".
_LIMIT_RANGER: Final = "kubernetes.io/limit-ranger"
_SET_BY_LIMIT_RANGE: Final = re.compile(
    r"(?P<resources>[^\s,]+(?:, [^\s,]+)*) (?P<amounts>request|limit) for (?P<list>(?:init )?container) (?P<name>\S+)"
)
_LISTS: Final = {"container": "containers", "init container": "initContainers"}
_CONTAINER_LISTS: Final = tuple(_LISTS.values())

#: The Secret in which Argo CD's server keeps its own keys, which its manifest leaves out:
#: https://github.com/argoproj/argo-cd/blob/v3.1.0/util/settings/settings.go (InitializeSettings)
_ARGOCD_SECRET: Final = "argocd-secret"  # noqa: S105 - a name
_SERVER_KEYS: Final = ("admin.password", "admin.passwordMtime", "server.secretkey", "tls.crt", "tls.key")
_ARGOCD_SERVER: Final = "argocd-server"


def remove_kind_specifics(
    group: str, kind: str, name: str, desired: Object, live: Object, *, ownership: Ownership
) -> _Result:
    """Returns both trees without the fields that controllers or admission set on objects of this kind.

    Args:
        group: The API group; "" for the core group.
        kind: The kind.
        name: The object's name.
        desired: The normalized manifest.
        live: The normalized live object.
        ownership: The owners of the live object's fields.

    Returns:
        The desired tree, the live tree, and a decision for each removed field.
    """
    decisions: list[Decision] = []
    if (group, kind) == ("", "Pod"):
        live, decisions = _without_limit_ranges(desired, live, ownership.tree)
    elif (group, kind) == ("", "ServiceAccount"):
        live, decisions = _without_generated_tokens(desired, live, name)
    elif (group, kind, name) == ("", "Secret", _ARGOCD_SECRET):
        live, decisions = _without_server_keys(desired, live, ownership)
    elif (group, kind) in _WITH_CA_BUNDLES:
        path = _WITH_CA_BUNDLES[group, kind]
        left, right = _get(desired, *path), _get(live, *path)
        if left is not None and right is not None:
            node = owner_node(ownership.tree, path)
            left, right = _without_ca_bundles(left, right, path, node, ownership, decisions)
            desired, live = _replace(desired, left, *path), _replace(live, right, *path)
    function = _BY_KIND.get((group, kind))
    if function is not None:
        desired, live, more = function(desired, live)
        decisions += more
    pod_spec = POD_SPECS.get((group, kind))
    if pod_spec is not None and _get(live, *pod_spec, "hostNetwork") is True:
        live, more = _without_host_ports(_get(desired, *pod_spec), live, pod_spec)
        decisions += more
    return desired, live, decisions


# -- ClusterRole, Job, ServiceAccount


def _without_aggregated_rules(desired: Object, live: Object) -> _Result:
    """The controller manager fills in the rules of an aggregated ClusterRole, unless a user ended the aggregation."""
    if "aggregationRule" not in desired or "aggregationRule" not in live or "rules" not in live:
        return desired, live, []
    decision = Decision("rules", "aggregated from other ClusterRoles by its aggregationRule")
    return without_part(desired, "rules"), without_part(live, "rules"), [decision]


def _without_derived_selector(desired: Object, live: Object) -> _Result:
    """The API server derives a Job's selector and matching labels from its UID, unless Git sets a selector."""
    if _get(desired, "spec", "selector") is not None or _get(live, "spec", "selector") is None:
        return desired, live, []
    live = without_part(live, "spec", "selector")
    decisions = [Decision("spec.selector", "derived from the Job's UID by the API server")]
    of_template = ("spec", "template", "metadata", "labels")
    generated = {
        label: value
        for label, value in as_object(_get(live, *of_template)).items()
        if _CONTROLLER_LABELS.fullmatch(label)
    }
    # The API server copies the labels of the template to a Job without labels.
    for path in (of_template, ("metadata", "labels")):
        labels, in_git = as_object(_get(live, *path)), as_object(_get(desired, *path))
        for label, value in generated.items():
            if label not in in_git and labels.get(label) == value:
                live = without_part(live, *path, label)
    # An object keeps its metadata, even if nothing is left in it.
    return desired, {"metadata": {}, **live}, decisions


def _without_generated_tokens(desired: Object, live: Object, name: str) -> tuple[Object, list[Decision]]:
    """Controllers add token and dockercfg Secrets with generated names to ServiceAccounts."""
    generated_name = re.compile(rf"{re.escape(name)}-(?:token|dockercfg)-[a-z0-9]+")
    decisions = []
    for field in ("secrets", "imagePullSecrets"):
        in_git = _names(desired.get(field))

        def is_generated(item: Json, in_git: set[str] = in_git) -> bool:
            name = str(item.get("name")) if isinstance(item, dict) else ""
            return generated_name.fullmatch(name) is not None and name not in in_git

        kept = _without_items(live.get(field), is_generated)
        if kept is not live.get(field):
            decisions.append(Decision(field, "token Secrets that a controller generated"))
            live = {**live, field: kept} if kept else without_part(live, field)
    return live, decisions


# -- Pod


def _without_pod_admission(desired: Object, live: Object) -> _Result:
    """Admission adds copied requests, the service account's token and two default tolerations to every Pod."""
    live, requests = _without_copied_requests(desired, live)
    live, volumes = _without_token_volume(desired, live)
    live, tolerations = _without_default_tolerations(desired, live)
    return desired, live, requests + volumes + tolerations


def _without_copied_requests(desired: Object, live: Object) -> tuple[Object, list[Decision]]:
    """The API server copies the limit of a resource to its request if the Pod sets none."""
    decisions: list[Decision] = []
    for field in _CONTAINER_LISTS:
        desired_list, live_list = _get(desired, "spec", field), _get(live, "spec", field)
        if not isinstance(desired_list, ListMap) or not isinstance(live_list, ListMap):
            continue
        kept = ListMap(is_set=False)
        for key, container in live_list.items():
            in_git = desired_list.get(key, {})
            limits = [as_object(_get(side, "resources", "limits")) for side in (container, in_git)]
            desired_requests = _get(in_git, "resources", "requests") or {}
            # Git may have requests that cannot be compared.
            live_requests = _get(container, "resources", "requests") if isinstance(desired_requests, dict) else {}
            for resource, amount in as_object(live_requests).items():
                if resource not in desired_requests and any(amounts.get(resource) == amount for amounts in limits):
                    container = without_part(container, "resources", "requests", resource)  # noqa: PLW2901
                    decisions.append(
                        Decision(f"spec.{field}{key}.resources.requests.{resource}", "copied from its limit")
                    )
            kept.put(key, container, live_list.positions[key])
        live = {**live, "spec": {**live["spec"], field: kept}}
    return live, decisions


def _without_token_volume(desired: Object, live: Object) -> tuple[Object, list[Decision]]:
    """Admission mounts the service account's token in every container, unless the Pod mounts something there."""
    in_git = _names(_get(desired, "spec", "volumes"))
    added = {
        name
        for item in _items(_get(live, "spec", "volumes"))
        if isinstance(item, dict) and _TOKEN_VOLUME.fullmatch(name := str(item.get("name"))) and name not in in_git
    }
    if not added:
        return live, []

    def is_added(item: Json) -> bool:
        return isinstance(item, dict) and item.get("name") in added

    spec = {**live["spec"], "volumes": _without_items(_get(live, "spec", "volumes"), is_added)}
    for field in _CONTAINER_LISTS:
        containers = spec.get(field)
        if isinstance(containers, ListMap):
            kept = ListMap(is_set=False)
            for key, item in containers.items():
                kept.put(key, _without_token_mount(item, is_added), containers.positions[key])
            spec[field] = kept
    live = {**live, "spec": spec if spec["volumes"] else without_part(spec, "volumes")}
    return live, [Decision("spec.volumes", "the service account's token, mounted by admission")]


def _without_token_mount(container: Json, is_added: Callable[[Json], bool]) -> Json:
    mounts = _get(container, "volumeMounts")

    def is_token_mount(mount: Json) -> bool:
        return is_added(mount) and mount.get("mountPath") == _ACCOUNT_MOUNT

    kept = _without_items(mounts, is_token_mount)
    if kept is mounts:
        return container
    return {**container, "volumeMounts": kept} if kept else without_part(container, "volumeMounts")


def _without_default_tolerations(desired: Object, live: Object) -> tuple[Object, list[Decision]]:
    """Admission adds two tolerations for failing nodes, unless the Pod has its own."""
    desired_list, live_list = _get(desired, "spec", "tolerations") or [], _get(live, "spec", "tolerations")
    if not isinstance(desired_list, list) or not isinstance(live_list, list):
        return live, []
    kept = [item for item in live_list if item in desired_list or not _is_default_toleration(item)]
    if len(kept) == len(live_list):
        return live, []
    spec = {**live["spec"], "tolerations": kept} if kept else without_part(live["spec"], "tolerations")
    return {**live, "spec": spec}, [Decision("spec.tolerations", "added to every Pod by admission")]


def _is_default_toleration(toleration: Json) -> bool:
    return (
        isinstance(toleration, dict)
        and toleration.get("key") in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
        and toleration.get("operator") == "Exists"
        and toleration.get("effect") == "NoExecute"
        and toleration.get("tolerationSeconds") == _DEFAULT_TOLERATION_SECONDS
    )


def _without_limit_ranges(desired: Object, live: Object, owners: OwnerNode | None) -> tuple[Object, list[Decision]]:
    """Removes the requests and limits that a LimitRange set, which the API server lists in an annotation.

    The manager that created the Pod owns them. Amounts that another manager owns were set later, and an annotation
    that another manager wrote proves nothing.
    """
    text = _get(live, "metadata", "annotations", _LIMIT_RANGER)
    if not isinstance(text, str) or _get(desired, "metadata", "annotations", _LIMIT_RANGER) is not None:
        return live, []
    creators = _owners(owners, "metadata", "annotations", _LIMIT_RANGER)
    decisions = [Decision(f'metadata.annotations["{_LIMIT_RANGER}"]', "written by the API server for a LimitRange")]
    for part in text.removeprefix("LimitRanger plugin set: ").split("; "):
        found = _SET_BY_LIMIT_RANGE.fullmatch(part)
        if found is None:
            continue
        field, amounts = _LISTS[found["list"]], found["amounts"] + "s"
        key = ItemKey((("name", found["name"]),))
        containers = _get(live, "spec", field)
        if not isinstance(containers, ListMap) or key not in containers:
            continue
        if not creators <= _owners(owners, "spec", field, key, "name"):
            return live, []
        container = containers[key]
        desired_amounts = as_object(_get(desired, "spec", field, key, "resources", amounts))
        for resource in found["resources"].split(", "):
            path = ("spec", field, key, "resources", amounts, resource)
            if resource not in desired_amounts and _owners(owners, *path) <= creators:
                container = without_part(container, "resources", amounts, resource)
                decisions.append(Decision(render(path), "set by a LimitRange"))
        containers = _copy(containers)
        containers[key] = container
        live = {**live, "spec": {**live["spec"], field: containers}}
    # Keep metadata even if it is empty now: the manifest's tree always has it.
    return {**live, "metadata": without_part(live["metadata"], "annotations", _LIMIT_RANGER)}, decisions


def _owners(tree: OwnerNode | None, *path: str | ItemKey) -> set[int]:
    """Returns the entries that own the value at a path; empty if that is not known."""
    node = owner_node(tree, path)
    return set() if node is None else node.all_owners()


# -- every kind that runs Pods


def _without_host_ports(desired_spec: Json, live: Object, spec_path: tuple[str, ...]) -> tuple[Object, list[Decision]]:
    """With hostNetwork, the API server sets hostPort to containerPort; before Kubernetes 1.28 also in templates."""
    decisions: list[Decision] = []
    for field in _CONTAINER_LISTS:
        containers = _get(live, *spec_path, field)
        for key, container in containers.items() if isinstance(containers, ListMap) else ():
            ports_path: Path = (*spec_path, field, key, "ports")
            ports, desired_ports = _get(container, "ports"), _get(desired_spec, field, key, "ports")
            if not isinstance(ports, ListMap) or not isinstance(desired_ports, ListMap):
                continue
            for port, item in ports.items():
                desired_port = desired_ports.get(port)
                if desired_port is not None and "hostPort" not in desired_port and _is_host_port(item):
                    live = without_part(live, *ports_path, port, "hostPort")
                    decisions.append(Decision(render((*ports_path, port, "hostPort")), "the API server's default"))
    return live, decisions


def _is_host_port(port: Object) -> bool:
    return "hostPort" in port and bool(port["hostPort"] == port.get("containerPort"))


# -- Secret


def _without_server_keys(desired: Object, live: Object, ownership: Ownership) -> tuple[Object, list[Decision]]:
    """Argo CD's server fills in its keys when it starts. What anything else has written is compared."""
    decisions = []
    for key in _SERVER_KEYS:
        node = owner_node(ownership.tree, ("data", key))
        owners = {ownership.entries[index].actor.manager for index in node.all_owners()} if node is not None else set()
        if _get(desired, "data", key) is None and _get(live, "data", key) is not None and owners == {_ARGOCD_SERVER}:
            live = without_part(live, "data", key)
            decisions.append(Decision(render(("data", key)), "filled in by Argo CD's server when it starts"))
    return live, decisions


# -- CA bundles


def _without_ca_bundles(  # noqa: PLR0917
    desired: Json,
    live: Json,
    path: tuple[str, ...],
    node: OwnerNode | None,
    ownership: Ownership,
    decisions: list[Decision],
) -> tuple[Json, Json]:
    """cert-manager or an operator fills in a CA bundle that Git leaves out or sets to a placeholder.

    A bundle that a user set with a tool for people is compared. Arguments and result are parts of both trees.
    """
    if isinstance(desired, list) and isinstance(live, list) and len(desired) == len(live):
        pairs = [
            _without_ca_bundles(*pair, path, None, ownership, decisions) for pair in zip(desired, live, strict=True)
        ]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if not isinstance(desired, dict) or not isinstance(live, dict):
        return desired, live
    left, right = _copy(desired), _copy(live)
    for key in desired.keys() & live.keys():
        child = node.child(key) if node else None
        left[key], right[key] = _without_ca_bundles(
            desired[key], live[key], (*path, str(key)), child, ownership, decisions
        )
    is_edited = ownership.is_edited(node.child("caBundle") if node else None, by_hand_tool=True)
    if isinstance(right.get("caBundle"), str) and _is_placeholder(left.get("caBundle")) and not is_edited:
        del right["caBundle"]
        left.pop("caBundle", None)
        decisions.append(Decision(".".join((*path, "caBundle")), "filled in by the manager of the certificate"))
    return left, right


def _is_placeholder(bundle: Json) -> bool:
    """Whether the bundle holds no certificate: it is empty, white space ("Cg==") or another text in base64."""
    if not bundle:
        return True
    try:
        return b"-----BEGIN" not in base64.b64decode(str(bundle), validate=True)
    except (binascii.Error, ValueError):
        return False


# -- reading and copying normalized trees


def _get(tree: Json, *path: str | ItemKey) -> Json:
    """Returns the value at a path, or None."""
    node = tree
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def without_part(tree: Object, *path: str | ItemKey) -> Object:
    """Returns a copy without the field at a path, and without the objects that become empty on the way."""
    name, *rest = path
    if name not in tree:
        return tree
    copy: Object = _copy(tree)
    if rest and isinstance(tree[name], dict):
        below = without_part(tree[name], *rest)
        if below:
            copy[name] = below
            return copy
    del copy[name]
    return copy


def _replace(tree: Object, value: Json, *path: str) -> Object:
    """Returns a copy with another value at a path, where the tree has one."""
    name, *rest = path
    return {**tree, name: _replace(tree[name], value, *rest) if rest else value}


def _items(value: Json) -> Iterable[Json]:
    return value.values() if isinstance(value, ListMap) else value if isinstance(value, list) else ()


def _names(value: Json) -> set[str]:
    """Returns the names of the items of a list or list map."""
    return {str(item.get("name")) for item in _items(value) if isinstance(item, dict)}


def _without_items(value: Json, removes: Callable[[Json], bool]) -> Json:
    """Returns a list or list map without some of its items, or the same object if there are none to remove."""
    if not any(map(removes, _items(value))):
        return value
    if isinstance(value, list):
        return [item for item in value if not removes(item)]
    kept = ListMap(is_set=value.is_set)
    for key, item in value.items():
        if not removes(item):
            kept.put(key, item, value.positions[key])
    return kept


def _copy(tree: Json) -> Json:
    if not isinstance(tree, ListMap):
        return dict(tree)
    copy = ListMap(is_set=tree.is_set)
    for key, item in tree.items():
        copy.put(key, item, tree.positions[key])
    return copy


#: The path of the Pod spec in every kind that runs Pods.
POD_SPECS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
    ("", "ReplicationController"): ("spec", "template", "spec"),
    **{
        ("apps", kind): ("spec", "template", "spec")
        for kind in ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")
    },
    ("batch", "Job"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
}
_BY_KIND: Final[Mapping[tuple[str, str], _KindFunction]] = {
    ("rbac.authorization.k8s.io", "ClusterRole"): _without_aggregated_rules,
    ("batch", "Job"): _without_derived_selector,
    ("", "Pod"): _without_pod_admission,
}
#: The kinds that hold the CA bundle of a server, and the field that has it somewhere below. Elsewhere, the name may be
#: any label, or a property of a custom resource.
_WITH_CA_BUNDLES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): ("webhooks",),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): ("webhooks",),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ("spec", "conversion"),
    ("apiregistration.k8s.io", "APIService"): ("spec",),
}
