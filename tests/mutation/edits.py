"""Random edits of one live object, at every place where one is possible."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from drift.objects import Json, Object
from drift.paths import Path, escape_pointer, render, set_member
from tests.mutation.differences import item_key, take_apart
from tests.mutation.schema import Node
from tests.mutation.values import MAP_KEYS, generate, new_item, scalar

# Fields that identify an object or that only the server writes: no edit can change them.
_NOT_EDITED: Final = frozenset(
    {"apiVersion", "kind", "status", "metadata.name", "metadata.namespace"}
    | {"metadata.creationTimestamp", "metadata.deletionTimestamp", "metadata.deletionGracePeriodSeconds"}
    | {"metadata.generation", "metadata.resourceVersion", "metadata.uid", "metadata.selfLink", "metadata.generateName"}
)
# A template has this field, too. If it is malformed there, the server drops its own managedFields.
_OWNERS: Final = "managedFields"


class Shape(StrEnum):
    """The kind of value that is edited."""

    LEAF = "leaf"
    STRUCT = "struct"
    MAP = "map"
    LIST_MAP = "keyed list"
    SET = "set"
    ATOMIC = "atomic"


class Action(StrEnum):
    """The kind of edit. Changing an item of a list map or a set changes its key."""

    CHANGE = "change"
    ADD = "add"
    REMOVE = "remove"
    REORDER = "reorder"


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit, ready to be sent.

    Attributes:
        shape: The kind of value.
        action: The kind of edit.
        path: The place, for people; an item without a key has its position.
        patch: The JSON patch.
    """

    shape: Shape
    action: Action
    path: str
    patch: tuple[dict[str, Any], ...] = field(repr=False)

    @property
    def pointer(self) -> str:
        """The JSON pointer of the place."""
        return str(self.patch[0]["path"])

    @property
    def last(self) -> str:
        return self.pointer.rpartition("/")[2]

    def holds(self, other: "Edit") -> bool:
        """Whether the other edit is at or below the place of this one."""
        return f"{other.pointer}/".startswith(f"{self.pointer}/")

    def __str__(self) -> str:
        steps = ", ".join(f"{step['op']} {step['path']} {step.get('value', '')!r}".strip() for step in self.patch)
        return f"{self.action} ({self.shape}) {self.path}: {steps}"


def edits_of(live: Object, schema: Node, choose: random.Random) -> Iterator[Edit]:
    """Yields one random edit of each kind at each place of the object."""
    yield from _Editor(choose).value(live, schema, "", (), is_atomic=False)


def pairs_of(edits: Sequence[Edit], choose: random.Random, count: int) -> Iterator[Edit]:
    """Yields two edits at once, mostly close to each other, where one could hide the other."""
    # Adding or removing an item would move the place of the other edit.
    fields = [edit for edit in edits if not edit.last.isdigit() and edit.last != "-"]
    near: dict[str, list[Edit]] = {}
    for edit in fields:
        above = edit.pointer.split("/")[: -choose.choice((1, 1, 2, 3))]
        near.setdefault("/".join(above), []).append(edit)
    groups = [group for group in near.values() if len(group) > 1]
    for _ in range(count if groups else 0):
        one, other = choose.sample(choose.choice(groups), 2)
        if not one.holds(other) and not other.holds(one):
            yield replace(one, path=f"{one.path} and {other.path}", patch=(*one.patch, *other.patch))


