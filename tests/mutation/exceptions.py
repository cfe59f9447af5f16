"""Differences that a report may leave out: one row each, with the reason."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from drift.objects import Json, Object
from drift.paths import Path
from tests.mutation.differences import ABSENT, RawDifference, same
from tests.mutation.edits import Edit
from tests.mutation.patches import applied, locate
from tests.mutation.schema import Node
from tests.mutation.server import Refused, Server
from tests.mutation.subjects import Subject


@dataclass(frozen=True, slots=True)
class Trial:
    """An edit that the server accepted, and the object before and after it."""

    server: Server
    subject: Subject
    edit: Edit
    before: Object
    after: Object


@dataclass(frozen=True, slots=True)
class Case:
    """One difference that no finding covers, and the edit behind it."""

    trial: Trial
    raw: RawDifference

    @property
    def path(self) -> Path:
        return self.raw.path

    @property
    def is_in_git(self) -> bool:
        return locate(self.trial.subject.manifest.body, self.path)[0] is not ABSENT

    @property
    def is_sent(self) -> bool:
        """Whether the edit contains the value; otherwise, the server derived it."""
        return locate(applied(self.trial.before, self.trial.edit.patch), self.path)[0] is not ABSENT


# -- the rows


def _filled_in(case: Case) -> bool:
    # An empty value in Git asks the server to allocate one.
    in_git = locate(case.trial.subject.manifest.body, case.path)[0]
    asks_for_one = in_git is not False and in_git in (ABSENT, "", 0)
    return not case.is_sent and case.raw.after is not ABSENT and asks_for_one


def _default(case: Case) -> bool:
    if case.is_in_git or case.raw.after is ABSENT or not case.is_sent:
        return False
    # Send the same edit without this value, and see what the server fills in.
    sent = applied(case.trial.before, case.trial.edit.patch)
    step = {"op": "remove", "path": locate(sent, case.path)[1]}
    answer = case.trial.server.patch_for_show(case.trial.subject.path, (*case.trial.edit.patch, step))
    return not isinstance(answer, Refused) and same(locate(answer, case.path)[0], case.raw.after)


def _only_defaults(case: Case) -> bool:
    """Whether an added object equals an empty one, and an empty one has no meaning for its type."""
    if case.is_in_git or not isinstance(case.raw.after, dict) or SAYS_SOMETHING.search(_node(case).name):
        return False
    step = {
        "op": "replace",
        "path": locate(applied(case.trial.before, case.trial.edit.patch), case.path)[1],
        "value": {},
    }
    answer = case.trial.server.patch_for_show(case.trial.subject.path, (*case.trial.edit.patch, step))
    return not isinstance(answer, Refused) and same(locate(answer, case.path)[0], case.raw.after)


def _unset_on_both_sides(case: Case) -> bool:
    return case.raw.after is ABSENT and not case.is_in_git


def _empty(case: Case) -> bool:
    node = _node(case)
    return same(_without_empty(case.raw.before, node), _without_empty(case.raw.after, node))


def _node(case: Case) -> Node:
    node = case.trial.subject.node
    for element in case.path:
        node = node.below(element) if isinstance(element, str) else node.items
    return node


def _without_empty(value: Json, node: Node) -> Json:
    """Returns the value without nulls, empty lists, and empty objects that have no meaning."""
    if isinstance(value, list):
        return [_without_empty(item, node.items) for item in value] or ABSENT
    if isinstance(value, dict):
        parts = {name: _without_empty(below, node.below(name)) for name, below in value.items()}
        kept = {name: below for name, below in parts.items() if below is not ABSENT}
        return kept if kept or SAYS_SOMETHING.search(node.name) else ABSENT
    return ABSENT if value is None else value


def _order(case: Case) -> bool:
    unordered = case.path[-1:] in UNORDERED and case.trial.subject.manifest.kind in {
        "HorizontalPodAutoscaler",
        "Endpoints",
    }
    return unordered and same(_sorted(case.raw.before), _sorted(case.raw.after))


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _sorted(below) for name, below in value.items()}
    return sorted(map(_sorted, value), key=str) if isinstance(value, list) else value


def _bound(case: Case) -> bool:
    where = (case.trial.subject.manifest.kind, *(element for element in case.path if isinstance(element, str)))
    return not case.is_in_git and any(where[: len(field)] == field for field in BOUND)


def _mark(case: Case) -> bool:
    name = str(case.path[-1])
    return not case.is_in_git and case.path[0] == "metadata" and name.startswith(MARKS)


def _template_metadata(case: Case) -> bool:
    return "template" in str(case.path).lower() and case.path[-2:-1] == ("metadata",) and case.path[-1] in SERVER_OWN


def _aggregated(case: Case) -> bool:
    return case.path == ("rules",) and "aggregationRule" in case.trial.subject.manifest.body


def _account_twin(case: Case) -> bool:
    twin = locate(case.trial.after, (*case.path[:-1], "serviceAccountName"))[0]
    return case.path[-1] == "serviceAccount" and twin == case.raw.after


def _ca_bundle(case: Case) -> bool:
    in_git = locate(case.trial.subject.manifest.body, case.path)[0]
    return case.path[-1] == "caBundle" and in_git in {ABSENT, "Cg=="}


def _made_of_template(case: Case) -> bool:
    made = MADE_OF_TEMPLATES.get(str(case.path[-1]), ABSENT)
    return same(made, case.raw.after) and not case.is_in_git and len(case.path) > 2


def _pod_tolerations(case: Case) -> bool:
    return (case.trial.subject.manifest.kind, *case.path) == ("Pod", "spec", "tolerations")


def _spelling(case: Case) -> bool:
    spellings = DURATIONS.get(str(case.raw.before))
    return spellings is not None and case.raw.after in spellings


# An empty object of these types has a meaning: everything, a kind, or an enabled feature.
SAYS_SOMETHING: Final = re.compile(r"LabelSelector$|VolumeSource$|CustomResourceSubresource|JSON|apiextensions")
UNORDERED: Final = {("metrics",), ("subsets",)}
BOUND: Final = (("PersistentVolumeClaim", "spec", "volumeName"), ("PersistentVolume", "spec", "claimRef"))
MARKS: Final = (
    *("kustomize.toolkit.fluxcd.io/", "argocd.argoproj.io/", "kubernetes.io/metadata.name"),
    *("pv.kubernetes.io/", "volume.kubernetes.io/", "deployment.kubernetes.io/", "kubectl.kubernetes.io/last-applied"),
    "deprecated.daemonset.template.generation",
)
SERVER_OWN: Final = {
    *("creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generateName", "generation"),
    *("managedFields", "resourceVersion", "selfLink", "uid"),
}
MADE_OF_TEMPLATES: Final = {
    "preemptionPolicy": "PreemptLowerPriority",
    "enableServiceLinks": True,
    "suspend": False,
    "manualSelector": False,
    "completionMode": "NonIndexed",
    "completions": 1,
    "parallelism": 1,
    "backoffLimit": 6,
    "podReplacementPolicy": "TerminatingOrFailed",
}
DURATIONS: Final = {"1h30m": {"90m", "1h30m0s"}}

#: The reason, for readers of the report, and the condition.
EXCEPTIONS: Final[Sequence[tuple[str, Callable[[Case], bool]]]] = (
    ("Git has no value, and the live object no longer has one", _unset_on_both_sides),
    ("the server derived it from the edit, and Git has no value", _filled_in),
    ("absent, null and empty are the same if empty has no meaning", _empty),
    ("the order has no meaning", _order),
    ("a volume and a claim that an unknown controller binds, and Git has no value", _bound),
    ("tracking metadata of an applier, or an annotation of Kubernetes' own controllers", _mark),
    ("metadata that the server maintains, and that has no effect in a template", _template_metadata),
    ("rules that the controller manager aggregates from other roles", _aggregated),
    ("the deprecated twin of serviceAccountName", _account_twin),
    ("a CA bundle that an unknown controller fills in, and Git has none", _ca_bundle),
    ("a value that every object of the template gets", _made_of_template),
    ("tolerations that admission adds to every Pod", _pod_tolerations),
    ("another spelling of the same duration", _spelling),
    ("an object with only the values that the server fills into an empty one", _only_defaults),
    ("a default: the server fills in the same value", _default),
)


def exception_for(case: Case) -> str | None:
    return next((reason for reason, holds in EXCEPTIONS if holds(case)), None)
