"""Where in an object something is: paths that name list items by key rather than by position.

The same keys address the normalized trees of a comparison and the field sets of ``managedFields``.
"""

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from drift.model import Json

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9_.:/+-]+")


class ItemKey(tuple[tuple[str, Json], ...]):
    """What names an item of a list: its key fields and their values, sorted by field; for a set, ("", value)."""

    __slots__ = ()

    def __str__(self) -> str:
        """``[name=x]``; ``[=x]`` for a member of a set."""
        return "[" + ",".join(f"{field}={_quote_value(value)}" for field, value in self) + "]"

    def occurrence(self, number: int) -> "ItemKey":
        """The key of the item that is the second, third, ... in its list with the same key fields."""
        return self if number == 1 else ItemKey((*self, (OCCURRENCE, number)))

    @property
    def first(self) -> "ItemKey":
        """The key of the first item with the same key fields, under which the API server records the owners of all."""
        return ItemKey(self[:-1]) if len(self) > 1 and self[-1][0] == OCCURRENCE else self


#: The "field" that names a member of a set.
SET_FIELD: Final = ""
#: The "field" that tells items with the same key apart: 2 for the second one in the list.
OCCURRENCE: Final = "occurrence"

#: From the object's root down; a string names a field or a map's key.
Path = tuple[str | ItemKey, ...]


def set_member(value: Json) -> ItemKey:
    """The key of a set's member, which is the member itself."""
    return ItemKey(((SET_FIELD, value),))


def render(path: Iterable[str | ItemKey]) -> str:
    """The path for people: ``spec.containers[name=app].env``, with whatever is not a plain word quoted."""
    text = ""
    for element in path:
        part = str(element) if isinstance(element, ItemKey) else _name(element)
        text += f".{part}" if text and part[0] != "[" else part
    return text


@lru_cache(maxsize=4096)
def _name(element: str) -> str:
    """A field or a key of a map; the same few hundred come again and again."""
    return element if _PLAIN.fullmatch(element) else f"[{json.dumps(element, ensure_ascii=False)}]"


def escape_pointer(element: str) -> str:
    """One reference token of an RFC 6901 JSON pointer."""
    return element.replace("~", "~0").replace("/", "~1")


def _quote_value(value: Json) -> str:
    if isinstance(value, str):
        return value if _PLAIN_VALUE.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
