"""The Kustomization, Application or release that live objects name in tracking labels and annotations."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from drift.gitops.argocd_tracking import TRACKING_ID, USUAL_LABELS, TrackingLabels, argocd_tracking
from drift.gitops.managers import applies_as_command, is_gitops_applier, is_kubectl_apply, state_entries
from drift.gitops.tracking import ReservedMetadata, reserved_metadata
from drift.managed_fields import NAMELESS, ManagerName, manager_names, read_entries
from drift.model import Actor
from drift.objects import Object, ObjectKey, as_object, at, text_at

_FLUX_LABEL: Final = "kustomize.toolkit.fluxcd.io/"
#: Appliers that treat the hooks of Helm and Argo CD like any other object.
_WITHOUT_HOOKS: Final = frozenset({"flux", "flux-operator", "kustomize-controller"})


@dataclass(frozen=True, slots=True)
class GitOpsObject:
    """A Flux Kustomization or an Argo CD Application.

    Argo CD leaves out the namespace of an Application that is in its own. Then ``namespace`` is "".
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Returns ``Kustomization NAMESPACE/NAME``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def among(self, known: Iterable["GitOpsObject"]) -> list["GitOpsObject"]:
        """Returns those of some objects that this one may be, because its namespace is not known."""
        return [one for one in known if replace(one, namespace="") == self]


def gitops_object_of(live: Object, tracking_labels: Sequence[str] = USUAL_LABELS) -> GitOpsObject | None:
    """Returns the Kustomization or Application that a live object names, or None if it names none.

    Args:
        live: The live object.
        tracking_labels: The keys that Argo CD's tracking label may have.
    """
    labels = at(live, "metadata", "labels")
    name, namespace = (text_at(labels, f"{_FLUX_LABEL}{part}") for part in ("name", "namespace"))
    if name and namespace:
        return GitOpsObject("kustomize.toolkit.fluxcd.io", "Kustomization", namespace, name)
    application, colon, _ = text_at(live, "metadata", "annotations", TRACKING_ID).partition(":")
    if not colon:
        found = argocd_tracking(live, tracking_labels)
        if found is None or found.application is None:
            return None
        application = found.application
    namespace, _, name = application.rpartition("_")
    return GitOpsObject("argoproj.io", "Application", namespace, name)


#: Endings of the tracking labels and annotations whose value names the tracker, and not, say, its namespace.
_NAME_ENDINGS: Final = ("/name", "/instance", "/tracking-id", "/app", "/app-name", "/release-name")

#: The label or annotation, as ``label NAME`` or ``annotation NAME``, and what its value names: a Kustomization, an
#: Application or a release.
Tracker = tuple[str, str]


class Trackers:
    """Collects the trackers of the objects that the manifests describe.

    Args:
        tracking: Knows which labels Argo CD tracks objects by.

    Attributes:
        known: All trackers so far.
        gitops_objects: The Kustomizations and Applications that apply the objects.
    """

    def __init__(self, tracking: TrackingLabels) -> None:
        self._tracking = tracking
        #: Tracked objects by namespace, sources and label or annotation, then by the value of the label or annotation.
        self._objects: dict[tuple[str, tuple[str, ...], str], dict[str, list[ObjectKey]]] = {}
        #: By sources: whether one of the appliers of their objects may run hooks.
        self._runs_hooks: dict[tuple[str, ...], bool] = {}
        self.known: set[Tracker] = set()
        self.gitops_objects: set[GitOpsObject] = set()

    def runs_hooks(self, origins: tuple[str, ...]) -> bool:
        """Returns whether an applier of the objects of these sources may run hooks; True if no applier is known."""
        return self._runs_hooks.get(origins, True)

    def add(self, key: ObjectKey, live: Object, reserved: ReservedMetadata, origins: tuple[str, ...]) -> None:
        """Adds the trackers of a live object that has a manifest.

        Args:
            key: The object's key.
            live: The live object.
            reserved: The labels and annotations that appliers put on this object.
            origins: The names of the sources of its manifest. What one source describes has one tracker.
        """
        for name, tracker in self.add_from_other_shard(live, origins):
            field, _, label = name.partition(" ")
            # A label that Git sets too is no tracking label.
            if reserved.is_tracking(f"{field}s", label, tracker):
                self._objects.setdefault((key.namespace or "", origins, name), {}).setdefault(tracker, []).append(key)

    def add_from_other_shard(self, live: Object, origins: tuple[str, ...]) -> frozenset[Tracker]:
        """Adds and returns the trackers of a live object that another shard reports on."""
        runs_hooks = _runs_hooks(live)
        if runs_hooks is not None:
            self._runs_hooks[origins] = runs_hooks or self._runs_hooks.get(origins, False)
        trackers = trackers_of(live, self._tracking.keys)
        self.known |= trackers
        gitops_object = self.gitops_object_of(live)
        if gitops_object is not None:
            self.gitops_objects.add(gitops_object)
        return trackers

    def gitops_object_of(self, live: Object) -> GitOpsObject | None:
        """Returns the Kustomization or Application that a live object names, or None if it names none."""
        return gitops_object_of(live, self._tracking.keys)

    def notes(self) -> Iterator[str]:
        """Yields a sentence for each object whose tracker is not that of most objects of its source and namespace."""
        for (_, _, name), trackers in sorted(self._objects.items()):
            (usual, most), *_ = Counter({tracker: len(keys) for tracker, keys in trackers.items()}).most_common(1)
            for tracker, keys in sorted(trackers.items()):
                # With two equal halves, neither is the exception.
                if tracker != usual and len(keys) < most:
                    for key in sorted(keys, key=str):
                        rest = f"but most objects in its namespace belong to {usual}"
                        yield f"{key} belongs to {tracker} ({name}), {rest}"


