"""Reads ``metadata.managedFields`` into one tree of owners.

The format is FieldsV1 (sigs.k8s.io/structured-merge-diff): ``f:NAME`` is a field, ``k:{...}`` a list item by its keys,
``v:VALUE`` a member of a set, ``i:N`` a list item by index, ``.`` the node itself.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from drift.model import Actor
from drift.objects import Json
from drift.paths import ItemKey, set_member

#: Manager, operation and subresource.
ManagerName = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of ``managedFields``.

    Attributes:
        actor: Manager, operation, subresource and time.
        api_version: The version that the field names belong to.
        fields: FieldsV1 as parsed.
    """

    actor: Actor
    api_version: str
    fields: dict[str, Json]


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


class ManagedFieldsError(ValueError):
    """``managedFields`` does not have the format that the API server writes."""


def read_entries(managed_fields: Json) -> tuple[Entry, ...]:
    """Reads the entries of ``metadata.managedFields``.

    Raises:
        ManagedFieldsError: It is not a list of entries.
    """
    if not isinstance(managed_fields, list):
        raise ManagedFieldsError("managedFields is not a list")
    return tuple(_read_entry(entry) for entry in managed_fields)


def _read_entry(entry: Json) -> Entry:
    if not isinstance(entry, dict):
        raise ManagedFieldsError("an entry of managedFields is not an object")
    texts = {name: entry.get(name) for name in ("manager", "operation", "subresource", "time", "apiVersion")}
    fields = entry.get("fieldsV1") or {}
    if not all(text is None or isinstance(text, str) for text in texts.values()) or not isinstance(fields, dict):
        raise ManagedFieldsError("an entry of managedFields has a field of the wrong type")
    actor = Actor(
        manager=texts["manager"] or "unknown",
        operation=texts["operation"] or "Update",
        subresource=texts["subresource"] or None,
        time=texts["time"],
    )
    return Entry(actor, texts["apiVersion"] or "", fields)


def build_tree(entries: Sequence[Entry]) -> OwnerNode:
    """Merges the field sets of all entries into one tree. Its nodes refer to the entries by index.

    Raises:
        ManagedFieldsError: A field set is not valid FieldsV1.
    """
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
    """Returns manager, operation and subresource of each entry; () if ``managedFields`` is not valid."""
    if not isinstance(managed_fields, list):
        return ()
    try:
        return _read_names(
            tuple(
                [(entry.get("manager"), entry.get("operation"), entry.get("subresource")) for entry in managed_fields]
            )
        )
    except (AttributeError, TypeError):
        return ()


# Cached, because most objects of a kind have the same managers.
@lru_cache(maxsize=4096)
def _read_names(names: tuple[tuple[Json, Json, Json], ...]) -> tuple[ManagerName, ...]:
    if not all(isinstance(text, str) for name in names for text in name if text is not None):
        return ()
    return tuple(
        (manager or "unknown", operation or "Update", subresource or None) for manager, operation, subresource in names
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
                raise ManagedFieldsError("an element does not hold a field set")
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
        raise ManagedFieldsError("a name in it is not a path element of FieldsV1") from None
    if prefix == "k:" and isinstance(value, dict) and not any(isinstance(part, dict | list) for part in value.values()):
        return ItemKey(sorted(value.items()))
    if prefix == "v:" and not isinstance(value, dict | list):
        return set_member(value)
    if prefix == "i:" and isinstance(value, int):
        return ItemKey((("#", value),))
    raise ManagedFieldsError("a name in it is not a path element of FieldsV1")