class _Editor:
    def __init__(self, choose: random.Random) -> None:
        self._choose = choose

    def value(self, value: Json, schema: Node, pointer: str, path: Path, *, is_atomic: bool) -> Iterator[Edit]:
        """Yields edits of the parts of a value; the caller edits the value itself."""
        is_atomic |= schema.is_atomic
        if isinstance(value, dict):
            yield from self._fields(value, schema, pointer, path, is_atomic=is_atomic)
        elif isinstance(value, list):
            yield from self._items(value, schema, pointer, path, is_atomic=is_atomic)

    def _fields(
        self, value: dict[str, Json], schema: Node, pointer: str, path: Path, *, is_atomic: bool
    ) -> Iterator[Edit]:
        is_map = not schema.is_struct
        for name, present in value.items():
            here, at = (*path, name), f"{pointer}/{escape_pointer(name)}"
            if render(here) in _NOT_EDITED or name == _OWNERS:
                continue
            below = schema.below(name)
            shape = Shape.ATOMIC if is_atomic else Shape.MAP if is_map else _shape(below)
            if len(here) > 1 or name != "metadata":
                yield Edit(shape, Action.REMOVE, render(here), ({"op": "remove", "path": at},))
                changed = self._other(present, below, name)
                yield Edit(shape, Action.CHANGE, render(here), ({"op": "replace", "path": at, "value": changed},))
            yield from self.value(present, below, at, here, is_atomic=is_atomic)
        for name in self._absent(value, schema):
            here = (*path, name)
            if render(here) not in _NOT_EDITED and name != _OWNERS:
                shape = Shape.ATOMIC if is_atomic else Shape.MAP if is_map else _shape(schema.below(name))
                made = generate(schema.below(name), name, self._choose)
                step = {"op": "add", "path": f"{pointer}/{escape_pointer(name)}", "value": made}
                yield Edit(shape, Action.ADD, render(here), (step,))

    def _absent(self, value: dict[str, Json], schema: Node) -> list[str]:
        if schema.is_struct:
            return [name for name in schema.properties if name not in value]
        if schema.is_map or schema.scalar == "any":
            free = [name for name in MAP_KEYS if name not in value]
            return self._choose.sample(free, min(len(free), 2))
        return []

    def _other(self, present: Json, schema: Node, name: str) -> Json:
        """Returns another value, or the same one if a few draws find no other."""
        for _ in range(5):
            made = scalar(schema, name, self._choose) if schema.scalar else generate(schema, name, self._choose)
            if made != present:
                return made
        return present

    def _items(self, value: list[Json], schema: Node, pointer: str, path: Path, *, is_atomic: bool) -> Iterator[Edit]:
        shape = Shape.ATOMIC if is_atomic else Shape.LIST_MAP if schema.keys else Shape.SET
        parts = take_apart(value, schema)
        for position, item in enumerate(value):
            here = (*path, item_key(item, schema) if schema.keys else str(position))
            at = f"{pointer}/{position}"
            yield Edit(shape, Action.REMOVE, render(here), ({"op": "remove", "path": at},))
            changed = self._rekeyed(item, schema) if schema.keys else self._other(item, schema.items, str(path[-1]))
            yield Edit(shape, Action.CHANGE, render(here), ({"op": "replace", "path": at, "value": changed},))
            yield from self.value(item, schema.items, at, here, is_atomic=is_atomic)
        if len(value) > 1:
            turned = [*value[1:], value[0]]
            yield Edit(shape, Action.REORDER, render(path), ({"op": "replace", "path": pointer, "value": turned},))
        made = self._new_item(value, schema, str(path[-1]))
        key = item_key(made, schema) if schema.keys else set_member(made) if schema.is_set else None
        if parts is None or key not in parts:
            # At either end: no one owns the position of an item.
            at = f"{pointer}/{self._choose.choice(('-', '0'))}"
            yield Edit(shape, Action.ADD, render(path), ({"op": "add", "path": at, "value": made},))

    def _new_item(self, value: list[Json], schema: Node, name: str) -> Json:
        """Returns a new item: generated, or a copy with other keys, which is valid more often."""
        item = self._choose.choice(value) if value else None
        if isinstance(item, dict) and item and self._choose.random() < 0.5:
            return self._rekeyed(item, schema) if schema.keys else self._retouched(item, schema)
        return new_item(schema, name, self._choose)

    def _retouched(self, item: Object, schema: Node) -> Object:
        """Returns the item with one field changed."""
        name = self._choose.choice(sorted(item))
        return {**item, name: self._other(item[name], schema.items.below(name), name)}

    def _rekeyed(self, item: Object, schema: Node) -> Object:
        """Returns the item with one key field changed."""
        changed = dict(item)
        for name in self._choose.sample(schema.keys, 1):
            changed[name] = self._other(item.get(name), schema.items.below(name), name)
        return changed


def _shape(schema: Node) -> Shape:
    if schema.is_atomic:
        return Shape.ATOMIC
    if schema.keys:
        return Shape.LIST_MAP
    if schema.is_set:
        return Shape.SET
    if schema.is_map:
        return Shape.MAP
    return Shape.STRUCT if schema.is_struct else Shape.LEAF
