"""Writes JSON values as YAML in kubectl's layout, several times faster than a general YAML library.

The YAML reads back as the same value.
"""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from drift.documents.scalars import read_plain
from drift.model import Json

#: Longer texts are not cached: they take memory and rarely repeat.
_MAX_CACHED: Final = 100
_PLAIN: Final = re.compile(r"[A-Za-z/](?:[A-Za-z0-9 ./_:@=,+-]*[A-Za-z0-9./_@=+-])?")


def to_yaml(value: Json) -> str:
    """Returns the value as YAML with sorted keys, ending in a newline.

    Raises:
        RecursionError: The value is nested too deeply.
        TypeError: The value contains something that JSON does not have.
    """
    if isinstance(value, str):
        return f"{scalar(value)}\n"
    first, *others = _lines(value, "")
    return "\n".join([first[1:], *others] if first else others) + "\n"


def _lines(value: Json, indent: str) -> Iterator[str]:
    """Yields the lines of a value; the first one continues the line of a key or a dash and starts with a space."""
    if isinstance(value, dict) and value:
        yield ""
        for key in sorted(value):
            below = value[key]
            # A list has the same indentation as the field that contains it.
            first, *others = _lines(below, indent if isinstance(below, list) else f"{indent}  ")
            yield f"{indent}{scalar(key)}:{first}"
            yield from others
    elif isinstance(value, list) and value:
        yield ""
        for item in value:
            first, *others = _lines(item, f"{indent}  ")
            if not first:
                # The item's own first line follows the dash.
                first, *others = others
                first = first[len(indent) + 1 :]
            yield f"{indent}-{first}"
            yield from others
    elif isinstance(value, str) and _fits_literally(value):
        yield " |" if value.endswith("\n") else " |-"
        yield from (f"{indent}{line}" if line else "" for line in value.removesuffix("\n").split("\n"))
    else:
        yield f" {scalar(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def _fits_literally(text: str) -> bool:
    """Returns whether a text with several lines can be a literal block."""
    lines = text.removesuffix("\n").split("\n")
    return len(lines) > 1 and lines[0][:1] not in {"", " "} and lines[-1] != "" and all(map(str.isprintable, lines))


def scalar(text: str) -> str:
    """Returns a text as a scalar on one line, quoted unless YAML reads it as the same text without quotes."""
    return _cached_scalar(text) if len(text) <= _MAX_CACHED else _scalar(text)


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and ": " not in text and read_plain(text) == text:
        return text
    return json.dumps(text, ensure_ascii=False)


_cached_scalar: Final = lru_cache(4096)(_scalar)
