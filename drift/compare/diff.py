"""Finds the differences between two projected trees with DeepDiff.

The trees are already aligned by key, so DeepDiff compares them position by position and misses nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from drift.compare.edited_keys import edited_keys
from drift.compare.normalize import ListMap
from drift.model import Change
from drift.objects import Json, Object
from drift.paths import SET_FIELD, ItemKey, Path
from drift.schema.types import ABSENT


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference, without its cause.

    Attributes:
        path: The path in the desired tree, or in the live tree if only that has the part.
        live_path: The path in the live tree. It differs from `path` if the key of a list item was edited.
        change: How the live side differs.
        desired: The part in the desired tree, or `ABSENT`.
        live: The part in the live tree, or `ABSENT`.
    """

    path: Path
    live_path: Path
    change: Change
    desired: Json
    live: Json


_CHANGES: Final = {
    "values_changed": Change.CHANGED,
    "type_changes": Change.CHANGED,
    "dictionary_item_added": Change.ADDED,
    "dictionary_item_removed": Change.REMOVED,
}


def diff(desired: Object, live: Object) -> list[Difference]:
    """Returns all differences between two projected trees.

    Each names the topmost part that differs: a subtree that was added or removed is one difference.
    """
    parts = _Parts({}, {})
    parts.add_differing(desired, live, (), ())
    if not parts.desired and not parts.live:
        return []
    # Imported on demand: DeepDiff takes longer to load than a small scan without drift takes in total.
    from drift.compare.deep import deep_diff  # noqa: PLC0415

    found: list[Difference] = []
    for kind, (path, live_path), left, right in deep_diff(parts.desired, parts.live):
        # Aligned trees have no other kinds of differences. Fail rather than miss one.
        change = _CHANGES[kind]
        in_git = ABSENT if change is Change.ADDED else left
        in_cluster = ABSENT if change is Change.REMOVED else right
        found += _narrowed(Difference(path, live_path, change, in_git, in_cluster))
    return found


@dataclass(frozen=True, slots=True)
class _Parts:
    """The topmost parts of two trees that only one of them has, or that may differ, by their paths in both trees."""

    desired: dict[tuple[Path, Path], Json]
    live: dict[tuple[Path, Path], Json]

    def add_differing(self, desired: Json, live: Json, path: Path, live_path: Path) -> None:
        """Adds the parts of two trees at these paths. Equal parts are the same object in both."""
        rekeyed: Mapping[ItemKey, ItemKey] = edited_keys(desired, live) if isinstance(desired, ListMap) else {}
        for name, value in desired.items():
            live_name = rekeyed.get(name, name)
            other = live.get(live_name, ABSENT)
            if other is value:
                continue
            below = *path, name
            live_below = below if live_path is path and live_name is name else (*live_path, live_name)
            if isinstance(value, dict) and type(value) is type(other):
                self.add_differing(value, other, below, live_below)
                continue
            self.desired[below, live_below] = value
            if other is not ABSENT:
                self.live[below, live_below] = other
        paired = set(rekeyed.values())
        for name, value in live.items():
            if name not in desired and name not in paired:
                self.live[(*path, name), (*live_path, name)] = value


def _narrowed(difference: Difference) -> Iterator[Difference]:
    """Descends to the added parts of list items that Git does not have.

    If an item lacks its key fields, only a part of it was added: for instance, a user edited a container that a webhook
    had injected.
    """
    value = difference.live
    if difference.change is Change.ADDED and _holds_part_of_item(difference.path, value):
        for element, below in value.items():
            path = (*difference.path, element)
            yield from _narrowed(replace(difference, path=path, live_path=path, live=below))
    else:
        yield difference


def _holds_part_of_item(path: Path, value: Json) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    item = path[-1]
    if isinstance(item, ItemKey) and item[0][0] != SET_FIELD and all(name not in value for name, _ in item):
        return True
    return any(_holds_part_of_item((element,), below) for element, below in value.items())