def actors_of(metadata: Object) -> tuple[Actor, ...]:
    """Returns the field managers of an object, latest first, except those that ``managedFields`` do not name."""
    actors = {entry.actor for entry in read_entries(metadata.get("managedFields"))} - {Actor(*NAMELESS, None)}
    return tuple(sorted(actors, key=lambda actor: (actor.time or "", actor.manager, actor.operation), reverse=True))


def trackers_of(body: Object, tracking_labels: Sequence[str] = USUAL_LABELS) -> frozenset[Tracker]:
    """Returns the trackers that an object's labels and annotations name.

    Returns nothing if ``managedFields`` show that no GitOps applier ever wrote to the object: labels can be copied.

    Args:
        body: The object, or at least its metadata.
        tracking_labels: The keys that Argo CD's tracking label may have.
    """
    found = argocd_tracking(body, tracking_labels)
    argocd_label = None if found is None or found.by_annotation else found.label
    metadata = as_object(body.get("metadata"))
    trackers = frozenset(
        # Argo CD's tracking id holds the object after the Application.
        (f"{field[:-1]} {name}", value.partition(":")[0])
        for field, names in reserved_metadata().tracking.items()
        for name, value in as_object(metadata.get(field)).items()
        if isinstance(value, str)
        and ((name.endswith(_NAME_ENDINGS) and name in names) or (field, name) == ("labels", argocd_label))
    )
    return trackers if trackers and may_be_applied(metadata) else frozenset()


def _runs_hooks(live: Object) -> bool | None:
    """Whether one of the appliers of a live object may run hooks, or None if it has no applier."""
    managed_fields = at(live, "metadata", "managedFields")
    names = manager_names(managed_fields)
    return _may_run_hooks(names, state_entries(names, managed_fields))


# Cached, because most objects of a kind have the same managers.
@lru_cache(maxsize=4096)
def _may_run_hooks(names: tuple[ManagerName, ...], state: tuple[int, ...]) -> bool | None:
    appliers = _gitops_appliers(names, state)
    if appliers:
        return not appliers <= _WITHOUT_HOOKS
    actors = (Actor(*name, None) for index, name in enumerate(names) if index not in state)
    return False if any(map(is_kubectl_apply, actors)) else None


def may_be_applied(metadata: Object) -> bool:
    """Returns whether a GitOps applier wrote an object, or may have because no managers are recorded.

    A controller also keeps its state in objects that others apply, such as a HelmRelease.
    """
    managed_fields = metadata.get("managedFields")
    names = manager_names(managed_fields)
    return not set(names) - {NAMELESS} or bool(_gitops_appliers(names, state_entries(names, managed_fields)))


def appliers_now(body: Object) -> frozenset[str]:
    """Returns the field managers of the GitOps applier that applies a live object; empty if no known one wrote it.

    Of several controllers, it is the one that wrote last: one that hands an object over leaves its fields behind. A
    command, such as ``helm``, takes no object over from a controller.

    Args:
        body: The live object, or at least its metadata.
    """
    metadata = as_object(body.get("metadata"))
    managed_fields = metadata.get("managedFields")
    names = manager_names(managed_fields)
    managers = _gitops_appliers(names, state_entries(names, managed_fields))
    managers = frozenset(name for name in managers if not applies_as_command(name)) or managers
    if len(managers) <= 1:
        return managers
    written = [actor for actor in actors_of(metadata) if actor.manager in managers and actor.subresource is None]
    return frozenset(actor.manager for actor in written if actor.time == written[0].time)


@lru_cache(maxsize=4096)
def _gitops_appliers(names: tuple[ManagerName, ...], state: tuple[int, ...]) -> frozenset[str]:
    actors = (Actor(*name, None) for index, name in enumerate(names) if index not in state)
    return frozenset(actor.manager for actor in actors if actor.subresource is None and is_gitops_applier(actor))
