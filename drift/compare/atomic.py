"""Compares atomic lists, maps and structs: values that have one owner for the whole.

Field ownership says nothing about their parts. The comparison ignores the parts that the server fills in, and reports
the rest as one value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from drift.compare.normalize import ListMap
from drift.objects import Json, Object
from drift.schema.facts import MIRRORED_FIELDS, filled_in
from drift.schema.types import Shape, Type

#: The most pairs of items that one atomic value compares to align its lists. Beyond it, items pair up by position.
_MAX_PAIRS: Final = 20_000

#: value, type of the object, field, object that has the field -> whether the server would fill in this value.
IsDefault = Callable[[Json, Type, str, Object], bool]
#: value, type of the object, field -> whether the value equals no value, because the server is to allocate one.
IsLeftEmpty = Callable[[Json, Type, str], bool]


class AtomicValue:
    """A value that is owned, and compared, as a whole: an atomic list, map or struct."""

    __slots__ = ("value",)

    def __init__(self, value: Json) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AtomicValue) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"AtomicValue({self.value!r})"


@dataclass(slots=True)
class AtomicComparison:
    """Compares the two sides of one atomic value.

    Attributes:
        is_default: Whether a value is the server's default.
        is_left_empty: Whether a value in Git equals no value.
        ignores_untyped_additions: Whether to ignore live-only fields of objects that the schema does not describe. If
            only the applier owns them, they may be defaults.
        has_ignored: Whether such a field was ignored.
    """

    is_default: IsDefault
    is_left_empty: IsLeftEmpty
    ignores_untyped_additions: bool
    has_ignored: bool = field(default=False, init=False)
    _results: dict[tuple[int, int], tuple[Json, ...]] = field(default_factory=dict, init=False)
    _pairs_left: int = field(default=_MAX_PAIRS, init=False)

    def compare(self, desired: Json, live: Json, schema: Type) -> tuple[Json, Json]:
        """Returns both sides without defaults. If they are equal, both are the same object.

        Args:
            desired: The value in Git, normalized.
            live: The value in the cluster, normalized.
            schema: The type of both.
        """
        if not isinstance(desired, dict | list):
            return self._compare(desired, live, schema)
        # The same two items may be compared several times: to align their lists, and again for the result.
        key = id(desired), id(live)
        result = self._results.get(key)
        if result is None:
            # Keep references to both sides so that Python cannot reuse their ids.
            result = self._results[key] = (*self._compare(desired, live, schema), desired, live)
        return result[0], result[1]

    def _compare(self, desired: Json, live: Json, schema: Type) -> tuple[Json, Json]:
        if isinstance(desired, ListMap) and isinstance(live, ListMap):
            return self._list_map(desired, live, schema)
        if isinstance(desired, list) and isinstance(live, list):
            return self._list(desired, live, schema)
        if is_plain_dict(desired) and is_plain_dict(live):
            return self._fields(desired, live, schema)
        return (desired, desired) if same_scalar(desired, live) else (desired, live)

    def _list_map(self, desired: ListMap, live: ListMap, schema: Type) -> tuple[Json, Json]:
        left, right = ListMap(is_set=desired.is_set), ListMap(is_set=live.is_set)
        same = list(desired) == list(live)
        for key, desired_item in desired.items():
            pair = self.compare(desired_item, live[key], schema.items) if key in live else (desired_item, None)
            left.put(key, pair[0], desired.positions[key])
            same &= pair[0] is pair[1]
        for key, live_item in live.items():
            item = self.compare(desired[key], live_item, schema.items)[1] if key in desired else live_item
            right.put(key, item, live.positions[key])
        return (left, left) if same else (left, right)

    def _list(self, desired: list[Json], live: list[Json], schema: Type) -> tuple[Json, Json]:
        items = schema.items
        right = list(live)
        left = list(desired)
        same = len(desired) == len(live)
        for index, other in self._align(desired, live, items):
            left[index], right[other] = self.compare(desired[index], live[other], items)
            same &= left[index] is right[other]
        return (left, left) if same else (left, right)

    def _align(self, desired: Sequence[Json], live: Sequence[Json], items: Type) -> list[tuple[int, int]]:
        """Pairs up the items of two lists: by position if the lists are equally long, otherwise equal ones in order.

        Items between two pairs of equal ones pair up by position, so that an edited item loses its defaults too.
        """

        def equal(index: int, other: int) -> bool:
            left, right = self.compare(desired[index], live[other], items)
            return left is right

        if len(desired) == len(live):
            return [(index, index) for index in range(len(desired))]
        shorter = min(len(desired), len(live))
        start = 0
        while start < shorter and equal(start, start):
            start += 1
        ends = len(desired), len(live)
        while min(ends) > start and equal(ends[0] - 1, ends[1] - 1):
            ends = ends[0] - 1, ends[1] - 1
        middle = self._common_subsequence(range(start, ends[0]), range(start, ends[1]), equal)
        anchors = [*middle, *((ends[0] + n, ends[1] + n) for n in range(len(desired) - ends[0]))]
        pairs = [(index, index) for index in range(start)]
        at = start, start
        for anchor in [*anchors, (len(desired), len(live))]:
            pairs += zip(range(at[0], anchor[0]), range(at[1], anchor[1]), strict=False)
            if anchor[0] < len(desired):
                pairs.append(anchor)
            at = anchor[0] + 1, anchor[1] + 1
        return pairs

    def _common_subsequence(
        self, left: range, right: range, equal: Callable[[int, int], bool]
    ) -> list[tuple[int, int]]:
        """Returns the longest common subsequence as pairs of positions, or nothing if it would cost too much."""
        self._pairs_left -= len(left) * len(right)
        if self._pairs_left < 0:
            return []
        lengths = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
        for i in reversed(range(len(left))):
            for j in reversed(range(len(right))):
                longer = max(lengths[i + 1][j], lengths[i][j + 1])
                lengths[i][j] = lengths[i + 1][j + 1] + 1 if equal(left[i], right[j]) else longer
        pairs, i, j = [], 0, 0
        while i < len(left) and j < len(right):
            if equal(left[i], right[j]):
                pairs.append((left[i], right[j]))
                i, j = i + 1, j + 1
            elif lengths[i + 1][j] >= lengths[i][j + 1]:
                i += 1
            else:
                j += 1
        return pairs

    def _fields(self, desired: Object, live: Object, schema: Type) -> tuple[Object, Object]:
        left: Object = {}
        right: Object = {}
        same = True
        ignores_additions = self.ignores_untyped_additions and schema.shape is Shape.UNKNOWN
        for name, desired_value in desired.items():
            if name in live:
                live_value = without_filled_in(desired, live, schema, name)
                left[name], right[name] = self.compare(desired_value, live_value, schema.field(name))
                same &= left[name] is right[name]
            elif not self.is_left_empty(desired_value, schema, name):
                left[name] = desired_value
                same = False
        for name, live_value in live.items():
            if name in desired or is_mirrored(live_value, schema, name, desired):
                continue
            if ignores_additions:
                self.has_ignored = True
            elif not any(self.is_default(live_value, schema, name, siblings) for siblings in (live, desired)):
                right[name] = live_value
                same = False
        return (left, left) if same else (left, right)


def without_filled_in(desired: Object, live: Object, parent: Type, name: str) -> Json:
    """Returns a live field; if it is a map, without the keys that the server added, such as requests from limits.

    The server filled them in before a user edited the limits, or after.

    Args:
        desired: The object in Git that has the field.
        live: The object in the cluster that has the field.
        parent: The type of both.
        name: The field.
    """
    in_git, in_cluster = desired[name], live[name]
    if not is_plain_dict(in_git) or not is_plain_dict(in_cluster) or in_git.keys() == in_cluster.keys():
        return in_cluster
    filled = [filled_in(parent.name, name, siblings) for siblings in (live, desired)]
    added = {
        key
        for key, value in in_cluster.items()
        if key not in in_git and any(key in keys and keys[key] == value for keys in filled)
    }
    return {key: value for key, value in in_cluster.items() if key not in added} if added else in_cluster


def is_mirrored(value: Json, parent: Type, name: str, desired: Object) -> bool:
    """Whether a live field repeats the value that Git sets in the field it mirrors (`MIRRORED_FIELDS`)."""
    mirrored = MIRRORED_FIELDS.get((parent.name, name))
    return mirrored is not None and mirrored in desired and bool(desired[mirrored] == value)


def is_plain_dict(value: Json) -> TypeGuard[Object]:
    """Whether a part of a normalized tree is a struct or a map, not a list map."""
    return isinstance(value, dict) and not isinstance(value, ListMap)


def same_scalar(desired: Json, live: Json) -> bool:
    """Whether two scalars are equal in Kubernetes. In Python, True also equals 1."""
    return bool(desired == live) and isinstance(desired, bool) == isinstance(live, bool)
