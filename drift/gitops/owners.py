"""Whose marks the live objects of the manifests bear: tells our syncers from others, and who took an object over."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from drift.gitops.argocd_labels import USUAL_LABELS, tracked
from drift.gitops.label_tracking import TrackingLabels
from drift.gitops.managers import is_gitops_applier
from drift.gitops.syncer import GitOpsObject, gitops_object_of
from drift.gitops.tracking import Marks, known_marks
from drift.managed_fields import ManagedFieldsError, read_entries
from drift.model import Actor, Object, ObjectKey

#: How the names of tracking labels and annotations end whose value names the owner, rather than its namespace.
_NAMES_AN_OWNER: Final = ("/name", "/instance", "/tracking-id", "/app", "/app-name", "/release-name")


class TrackingOwners:
    """The syncers' marks on the objects that the manifests describe.

    Attributes:
        syncers: The syncers' objects that keep them.
    """

    def __init__(self, tracking: TrackingLabels) -> None:
        """Nothing is known yet.

        Args:
            tracking: Knows which labels Argo CD tracks objects by.
        """
        self._tracking = tracking
        self._marks: set[tuple[str, str]] = set()
        #: The objects that bear a mark, by namespace, by the mark's name and by the owner it names.
        self._bearers: dict[tuple[str, str], dict[str, list[ObjectKey]]] = {}
        self.syncers: set[GitOpsObject] = set()

    def learn(self, key: ObjectKey, live: Object, marks: Marks) -> None:
        """Takes note of the marks that a live object of the manifests bears.

        Args:
            key: What the object is known by.
            live: The object.
            marks: What is a mark on this object.
        """
        for name, owner in self.learn_elsewhere(live):
            field, _, mark = name.partition(" ")
            # A label that Git gives as well names no owner.
            if marks.is_tracking(f"{field}s", mark, owner):
                self._bearers.setdefault((key.namespace or "", name), {}).setdefault(owner, []).append(key)

    def learn_elsewhere(self, live: Object) -> frozenset[tuple[str, str]]:
        """Takes note of the marks of a live object that is another shard's to speak of, and gives them back."""
        marks = tracking_owners(live, self._tracking.keys)
        self._marks |= marks
        syncer = gitops_object_of(live)
        if syncer is not None:
            self.syncers.add(syncer)
        return marks

    @property
    def ours(self) -> frozenset[tuple[str, str]]:
        """The name of each mark, and the owner it names. What bears one of these is kept by a syncer of ours."""
        return frozenset(self._marks)

    def notes(self) -> Iterator[str]:
        """One sentence on each object that is marked as another owner's than most others in its namespace are."""
        for (_, name), owners in sorted(self._bearers.items()):
            (usual, most), *_ = Counter({owner: len(bearers) for owner, bearers in owners.items()}).most_common(1)
            for owner, bearers in sorted(owners.items()):
                # Between two halves there is no telling which is the odd one.
                if owner != usual and len(bearers) < most:
                    for key in sorted(bearers, key=str):
                        yield f"{key} is marked as {owner}'s ({name}), while most objects beside it are {usual}'s"


def actors_of(metadata: Object) -> tuple[Actor, ...]:
    """The field managers of an object, latest first; () where ``managedFields`` cannot be read."""
    try:
        entries = read_entries(metadata.get("managedFields") or [])
    except ManagedFieldsError:
        return ()
    actors = {entry.actor for entry in entries}
    return tuple(sorted(actors, key=lambda actor: (actor.time or "", actor.manager, actor.operation), reverse=True))


def tracking_owners(body: Object, tracking_labels: Sequence[str] = USUAL_LABELS) -> frozenset[tuple[str, str]]:
    """The syncers' marks that an object bears: the name of each, and who is named in it.

    None are believed where it is on record that no syncer ever wrote to the object.

    Args:
        body: At least its metadata.
        tracking_labels: The keys that Argo CD's tracking label may have.
    """
    found = tracked(body, tracking_labels)
    label = None if found is None or found.by_annotation else found.label
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    marks = frozenset(
        (f"{field[:-1]} {name}", _owner_in_mark(value))
        for field, names in known_marks().syncer.items()
        if isinstance(present := metadata.get(field), dict)
        for name, value in present.items()
        if isinstance(value, str)
        and ((name.endswith(_NAMES_AN_OWNER) and name in names) or (field, name) == ("labels", label))
    )
    return marks if marks and may_be_applied(actors_of(metadata)) else frozenset()


def may_be_applied(actors: Sequence[Actor]) -> bool:
    """Whether a syncer wrote to an object, as far as that is on record."""
    return not actors or any(map(is_gitops_applier, actors))


def _owner_in_mark(value: str) -> str:
    """Argo CD's tracking id names the object after its Application: only the Application is the owner."""
    return value.partition(":")[0]
