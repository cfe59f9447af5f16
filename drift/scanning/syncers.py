"""Whose marks the live objects of the manifests bear: tells our syncers from others, and who took an object over."""

from collections import Counter
from collections.abc import Iterator

from drift.compare.unmanaged import syncer_marks
from drift.model import Object, ObjectKey
from drift.synced import SyncedBy, synced_by


class SyncerMarks:
    """The syncers' marks on the objects that the manifests describe.

    Attributes:
        syncers: The syncers' objects that keep them.
    """

    def __init__(self) -> None:
        self._marks: set[tuple[str, str]] = set()
        #: The objects that bear a mark, by namespace, by the mark's name and by the owner it names.
        self._bearers: dict[tuple[str, str], dict[str, list[ObjectKey]]] = {}
        self.syncers: set[SyncedBy] = set()

    def learn(self, key: ObjectKey, live: Object) -> None:
        """Takes note of the marks that a live object of the manifests bears."""
        for name, owner in self.learn_elsewhere(live):
            self._bearers.setdefault((key.namespace or "", name), {}).setdefault(owner, []).append(key)

    def learn_elsewhere(self, live: Object) -> frozenset[tuple[str, str]]:
        """Takes note of the marks of a live object that is another shard's to speak of, and gives them back."""
        marks = syncer_marks(live)
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
