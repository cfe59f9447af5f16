"""What single kinds need beside the general comparison: parts that are somebody else's by definition.

Each exception is a pure function over the two normalized trees of one object, before they are projected. It returns
them without the part that is not to be compared, and says so.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from drift.compare.normalize import ListMap
from drift.managed_fields import OwnerNode
from drift.model import Decision, Json, Object
from drift.paths import ItemKey, render

#: desired, live, and the object's name -> both without what is not to be compared, and the decisions made.
KindException = Callable[[Object, Object, str], tuple[Object, Object, list[Decision]]]

_CONTROLLER_LABELS: Final = re.compile(r"(?:batch\.kubernetes\.io/)?(?:controller-uid|job-name)")

_DEFAULT_TOLERATION_SECONDS: Final = 300
_TOKEN_VOLUME: Final = re.compile(r"kube-api-access-[a-z0-9]{5}")
_ACCOUNT_MOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
#: What the LimitRanger admission plugin writes on a Pod, for instance "LimitRanger plugin set: cpu, memory request for
#: container app; cpu limit for init container setup".
_LIMIT_RANGER: Final = "kubernetes.io/limit-ranger"
_SET_BY_LIMIT_RANGE: Final = re.compile(
    r"(?P<resources>[^\s,]+(?:, [^\s,]+)*) (?P<amounts>request|limit) for (?P<list>(?:init )?container) (?P<name>\S+)"
)
_LISTS: Final = {"container": "containers", "init container": "initContainers"}


def _without(tree: Object, *path: str | ItemKey) -> Object:
    """A copy of a tree without the field at a path; empty objects on the way go too."""
    name, *rest = path
    if name not in tree:
        return tree
    copy: Object = _copy(tree)
    if rest and isinstance(tree[name], dict):
        below = _without(tree[name], *rest)
        if below:
            copy[name] = below
            return copy
    del copy[name]
    return copy


def _at(tree: Json, *path: str | ItemKey) -> Json:
    node = tree
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def _aggregated_rules(desired: Object, live: Object, name: str) -> tuple[Object, Object, list[Decision]]:
    """The rules of an aggregated ClusterRole are put together by the controller manager from other roles."""
    del name
    if "aggregationRule" not in desired or "rules" not in live:
        return desired, live, []
    decision = Decision("rules", "put together from other roles by its aggregationRule")
    return _without(desired, "rules"), _without(live, "rules"), [decision]


def _job_identity(desired: Object, live: Object, name: str) -> tuple[Object, Object, list[Decision]]:
    """Unless Git names a selector, a Job's selector and the labels it matches are made of the Job's own UID."""
    del name
    if _at(desired, "spec", "selector") is not None or _at(live, "spec", "selector") is None:
        return desired, live, []
    live = _without(live, "spec", "selector")
    decisions = [Decision("spec.selector", "made by the API server from the Job's UID")]
    labels = _at(live, "spec", "template", "metadata", "labels")
    wanted = _at(desired, "spec", "template", "metadata", "labels") or {}
    for label in labels if isinstance(labels, dict) else ():
        if label not in wanted and _CONTROLLER_LABELS.fullmatch(label):
            live = _without(live, "spec", "template", "metadata", "labels", label)
    return desired, live, decisions


def _pod_admission(desired: Object, live: Object, name: str) -> tuple[Object, Object, list[Decision]]:
    """Admission gives every Pod two tolerations for nodes that fail, unless it has its own.

    And the server takes each limit for the request where a Pod has none, resource by resource.
    """
    del name
    live, decisions = _without_copied_requests(desired, live)
    live, mounted = _without_token_volume(desired, live)
    desired, live, more = _default_tolerations(desired, live)
    return desired, live, decisions + mounted + more


def _without_token_volume(desired: Object, live: Object) -> tuple[Object, list[Decision]]:
    """Admission mounts the service account's token in every container, unless the Pod mounts something there."""
    wanted = {item.get("name") for item in _items(_at(desired, "spec", "volumes")) if isinstance(item, dict)}
    made = {
        name
        for item in _items(_at(live, "spec", "volumes"))
        if isinstance(item, dict) and _TOKEN_VOLUME.fullmatch(name := str(item.get("name"))) and name not in wanted
    }
    if not made:
        return live, []

    def is_made(item: Json) -> bool:
        return isinstance(item, dict) and item.get("name") in made

    spec = {**live["spec"], "volumes": _without_items(_at(live, "spec", "volumes"), is_made)}
    for field in ("containers", "initContainers"):
        containers = spec.get(field)
        if isinstance(containers, ListMap):
            kept = ListMap(is_set=False)
            for key, item in containers.items():
                kept.put(key, _without_token_mount(item, is_made), containers.positions[key])
            spec[field] = kept
    live = {**live, "spec": spec if spec["volumes"] else _without(spec, "volumes")}
    return live, [Decision("spec.volumes", "the service account's token, mounted by admission")]


