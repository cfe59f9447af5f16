"""Replicas of objects with a HorizontalPodAutoscaler: drift only outside its range."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from drift.model import Cause, Change, Finding, Json, Object, ObjectKey
from drift.policy.severity import default_table

REPLICAS = ("spec", "replicas")
_PATH = ".".join(REPLICAS)


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler.

    Attributes:
        name: Its name.
        target: The object that it scales.
        minimum: ``minReplicas``.
        maximum: ``maxReplicas``.
    """

    name: str
    target: ObjectKey
    minimum: int
    maximum: int


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
    return Autoscaler(str(metadata.get("name")), target, minimum if isinstance(minimum, int) else 1, maximum)


def concerns_replicas(findings: Iterable[Finding]) -> bool:
    """Returns whether any finding is about replicas, so that the autoscalers are needed."""
    return any(finding.path == _PATH for finding in findings)


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
    return tuple(_judge(key, finding, autoscaler) if finding.path == _PATH else finding for finding in findings)


def _judge(key: ObjectKey, finding: Finding, autoscaler: Autoscaler | None) -> Finding:
    if finding.change is Change.REMOVED:
        return finding
    if autoscaler is None:
        # The controller manager scales only for an autoscaler, and that one must have been deleted.
        return _with_cause(key, finding, Cause.UNKNOWN) if finding.cause is Cause.CONTROLLER else finding
    bounds = f"[{autoscaler.minimum}, {autoscaler.maximum}]"
    if _is_in_range(finding.live, autoscaler):
        finding = _with_cause(key, finding, Cause.CONTROLLER)
        return replace(finding, note=f"HorizontalPodAutoscaler {autoscaler.name} keeps it within {bounds}")
    if finding.cause is Cause.CONTROLLER:
        finding = _with_cause(key, finding, Cause.UNKNOWN)
    return replace(finding, note=f"outside {bounds}, the range of HorizontalPodAutoscaler {autoscaler.name}")


def _is_in_range(replicas: Json, autoscaler: Autoscaler) -> bool:
    return isinstance(replicas, int) and autoscaler.minimum <= replicas <= autoscaler.maximum


def _with_cause(key: ObjectKey, finding: Finding, cause: Cause) -> Finding:
    finding = replace(finding, cause=cause)
    return replace(finding, severity=default_table().of_finding(key, finding))
