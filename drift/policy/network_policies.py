"""NetworkPolicies: which of two allows more, and what one does that is new or gone.

Policies add up. If no policy isolates a pod, all of its connections are allowed, else those that any policy allows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from drift.model import Security
from drift.objects import Json, Object, as_object, at, objects_at, texts_at

GROUP: Final = "networking.k8s.io"
KIND: Final = "NetworkPolicy"
DIRECTIONS: Final = ("Ingress", "Egress")
#: All that a change may do to security, depending on the other policies for the same pods.
_Effects = frozenset[Security]
_LOOSENS: Final = frozenset({Security.LOOSENS})
_TIGHTENS: Final = frozenset({Security.TIGHTENS})
_ALL: Final[Sequence[Object]] = [{}]


def rules_of(policy: Object, direction: str) -> list[Object] | None:
    """Returns the rules of a policy for a direction; None if it does not isolate its pods there.

    Args:
        policy: The policy. If it has no ``policyTypes``, the API server adds ``Egress`` only if it has rules for that.
        direction: ``Ingress`` or ``Egress``.
    """
    spec = as_object(policy.get("spec"))
    types = texts_at(spec, "policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return objects_at(spec, direction.lower()) if direction in types else None


def compare_rules(desired: Object, live: Object, directions: Iterable[str] = DIRECTIONS) -> Security | None:
    """Returns what the rules of the live policy do to security, compared with those of the desired one."""
    return _verdict(_effects(rules_of(desired, name), rules_of(live, name)) for name in directions)


def compare_selected(desired: Object, live: Object) -> Security | None:
    """Returns what it does to security that the live policy is for other pods than the desired one."""
    before, after = (at(policy, "spec", "podSelector") for policy in (desired, live))
    effects = []
    if not _has_selected(after, before):
        effects += [_effects(rules_of(desired, name), None) for name in DIRECTIONS]
    if not _has_selected(before, after):
        effects += [_effects(None, rules_of(live, name)) for name in DIRECTIONS]
    return _verdict(effects)


def security_of_new(policy: Object) -> Security | None:
    """Returns what a policy does to security that is not in Git."""
    return _verdict(_effects(None, rules_of(policy, name)) for name in DIRECTIONS)


def security_of_missing(policy: Object) -> Security | None:
    """Returns what it does to security that a policy is not in the cluster."""
    return _verdict(_effects(rules_of(policy, name), None) for name in DIRECTIONS)


def _verdict(effects: Iterable[_Effects]) -> Security | None:
    found = {one for one in effects if one}
    if _LOOSENS in found:
        return Security.LOOSENS
    return Security.TIGHTENS if found == {_TIGHTENS} else None


def _effects(before: Sequence[Object] | None, after: Sequence[Object] | None) -> _Effects:
    """Returns what other rules for a direction may do; None for a policy that does not isolate its pods there."""
    if before is None and after is None:
        return frozenset()
    if before is not None and after is not None:
        # Rules that allow some more and some less loosen.
        return (
            _LOOSENS if _connects_more(before, after) else _TIGHTENS if _connects_more(after, before) else frozenset()
        )
    # Without other policies, all is allowed where the policy does not isolate. Beside others, it allows nothing there.
    opens = _connects_more(before or (), _ALL if after is None else after)
    closes = _connects_more(after or (), _ALL if before is None else before)
    return (_LOOSENS if opens else frozenset()) | (_TIGHTENS if closes else frozenset())


def _connects_more(before: Sequence[Object], after: Sequence[Object]) -> bool:
    """Whether the second rules allow a connection that the first ones do not."""
    allowed = [_Rule.of(rule) for rule in before]
    return any(
        not any(wider.allows(peer, port) for wider in allowed)
        for rule in map(_Rule.of, after)
        for peer in rule.peers or (None,)
        for port in rule.ports or (None,)
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule: all of its peers on all of its ports. Without peers or ports, it allows any."""

    peers: Sequence[Object]
    ports: Sequence[Object]

    @classmethod
    def of(cls, rule: Object) -> "_Rule":
        return cls(objects_at(rule, "from") or objects_at(rule, "to"), objects_at(rule, "ports"))

    def allows(self, peer: Object | None, port: Object | None) -> bool:
        """Whether it allows all connections with a peer on a port; None stands for any."""
        return _has_all(self.peers, peer, _has_peers) and _has_all(self.ports, port, _has_ports)