def _without_token_mount(container: Json, is_made: Callable[[Json], bool]) -> Json:
    mounts = _at(container, "volumeMounts")

    def is_token(mount: Json) -> bool:
        return is_made(mount) and mount.get("mountPath") == _ACCOUNT_MOUNT

    kept = _without_items(mounts, is_token)
    if kept is mounts:
        return container
    return {**container, "volumeMounts": kept} if kept else _without(container, "volumeMounts")


def _without_limit_ranges(desired: Object, live: Object, owners: OwnerNode | None) -> tuple[Object, list[Decision]]:
    """The live Pod without the amounts that a LimitRange gave it; an annotation by the API server lists them.

    They belong to the manager that created the Pod. What another manager set later is no work of the LimitRange,
    and an annotation of another manager proves nothing.
    """
    text = _at(live, "metadata", "annotations", _LIMIT_RANGER)
    if not isinstance(text, str) or _at(desired, "metadata", "annotations", _LIMIT_RANGER) is not None:
        return live, []
    creators = _owners(owners, "metadata", "annotations", _LIMIT_RANGER)
    decisions = [Decision(f'metadata.annotations["{_LIMIT_RANGER}"]', "written by the API server for a LimitRange")]
    for part in text.removeprefix("LimitRanger plugin set: ").split("; "):
        found = _SET_BY_LIMIT_RANGE.fullmatch(part)
        if found is None:
            continue
        field, amounts = _LISTS[found["list"]], found["amounts"] + "s"
        key = ItemKey((("name", found["name"]),))
        containers = _at(live, "spec", field)
        if not isinstance(containers, ListMap) or key not in containers:
            continue
        container = containers[key]
        given = _at(_at(desired, "spec", field) or {}, key, "resources", amounts) or {}
        if not creators <= _owners(owners, "spec", field, key, "name"):
            return live, []
        for resource in found["resources"].split(", "):
            path = ("spec", field, key, "resources", amounts, resource)
            if resource not in given and _owners(owners, *path) <= creators:
                container = _without(container, "resources", amounts, resource)
                decisions.append(Decision(render(path), "given by a LimitRange"))
        containers = _copy(containers)
        containers[key] = container
        live = {**live, "spec": {**live["spec"], field: containers}}
    # Empty metadata stays, as the manifest has it too.
    return {**live, "metadata": _without(live["metadata"], "annotations", _LIMIT_RANGER)}, decisions


def _owners(node: OwnerNode | None, *path: str | ItemKey) -> set[int]:
    """The entries that own what is at a path; empty where that is not known."""
    for element in path:
        node = None if node is None else node.child(element)
    return set() if node is None else node.all_owners()


