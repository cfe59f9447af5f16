"""Whether a difference loosens or tightens security: a table of the settings that do, by path."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import Final

from drift.compare.show import contains_redacted
from drift.globs import Glob, PathGlob
from drift.model import Change, Security
from drift.objects import Json, Object, ObjectKey, as_object, texts_at
from drift.paths import ItemKey, Path, parse, render, set_member
from drift.policy import network_policies, rbac
from drift.policy.network_policies import is_within

#: Compares the desired value of a setting with the live one. None stands for a setting that is absent.
_Comparison = Callable[[Json, Json], Security | None]
_ADMISSION: Final = "admissionregistration.k8s.io"
#: The documented default of the addresses that a load balancer accepts.
_ALL_OF_IPV4: Final = frozenset({"0.0.0.0/0"})
#: Cluster roles that every cluster has, each with all permissions of those before it.
_ROLES: Final = {"view": 1, "edit": 2, "admin": 3, "cluster-admin": 4}
#: Policies that only restrict. Without one, what it forbids is allowed.
_RESTRICTIONS: Final = frozenset(
    {
        (_ADMISSION, "ValidatingWebhookConfiguration"),
        (_ADMISSION, "ValidatingAdmissionPolicy"),
        (_ADMISSION, "ValidatingAdmissionPolicyBinding"),
    }
)
_GRANTS: Final = frozenset({(rbac.GROUP, "RoleBinding"), (rbac.GROUP, "ClusterRoleBinding")})
#: The only results that count for the settings of a list item that was added or removed as a whole: a new container
#: that runs as a user other than root does not tighten security.
_COUNTED: Final = {Change.ADDED: Security.LOOSENS, Change.REMOVED: Security.TIGHTENS}
#: A path to a container or into it.
_IN_CONTAINER: Final = re.compile(r"(?:^|\.)(?:containers|initContainers|ephemeralContainers)\[")
_CACHE_SIZE: Final = 10_000


def security_of(
    key: ObjectKey, path: str, change: Change, desired: Json, live: Json, *, objects: tuple[Object, Object]
) -> Security | None:
    """Returns what a difference does to security; None if that is unknown, or nothing.

    If some parts of a value loosen security and others tighten it, it loosens.

    Args:
        key: The object.
        path: What differs.
        change: How it differs.
        desired: The desired value; None if it was added.
        live: The live value; None if it was removed.
        objects: The desired and the live object, for settings that depend on others.
    """
    found = {
        result
        for part, before, after, is_new in _changed_settings(path, change, desired, live)
        for setting in _settings(key.group, key.kind, part)
        if (result := setting.compare(*(objects if setting.of_object else (before, after)))) is not None
        and (not is_new or (setting.counts_in_new_item and result is _COUNTED.get(change)))
    }
    return Security.LOOSENS if Security.LOOSENS in found else next(iter(found), None)


def gives_full_control(key: ObjectKey, path: str, live: Json) -> bool:
    """Returns whether a live value gives an account full control of a namespace or of the cluster."""
    if key.group != rbac.GROUP:
        return False
    if path == "rules" and isinstance(live, list):
        return any(rbac.grants_everything(as_object(rule)) for rule in live)
    return path == "roleRef" and _role_level(live) == _ROLES["cluster-admin"]


def security_of_missing(key: ObjectKey, manifest: Object) -> Security | None:
    """Returns what the absence of an object does to security; None if that is unknown, or nothing."""
    if (key.group, key.kind) == (network_policies.GROUP, network_policies.KIND):
        return None if contains_redacted(manifest) else network_policies.security_of_missing(manifest)
    if (key.group, key.kind) in _RESTRICTIONS:
        return Security.LOOSENS
    return Security.TIGHTENS if (key.group, key.kind) in _GRANTS else None


def _changed_settings(path: str, change: Change, desired: Json, live: Json) -> Iterator[tuple[str, Json, Json, bool]]:
    """Yields the paths and both values of the settings that differ, and whether a new or removed item has them."""
    yield path, desired, live, False
    if change is Change.ADDED:
        is_item = _is_item(path)
        for part in parts(path, live):
            yield part.path, None, part.value, is_item or part.in_item
    elif change is Change.REMOVED:
        is_item = _is_item(path)
        for part in parts(path, desired):
            yield part.path, part.value, None, is_item or part.in_item


def _is_item(path: str) -> bool:
    return path.endswith("]") and isinstance(parse(path)[-1], ItemKey)


# -- comparisons


def _by_level(level: Callable[[Json], float | None]) -> _Comparison:
    """Returns a comparison by how much each value exposes; a level of None is unknown."""

    def compare(desired: Json, live: Json) -> Security | None:
        before, after = level(desired), level(live)
        if before is None or after is None or before == after:
            return None
        return Security.LOOSENS if after > before else Security.TIGHTENS

    return compare


def _unless_inherited(compare: _Comparison) -> _Comparison:
    """Returns a comparison of a setting of a container, which has that of its Pod if it sets none itself."""

    def compare_unless_inherited(desired: Json, live: Json) -> Security | None:
        found = compare(desired, live)
        return None if live is None and found is Security.LOOSENS else found

    return compare_unless_inherited


def _by_name(levels: Mapping[str | None, float]) -> _Comparison:
    return _by_level(lambda value: levels.get(value) if value is None or isinstance(value, str) else None)


def _user(value: Json) -> float | None:
    """Root is loose, any other user tight. Without a setting, the image decides."""
    if value is None:
        return 0.5
    return float(value == 0) if isinstance(value, int) else None


def _non_root(value: Json) -> float:
    return 0 if value is True else 1 if value is False else 0.5


_loose_if_true: Final = _by_level(lambda value: value is True)
#: For these two, an absent setting is loose.
_tight_if_true: Final = _by_level(lambda value: value is not True)
_tight_if_false: Final = _by_level(lambda value: value is not False)
_present: Final = _by_level(lambda value: value is not None)
_protects: Final = _by_level(lambda value: value is None)


def _by_reach(reaches: Callable[[Json, Json], bool]) -> _Comparison:
    """Returns a comparison of what two values allow.

    Args:
        reaches: Returns whether the second value allows anything that the first one does not.
    """

    def compare(desired: Json, live: Json) -> Security | None:
        if reaches(desired, live):
            return Security.LOOSENS
        return Security.TIGHTENS if reaches(live, desired) else None

    return compare


def _strings(value: Json) -> frozenset[str]:
    return frozenset(texts_at(value))


def _adds(before: Json, after: Json) -> bool:
    return not _strings(after) <= _strings(before)


def _capabilities(value: Json) -> frozenset[str]:
    return frozenset(name.upper().removeprefix("CAP_") for name in _strings(value))


def _adds_capabilities(before: Json, after: Json) -> bool:
    return "ALL" not in _capabilities(before) and not _capabilities(after) <= _capabilities(before)


def _drops_less(before: Json, after: Json) -> bool:
    return _adds_capabilities(after, before)


def _binds_more(before: Json, after: Json) -> bool:
    names = [
        {
            tuple(str(as_object(subject).get(name)) for name in ("kind", "namespace", "name"))
            for subject in (side if isinstance(side, list) else ())
        }
        for side in (before, after)
    ]
    return not names[1] <= names[0]


def _role_level(role: Json) -> float | None:
    reference = as_object(role)
    name = reference.get("name")
    return _ROLES.get(name) if reference.get("kind") == "ClusterRole" and isinstance(name, str) else None


def _compare_roles(desired: Json, live: Json) -> Security | None:
    """Compares the roles of two bindings. What other roles grant is not known, but none grants more than all."""
    before, after = _role_level(desired), _role_level(live)
    everything = _ROLES["cluster-admin"]
    if everything in {before, after}:
        return None if before == after else Security.LOOSENS if after == everything else Security.TIGHTENS
    return _by_level(_role_level)(desired, live)


def _accepts_more(before: Json, after: Json) -> bool:
    """Whether a load balancer accepts addresses that it did not accept before. Without a list, it accepts all."""
    accepted = _strings(before)
    return bool(accepted) and any(not is_within(one, accepted) for one in _strings(after) or _ALL_OF_IPV4)


def hosts_with_tls(tls: Json) -> frozenset[str]:
    """Returns the hosts of the TLS section of an Ingress; ``*`` if an entry is for every host."""
    entries = [as_object(entry) for entry in tls] if isinstance(tls, list) else []
    return frozenset(chain.from_iterable(_strings(entry.get("hosts")) or {"*"} for entry in entries))


def has_tls(host: str, names: frozenset[str]) -> bool:
    """Whether one of these names is a host or covers it: ``*.example.com`` stands for one label.

    Args:
        host: The host of a rule of an Ingress.
        names: The result of `hosts_with_tls`.
    """
    return not names.isdisjoint({host, "*", f"*.{host.partition('.')[2]}"})


def _ends_tls(before: Json, after: Json) -> bool:
    names = hosts_with_tls(after)
    return not all(has_tls(host, names) for host in hosts_with_tls(before))


def _urls(rules: Json) -> frozenset[tuple[str, str]]:
    """Returns the hosts and paths that an Ingress serves."""
    found = set()
    for rule in map(as_object, rules if isinstance(rules, list) else ()):
        http_paths = as_object(rule.get("http")).get("paths")
        for entry in map(as_object, http_paths if isinstance(http_paths, list) else ({},)):
            found.add((str(rule.get("host")), str(entry.get("path"))))
    return frozenset(found)


def _serves_more(before: Json, after: Json) -> bool:
    return not _urls(after) <= _urls(before)


def _by_policy(compare: Callable[[Object, Object], Security | None]) -> _Comparison:
    """Returns a comparison of two objects. What a redacted value does to security is unknown."""
    return lambda *objects: None if contains_redacted([*objects]) else compare(*objects)


# -- the table


@dataclass(frozen=True, slots=True)
class _Setting:
    path: PathGlob
    compare: _Comparison
    kind: Glob
    group: str | None
    in_container: bool | None
    counts_in_new_item: bool
    of_object: bool


def _table(
    *rows: tuple[str, _Comparison],
    kind: str = "*",
    group: str | None = None,
    in_container: bool | None = None,
    counts_in_new_item: bool = True,
    of_object: bool = False,
) -> tuple[_Setting, ...]:
    """Returns rows of the table.

    Args:
        rows: The path of each setting, and how its values are compared.
        kind: A glob for the kinds.
        group: Their API group; None for all.
        in_container: Whether the settings are those of a container, or not; None for both.
        counts_in_new_item: Whether the settings of a list item that was added or removed as a whole count.
        of_object: Whether the objects are compared instead of the values.
    """
    return tuple(
        _Setting(PathGlob(path), compare, Glob(kind), group, in_container, counts_in_new_item, of_object)
        for path, compare in rows
    )


_PROFILE: Final[Mapping[str | None, float]] = {"RuntimeDefault": 0, "Localhost": 0, None: 1, "Unconfined": 2}
_SETTINGS: Final = (
    *_table(
        ("**.securityContext.privileged", _loose_if_true),
        ("**.securityContext.allowPrivilegeEscalation", _tight_if_false),
        ("**.securityContext.readOnlyRootFilesystem", _tight_if_true),
        ("**.securityContext.capabilities.add", _by_reach(_adds_capabilities)),
        ("**.securityContext.capabilities.drop", _by_reach(_drops_less)),
        ("**.securityContext.appArmorProfile.type", _by_name({**_PROFILE, None: 0})),
        ("**.securityContext.procMount", _by_name({None: 0, "Default": 0, "Unmasked": 1})),
        ("**.securityContext.windowsOptions.hostProcess", _loose_if_true),
        ("**.hostNetwork", _loose_if_true),
        ("**.hostPID", _loose_if_true),
        ("**.hostIPC", _loose_if_true),
        ("**.hostUsers", _tight_if_false),
        ("**.shareProcessNamespace", _loose_if_true),
        ("**.automountServiceAccountToken", _tight_if_false),
        ("**.volumes[].hostPath", _present),
        ("**.volumeMounts[].readOnly", _tight_if_true),
        ("**.ports[].hostPort", _present),
    ),
    *_table(
        ("**.securityContext.runAsNonRoot", _tight_if_true),
        ("**.securityContext.runAsUser", _by_level(_user)),
        ("**.securityContext.seccompProfile.type", _by_name(_PROFILE)),
        in_container=False,
    ),
    *_table(
        ("**.securityContext.runAsNonRoot", _unless_inherited(_by_level(_non_root))),
        ("**.securityContext.runAsUser", _unless_inherited(_by_level(_user))),
        ("**.securityContext.seccompProfile.type", _unless_inherited(_by_name(_PROFILE))),
        in_container=True,
    ),
    *_table(
        (
            'metadata.labels["pod-security.kubernetes.io/enforce"]',
            _by_name({"restricted": 0, "baseline": 1, "privileged": 2, None: 2}),
        ),
        kind="Namespace",
        group="",
    ),
    *_table(
        ('metadata.annotations["eks.amazonaws.com/role-arn"]', _present),
        ('metadata.annotations["iam.gke.io/gcp-service-account"]', _present),
        ('metadata.annotations["azure.workload.identity/client-id"]', _present),
        kind="ServiceAccount",
        group="",
    ),
    *_table(
        ("spec.type", _by_name({None: 0, "ClusterIP": 0, "NodePort": 1, "LoadBalancer": 2})),
        ("spec.ports[]", _present),
        ("spec.externalIPs[]", _present),
        ("spec.externalIPs", _by_reach(_adds)),
        ("spec.loadBalancerSourceRanges", _by_reach(_accepts_more)),
        kind="Service",
        group="",
    ),
    *_table(
        ("spec.tls", _by_reach(_ends_tls)),
        ("spec.rules", _by_reach(_serves_more)),
        ("spec.defaultBackend", _present),
        kind="Ingress",
        group=network_policies.GROUP,
    ),
    *_table(
        ("spec.ingress", _by_policy(partial(network_policies.compare_rules, directions=["Ingress"]))),
        ("spec.egress", _by_policy(partial(network_policies.compare_rules, directions=["Egress"]))),
        ("spec.policyTypes", _by_policy(network_policies.compare_rules)),
        ("spec.podSelector", _by_policy(network_policies.compare_selected)),
        kind=network_policies.KIND,
        group=network_policies.GROUP,
        of_object=True,
    ),
    *_table(
        ("rules", rbac.compare_rules),
        ("subjects", _by_reach(_binds_more)),
        ("roleRef", _compare_roles),
        ('metadata.labels["rbac.authorization.k8s.io/aggregate-to-*"]', _by_name({None: 0, "false": 0, "true": 1})),
        group=rbac.GROUP,
    ),
    *_table(
        # A new webhook restricts requests, even if it lets them pass while it is down.
        ("webhooks[].failurePolicy", _by_name({None: 0, "Fail": 0, "Ignore": 1})),
        group=_ADMISSION,
        counts_in_new_item=False,
    ),
    *_table(
        ("spec.failurePolicy", _by_name({None: 0, "Fail": 0, "Ignore": 1})),
        group=_ADMISSION,
    ),
    *_table(("webhooks[]", _protects), kind="ValidatingWebhookConfiguration", group=_ADMISSION),
    *_table(
        ("spec.validationActions", _by_level(lambda value: "Deny" not in _strings(value))),
        kind="ValidatingAdmissionPolicyBinding",
        group=_ADMISSION,
    ),
    *_table(("spec.insecureSkipTLSVerify", _loose_if_true), kind="APIService", group="apiregistration.k8s.io"),
)


@lru_cache(maxsize=_CACHE_SIZE)
def _settings(group: str, kind: str, path: str) -> tuple[_Setting, ...]:
    in_container = _IN_CONTAINER.search(path) is not None
    return tuple(
        setting
        for setting in _of_kind(group, kind)
        if setting.in_container in {None, in_container} and setting.path.matches(path)
    )


@lru_cache(maxsize=_CACHE_SIZE)
def _of_kind(group: str, kind: str) -> tuple[_Setting, ...]:
    return tuple(
        setting
        for setting in _SETTINGS
        if (setting.group is None or setting.group == group) and setting.kind.matches(kind)
    )


# -- the parts of a value that was added or removed as a whole


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a value.

    Attributes:
        path: Its path, from the root of the object.
        value: The part.
        in_item: Whether it belongs to a list item within the value, and is not that item itself.
    """

    path: str
    value: Json
    in_item: bool

    @property
    def is_leaf(self) -> bool:
        """Whether it has no parts itself."""
        return not (isinstance(self.value, dict | list) and self.value)


def parts(path: str, value: Json) -> Iterator[Part]:
    """Yields all parts of a JSON value, without the value itself. All scalars of a list item are its key.

    Args:
        path: The path of the value.
        value: The value.
    """
    for subpath, part in _parts(value, ()):
        in_item = any(isinstance(element, ItemKey) for element in subpath[:-1])
        yield Part(_join(path, subpath), part, in_item)


def _parts(value: Json, path: Path) -> Iterator[tuple[Path, Json]]:
    items: Iterable[tuple[str | ItemKey, Json]]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = [(_item_key(item), item) for item in value]
    else:
        return
    for element, part in items:
        yield (*path, element), part
        yield from _parts(part, (*path, element))


def _item_key(item: Json) -> ItemKey:
    if not isinstance(item, dict):
        return set_member(item)
    return ItemKey(sorted((name, value) for name, value in item.items() if isinstance(value, str | int)))


def _join(path: str, subpath: Path) -> str:
    text = render(subpath)
    return path + text if text.startswith("[") or not path else f"{path}.{text}"
