"""Edits of one live object: every place where one can be made, and a random one for each."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from drift.model import Json, Object
from drift.paths import Path, escape_pointer, render, set_member
from tests.mutation.differences import item_key, take_apart
from tests.mutation.schema import Node
from tests.mutation.values import MAP_KEYS, generate, new_item, scalar

# What identifies an object and what the server writes for itself: no edit can change it.
_NOT_EDITED: Final = frozenset(
    {"apiVersion", "kind", "status", "metadata.name", "metadata.namespace"}
    | {"metadata.creationTimestamp", "metadata.deletionTimestamp", "metadata.deletionGracePeriodSeconds"}
    | {"metadata.generation", "metadata.resourceVersion", "metadata.uid", "metadata.selfLink", "metadata.generateName"}
)
# A template has the field too, and where it holds nonsense, the server gives up its own record.
_OWNERS: Final = "managedFields"


class Shape(StrEnum):
    """What is edited."""

    LEAF = "leaf"
    STRUCT = "struct"
    MAP = "map"
    LIST_MAP = "keyed list"
    SET = "set"
    ATOMIC = "atomic"


class Action(StrEnum):
    """What is done to it. To change an item of a keyed list or of a set is to give it another key."""

    CHANGE = "change"
    ADD = "add"
    REMOVE = "remove"
    REORDER = "reorder"


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit, ready to be sent.

    Attributes:
        shape: What is edited.
        action: What is done to it.
        path: Where, for people; the item of a list by its position where it has no key.
        patch: As JSON patch.
    """

    shape: Shape
    action: Action
    path: str
    patch: tuple[dict[str, Any], ...] = field(repr=False)

    @property
    def pointer(self) -> str:
        """Where, for the server."""
        return str(self.patch[0]["path"])

    @property
    def last(self) -> str:
        return self.pointer.rpartition("/")[2]

    def holds(self, other: "Edit") -> bool:
        """Whether the other is of a part of what this one is of."""
        return f"{other.pointer}/".startswith(f"{self.pointer}/")

    def __str__(self) -> str:
        steps = ", ".join(f"{step['op']} {step['path']} {step.get('value', '')!r}".strip() for step in self.patch)
        return f"{self.action} ({self.shape}) {self.path}: {steps}"


def edits_of(live: Object, schema: Node, choose: random.Random) -> Iterator[Edit]:
    """One random edit of each kind at each place of the object."""
    yield from _Editor(choose).value(live, schema, "", (), is_atomic=False)


def pairs_of(edits: Sequence[Edit], choose: random.Random, count: int) -> Iterator[Edit]:
    """Two edits at once, mostly in the same object or near each other, where one may hide the other."""
    # What adds or removes an item would move what the other is about.
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
        """The edits of the parts of a value; the value itself is its owner's to change, remove or keep."""
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
            return self._choose.sample([name for name in MAP_KEYS if name not in value], 2)
        return []

    def _other(self, present: Json, schema: Node, name: str) -> Json:
        """Another value; the same one only where the type has no other within a few draws."""
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
            # Both ends: where an item stands is nobody's field.
            at = f"{pointer}/{self._choose.choice(('-', '0'))}"
            yield Edit(shape, Action.ADD, render(path), ({"op": "add", "path": at, "value": made},))

    def _new_item(self, value: list[Json], schema: Node, name: str) -> Json:
        """A new item: made from nothing, or like one that is there but for its keys, which more often is valid."""
        item = self._choose.choice(value) if value else None
        if isinstance(item, dict) and item and self._choose.random() < 0.5:
            return self._rekeyed(item, schema) if schema.keys else self._retouched(item, schema)
        return new_item(schema, name, self._choose)

    def _retouched(self, item: Object, schema: Node) -> Object:
        """The item with one of its fields changed."""
        name = self._choose.choice(sorted(item))
        return {**item, name: self._other(item[name], schema.items.below(name), name)}

    def _rekeyed(self, item: Object, schema: Node) -> Object:
        """The item under another key, with one of its key fields changed."""
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
