"""Live objects that Git does not have: which of them are somebody's, and which the cluster's own."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any, Final

from drift.gitops.argocd_labels import MANAGERS, TRACKING_ID, USUAL_LABELS
from drift.gitops.hooks import hook_of
from drift.gitops.managers import is_controller
from drift.gitops.owners import actors_of, may_be_applied, tracking_owners
from drift.model import Actor, Cause, Json, Object, ObjectKey

#: Field managers that run hooks; to any other syncer an object with a hook's annotation is like the rest.
_RUN_HOOKS: Final = MANAGERS | {"helm", "helm-controller"}


@dataclass(frozen=True, slots=True)
class ManagedScope:
    """What is known to belong to the manifests.

    Attributes:
        marks: The syncers' marks that their live objects bear; what bears others is another syncer's.
        namespaces: Those that they use.
        keys: The objects that they describe, in whatever version.
        tracking_labels: The keys that Argo CD's tracking label may have.
    """

    marks: frozenset[tuple[str, str]] = frozenset()
    namespaces: frozenset[str] = frozenset()
    keys: frozenset[ObjectKey] = frozenset()
    tracking_labels: Sequence[str] = USUAL_LABELS

    def shared(self, marks: frozenset[tuple[str, str]]) -> tuple[str, str] | None:
        """The first mark that names an owner of ours; an Application is the same one in a label and an annotation."""
        found = sorted(marks & self.marks)
        if not found:
            applications = {owner for name, owner in self.marks if self._is_argocds(name)}
            found = sorted(mark for mark in marks if self._is_argocds(mark[0]) and mark[1] in applications)
        return found[0] if found else None

    def _is_argocds(self, name: str) -> bool:
        return name == f"annotation {TRACKING_ID}" or name in {f"label {key}" for key in self.tracking_labels}


@dataclass(frozen=True, slots=True)
class UnmanagedObject:
    """A live object that Git does not have.

    Attributes:
        cause: Pending-sync where a syncer's mark says that it was synced once and should have been pruned.
        actors: Its field managers, latest first.
        note: One sentence on what it is, or None.
    """

    cause: Cause
    actors: tuple[Actor, ...]
    note: str | None


def judge_unmanaged(
    kind: str,
    body: Object,
    ours: ManagedScope,
    appliers: Collection[str] = (),
    controllers: Iterable[str] = (),
) -> UnmanagedObject | str:
    """Judges a live object that no manifest describes.

    Args:
        kind: Its kind.
        body: At least its metadata.
        ours: What is known to belong to the manifests.
        appliers: Field managers that sync Git, beside the well-known ones.
        controllers: Field managers that work for the cluster, beside the well-known ones.

    Returns:
        The stray, or one sentence on why the object is none of Git's business.
    """
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    controllers = tuple(controllers)
    actors = actors_of(metadata)
    people = tuple(actor for actor in actors if not is_controller(actor, controllers))
    # Whoever keeps Kubernetes' own namespaces in Git wants to know what somebody else puts there.
    own = _is_the_clusters_own(kind, metadata, but_not_for=ours.namespaces if people else frozenset())
    own = own or _is_hook(body, actors, appliers)
    if own:
        return own
    marks = tracking_owners(body, ours.tracking_labels)
    shared = ours.shared(marks)
    if shared is not None:
        return UnmanagedObject(
            Cause.PENDING_SYNC, actors, f"it carries {shared[0]}: the syncer made it and should have pruned it"
        )
    if marks:
        return f"another syncer keeps it ({min(marks)[0]})"
    if any(actor.manager in appliers for actor in actors):
        return UnmanagedObject(Cause.PENDING_SYNC, actors, "the syncer made it and should have pruned it")
    if not actors:
        return UnmanagedObject(Cause.UNKNOWN, (), None)
    return UnmanagedObject(Cause.MANUAL, people, None) if people else "controllers made it"


def _is_hook(body: Object, actors: Sequence[Actor], appliers: Collection[str]) -> str | None:
    """Why an object is a hook of a syncer, which neither compares nor prunes it; None where it is none."""
    hook = hook_of(body)
    made_by_syncer = not actors or any(actor.manager in _RUN_HOOKS or actor.manager in appliers for actor in actors)
    return f"a hook, which stays until it runs again ({hook})" if hook and made_by_syncer else None


@dataclass(frozen=True, slots=True)
class _SystemObject:
    why: str
    kind: str
    name: str
    namespace: str
    label: str | None
    annotation: str | None
    by_syncer: bool

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
            and (not self.by_syncer or may_be_applied(actors_of(metadata)))
        )


def _has(names: Json, wanted: str | None) -> bool:
    if wanted is None:
        return True
    name, _, value = wanted.partition("=")
    return isinstance(names, dict) and name in names and (not value or names[name] == value)


def _is_the_clusters_own(kind: str, metadata: Object, *, but_not_for: frozenset[str]) -> str | None:
    """Why an object is the cluster's own; a namespace as a whole is no reason where it is among the given ones."""
    if metadata.get("ownerReferences"):
        return "another object owns it"
    if metadata.get("deletionTimestamp"):
        return "it is being deleted"
    return next(
        (
            own.why
            for own in _system_objects()
            if own.matches(kind, metadata) and not (own.is_whole_namespace and metadata.get("namespace") in but_not_for)
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
            by_syncer=item.get("bySyncer", False),
        )
        for item in data["objects"]
    )
