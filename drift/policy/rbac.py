"""Permissions of roles: which of two roles grants more, and what the widest rule of a role is."""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Final

from drift.model import Security
from drift.objects import Json, Object, as_object, texts_at
from drift.words import first_few

GROUP: Final = "rbac.authorization.k8s.io"
#: Verb, API group, resource and name of an object; "" names every object. For a URL, the group is None.
_Permission = tuple[str, str | None, str, str]
#: The most names that the text of a rule gives for each of its fields.
_MAX_NAMES: Final = 6
#: Roles with more permissions than this are not compared.
_MAX_PERMISSIONS: Final = 20_000
#: With these verbs on these resources, an account can give itself any permission.
_ESCALATING: Final = (
    (("bind", "escalate"), GROUP, ("roles", "clusterroles")),
    (("impersonate",), "", ("users", "groups", "serviceaccounts")),
)
_WRITING_VERBS: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
#: Resources that lead to credentials, or to code that runs in another pod.
_SENSITIVE: Final = frozenset({"secrets", "serviceaccounts/token", "pods/exec", "pods/attach", "nodes/proxy"})
_ALL: Final = "*"


def compare_rules(desired: Json, live: Json) -> Security | None:
    """Returns whether the live rules of a role grant more than the desired ones, or less."""
    before, after = _permissions(desired), _permissions(live)
    if before is None or after is None:
        return None
    if any(not _is_covered(permission, before) for permission in after):
        return Security.LOOSENS
    return Security.TIGHTENS if any(not _is_covered(permission, after) for permission in before) else None


def grants_everything(rule: Object) -> bool:
    """Returns whether a rule of a role gives full control, directly or because the account can extend its own role."""
    verbs, groups, resources = (set(texts_at(rule, name)) for name in ("verbs", "apiGroups", "resources"))
    if _ALL in verbs and _ALL in resources and not groups.isdisjoint({_ALL, "", GROUP}):
        return True
    return any(
        not verbs.isdisjoint({_ALL, *escalating})
        and not groups.isdisjoint({_ALL, group})
        and not resources.isdisjoint({_ALL, *targets})
        for escalating, group, targets in _ESCALATING
    )


def widest_rule(rules: Iterable[Object]) -> Object | None:
    """Returns the rule that grants the most; None if there is no rule."""
    return max(rules, key=_width, default=None)


def rule_text(rule: Object) -> str:
    """Returns ``get, list on pods, deployments.apps``."""
    groups = [group for group in texts_at(rule, "apiGroups") if group]
    suffix = f".{groups[0]}" if len(groups) == 1 and len(texts_at(rule, "apiGroups")) == 1 else ""
    resources = [
        resource if resource == _ALL and suffix == f".{_ALL}" else f"{resource}{suffix}"
        for resource in texts_at(rule, "resources")
    ]
    names = [*resources, *texts_at(rule, "nonResourceURLs")]
    where = f" in {first_few(groups, _MAX_NAMES)}" if groups and not suffix else ""
    only = texts_at(rule, "resourceNames")
    named = f" named {first_few(only, _MAX_NAMES)}" if only else ""
    return f"{first_few(texts_at(rule, 'verbs'), _MAX_NAMES)} on {first_few(names, _MAX_NAMES)}{where}{named}"


def _width(rule: Object) -> tuple[bool, int, bool, bool, int]:
    verbs, resources = set(texts_at(rule, "verbs")), set(texts_at(rule, "resources"))
    wildcards = sum(_ALL in names for names in (verbs, resources))
    writes = _ALL in verbs or not verbs.isdisjoint(_WRITING_VERBS)
    return (
        grants_everything(rule),
        wildcards,
        not resources.isdisjoint(_SENSITIVE),
        writes,
        -len(texts_at(rule, "resourceNames")),
    )


def _permissions(rules: Json) -> frozenset[_Permission] | None:
    """Returns all permissions of rules, or None if there are too many to compare."""
    found: set[_Permission] = set()
    for rule in rules if isinstance(rules, list) else ():
        if _count(as_object(rule)) + len(found) > _MAX_PERMISSIONS:
            return None
        found.update(_permissions_of(as_object(rule)))
    return frozenset(found)


def _count(rule: Object) -> int:
    verbs, groups, resources = (len(texts_at(rule, name)) for name in ("verbs", "apiGroups", "resources"))
    names = len(texts_at(rule, "resourceNames")) or 1
    return verbs * (groups * resources * names + len(texts_at(rule, "nonResourceURLs")))


def _permissions_of(rule: Object) -> Iterator[_Permission]:
    verbs = texts_at(rule, "verbs")
    names = texts_at(rule, "resourceNames") or [""]
    yield from product(verbs, texts_at(rule, "apiGroups"), texts_at(rule, "resources"), names)
    for verb, url in product(verbs, texts_at(rule, "nonResourceURLs")):
        yield verb, None, url, ""


def _is_covered(permission: _Permission, by: frozenset[_Permission]) -> bool:
    verb, group, resource, name = permission
    if group is None:
        wider = [resource, *(f"{resource[:end]}*" for end in range(len(resource) + 1))]
        return any(one in by for one in product((verb, _ALL), (None,), wider, ("",)))
    _, slash, subresource = resource.partition("/")
    resources = (resource, _ALL, f"{_ALL}/{subresource}") if slash else (resource, _ALL)
    return any(one in by for one in product((verb, _ALL), (group, _ALL), resources, (name, "")))
