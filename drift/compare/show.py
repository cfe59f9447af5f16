"""Normalized trees back into what people and tools read: plain JSON values, and pointers into the original object."""

from drift.compare.atomic import AtomicValue
from drift.compare.normalize import ListMap
from drift.model import Json
from drift.paths import ItemKey, Path, escape_pointer
from drift.redaction import Redacted
from drift.schema.types import ABSENT
from drift.schema.values import Canonical


def to_json(value: Json) -> Json:
    """The value as JSON, scalars as they were written; None for `ABSENT`.

    Raises:
        TypeError: It holds a `Redacted`: whoever calls this must have asked before.
    """
    if isinstance(value, Redacted):
        raise TypeError("a redacted value must not be shown")
    if isinstance(value, AtomicValue | Canonical):
        return to_json(value.value) if isinstance(value, AtomicValue) else value.written
    if isinstance(value, ListMap):
        return [to_json(item) for item in value.values()]
    if isinstance(value, dict):
        return {name: to_json(below) for name, below in value.items()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    return None if value is ABSENT else value


def contains_redacted(value: Json) -> bool:
    """Whether a tree is, or anywhere holds, a value that must not be shown."""
    if isinstance(value, AtomicValue):
        return contains_redacted(value.value)
    if isinstance(value, dict):
        return any(map(contains_redacted, value.values()))
    if isinstance(value, list):
        return any(map(contains_redacted, value))
    return isinstance(value, Redacted)


def pointer(tree: Json, path: Path) -> str:
    """The RFC 6901 pointer of a path, into the object that the tree was made of.

    Args:
        tree: The normalized (or projected) tree.
        path: A path that exists in it.
    """
    text = ""
    for element in path:
        if isinstance(element, ItemKey):
            text += f"/{tree.positions[element]}"
        else:
            text += f"/{escape_pointer(element)}"
        tree = tree[element]
    return text
