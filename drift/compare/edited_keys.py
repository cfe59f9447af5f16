"""Recognizes list items whose key was edited, such as a port of a Service with another number."""

from collections import deque
from collections.abc import Hashable, Mapping
from types import MappingProxyType

from drift.compare.atomic import AtomicValue
from drift.compare.normalize import ListMap
from drift.objects import Json
from drift.paths import ItemKey
from drift.schema.types import ABSENT


def edited_keys(
    desired: ListMap, live: ListMap, known: Mapping[ItemKey, ItemKey] = MappingProxyType({})
) -> dict[ItemKey, ItemKey]:
    """Pairs the removed and the added items of a list that differ in their keys, but describe the same thing.

    If a Service's port 81 becomes 80, a reader sees one change, although the number is the port's key.

    Args:
        desired: The list in Git.
        live: The live list.
        known: Pairs that are found already.

    Returns:
        The live keys by Git's keys, the known pairs included.
    """
    pairs, paired = dict(known), set(known.values())
    added: dict[Hashable, deque[ItemKey]] = {}
    for key, item in live.items():
        if key not in desired and key not in paired and (identity := _identity_without_key(key, item)) is not None:
            added.setdefault(identity, deque()).append(key)
    for key, item in desired.items() if added else ():
        candidates = None if key in live or key in pairs else added.get(_identity_without_key(key, item))
        if candidates and _has_other_key_fields(key, item, live[candidates[0]]):
            pairs[key] = candidates.popleft()
    return pairs


def _has_other_key_fields(key: ItemKey, item: Json, other: Json) -> bool:
    """Whether two items show that their keys differ. Both may omit a field of the key that has a default."""
    return any(item.get(name, ABSENT) != other.get(name, ABSENT) for name, _ in key)


def _identity_without_key(key: ItemKey, item: Json) -> Hashable:
    """Returns what stays the same if the key of a list item is edited: its name, or else its other fields.

    Returns None if there are no other fields, or if the name is the key: a container with another name is another
    container.
    """
    if not isinstance(item, dict):
        return None
    keys = {name for name, _ in key}
    if "name" in keys:
        return None
    if "name" in item:
        return True, _frozen(item["name"])
    rest = {name: value for name, value in item.items() if name not in keys}
    return (False, _frozen(rest)) if rest else None


def _frozen(value: Json) -> Hashable:
    """Returns a hashable copy of a part of a tree, in linear time. Equal parts give equal copies."""
    if isinstance(value, AtomicValue):
        return "atomic", _frozen(value.value)
    if isinstance(value, dict):
        return frozenset((name, _frozen(below)) for name, below in value.items())
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    # In Python, True equals 1.
    return (bool, value) if isinstance(value, bool) else value
