"""The differences between two projected trees, found by DeepDiff.

The trees are aligned by key already, so that DeepDiff compares them position by position and its result is complete.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from deepdiff import DeepDiff
from deepdiff.operator import BaseOperator

from drift.compare.project import Whole
from drift.model import Change, Json, Object
from drift.paths import SET_FIELD, ItemKey, Path
from drift.redaction import Redacted
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


class _Leaves(BaseOperator):
    """Keeps DeepDiff from looking into values that are compared as a whole.

    For texts it would otherwise compute a line diff of its own, which costs seconds for large ones.
    """

    def __init__(self) -> None:
        super().__init__(types=[Whole, Redacted, str])

    def match(self, level: Any) -> bool:
        leaves = Whole | Redacted | str
        return isinstance(level.t1, leaves) and isinstance(level.t2, leaves)

    def give_up_diffing(self, level: Any, diff_instance: Any) -> bool:
        if type(level.t1) is not type(level.t2) or level.t1 != level.t2:
            diff_instance._report_result("values_changed", level)  # noqa: SLF001
        return True


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
    result = DeepDiff(
        desired,
        live,
        view="tree",
        custom_operators=[_Leaves()],
        # Left at their defaults, these would hide keys that begin with two underscores, and report two maps that
        # share few keys as one changed value.
        ignore_private_variables=False,
        threshold_to_diff_deeper=0,
    )
    for kind, levels in result.items():
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
