"""Applies JSON patches without a server, and finds values in plain JSON."""

import copy
from collections.abc import Iterable
from typing import Any

from drift.objects import Json, Object
from drift.paths import SET_FIELD, ItemKey, Path, escape_pointer
from tests.mutation.differences import ABSENT


def applied(body: Object, patch: Iterable[dict[str, Any]]) -> Object:
    """Returns the patched object, neither defaulted nor validated."""
    patched = copy.deepcopy(body)
    for step in patch:
        *way, last = (part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:])
        node: Json = patched
        for part in way:
            node = node[int(part)] if isinstance(node, list) else node[part]
        if isinstance(node, list):
            _change_list(node, last, step)
        elif step["op"] == "remove":
            del node[last]
        else:
            node[last] = step["value"]
    return patched


def _change_list(items: list[Json], last: str, step: dict[str, Any]) -> None:
    position = len(items) if last == "-" else int(last)
    if step["op"] == "remove":
        del items[position]
    elif step["op"] == "add":
        items.insert(position, step["value"])
    else:
        items[position] = step["value"]


def locate(body: Json, path: Path) -> tuple[Json, str]:
    """Returns the value at a path and its JSON pointer, or `ABSENT` and ""."""
    node, pointer = body, ""
    for element in path:
        if isinstance(element, ItemKey):
            position = _position(node, element) if isinstance(node, list) else None
            if position is None:
                return ABSENT, ""
            node, pointer = node[position], f"{pointer}/{position}"
        elif isinstance(node, dict) and element in node:
            node, pointer = node[element], f"{pointer}/{escape_pointer(element)}"
        else:
            return ABSENT, ""
    return node, pointer


def _position(items: list[Json], key: ItemKey) -> int | None:
    """Returns the position of an item; it may leave out key fields that the server fills in."""
    for position, item in enumerate(items):
        if key and key[0][0] == SET_FIELD:
            if item == key[0][1]:
                return position
        elif isinstance(item, dict) and all(item.get(name, value) == value for name, value in key):
            return position
    return None
