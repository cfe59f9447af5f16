"""Converts classified differences to findings: readable paths, plain values, a fingerprint, no secret values."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from drift.compare.classify import ClassifiedDifference
from drift.compare.diff import Difference
from drift.compare.edited_keys import edited_keys
from drift.compare.normalize import ListMap
from drift.compare.objects import ObjectComparison
from drift.compare.projection import Projection
from drift.compare.show import contains_redacted, pointer, to_json, without_unknown_items
from drift.model import IMMUTABLE, SEVERITY_RANK, Cause, Change, Finding
from drift.objects import Json, Object, ObjectKey, at, objects_at, text_at
from drift.paths import ItemKey, Path, escape_pointer, render
from drift.policy.digest import Digest
from drift.policy.security import security_of, security_of_missing
from drift.policy.severity import default_table
from drift.policy.unmanaged import UnmanagedObject

#: The path of the field that an autoscaler sets.
REPLICAS: Final = ("spec", "replicas")
_REPLICAS: Final = ".".join(REPLICAS)
_RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"


def object_findings(compared: ObjectComparison, key: ObjectKey, cluster: str) -> tuple[Finding, ...]:
    """Returns the findings of an object that is in Git and in the cluster, sorted by path.

    Args:
        compared: The result of its comparison.
        key: The object.
        cluster: The URL of the API server, for the fingerprints; "" for a dump.
    """
    places = _Places(compared.projection)
    findings = [_finding(judged, compared, key, cluster, places) for judged in compared.differences]
    return tuple(sorted(findings, key=lambda finding: (finding.path, finding.change)))


def _finding(
    judged: ClassifiedDifference, compared: ObjectComparison, key: ObjectKey, cluster: str, places: "_Places"
) -> Finding:
    difference = judged.difference
    redacted = (
        contains_redacted(difference.desired)
        or contains_redacted(difference.live)
        or _replaces_secret(difference, compared.projection)
    )
    if difference.change is Change.REMOVED:
        where = pointer(compared.projection.desired, difference.path)
    else:
        where = pointer(compared.projection.live, difference.live_path)
    path = render(difference.path)
    desired = None if redacted else to_json(difference.desired)
    live = None if redacted else to_json(difference.live)
    value = desired if difference.change is Change.REMOVED else live
    security = None if redacted else security_of(key, path, difference.change, desired, live, objects=compared.objects)
    return Finding(
        id=fingerprint(cluster, key, path, difference.change),
        change=difference.change,
        path=path,
        pointer=where,
        desired=desired,
        live=live,
        redacted=redacted,
        cause=judged.cause,
        severity=default_table().severity(key, path, difference.change, judged.cause, value, security),
        actors=judged.actors,
        note=_immutable_note(difference, compared.projection, key) or judged.note or _note(difference),
        security=security,
        live_pointer=places.find(difference),
    )


class _Places:
    """Where the live object lacks what only Git has.

    A list item is missing after the live item that is closest before it in Git: the cluster may have other items, and
    another order.
    """

    def __init__(self, projection: Projection) -> None:
        self._projection = projection
        #: The positions of the items of Git's lists in the live list, by the path of the list.
        self._positions: dict[Path, Mapping[ItemKey, int]] = {}

    def find(self, difference: Difference) -> str | None:
        """Returns the pointer of a list item that only Git has, or of a field in an item; None for other fields."""
        if difference.change is not Change.REMOVED or not any(isinstance(part, ItemKey) for part in difference.path):
            return None
        *_, last = difference.path
        parent = pointer(self._projection.live, difference.live_path[:-1])
        if isinstance(last, ItemKey):
            return f"{parent}/{self._positions_below(difference)[last]}"
        return f"{parent}/{escape_pointer(last)}"

    def _positions_below(self, difference: Difference) -> Mapping[ItemKey, int]:
        path = difference.path[:-1]
        if path not in self._positions:
            desired, live = _at(self._projection.desired, path), _at(self._projection.live, difference.live_path[:-1])
            self._positions[path] = _positions(desired, live)
        return self._positions[path]


def _positions(desired: ListMap, live: ListMap) -> Mapping[ItemKey, int]:
    """Returns the position of each item of Git in the live list: its own, or the one where it would be added."""
    edited = edited_keys(desired, live)
    found, following = {}, 0
    for name in desired:
        live_name = edited.get(name, name)
        found[name] = live.positions.get(live_name, following)
        if live_name in live:
            following = found[name] + 1
    return found


def conceal(findings: Iterable[Finding], paths: Collection[str]) -> tuple[Finding, ...]:
    """Returns findings without the values at some paths."""
    return tuple(
        replace(finding, desired=None, live=None, redacted=True) if finding.path in paths else finding
        for finding in findings
    )


def conceal_items(
    findings: Iterable[Finding], paths: Collection[str], compared: ObjectComparison, key: ObjectKey, cluster: str
) -> tuple[Finding, ...]:
    """Returns findings without the keys of the list items that Git lacks: one finding of the list stands for them.

    Args:
        findings: The findings of an object, concealed at these paths.
        paths: Where live values must not be shown.
        compared: The comparison that found them.
        key: The object.
        cluster: As in `object_findings`.
    """
    differences = {render(one.difference.path): one.difference for one in compared.differences}
    shown: dict[str, Finding] = {}
    for finding in findings:
        difference = differences.get(finding.path)
        if difference is not None and finding.path in paths:
            path = without_unknown_items(compared.projection.desired, difference.path)
            if path != difference.path:
                where = pointer(compared.projection.live, difference.live_path[: len(path)])
                finding = _of_list(finding, render(path), where, key, cluster)  # noqa: PLW2901
        known = shown.get(finding.id)
        shown[finding.id] = finding if known is None else min(known, finding, key=_rank)
    return tuple(sorted(shown.values(), key=lambda finding: (finding.path, finding.change)))


def _of_list(finding: Finding, path: str, where: str, key: ObjectKey, cluster: str) -> Finding:
    change = Change.CHANGED
    return replace(finding, id=fingerprint(cluster, key, path, change), change=change, path=path, pointer=where)


def _rank(finding: Finding) -> tuple[bool, int]:
    return not finding.is_drift, SEVERITY_RANK[finding.severity]


def _note(difference: Difference) -> str | None:
    names = difference.live if isinstance(difference.live, dict) else ()
    restarted = difference.path[-1:] == (_RESTARTED_AT,) or _RESTARTED_AT in names
    return "caused by `kubectl rollout restart`" if restarted else None


def _immutable_note(difference: Difference, projection: Projection, key: ObjectKey) -> str | None:
    """Returns the note on the data of a ConfigMap or Secret that is immutable in the cluster."""
    if (key.group, key.kind) not in {("", "ConfigMap"), ("", "Secret")} or difference.path[:1] == ("metadata",):
        return None
    return IMMUTABLE if _at(projection.live, ("immutable",)) is True else None


def deletion_findings(live: Object, key: ObjectKey, cluster: str) -> tuple[Finding, ...]:
    """Returns a finding if an object that is in Git is being deleted, else ()."""
    since = at(live, "metadata", "deletionTimestamp")
    if not isinstance(since, str):
        return ()
    path = "metadata.deletionTimestamp"
    finding = Finding(
        id=fingerprint(cluster, key, path, Change.ADDED),
        change=Change.ADDED,
        path=path,
        pointer="/metadata/deletionTimestamp",
        desired=None,
        live=since,
        redacted=False,
        cause=Cause.UNKNOWN,
        severity=default_table().severity(key, path, Change.ADDED, Cause.UNKNOWN),
        note="it is being deleted and waits for its finalizers",
    )
    return (finding,)


def missing_finding(key: ObjectKey, manifest: Object, cluster: str, cause: Cause) -> Finding:
    """Returns the finding of an object that is not in the cluster. Kubernetes does not record who deleted it.

    Args:
        key: The object.
        manifest: The object as Git has it.
        cluster: The URL of the API server, for the fingerprints; "" for a dump.
        cause: Why it is missing.
    """
    security = security_of_missing(key, manifest)
    return Finding(
        id=fingerprint(cluster, key, "", Change.MISSING),
        change=Change.MISSING,
        path="",
        pointer="",
        desired=None,
        live=None,
        redacted=False,
        cause=cause,
        severity=default_table().severity(key, "", Change.MISSING, cause, security=security),
        security=security,
    )


def unmanaged_finding(key: ObjectKey, unmanaged: UnmanagedObject, digest: Digest | None, cluster: str) -> Finding:
    """Returns the finding of an object that is not in Git.

    Args:
        key: The object.
        unmanaged: Why it is unmanaged.
        digest: What it is, which may make it more severe than its kind.
        cluster: The URL of the API server, for the fingerprints; "" for a dump.
    """
    security = None if digest is None else digest.security
    severity = default_table().severity(key, "", Change.UNMANAGED, unmanaged.cause, security=security)
    if digest is not None and digest.severity is not None:
        severity = min(severity, digest.severity, key=SEVERITY_RANK.__getitem__)
    return Finding(
        id=fingerprint(cluster, key, "", Change.UNMANAGED),
        change=Change.UNMANAGED,
        path="",
        pointer="",
        desired=None,
        live=None,
        redacted=False,
        cause=unmanaged.cause,
        severity=severity,
        actors=unmanaged.actors,
        note=unmanaged.note,
        security=security,
    )


def fingerprint(cluster: str, key: ObjectKey, path: str, change: Change) -> str:
    """Returns the id of a finding, the same in every scan: 16 hexadecimal digits, derived from names only."""
    parts = (cluster, key.group, key.kind, key.namespace or "", key.name, path, change)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


# -- environment variables that come from a Secret on one side


def _replaces_secret(difference: Difference, projection: Projection) -> bool:
    """Returns whether a difference has the plain value of a variable that the other object takes from a Secret.

    Args:
        difference: A difference without redacted values.
        projection: The trees in which it was found.
    """
    if difference.path[-1:] == ("value",):
        sides = (_at(projection.desired, difference.path[:-1]), _at(projection.live, difference.live_path[:-1]))
        return any(isinstance(entry, dict) and _is_from_secret(entry) for entry in sides)
    desired, live = _entries(to_json(difference.desired)), _entries(to_json(difference.live))
    literal = [{entry["name"] for entry in side if "value" in entry} for side in (desired, live)]
    # Without a schema, the reference to the Secret may have been removed as a default, which leaves only the name.
    hidden = [
        {entry["name"] for entry in side if _is_from_secret(entry) or len(entry) == 1} for side in (desired, live)
    ]
    return bool(literal[0] & hidden[1] or literal[1] & hidden[0])


def _is_from_secret(entry: Json) -> bool:
    source = entry.get("valueFrom")
    return isinstance(source, dict) and "secretKeyRef" in source


def _entries(value: Json) -> list[Json]:
    """Returns every part of a value that may be an environment variable; custom resources have them anywhere."""
    found = []
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            if isinstance(part.get("name"), str):
                found.append(part)
            pending += part.values()
        elif isinstance(part, list):
            pending += part
    return found


def _at(tree: Json, path: Path) -> Json:
    for element in path:
        tree = getattr(tree, "value", tree)
        if not isinstance(tree, dict) or element not in tree:
            return None
        tree = tree[element]
    return getattr(tree, "value", tree)


# -- replicas with a HorizontalPodAutoscaler: drift only outside its range


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler.

    Attributes:
        name: Its name.
        target: The object that it scales.
        minimum: ``minReplicas``.
        maximum: ``maxReplicas``.
        idles_at_zero: Whether KEDA owns it, which scales an idle target to 0, below the minimum.
    """

    name: str
    target: ObjectKey
    minimum: int
    maximum: int
    idles_at_zero: bool = False


