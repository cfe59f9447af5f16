"""Paths into an object that name list items by their keys, as ``managedFields`` does, and not by index."""

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from drift.objects import Json

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9_.:/+-]+")
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_PAIR: Final = rf"([^=\[\],\"]*)=({_QUOTED}|{_PLAIN_VALUE.pattern})"
_ELEMENT: Final = re.compile(rf"\.?({_PLAIN.pattern})|\[({_QUOTED})\]|\[({_PAIR}(?:,{_PAIR})*)\]", re.DOTALL)

#: The field name in the key of a member of a set.
SET_FIELD: Final = ""
#: The extra field in the key of a list item whose key an earlier item has too: 2 for the second item with that key.
OCCURRENCE: Final = "occurrence"


class ItemKey(tuple[tuple[str, Json], ...]):
    """The key of a list item: its key fields and their values, sorted by field; ("", value) for a member of a set."""

    __slots__ = ()

    def __str__(self) -> str:
        """Returns ``[name=x]``, or ``[=x]`` for a member of a set."""
        return "[" + ",".join(f"{field}={_quote_value(value)}" for field, value in self) + "]"

    def occurrence(self, number: int) -> "ItemKey":
        """Returns the key of the second, third, ... item with this key in a list."""
        return self if number == 1 else ItemKey((*self, (OCCURRENCE, number)))

    @property
    def first(self) -> "ItemKey":
        """The key without the occurrence: ``managedFields`` has one entry for all items with the same key."""
        return ItemKey(self[:-1]) if len(self) > 1 and self[-1][0] == OCCURRENCE else self


#: From the root of the object down. A string is the name of a field or the key of a map.
Path = tuple[str | ItemKey, ...]


def set_member(value: Json) -> ItemKey:
    """Returns the key of a member of a set: the member itself."""
    return ItemKey(((SET_FIELD, value),))


def render(path: Iterable[str | ItemKey]) -> str:
    """Returns a readable path, ``spec.containers[name=app].env``. Names with special characters are quoted."""
    text = ""
    for element in path:
        part = str(element) if isinstance(element, ItemKey) else _name(element)
        text += f".{part}" if text and part[0] != "[" else part
    return text


def parse(text: str) -> Path:
    """Returns the path that `render` wrote. The values in the keys of list items become strings, also numbers.

    Raises:
        ValueError: The text is not a path.
    """
    elements: list[str | ItemKey] = []
    end = 0
    while end < len(text):
        match = _ELEMENT.match(text, end)
        if match is None:
            raise ValueError(f"{text!r} is not a path")
        end = match.end()
        name, quoted, key = match[1], match[2], match[3]
        if key is None:
            elements.append(name if quoted is None else json.loads(quoted))
        else:
            pairs = re.findall(_PAIR, key, re.DOTALL)
            elements.append(ItemKey((field, json.loads(value) if value[0] == '"' else value) for field, value in pairs))
    return tuple(elements)


def is_in_key(path: Path) -> bool:
    """Returns whether a path ends in a field by whose value it names the list item that has the field."""
    item = path[-2] if len(path) > 1 else None
    return isinstance(item, ItemKey) and any(path[-1] == field for field, _ in item)


# Cached, because most objects have the same few hundred names.
@lru_cache(maxsize=4096)
def _name(element: str) -> str:
    return element if _PLAIN.fullmatch(element) else f"[{json.dumps(element, ensure_ascii=False)}]"


def escape_pointer(element: str) -> str:
    """Escapes one reference token of a JSON pointer (RFC 6901)."""
    return element.replace("~", "~0").replace("/", "~1")


def _quote_value(value: Json) -> str:
    if isinstance(value, str):
        return value if _PLAIN_VALUE.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