def _without_copied_requests(desired: Object, live: Object) -> tuple[Object, list[Decision]]:
    decisions: list[Decision] = []
    for field in ("containers", "initContainers"):
        wanted, present = _at(desired, "spec", field), _at(live, "spec", field)
        if not isinstance(wanted, ListMap) or not isinstance(present, ListMap):
            continue
        kept = ListMap(is_set=False)
        for key, container in present.items():
            limits = _at(container, "resources", "limits") or {}
            given = _at(wanted.get(key, {}), "resources", "requests") or {}
            for resource, amount in (_at(container, "resources", "requests") or {}).items():
                if resource not in given and limits.get(resource) == amount:
                    container = _without(container, "resources", "requests", resource)  # noqa: PLW2901
                    decisions.append(
                        Decision(f"spec.{field}{key}.resources.requests.{resource}", "copied from its limit")
                    )
            kept.put(key, container, present.positions[key])
        live = {**live, "spec": {**live["spec"], field: kept}}
    return live, decisions


def _default_tolerations(desired: Object, live: Object) -> tuple[Object, Object, list[Decision]]:
    wanted, present = _at(desired, "spec", "tolerations") or [], _at(live, "spec", "tolerations")
    if not isinstance(wanted, list) or not isinstance(present, list):
        return desired, live, []
    kept = [toleration for toleration in present if toleration in wanted or not _is_default_toleration(toleration)]
    if len(kept) == len(present):
        return desired, live, []
    spec = {**live["spec"], "tolerations": kept} if kept else _without(live["spec"], "tolerations")
    return desired, {**live, "spec": spec}, [Decision("spec.tolerations", "given to every Pod by admission")]


