"""Values that are owned as a whole: atomic lists, maps and structs.

Ownership says nothing about their parts, so only the defaults that the server fills in are set aside. What remains is
compared, and shown, as one value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from drift.compare.normalize import ListMap
from drift.model import Json, Object
from drift.schema.conditional import MIRRORED_FIELDS, filled_in
from drift.schema.types import Shape, Type

#: How many pairs of items are compared in one atomic value to align its lists; beyond it, they pair up by position.
_MAX_PAIRS: Final = 20_000

#: value, type of the object, field, object that holds the field -> whether the server would have filled it in.
IsDefault = Callable[[Json, Type, str, Object], bool]


class AtomicValue:
    """A value that is owned, and so compared, as a whole: an atomic list, map or struct."""

    __slots__ = ("value",)

    def __init__(self, value: Json) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AtomicValue) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"AtomicValue({self.value!r})"


@dataclass(slots=True)
class Atomic:
    """Compares the two sides of one atomic value.

    Attributes:
        is_default: Tells the server's defaults.
        tolerant: Whether live-only fields are set aside where no schema describes them: without a schema, a default
            cannot be told from a field that Git dropped.
        is_ours: Whether only appliers own the value. Then live-only fields that its schema does not describe are
            set aside: they may be defaults of another version.
    """

    is_default: IsDefault
    tolerant: bool
    is_ours: bool
    _known: dict[tuple[int, int], tuple[Json, ...]] = field(default_factory=dict, init=False)
    _pairs_left: int = field(default=_MAX_PAIRS, init=False)

    def compare(self, desired: Json, live: Json, schema: Type) -> tuple[Json, Json]:
        """Both sides without defaults; the very same object twice where nothing differs.

        Args:
            desired: Git's side, normalized.
            live: The cluster's side, normalized.
            schema: The type of both.
        """
        if not isinstance(desired, dict | list):
            return self._compare(desired, live, schema)
        # The same two items may be compared several times: to align their lists, and again for the result.
        asked = id(desired), id(live)
        known = self._known.get(asked)
        if known is None:
            # Kept with the two, so that no other object gets the identity of one of them.
            known = self._known[asked] = (*self._compare(desired, live, schema), desired, live)
        return known[0], known[1]

    def _compare(self, desired: Json, live: Json, schema: Type) -> tuple[Json, Json]:
        if isinstance(desired, ListMap) and isinstance(live, ListMap):
            return self._keyed(desired, live, schema)
        if isinstance(desired, list) and isinstance(live, list):
            return self._list(desired, live, schema)
        if is_plain_dict(desired) and is_plain_dict(live):
            return self._fields(desired, live, schema)
        return (desired, desired) if same_scalar(desired, live) else (desired, live)

    def _keyed(self, desired: ListMap, live: ListMap, schema: Type) -> tuple[Json, Json]:
        left, right = ListMap(is_set=desired.is_set), ListMap(is_set=live.is_set)
        same = list(desired) == list(live)
        for key, wanted in desired.items():
            pair = self.compare(wanted, live[key], schema.items) if key in live else (wanted, None)
            left.put(key, pair[0], desired.positions[key])
            same &= pair[0] is pair[1]
        for key, present in live.items():
            item = self.compare(desired[key], present, schema.items)[1] if key in desired else present
            right.put(key, item, live.positions[key])
        return (left, left) if same else (left, right)

    def _list(self, desired: list[Json], live: list[Json], schema: Type) -> tuple[Json, Json]:
        items = schema.items
        partners = self._align(desired, live, items)
        right = list(live)
        left = list(desired)
        same = len(desired) == len(live)
        for index, other in partners:
            left[index], right[other] = self.compare(desired[index], live[other], items)
            same &= left[index] is right[other]
        return (left, left) if same else (left, right)

    def _align(self, desired: Sequence[Json], live: Sequence[Json], items: Type) -> list[tuple[int, int]]:
        """Which items belong together: by position in lists of one length, else equal ones, in their order.

        Items between two pairs of equal ones pair up by position, so that one that was edited loses its defaults too.
        """

        def equal(index: int, other: int) -> bool:
            wanted, present = self.compare(desired[index], live[other], items)
            return wanted is present

        if len(desired) == len(live):
            return [(index, index) for index in range(len(desired))]
        shorter = min(len(desired), len(live))
        start = 0
        while start < shorter and equal(start, start):
            start += 1
        ends = len(desired), len(live)
        while min(ends) > start and equal(ends[0] - 1, ends[1] - 1):
            ends = ends[0] - 1, ends[1] - 1
        middle = self._common(range(start, ends[0]), range(start, ends[1]), equal)
        anchors = [*middle, *((ends[0] + n, ends[1] + n) for n in range(len(desired) - ends[0]))]
        pairs = [(index, index) for index in range(start)]
        at = start, start
        for anchor in [*anchors, (len(desired), len(live))]:
            pairs += zip(range(at[0], anchor[0]), range(at[1], anchor[1]), strict=False)
            if anchor[0] < len(desired):
                pairs.append(anchor)
            at = anchor[0] + 1, anchor[1] + 1
        return pairs

    def _common(self, left: range, right: range, equal: Callable[[int, int], bool]) -> list[tuple[int, int]]:
        """The longest common subsequence of two parts of lists, as pairs of positions; none where that costs much."""
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
        tolerant = self.tolerant or (self.is_ours and schema.shape is Shape.UNKNOWN)
        for name, wanted in desired.items():
            if name in live:
                present = without_filled_in(wanted, live[name], schema, name, live)
                left[name], right[name] = self.compare(wanted, present, schema.field(name))
                same &= left[name] is right[name]
            else:
                left[name] = wanted
                same = False
        for name, present in live.items():
            if name in desired or tolerant or is_twin(present, schema, name, desired):
                continue
            if not self.is_default(present, schema, name, live):
                right[name] = present
                same = False
        return (left, left) if same else (left, right)


def without_filled_in(desired: Json, live: Json, parent: Type, name: str, beside: Object) -> Json:
    """A live map without the keys that the server adds to what Git gives, such as requests made from limits.

    Args:
        desired: Git's side of the map.
        live: The cluster's side of it.
        parent: The type of the object that holds the map.
        name: The field that holds it.
        beside: The live object that holds it.
    """
    if not is_plain_dict(desired) or not is_plain_dict(live) or desired.keys() == live.keys():
        return live
    filled = filled_in(parent.name, name, beside)
    gone = {key for key, value in live.items() if key not in desired and key in filled and filled[key] == value}
    return {key: value for key, value in live.items() if key not in gone} if gone else live


def is_twin(value: Json, parent: Type, name: str, desired: Object) -> bool:
    """Whether the server set a field to what Git gives another one."""
    twin = MIRRORED_FIELDS.get((parent.name, name))
    return twin is not None and twin in desired and bool(desired[twin] == value)


def is_plain_dict(value: Json) -> TypeGuard[Object]:
    """Whether a part of a normalized tree is an object or a map, and no keyed list."""
    return isinstance(value, dict) and not isinstance(value, ListMap)


def same_scalar(desired: Json, live: Json) -> bool:
    """Whether two values are equal in Kubernetes' sense: in Python, True equals 1."""
    return bool(desired == live) and isinstance(desired, bool) == isinstance(live, bool)
