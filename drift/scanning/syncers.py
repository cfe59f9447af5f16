"""Whose marks the live objects of the manifests bear: tells our syncer from another, and who took an object over."""

from collections import Counter
from collections.abc import Iterator

from drift.compare.unmanaged import syncer_marks
from drift.model import Object, ObjectKey


class SyncerMarks:
    """The syncers' marks on the objects that the manifests describe."""

    def __init__(self) -> None:
        self._bearers: dict[tuple[str, str], list[ObjectKey]] = {}

    def learn(self, key: ObjectKey, live: Object) -> None:
        """Takes note of the marks that a live object of the manifests bears."""
        for mark in syncer_marks(live):
            self._bearers.setdefault(mark, []).append(key)

    @property
    def ours(self) -> frozenset[tuple[str, str]]:
        """The name of each mark, and the owner it names. What bears one of these is kept by a syncer of ours."""
        return frozenset(self._bearers)

    def notes(self) -> Iterator[str]:
        """One sentence on each object that is marked as another owner's than most others are."""
        by_name: dict[str, Counter[str]] = {}
        for (name, owner), bearers in self._bearers.items():
            by_name.setdefault(name, Counter())[owner] += len(bearers)
        for (name, owner), bearers in sorted(self._bearers.items()):
            (usual, most), *_ = by_name[name].most_common(1)
            # Between two halves there is no telling which is the odd one.
            if owner != usual and len(bearers) < most:
                for key in sorted(bearers, key=str):
                    yield f"{key} is marked as {owner}'s ({name}), while most of these objects are {usual}'s"
