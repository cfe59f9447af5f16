"""Defaults that depend only on type and field, and the check that a rule explains all others."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from drift.schema.facts import ALLOCATED, MIRRORED_FIELDS, RULES, AnyOf
from drift.schema.types import ABSENT
from tools.learn.observe import Observation

Json = Any
Pair = tuple[str, str]
_CORE: Final = "io.k8s.api.core.v1."
_JOB: Final = "io.k8s.api.batch.v1.JobSpec"

#: Filled in for objects, but not in templates of them, where absent means the same.
LEFT_OUT_OF_TEMPLATES: Final = frozenset(
    {
        # In Jobs, not in CronJobs.
        (_JOB, "backoffLimit"),
        (_JOB, "completionMode"),
        (_JOB, "completions"),
        (_JOB, "manualSelector"),
        (_JOB, "parallelism"),
        (_JOB, "podReplacementPolicy"),
        (_JOB, "suspend"),
        # In Pods, not in what makes Pods.
        (_CORE + "PodSpec", "enableServiceLinks"),
        (_CORE + "PodSpec", "preemptionPolicy"),
        (_CORE + "PodSpec", "serviceAccount"),
        (_CORE + "PodSpec", "serviceAccountName"),
        (_CORE + "PodSpec", "tolerations"),
        (_CORE + "ResourceRequirements", "requests"),
    }
)
#: Depends on the object, not on type and field: the taint of a node that has not reported yet.
NO_DEFAULTS: Final = frozenset({(_CORE + "Node", "spec"), (_CORE + "NodeSpec", "taints")})


class UnexplainedError(Exception):
    """The server fills in a field, and neither one value nor a rule explains it."""


def learn_defaults(observations: Iterable[Observation]) -> dict[str, dict[str, Json]]:
    """Returns the unconditional defaults: schema type -> field -> value.

    Raises:
        UnexplainedError: A field has several defaults, or a default only sometimes, and no rule for it.
    """
    seen: dict[Pair, list[Observation]] = defaultdict(list)
    for observation in observations:
        is_set_apart = observation.pair in ALLOCATED | NO_DEFAULTS
        if not is_set_apart and (observation.pair in RULES or not _is_twin(observation)):
            seen[observation.pair].append(observation)
    defaults: dict[str, dict[str, Json]] = defaultdict(dict)
    unexplained: list[str] = []
    for pair, found in seen.items():
        if pair in RULES:
            unexplained += _broken_rules(found)
            continue
        filled = [observation for observation in found if observation.value is not ABSENT]
        if not filled:
            continue
        values = {json.dumps(observation.value, sort_keys=True) for observation in filled}
        if len(values) > 1 or (len(filled) < len(found) and pair not in LEFT_OUT_OF_TEMPLATES):
            unexplained.append(_dispute(found))
            continue
        defaults[pair[0]][pair[1]] = filled[0].value
    if unexplained:
        raise UnexplainedError("drift.schema.facts needs rules for these:\n" + "\n".join(unexplained))
    return dict(defaults)


def _is_twin(observation: Observation) -> bool:
    twin = MIRRORED_FIELDS.get(observation.pair)
    return twin is not None and observation.value is not ABSENT and observation.siblings.get(twin) == observation.value


def is_explained(observation: Observation) -> bool:
    """Whether the rule for a field predicts what the server did."""
    if _is_twin(observation) or (observation.value is ABSENT and observation.pair in LEFT_OUT_OF_TEMPLATES):
        return True
    expected = RULES[observation.pair](observation.siblings)
    return observation.value in (expected.values if isinstance(expected, AnyOf) else (expected,))


def _broken_rules(found: Iterable[Observation]) -> list[str]:
    broken = []
    for observation in found:
        expected = RULES[observation.pair](observation.siblings)
        if not is_explained(observation):
            broken.append(f"{observation.place}: the rule says {expected}, the server {observation.value}")
    return broken


def _dispute(found: Iterable[Observation]) -> str:
    return "; ".join(sorted({f"{observation.place}: {observation.value}" for observation in found}))
