"""The differences between two projected trees, found by DeepDiff.

The trees are aligned by key already, so that DeepDiff compares them position by position and its result is complete.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

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
    return list(_pair_rekeyed(list(_deep_diff(desired, live))))


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

    A Service's port 81 that became 80 is one change for whoever reads it, though ports are known by their numbers.
    """
    come = [other for other in found if other.change is Change.ADDED and _is_keyed_item(other)]
    twins: dict[Path, Difference] = {}
    for gone in found:
        if gone.change is Change.REMOVED and _is_keyed_item(gone):
            twin = next((other for other in come if _is_rekeyed(gone, other)), None)
            if twin is not None:
                come.remove(twin)
                twins[gone.path] = twin
    paired = {twin.path for twin in twins.values()}
    for difference in found:
        if difference.path in twins:
            yield from _item_changes(difference, twins[difference.path])
        elif difference.path not in paired:
            yield difference


def _is_keyed_item(difference: Difference) -> bool:
    last = difference.path[-1]
    return isinstance(last, ItemKey) and last[0][0] != SET_FIELD


def _is_rekeyed(removed: Difference, added: Difference) -> bool:
    if removed.path[:-1] != added.path[:-1] or not isinstance(removed.desired, dict):
        return False
    key = removed.path[-1]
    keys = {name for name, _ in key} if isinstance(key, ItemKey) else set()
    # Where the name is the key it is the item's identity: another name is another container.
    if "name" in keys:
        return False
    wanted, present = removed.desired, added.live
    if "name" in wanted or "name" in present:
        return bool(wanted.get("name") == present.get("name"))
    rest = {name: value for name, value in wanted.items() if name not in keys}
    return bool(rest) and rest == {name: value for name, value in present.items() if name not in keys}


def _item_changes(removed: Difference, added: Difference) -> Iterator[Difference]:
    for part in diff(removed.desired, added.live):
        yield replace(part, path=removed.path + part.path, live_path=added.path + part.path)
