"""Reads ``metadata.managedFields`` into one tree of owners.

The format is FieldsV1 (sigs.k8s.io/structured-merge-diff): ``f:NAME`` is a field, ``k:{...}`` a list item by its keys,
``v:VALUE`` a member of a set, ``i:N`` a list item by index, ``.`` the node itself.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from drift.model import Actor
from drift.objects import Json
from drift.paths import ItemKey, set_member

#: Manager, operation and subresource.
ManagerName = tuple[str, str, str | None]
#: Of an entry that does not name its manager.
NAMELESS: Final[ManagerName] = ("unknown", "Update", None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of ``managedFields``.

    Attributes:
        actor: Manager, operation, subresource and time.
        api_version: The version that the field names belong to.
        fields: FieldsV1 as parsed.
        problem: Why its fields cannot be read, so that it has none here; None if they can be read.
    """

    actor: Actor
    api_version: str = ""
    fields: dict[str, Json] = field(default_factory=dict)
    problem: str | None = None


class OwnerNode:
    """The owners of one field and of the fields below it.

    Attributes:
        owners: The indexes of the entries that own the field itself.
        children: The fields, keys and list items below it that have owners.
        is_leaf: Whether an entry owns the field as a whole, without naming a part of it.
    """

    __slots__ = ("children", "is_leaf", "owners")

    def __init__(self) -> None:
        self.owners: list[int] = []
        self.children: dict[str | ItemKey, OwnerNode] = {}
        self.is_leaf = False

    def child(self, element: str | ItemKey) -> "OwnerNode | None":
        """Returns the node of a child, or None if neither it nor anything below it has an owner."""
        node = self.children.get(element)
        if node is None and isinstance(element, ItemKey) and element.first is not element:
            return self.children.get(element.first)
        return node

    def all_owners(self) -> set[int]:
        """Returns the indexes of the entries that own the node or anything below it."""
        found: set[int] = set()
        pending = [self]
        while pending:
            node = pending.pop()
            found.update(node.owners)
            pending += node.children.values()
        return found


class _FieldSetError(ValueError):
    """A field set does not have the format that the API server writes."""


def read_entries(managed_fields: Json) -> tuple[Entry, ...]:
    """Reads the entries of ``metadata.managedFields``. One that cannot be read has a problem; the others are valid."""
    if not isinstance(managed_fields, list):
        return (Entry(Actor(*NAMELESS, None), problem="it is not a list"),) if managed_fields else ()
    return tuple(map(_read_entry, managed_fields))


def _read_entry(entry: Json) -> Entry:
    if not isinstance(entry, dict):
        return Entry(Actor(*NAMELESS, None), problem="an entry is not an object")
    texts = [entry.get(name) for name in ("manager", "operation", "subresource", "time", "apiVersion")]
    if not all(text is None or isinstance(text, str) for text in texts):
        return Entry(Actor(*NAMELESS, None), problem="an entry has a field of the wrong type")
    manager, operation, subresource, time, api_version = texts
    actor = Actor(manager or "unknown", operation or "Update", subresource or None, time)
    fields = entry.get("fieldsV1") or {}
    if not isinstance(fields, dict) or (not fields and entry.get("fieldsType", "FieldsV1") != "FieldsV1"):
        return Entry(actor, problem="the fields of an entry are not in the format FieldsV1")
    return Entry(actor, api_version or "", fields)


def read_owners(managed_fields: Json) -> tuple[tuple[Entry, ...], OwnerNode]:
    """Reads the entries of ``metadata.managedFields``, as `read_entries`, and the tree of their field sets."""
    entries = read_entries(managed_fields)
    try:
        return entries, build_tree(entries)
    except _FieldSetError:
        entries = tuple(map(_checked, entries))
        return entries, build_tree(entries)


def _checked(entry: Entry) -> Entry:
    try:
        build_tree([entry])
    except _FieldSetError as error:
        return replace(entry, fields={}, problem=str(error))
    return entry


def build_tree(entries: Sequence[Entry]) -> OwnerNode:
    """Merges the field sets of entries of `read_owners` into one tree. Its nodes refer to the entries by index."""
    root = OwnerNode()
    for index, entry in enumerate(entries):
        _add(root, entry.fields, index)
    for index in range(len(entries)):
        _own_string_data(root, entries, index)
    return root


def _own_string_data(root: OwnerNode, entries: Sequence[Entry], index: int) -> None:
    """Makes an entry that wrote ``stringData`` of a Secret the owner of these keys of ``data``.

    The server moves ``stringData`` into ``data``, but records the owner under ``stringData`` only. That ownership stays
    when another manager writes ``data`` later, so the last manager to write a key owns it.
    """
    written = entries[index].fields.get("f:stringData")
    if not isinstance(written, dict):
        return
    data = root.children.setdefault("data", OwnerNode())
    for name in written:
        if name.startswith("f:"):
            key = data.children.setdefault(name[2:], OwnerNode())
            time = entries[index].actor.time or ""
            if all((entries[other].actor.time or "") < time for other in key.owners):
                key.owners = [index]


def manager_names(managed_fields: Json) -> tuple[ManagerName, ...]:
    """Returns manager, operation and subresource of each entry, `NAMELESS` for one that is malformed."""
    if not isinstance(managed_fields, list):
        return ()
    try:
        return _read_names(
            tuple(
                [(entry.get("manager"), entry.get("operation"), entry.get("subresource")) for entry in managed_fields]
            )
        )
    except (AttributeError, TypeError):
        # An entry is not an object, or a name is one.
        actors = [_read_entry(entry).actor for entry in managed_fields]
        return tuple((actor.manager, actor.operation, actor.subresource) for actor in actors)


# Cached, because most objects of a kind have the same managers.
@lru_cache(maxsize=4096)
def _read_names(names: tuple[tuple[Json, Json, Json], ...]) -> tuple[ManagerName, ...]:
    return tuple(
        (name[0] or "unknown", name[1] or "Update", name[2] or None)
        if all(text is None or isinstance(text, str) for text in name)
        else NAMELESS
        for name in names
    )


def _add(root: OwnerNode, fields: dict[str, Json], index: int) -> None:
    # Iterative, because a hostile object may be nested too deep for recursion.
    pending = [(root, fields)]
    while pending:
        node, parts = pending.pop()
        for name, below in parts.items():
            if name == ".":
                node.owners.append(index)
                continue
            element = _element(name)
            child = node.children.get(element)
            if child is None:
                child = node.children[element] = OwnerNode()
            if not isinstance(below, dict):
                raise _FieldSetError("an element of an entry does not hold a field set")
            if below:
                pending.append((child, below))
            else:
                child.owners.append(index)
                child.is_leaf = True


# Cached, because objects of one kind have the same few elements.
@lru_cache(maxsize=8192)
def _element(name: str) -> str | ItemKey:
    prefix, text = name[:2], name[2:]
    if prefix == "f:":
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise _FieldSetError("a name in an entry is not a path element of FieldsV1") from None
    if prefix == "k:" and isinstance(value, dict) and not any(isinstance(part, dict | list) for part in value.values()):
        return ItemKey(sorted(value.items()))
    if prefix == "v:" and not isinstance(value, dict | list):
        return set_member(value)
    if prefix == "i:" and isinstance(value, int):
        return ItemKey((("#", value),))
    raise _FieldSetError("a name in an entry is not a path element of FieldsV1")
