"""The differences between two projected trees, found by DeepDiff.

The trees are aligned by key already, so that DeepDiff compares them position by position and its result is complete.
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
    """One difference, not judged yet.

    Attributes:
        path: In the desired tree where the part is there, else in the live one.
        live_path: Where the part is in the live tree; differs from `path` where an item's key itself was changed.
        change: How the live side differs.
        desired: The part of the desired tree; `ABSENT` where it has none.
        live: The part of the live tree; `ABSENT` where it has none.
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
    """All differences between two projected trees.

    Returns:
        One per topmost part that differs; a part that is wholly added or removed is one difference.
    """
    if desired is live:
        return []
    found = list(_pair_rekeyed(list(_deep_diff(desired, live))))
    return [part for difference in found for part in _narrowed(difference)]


def _deep_diff(desired: Object, live: Object) -> Iterator[Difference]:
    # Imported only for objects that differ: it takes longer to load than a small scan in sync takes in all.
    from drift.compare.deep import deep_diff  # noqa: PLC0415

    for kind, levels in deep_diff(desired, live):
        # Anything else would be a kind of difference that aligned trees cannot have: fail rather than miss it.
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
    """Turns an item that is gone and one that has come, alike but for their keys, into changes of the key fields.

    A Service's port 81 that became 80 is one change to a reader, though a port's number is its key.
    """
    come: dict[Hashable, list[Difference]] = {}
    for other in found:
        if other.change is Change.ADDED and (content := _content(other.path, other.live)) is not None:
            come.setdefault(content, []).append(other)
    twins: dict[Path, Difference] = {}
    for gone in found:
        if gone.change is Change.REMOVED and (candidates := come.get(_content(gone.path, gone.desired))):
            twins[gone.path] = candidates.pop(0)
    paired = {twin.path for twin in twins.values()}
    for difference in found:
        if difference.path in twins:
            yield from _item_changes(difference, twins[difference.path])
        elif difference.path not in paired:
            yield difference


def _content(path: Path, item: Json) -> Hashable:
    """What an item has in common with the one that it became: its list, and its name or all fields but the key.

    Returns:
        None for what is no such item: where the name is the key it is the item's identity, and another name is
        another container.
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
    """A part of a tree such that equal parts are equal, and hashed in linear time."""
    if isinstance(value, AtomicValue):
        return "whole", _frozen(value.value)
    if isinstance(value, dict):
        return frozenset((name, _frozen(below)) for name, below in value.items())
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    # In Python, True equals 1.
    return (bool, value) if isinstance(value, bool) else value


def _narrowed(difference: Difference) -> Iterator[Difference]:
    """Goes down to what was added to items of a list that Git does not have either.

    An item without its key fields is not added by the one who added a part of it: a webhook's container, say, whose
    image was edited.
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