def _has_all(entries: Sequence[Object], one: Object | None, includes: Callable[[Object, Object], bool]) -> bool:
    return not entries or (one is not None and (one in entries or any(includes(entry, one) for entry in entries)))


def _has_peers(wider: Object, peer: Object) -> bool:
    block, namespaces = wider.get("ipBlock"), wider.get("namespaceSelector")
    if block is not None or peer.get("ipBlock") is not None:
        return block is not None and peer.get("ipBlock") is not None and _has_addresses(block, peer["ipBlock"])
    if namespaces is None:
        has_namespaces = peer.get("namespaceSelector") is None
    else:
        # Without a selector, it is the policy's own namespace, whose labels are not known here.
        has_namespaces = _has_selected(namespaces, peer.get("namespaceSelector"))
    return has_namespaces and _has_selected(wider.get("podSelector"), peer.get("podSelector"))


def _has_addresses(wider: Json, block: Json) -> bool:
    cidr, excluded = str(as_object(block).get("cidr")), frozenset(texts_at(block, "except"))
    return is_within(cidr, frozenset({str(as_object(wider).get("cidr"))})) and all(
        is_within(one, excluded) or not _overlap(one, cidr) for one in texts_at(wider, "except")
    )


def is_within(network: str, wider: frozenset[str]) -> bool:
    """Returns whether all addresses of a network, such as ``10.0.0.0/8``, are in one of the wider networks."""
    try:
        inner, outer = ip_network(network, strict=False), [ip_network(one, strict=False) for one in wider]
    except ValueError:
        return network in wider
    return any(inner.version == one.version and inner.subnet_of(one) for one in outer)  # type: ignore[arg-type]


def _overlap(one: str, other: str) -> bool:
    return is_within(one, frozenset({other})) or is_within(other, frozenset({one}))


def _has_ports(wider: Object, port: Object) -> bool:
    if (wider.get("protocol") or "TCP") != (port.get("protocol") or "TCP"):
        return False
    first, number = wider.get("port"), port.get("port")
    if first is None or not (isinstance(first, int) and isinstance(number, int)):
        return first is None or (first == number and wider.get("endPort") == port.get("endPort"))
    return first <= number and _end(port, number) <= _end(wider, first)


def _end(port: Object, first: int) -> int:
    end = port.get("endPort")
    return end if isinstance(end, int) else first


def _has_selected(wider: Json, selector: Json) -> bool:
    """Whether a selector surely selects all that another one does."""
    requirements = _requirements(selector)
    return all(any(one.implies(other) for one in requirements) for other in _requirements(wider))


@dataclass(frozen=True, slots=True)
class _Requirement:
    """A label that a selector asks for: its key, and an operator with values."""

    key: str
    operator: str
    values: frozenset[str]

    def implies(self, other: "_Requirement") -> bool:
        """Whether labels that meet this requirement also meet the other one."""
        if self.key != other.key:
            return False
        match other.operator, self.operator:
            case "In", "In":
                return self.values <= other.values
            case "NotIn", "NotIn":
                return other.values <= self.values
            case "NotIn", "In":
                return self.values.isdisjoint(other.values)
            case ("NotIn", "DoesNotExist") | ("Exists", "In"):
                return True
        return self == other


def _requirements(selector: Json) -> list[_Requirement]:
    labels = as_object(as_object(selector).get("matchLabels"))
    return [
        *(_Requirement(name, "In", frozenset({str(value)})) for name, value in labels.items()),
        *(
            _Requirement(str(one.get("key")), str(one.get("operator")), frozenset(texts_at(one, "values")))
            for one in objects_at(as_object(selector), "matchExpressions")
        ),
    ]
