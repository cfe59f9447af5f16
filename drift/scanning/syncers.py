"""Whose marks the live objects of the manifests bear: tells our syncers from others, and who took an object over."""

from collections import Counter
from collections.abc import Iterator

from drift.compare.unmanaged import syncer_marks
from drift.model import Object, ObjectKey
from drift.ownership.marks import Marks
from drift.scanning.tracking import TrackingLabels
from drift.synced import SyncedBy, synced_by


class SyncerMarks:
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
        self.syncers: set[SyncedBy] = set()

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
            if marks.is_syncers(f"{field}s", mark, owner):
                self._bearers.setdefault((key.namespace or "", name), {}).setdefault(owner, []).append(key)

    def learn_elsewhere(self, live: Object) -> frozenset[tuple[str, str]]:
        """Takes note of the marks of a live object that is another shard's to speak of, and gives them back."""
        marks = syncer_marks(live, self._tracking.keys)
        self._marks |= marks
        syncer = synced_by(live)
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
