"""The differences between two states of one live object, leaf by leaf, down to what the schema treats as atomic."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from drift.objects import Json, Object
from drift.paths import ItemKey, Path, render, set_member
from tests.mutation.schema import Node


class Absent(Enum):
    ABSENT = auto()


ABSENT: Final = Absent.ABSENT
# Metadata that the server maintains.
_BOOKKEEPING: Final = frozenset({"managedFields", "generation", "resourceVersion"})


@dataclass(frozen=True, slots=True)
class RawDifference:
    """One leaf, or one atomic part.

    Attributes:
        path: Names list items by their merge keys.
        before: `ABSENT` if it was added.
        after: `ABSENT` if it was removed.
        is_order: Whether only the order of items in a list map differs.
    """

    path: Path
    before: Json
    after: Json
    is_order: bool = False

    def __str__(self) -> str:
        what = "order" if self.is_order else f"{_shown(self.before)} -> {_shown(self.after)}"
        return f"{render(self.path)}: {what}"


def _shown(value: Json) -> str:
    return "-" if value is ABSENT else repr(value)


def raw_differences(before: Object, after: Object, schema: Node) -> list[RawDifference]:
    return list(_differences(_comparable(before), _comparable(after), schema, ()))


def _comparable(body: Object) -> Object:
    kept = {name: value for name, value in body.items() if name != "status"}
    kept["metadata"] = {name: value for name, value in body["metadata"].items() if name not in _BOOKKEEPING}
    return kept


def _differences(before: Json, after: Json, schema: Node, path: Path) -> Iterator[RawDifference]:
    if same(before, after):
        return
    parts = None if schema.is_atomic else _parts(before, after, schema)
    if parts is None:
        yield RawDifference(path, before, after)
        return
    left, right = parts
    for element in [*left, *(element for element in right if element not in left)]:
        below = schema.below(element) if isinstance(element, str) else schema.items
        yield from _differences(left.get(element, ABSENT), right.get(element, ABSENT), below, (*path, element))
    if schema.keys and [key for key in left if key in right] != [key for key in right if key in left]:
        yield RawDifference(path, before, after, is_order=True)


def _parts(before: Json, after: Json, schema: Node) -> tuple[dict[str | ItemKey, Json], ...] | None:
    """Returns the parts of both sides, or None for a leaf, such as an empty object or list."""
    parts = []
    for side in (before, after):
        taken = {} if side is ABSENT else take_apart(side, schema)
        if taken is None:
            return None
        parts.append(taken)
    # An empty object that was added or removed is a leaf. Between two objects, the parts differ.
    if (before is ABSENT or after is ABSENT) and not any(parts):
        return None
    return tuple(parts)


def take_apart(value: Json, schema: Node) -> dict[str | ItemKey, Json] | None:
    """Returns the parts of a value that have owners of their own, or None if there are none."""
    if isinstance(value, dict):
        return {str(name): below for name, below in value.items()}
    if isinstance(value, list) and schema.keys and all(isinstance(item, dict) for item in value):
        return {item_key(item, schema): item for item in value}
    if isinstance(value, list) and schema.is_set:
        return {set_member(item): item for item in value}
    return None


def item_key(item: Object, schema: Node) -> ItemKey:
    """Returns the key of an item: its key fields, or their defaults from the document."""
    defaults = ((name, schema.items.below(name).raw.get("default")) for name in schema.keys)
    return ItemKey([(name, item.get(name, default)) for name, default in defaults])


def same(left: Json, right: Json) -> bool:
    """Compares JSON values; in Python, True equals 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)
