"""The Kustomization, Application or release that live objects name in tracking labels and annotations."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from drift.gitops.argocd_tracking import TRACKING_ID, USUAL_LABELS, TrackingLabels, argocd_tracking
from drift.gitops.managers import is_gitops_applier
from drift.gitops.tracking import ReservedMetadata, reserved_metadata
from drift.managed_fields import ManagedFieldsError, read_entries
from drift.model import Actor, Json, Object, ObjectKey

_FLUX_LABEL: Final = "kustomize.toolkit.fluxcd.io/"
#: Argo CD adds the namespace to the name of an Application outside this namespace.
_ARGOCD_NAMESPACE: Final = "argocd"


@dataclass(frozen=True, slots=True)
class GitOpsObject:
    """A Flux Kustomization or an Argo CD Application."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Returns ``Kustomization NAMESPACE/NAME``."""
        return f"{self.kind} {self.namespace}/{self.name}"


def gitops_object_of(live: Object) -> GitOpsObject | None:
    """Returns the Kustomization or Application that a live object names, or None if it names none."""
    name, namespace = (_text(live, "labels", f"{_FLUX_LABEL}{part}") for part in ("name", "namespace"))
    if name and namespace:
        return GitOpsObject("kustomize.toolkit.fluxcd.io", "Kustomization", namespace, name)
    application = _application(live)
    if application is None:
        return None
    namespace, _, name = application.rpartition("_")
    return GitOpsObject("argoproj.io", "Application", namespace or _ARGOCD_NAMESPACE, name)


def _application(live: Object) -> str | None:
    """Returns the Argo CD Application in the tracking annotation, or in a label with a usual key."""
    tracking = _text(live, "annotations", TRACKING_ID)
    if ":" in tracking:
        return tracking.partition(":")[0]
    found = argocd_tracking(live)
    return None if found is None else found.application


def _text(live: Object, field: str, name: str) -> str:
    """Returns a label or annotation; "" if it is missing or not a string."""
    value: Json = live
    for part in ("metadata", field, name):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


#: Endings of the tracking labels and annotations whose value names the owner, and not, say, the owner's namespace.
_OWNER_NAME_ENDINGS: Final = ("/name", "/instance", "/tracking-id", "/app", "/app-name", "/release-name")

#: The label or annotation, as ``label NAME`` or ``annotation NAME``, and the owner that its value names.
TrackingOwner = tuple[str, str]


class TrackingOwners:
    """Collects the owners of the objects that the manifests describe.

    Attributes:
        gitops_objects: The Kustomizations and Applications that apply them.
    """

    def __init__(self, tracking: TrackingLabels) -> None:
        """Starts empty.

        Args:
            tracking: Knows which labels Argo CD tracks objects by.
        """
        self._tracking = tracking
        self._known: set[TrackingOwner] = set()
        #: Tracked objects, by namespace, sources and name of the label or annotation, then by the owner it names.
        self._objects: dict[tuple[str, tuple[str, ...], str], dict[str, list[ObjectKey]]] = {}
        self.gitops_objects: set[GitOpsObject] = set()

    def add(self, key: ObjectKey, live: Object, reserved: ReservedMetadata, origins: tuple[str, ...]) -> None:
        """Records the owners of a live object that has a manifest.

        Args:
            key: The object's key.
            live: The live object.
            reserved: The labels and annotations that appliers put on this object.
            origins: The names of the sources of its manifest. What one source describes has one owner.
        """
        for name, owner in self.add_from_other_shard(live):
            field, _, label = name.partition(" ")
            # A label that Git sets too names no owner.
            if reserved.is_tracking(f"{field}s", label, owner):
                self._objects.setdefault((key.namespace or "", origins, name), {}).setdefault(owner, []).append(key)

    def add_from_other_shard(self, live: Object) -> frozenset[TrackingOwner]:
        """Records and returns the owners of a live object that another shard reports on."""
        owners = tracking_owners(live, self._tracking.keys)
        self._known |= owners
        gitops_object = gitops_object_of(live)
        if gitops_object is not None:
            self.gitops_objects.add(gitops_object)
        return owners

    @property
    def known(self) -> frozenset[TrackingOwner]:
        """All owners recorded so far."""
        return frozenset(self._known)

    def notes(self) -> Iterator[str]:
        """Yields a sentence for each object that names another owner than most of its source in its namespace do."""
        for (_, _, name), owners in sorted(self._objects.items()):
            (usual, most), *_ = Counter({owner: len(keys) for owner, keys in owners.items()}).most_common(1)
            for owner, keys in sorted(owners.items()):
                # With two equal halves, neither is the exception.
                if owner != usual and len(keys) < most:
                    for key in sorted(keys, key=str):
                        yield f"{key} belongs to {owner} ({name}), but most objects in its namespace belong to {usual}"


def actors_of(metadata: Object) -> tuple[Actor, ...]:
    """Returns the field managers of an object, latest first; () if ``managedFields`` cannot be read."""
    try:
        entries = read_entries(metadata.get("managedFields") or [])
    except ManagedFieldsError:
        return ()
    actors = {entry.actor for entry in entries}
    return tuple(sorted(actors, key=lambda actor: (actor.time or "", actor.manager, actor.operation), reverse=True))


def tracking_owners(body: Object, tracking_labels: Sequence[str] = USUAL_LABELS) -> frozenset[TrackingOwner]:
    """Returns the owners that an object's tracking labels and annotations name.

    Returns nothing if ``managedFields`` show that no GitOps applier ever wrote to the object: labels can be copied.

    Args:
        body: The object, or at least its metadata.
        tracking_labels: The keys that Argo CD's tracking label may have.
    """
    found = argocd_tracking(body, tracking_labels)
    argocd_label = None if found is None or found.by_annotation else found.label
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    owners = frozenset(
        (f"{field[:-1]} {name}", _owner(value))
        for field, names in reserved_metadata().tracking.items()
        if isinstance(live_names := metadata.get(field), dict)
        for name, value in live_names.items()
        if isinstance(value, str)
        and ((name.endswith(_OWNER_NAME_ENDINGS) and name in names) or (field, name) == ("labels", argocd_label))
    )
    return owners if owners and may_be_applied(actors_of(metadata)) else frozenset()


def may_be_applied(actors: Sequence[Actor]) -> bool:
    """Returns whether a GitOps applier wrote to an object, or may have because no managers are recorded."""
    return not actors or any(map(is_gitops_applier, actors))


def _owner(value: str) -> str:
    # Argo CD's tracking id holds the object after the Application.
    return value.partition(":")[0]
