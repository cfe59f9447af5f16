"""Decides which live objects without a manifest are unmanaged, and which belong to the cluster or to another owner."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any

from drift.gitops.argocd_tracking import TRACKING_ID, USUAL_LABELS
from drift.gitops.managers import controllers_among, is_gitops_applier, is_hand_tool, may_create, runs_hooks
from drift.gitops.opt_outs import hook_of
from drift.gitops.tracked_by import Tracker, actors_of, may_be_applied, trackers_of
from drift.model import Actor, Cause
from drift.objects import Json, Object, ObjectKey, as_object


@dataclass(frozen=True, slots=True)
class ManagedScope:
    """What the manifests manage.

    Attributes:
        trackers: The trackers that the live objects of the manifests name.
        namespaces: The namespaces of the manifests, without those that only configure a GitOps controller.
        used_namespaces: All namespaces of the manifests.
        keys: The objects that the manifests describe.
        tracking_labels: The keys that Argo CD's tracking label may have.
    """

    trackers: frozenset[Tracker] = frozenset()
    namespaces: frozenset[str] = frozenset()
    used_namespaces: frozenset[str] = frozenset()
    keys: frozenset[ObjectKey] = frozenset()
    tracking_labels: Sequence[str] = USUAL_LABELS

    def shared(self, trackers: frozenset[Tracker]) -> Tracker | None:
        """Returns the first of these trackers that also tracks an object with a manifest, or None.

        A label and an annotation that name the same Application count as one tracker.
        """
        found = sorted(trackers & self.trackers)
        if not found:
            applications = {tracker for name, tracker in self.trackers if self._is_argocd(name)}
            found = sorted(
                tracker for tracker in trackers if self._is_argocd(tracker[0]) and tracker[1] in applications
            )
        return found[0] if found else None

    def _is_argocd(self, name: str) -> bool:
        return name == f"annotation {TRACKING_ID}" or name in {f"label {key}" for key in self.tracking_labels}


@dataclass(frozen=True, slots=True)
class UnmanagedObject:
    """A live object that is not in Git.

    Attributes:
        cause: Pending-sync if the applier created the object and should have pruned it.
        actors: Its field managers, latest first; without controllers if the cause is manual.
        note: One sentence that explains the cause, or None.
    """

    cause: Cause
    actors: tuple[Actor, ...]
    note: str | None


def judge_unmanaged(
    kind: str,
    body: Object,
    scope: ManagedScope,
    appliers: Collection[str] = (),
    controllers: Collection[str] = (),
) -> UnmanagedObject | str:
    """Decides whether a live object without a manifest is unmanaged.

    Args:
        kind: Its kind.
        body: The object, or at least its metadata.
        scope: What the manifests manage.
        appliers: More field managers that apply manifests from Git.
        controllers: More field managers that work for the cluster.

    Returns:
        The unmanaged object, or one sentence on why it does not need a manifest.
    """
    metadata = as_object(body.get("metadata"))
    actors = actors_of(metadata)
    works_for_cluster = controllers_among(actors, controllers)
    people = tuple(actor for actor in actors if actor not in works_for_cluster)
    # In a namespace of Kubernetes itself, such as kube-system, report only what people create, and only if the
    # manifests use that namespace.
    reason = _system_reason(kind, metadata, except_namespaces=scope.namespaces if people else frozenset())
    trackers = trackers_of(body, scope.tracking_labels)
    is_in_use = kind == "Namespace" and metadata.get("name") in scope.used_namespaces
    reason = reason or _hook_reason(body, actors, appliers)
    if is_in_use and not trackers and any(map(is_gitops_applier, actors)):
        # `CreateNamespace=true` of Argo CD, `createNamespace` of a HelmRelease, `helm install --create-namespace`.
        reason = "created for the objects in it"
    if reason:
        return reason
    shared = scope.shared(trackers)
    if shared is not None:
        return UnmanagedObject(
            Cause.PENDING_SYNC, actors, f"it has the {shared[0]}: the applier created it and should have pruned it"
        )
    if trackers:
        return f"another applier manages it ({min(trackers)[0]})"
    if any(actor.manager in appliers for actor in actors):
        return UnmanagedObject(Cause.PENDING_SYNC, actors, "the applier created it and should have pruned it")
    if actors and _is_created_by_controllers(metadata, actors, people):
        return "controllers created it"
    note = "objects of the manifests are in it" if is_in_use else None
    return UnmanagedObject(Cause.MANUAL if actors else Cause.UNKNOWN, people, note)


def _is_created_by_controllers(metadata: Object, actors: Sequence[Actor], people: Collection[Actor]) -> bool:
    """Whether controllers created an object, although people may have edited it.

    Many user interfaces both create and edit objects. Then the times tell who created it.
    """
    if not people:
        return True
    controllers = [actor for actor in actors if actor not in people and actor.subresource is None]
    creators = [actor for actor in people if may_create(actor) and actor.subresource is None]
    if not creators:
        return bool(controllers)
    return any(_dates_from_creation(actor, metadata) for actor in controllers) and not any(
        _dates_from_creation(actor, metadata) for actor in creators
    )


def _is_made_by_person(metadata: Object) -> bool:
    """Whether a person or an applier created an object. Unknown managers may be those of a distribution."""
    return any(
        actor.subresource is None
        and (is_hand_tool(actor) or is_gitops_applier(actor))
        and may_create(actor)
        and _dates_from_creation(actor, metadata)
        for actor in actors_of(metadata)
    )


def _dates_from_creation(actor: Actor, metadata: Object) -> bool:
    """Whether a manager has changed nothing since the object was created.

    The API server records the manager before the time of creation, between which slow webhooks may run.
    """
    created = metadata.get("creationTimestamp")
    return isinstance(created, str) and actor.time is not None and actor.time <= created


def _hook_reason(body: Object, actors: Sequence[Actor], appliers: Collection[str]) -> str | None:
    """Returns why a hook does not need a manifest, or None if the object is not a hook of its applier."""
    hook = hook_of(body)
    is_applied = not actors or any(runs_hooks(actor.manager) or actor.manager in appliers for actor in actors)
    return f"a hook, which stays until it runs again ({hook})" if hook and is_applied else None


@dataclass(frozen=True, slots=True)
class _SystemObject:
    why: str
    kind: str
    name: str
    namespace: str
    label: str | None
    annotation: str | None
    by_applier: bool
    by_cluster: bool
    managers: frozenset[str]

    @property
    def is_whole_namespace(self) -> bool:
        return self.namespace != "*" and self.kind == self.name == "*"

    def matches(self, kind: str, metadata: Object) -> bool:
        return (
            fnmatchcase(kind, self.kind)
            and fnmatchcase(str(metadata.get("name")), self.name)
            and fnmatchcase(str(metadata.get("namespace") or ""), self.namespace)
            and _has(metadata.get("labels"), self.label)
            and _has(metadata.get("annotations"), self.annotation)
            and (not self.by_applier or may_be_applied(metadata))
            and not (self.by_cluster and _is_made_by_person(metadata))
            and not (self.managers and {actor.manager for actor in actors_of(metadata)} - self.managers)
        )


def _has(names: Json, required: str | None) -> bool:
    if required is None:
        return True
    name, _, value = required.partition("=")
    return isinstance(names, dict) and name in names and (not value or names[name] == value)


def _system_reason(kind: str, metadata: Object, *, except_namespaces: frozenset[str]) -> str | None:
    """Returns why an object belongs to the cluster, or None.

    Entries that cover a whole namespace do not apply in ``except_namespaces``.
    """
    if metadata.get("ownerReferences"):
        return "another object owns it"
    if metadata.get("deletionTimestamp"):
        return "it is being deleted"
    return next(
        (
            known.why
            for known in _system_objects()
            if known.matches(kind, metadata)
            and not (known.is_whole_namespace and metadata.get("namespace") in except_namespaces)
        ),
        None,
    )


@cache
def _system_objects() -> tuple[_SystemObject, ...]:
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("system_objects.json").read_text("utf-8"))
    return tuple(
        _SystemObject(
            why=item["why"],
            kind=item.get("kind", "*"),
            name=item.get("name", "*"),
            namespace=item.get("namespace", "*"),
            label=item.get("label"),
            annotation=item.get("annotation"),
            by_applier=item.get("byApplier", False),
            by_cluster=item.get("byCluster", False),
            managers=frozenset(item.get("managers", ())),
        )
        for item in data["objects"]
    )