def _is_default_toleration(toleration: Json) -> bool:
    return (
        isinstance(toleration, dict)
        and toleration.get("key") in {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
        and toleration.get("operator") == "Exists"
        and toleration.get("effect") == "NoExecute"
        and toleration.get("tolerationSeconds") == _DEFAULT_TOLERATION_SECONDS
    )


def _service_account_tokens(desired: Object, live: Object, name: str) -> tuple[Object, Object, list[Decision]]:
    """Token and dockercfg Secrets are added to ServiceAccounts by controllers, under names that they make."""
    generated = re.compile(rf"{re.escape(name)}-(?:token|dockercfg)-[a-z0-9]+")
    decisions = []
    for field in ("secrets", "imagePullSecrets"):
        wanted = {item.get("name") for item in _items(desired.get(field)) if isinstance(item, dict)}

        def is_made(item: Json, wanted: set[Json] = wanted) -> bool:
            made = isinstance(item, dict) and generated.fullmatch(str(item.get("name", "")))
            return bool(made) and item["name"] not in wanted

        kept = _without_items(live.get(field), is_made)
        if kept is not live.get(field):
            decisions.append(Decision(field, "tokens that a controller made"))
            live = {**live, field: kept} if kept else _without(live, field)
    return desired, live, decisions


def _items(value: Json) -> Iterable[Json]:
    return value.values() if isinstance(value, ListMap) else value if isinstance(value, list) else ()


def _without_items(value: Json, goes: Callable[[Json], bool]) -> Json:
    """A list without some of its items, be it known by keys or not; the very same one where none goes."""
    if not any(map(goes, _items(value))):
        return value
    if isinstance(value, list):
        return [item for item in value if not goes(item)]
    kept = ListMap(is_set=value.is_set)
    for key, item in value.items():
        if not goes(item):
            kept.put(key, item, value.positions[key])
    return kept


def _ca_bundles(desired: Object, live: Object, name: str) -> tuple[Object, Object, list[Decision]]:
    """A CA bundle that Git leaves out, or has as a placeholder, is filled in by cert-manager or an operator."""
    del name
    decisions: list[Decision] = []
    pair = _fill_ca_bundles(desired, live, (), decisions)
    return pair[0], pair[1], decisions


def _fill_ca_bundles(desired: Json, live: Json, path: tuple[str, ...], decisions: list[Decision]) -> tuple[Json, Json]:
    if isinstance(desired, list) and isinstance(live, list) and len(desired) == len(live):
        pairs = [_fill_ca_bundles(*pair, path, decisions) for pair in zip(desired, live, strict=True)]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if not isinstance(desired, dict) or not isinstance(live, dict):
        return desired, live
    left, right = _copy(desired), _copy(live)
    for key in desired.keys() & live.keys():
        pair = _fill_ca_bundles(desired[key], live[key], (*path, str(key)), decisions)
        left[key], right[key] = pair
    if "caBundle" in right and _is_placeholder(left.get("caBundle")):
        del right["caBundle"]
        left.pop("caBundle", None)
        decisions.append(Decision(".".join((*path, "caBundle")), "filled in by whoever keeps the certificate"))
    return left, right


def _copy(tree: Json) -> Json:
    if not isinstance(tree, ListMap):
        return dict(tree)
    copy = ListMap(is_set=tree.is_set)
    for key, item in tree.items():
        copy.put(key, item, tree.positions[key])
    return copy


def _is_placeholder(bundle: Json) -> bool:
    """Whether Git has no certificate there: nothing, white space ("Cg==") or some word in base64."""
    if not bundle:
        return True
    try:
        return b"-----BEGIN" not in base64.b64decode(str(bundle), validate=True)
    except (binascii.Error, ValueError):
        return False


def _without_host_ports(wanted: Json, live: Object, path: tuple[str, ...]) -> tuple[Object, list[Decision]]:
    """In the host's network each port is the host's as well; the server fills that in, before 1.28 in templates too."""
    decisions: list[Decision] = []
    for field in ("containers", "initContainers"):
        containers = _at(live, *path, field)
        for key, container in containers.items() if isinstance(containers, ListMap) else ():
            place = (*path, field, key, "ports")
            ports, wanted_ports = _at(container, "ports"), _at(wanted, field, key, "ports")
            if not isinstance(ports, ListMap) or not isinstance(wanted_ports, ListMap):
                continue
            for port, item in ports.items():
                given = wanted_ports.get(port)
                if given is not None and "hostPort" not in given and _is_host_port(item):
                    live = _without(live, *place, port, "hostPort")
                    decisions.append(Decision(render((*place, port, "hostPort")), "the API server's default"))
    return live, decisions


def _is_host_port(port: Object) -> bool:
    return "hostPort" in port and bool(port["hostPort"] == port.get("containerPort"))


#: Where the kinds that run Pods describe them.
_POD_SPECS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
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
_BY_KIND: Final[Mapping[tuple[str, str], KindException]] = {
    ("rbac.authorization.k8s.io", "ClusterRole"): _aggregated_rules,
    ("batch", "Job"): _job_identity,
    ("", "Pod"): _pod_admission,
    ("", "ServiceAccount"): _service_account_tokens,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _ca_bundles,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _ca_bundles,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _ca_bundles,
    ("apiregistration.k8s.io", "APIService"): _ca_bundles,
}


def remove_kind_specifics(
    group: str, kind: str, name: str, desired: Object, live: Object, *, owners: OwnerNode | None = None
) -> tuple[Object, Object, list[Decision]]:
    """Both trees without what their kind leaves to others.

    Args:
        group: The API group, "" for the core one.
        kind: The kind.
        name: The object's name.
        desired: The normalized manifest.
        live: The normalized live object.
        owners: The owners of the live object's fields; None where they are not known.
    """
    exception = _BY_KIND.get((group, kind))
    decisions: list[Decision] = []
    if (group, kind) == ("", "Pod"):
        live, decisions = _without_limit_ranges(desired, live, owners)
    if exception is not None:
        desired, live, more = exception(desired, live, name)
        decisions += more
    path = _POD_SPECS.get((group, kind))
    if path is not None and _at(live, *path, "hostNetwork") is True:
        live, more = _without_host_ports(_at(desired, *path), live, path)
        decisions += more
    return desired, live, decisions