def read_autoscaler(body: Object) -> Autoscaler | None:
    """Reads a HorizontalPodAutoscaler of any version; returns None if it is invalid."""
    metadata, spec = body.get("metadata"), body.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        return None
    reference, maximum = spec.get("scaleTargetRef"), spec.get("maxReplicas")
    if not isinstance(reference, dict) or not isinstance(maximum, int):
        return None
    minimum = spec.get("minReplicas")
    group = str(reference.get("apiVersion", "")).rpartition("/")[0]
    target = ObjectKey(group, str(reference.get("kind")), metadata.get("namespace"), str(reference.get("name")))
    return Autoscaler(
        str(metadata.get("name")),
        target,
        minimum if isinstance(minimum, int) else 1,
        maximum,
        idles_at_zero=any(map(_is_scaled_object, objects_at(metadata, "ownerReferences"))),
    )


def _is_scaled_object(owner: Object) -> bool:
    return owner.get("kind") == "ScaledObject" and text_at(owner, "apiVersion").partition("/")[0] == "keda.sh"


def concerns_replicas(findings: Iterable[Finding]) -> bool:
    """Returns whether any finding is about replicas, so that the autoscalers are needed."""
    return any(finding.path == _REPLICAS for finding in findings)


def judge_replicas(
    key: ObjectKey, findings: Sequence[Finding], autoscalers: Iterable[Autoscaler]
) -> tuple[Finding, ...]:
    """Returns the findings of an object, with the cause of a finding about replicas adapted to its autoscaler.

    Args:
        key: The object.
        findings: Its findings.
        autoscalers: The autoscalers in its namespace.
    """
    autoscaler = next((candidate for candidate in autoscalers if candidate.target == key), None)
    return tuple(_judge(key, finding, autoscaler) if finding.path == _REPLICAS else finding for finding in findings)


