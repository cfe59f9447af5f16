"""JSON values as YAML for people, written several times faster than a general writer does.

What is written reads back as the same value; it is laid out as kubectl does.
"""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from drift.documents.scalars import read_plain
from drift.model import Json

#: Characters of a text that is remembered. Keys come again and again, long values do not, and take memory.
_SHORT: Final = 100
_PLAIN: Final = re.compile(r"[A-Za-z/](?:[A-Za-z0-9 ./_:@=,+-]*[A-Za-z0-9./_@=+-])?")


def to_yaml(value: Json) -> str:
    """The value as YAML, keys sorted, ending in a newline.

    Raises:
        RecursionError: It is nested too deep.
        TypeError: It holds what JSON does not have.
    """
    if isinstance(value, str):
        return f"{scalar(value)}\n"
    first, *others = _lines(value, "")
    return "\n".join([first[1:], *others] if first else others) + "\n"


def _lines(value: Json, indent: str) -> Iterator[str]:
    """The lines of a value, the first of them as it would go on after a key or a dash, and a space in front of it."""
    if isinstance(value, dict) and value:
        yield ""
        for key in sorted(value):
            below = value[key]
            # A list is not set in from the field that holds it.
            first, *others = _lines(below, indent if isinstance(below, list) else f"{indent}  ")
            yield f"{indent}{scalar(key)}:{first}"
            yield from others
    elif isinstance(value, list) and value:
        yield ""
        for item in value:
            first, *others = _lines(item, f"{indent}  ")
            if not first:
                # The item's own first line stands beside the dash.
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
    """Whether a text of several lines can stand as it is."""
    lines = text.removesuffix("\n").split("\n")
    return len(lines) > 1 and lines[0][:1] not in {"", " "} and lines[-1] != "" and all(map(str.isprintable, lines))


def scalar(text: str) -> str:
    """A text as a scalar on one line: plain where nothing else could be read in it, else quoted."""
    return _known_scalar(text) if len(text) <= _SHORT else _scalar(text)


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and ": " not in text and read_plain(text) == text:
        return text
    return json.dumps(text, ensure_ascii=False)


_known_scalar: Final = lru_cache(4096)(_scalar)
