"""Converts parts of normalized trees to what a report shows: plain JSON values, and pointers into the object."""

from collections.abc import Iterator

from drift.compare.atomic import AtomicValue
from drift.compare.normalize import ListMap
from drift.objects import Incomparable, Json
from drift.paths import ItemKey, Path, escape_pointer
from drift.redaction import Redacted
from drift.schema.types import ABSENT
from drift.schema.values import Canonical


def to_json(value: Json) -> Json:
    """Returns the value as JSON with scalars as they were written, or None for `ABSENT`.

    Raises:
        TypeError: The value contains a `Redacted` or an `Incomparable`. Check with `contains_redacted` first.
    """
    if isinstance(value, Redacted | Incomparable):
        raise TypeError("a redacted value must not be shown")
    if isinstance(value, AtomicValue | Canonical):
        return to_json(value.value) if isinstance(value, AtomicValue) else value.written
    if isinstance(value, ListMap):
        return [to_json(item) for item in value.values()]
    if isinstance(value, dict):
        return {name: to_json(field) for name, field in value.items()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    return None if value is ABSENT else value


def contains_redacted(value: Json) -> bool:
    """Whether a tree is or contains a value that must not be shown."""
    if isinstance(value, AtomicValue):
        return contains_redacted(value.value)
    if isinstance(value, dict):
        return any(map(contains_redacted, value.values()))
    if isinstance(value, list):
        return any(map(contains_redacted, value))
    return isinstance(value, Redacted | Incomparable)


def incomparables_in(value: Json) -> Iterator[Incomparable]:
    """Yields the values in a tree that cannot be compared."""
    if isinstance(value, Incomparable):
        yield value
    elif isinstance(value, AtomicValue):
        yield from incomparables_in(value.value)
    elif isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            yield from incomparables_in(below)


def without_unknown_items(tree: Json, path: Path) -> Path:
    """Returns a path up to the first list item that a tree lacks. The key of such an item is a value that it lacks.

    Args:
        tree: The normalized or projected tree of the manifest.
        path: A path that may not exist in the tree.
    """
    part = tree
    for index, element in enumerate(path):
        part = part.value if isinstance(part, AtomicValue) else part
        is_known = isinstance(part, dict) and element in part
        if isinstance(element, ItemKey) and not is_known:
            return path[:index]
        part = part[element] if is_known else None
    return path


def steps(tree: Json, path: Path) -> tuple[str | int, ...]:
    """Returns a path as keys and list indexes of the object that was normalized, as far as the tree has it.

    Args:
        tree: The normalized or projected tree.
        path: A path that may end in a part that the tree lacks.
    """
    found: list[str | int] = []
    part = tree
    for element in path:
        if not isinstance(part, dict) or element not in part:
            break
        if isinstance(part, ListMap) and isinstance(element, ItemKey):
            found.append(part.positions[element])
        else:
            found.append(str(element))
        part = part[element]
    return tuple(found)


def pointer(tree: Json, path: Path) -> str:
    """Returns the RFC 6901 pointer of a path, into the object that was normalized.

    Args:
        tree: The normalized or projected tree.
        path: A path that exists in the tree.
    """
    return "".join(f"/{escape_pointer(str(step))}" for step in steps(tree, path))