def _judge(key: ObjectKey, finding: Finding, autoscaler: Autoscaler | None) -> Finding:
    if finding.change is Change.REMOVED:
        return finding
    if autoscaler is None:
        # The controller manager set the replicas for an autoscaler that has been deleted since.
        return _with_cause(key, finding, Cause.UNKNOWN) if finding.cause is Cause.CONTROLLER else finding
    bounds = f"[{autoscaler.minimum}, {autoscaler.maximum}]"
    if _is_in_range(finding.live, autoscaler):
        finding = _with_cause(key, finding, Cause.CONTROLLER)
        return replace(finding, note=f"HorizontalPodAutoscaler {autoscaler.name} keeps it within {bounds}")
    if _is_idle(finding, autoscaler):
        finding = _with_cause(key, finding, Cause.CONTROLLER)
        return replace(finding, note=f"KEDA, which owns HorizontalPodAutoscaler {autoscaler.name}, scales it to 0")
    if finding.cause is Cause.CONTROLLER:
        finding = _with_cause(key, finding, Cause.UNKNOWN)
    return replace(finding, note=f"outside {bounds}, the range of HorizontalPodAutoscaler {autoscaler.name}")


def _is_in_range(replicas: Json, autoscaler: Autoscaler) -> bool:
    return isinstance(replicas, int) and autoscaler.minimum <= replicas <= autoscaler.maximum


def _is_idle(finding: Finding, autoscaler: Autoscaler) -> bool:
    """Whether KEDA has scaled an idle object to 0, and not a user whom ``managedFields`` name."""
    is_zero = finding.live == 0 and not isinstance(finding.live, bool)
    return autoscaler.idles_at_zero and is_zero and finding.cause in {Cause.CONTROLLER, Cause.UNKNOWN}


def _with_cause(key: ObjectKey, finding: Finding, cause: Cause) -> Finding:
    finding = replace(finding, cause=cause)
    return replace(finding, severity=default_table().of_finding(key, finding))
