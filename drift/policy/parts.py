"""The parts of a value that was added or removed as a whole, each with the path that its own finding would have."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from drift.model import Json
from drift.paths import ItemKey, Path, render, set_member


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a value.

    Attributes:
        path: Its path, from the root of the object.
        value: The part.
        in_item: Whether it belongs to a list item within the value, and is not that item itself.
    """

    path: str
    value: Json
    in_item: bool

    @property
    def is_leaf(self) -> bool:
        """Whether it has no parts itself."""
        return not (isinstance(self.value, dict | list) and self.value)


def parts(path: str, value: Json) -> Iterator[Part]:
    """Yields all parts of a JSON value, without the value itself. All scalars of a list item are its key.

    Args:
        path: The path of the value.
        value: The value.
    """
    for subpath, part in _parts(value, ()):
        in_item = any(isinstance(element, ItemKey) for element in subpath[:-1])
        yield Part(_join(path, subpath), part, in_item)


def _parts(value: Json, path: Path) -> Iterator[tuple[Path, Json]]:
    items: Iterable[tuple[str | ItemKey, Json]]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = [(_item_key(item), item) for item in value]
    else:
        return
    for element, part in items:
        yield (*path, element), part
        yield from _parts(part, (*path, element))


def _item_key(item: Json) -> ItemKey:
    if not isinstance(item, dict):
        return set_member(item)
    return ItemKey(sorted((name, value) for name, value in item.items() if isinstance(value, str | int)))


def _join(path: str, subpath: Path) -> str:
    text = render(subpath)
    return path + text if text.startswith("[") or not path else f"{path}.{text}"
