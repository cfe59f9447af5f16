"""Finds the differences between two projected trees with DeepDiff.

The trees are already aligned by key, so DeepDiff compares them position by position and misses nothing.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from drift.compare.atomic import AtomicValue
from drift.model import Change, Json, Object
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
    if desired is live:
        return []
    found = list(_pair_rekeyed(list(_deep_diff(desired, live))))
    return [part for difference in found for part in _narrowed(difference)]


def _deep_diff(desired: Object, live: Object) -> Iterator[Difference]:
    # Imported on demand: DeepDiff takes longer to load than a small scan without drift takes in total.
    from drift.compare.deep import deep_diff  # noqa: PLC0415

    for kind, levels in deep_diff(desired, live):
        # Aligned trees have no other kinds of differences. Fail rather than miss one.
        change = _CHANGES[kind]
        for level in levels:
            path = _path(level)
            yield Difference(
                path,
                path,
                change,
                ABSENT if change is Change.ADDED else level.t1,
                ABSENT if change is Change.REMOVED else level.t2,
            )


def _path(level: Any) -> Path:
    elements: list[str | ItemKey] = []
    while level.up is not None:
        relation = level.up.t1_child_rel or level.up.t2_child_rel
        elements.append(relation.param)
        level = level.up
    return tuple(reversed(elements))


def _pair_rekeyed(found: list[Difference]) -> Iterator[Difference]:
    """Turns a removed and an added item that differ only in their keys into changes of the key fields.

    If a Service's port 81 becomes 80, a reader sees one change, although the number is the port's key.
    """
    added: dict[Hashable, list[Difference]] = {}
    for difference in found:
        if difference.change is Change.ADDED:
            identity = _identity_without_key(difference.path, difference.live)
            if identity is not None:
                added.setdefault(identity, []).append(difference)
    replacements: dict[Path, Difference] = {}
    for difference in found:
        if difference.change is Change.REMOVED:
            candidates = added.get(_identity_without_key(difference.path, difference.desired))
            if candidates:
                replacements[difference.path] = candidates.pop(0)
    paired = {replacement.path for replacement in replacements.values()}
    for difference in found:
        if difference.path in replacements:
            yield from _item_changes(difference, replacements[difference.path])
        elif difference.path not in paired:
            yield difference


def _identity_without_key(path: Path, item: Json) -> Hashable:
    """Returns what a list item keeps if its key is edited: its list, and its name or else its other fields.

    Returns None if the value is not a list item or has no other fields. Also returns None if the name is the key: a
    container with another name is another container.
    """
    key = path[-1]
    if not isinstance(key, ItemKey) or not isinstance(item, dict):
        return None
    keys = {name for name, _ in key}
    if "name" in keys:
        return None
    if "name" in item:
        return path[:-1], _frozen(item["name"])
    rest = {name: value for name, value in item.items() if name not in keys}
    return (path[:-1], None, _frozen(rest)) if rest else None


def _frozen(value: Json) -> Hashable:
    """Returns a hashable copy of a part of a tree, in linear time. Equal parts give equal copies."""
    if isinstance(value, AtomicValue):
        return "atomic", _frozen(value.value)
    if isinstance(value, dict):
        return frozenset((name, _frozen(below)) for name, below in value.items())
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    # In Python, True equals 1.
    return (bool, value) if isinstance(value, bool) else value


def _narrowed(difference: Difference) -> Iterator[Difference]:
    """Descends to the added parts of list items that Git does not have.

    An item without its key fields was not added by the manager that added a part of it: for instance a container that
    a webhook injected and a user edited.
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


def _item_changes(removed: Difference, added: Difference) -> Iterator[Difference]:
    for part in diff(removed.desired, added.live):
        yield replace(part, path=removed.path + part.path, live_path=added.path + part.path)
