"""Finds lines in a template of a chart, which is YAML only after Helm has run it.

The keys on the lines of a template, with their indentation, are those of the object, except for what actions of Helm
write. A line is reported only if no other line can be that of the field.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from drift.documents.parse import read_documents
from drift.errors import DriftError
from drift.objects import Json, Manifest, as_object

_ACTION: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)
#: Stands for each character of an action.
_HIDDEN: Final = "\0"
_MARKER: Final = re.compile(r"---(?:\s|$)")
_DASHES: Final = re.compile(r"(?: *- +)*(?: *-$)?")
_KEY: Final = re.compile(r"""(?P<space> *)(?P<quote>["']?)(?P<key>[\w./$-]+)(?P=quote) *:(?:\s+(?P<value>.*))?$""")
#: The lines of a block scalar are not keys.
_BLOCK: Final = re.compile(r"[|>][-+0-9]*(?:\s+#.*)?")


@dataclass(slots=True)
class _Item:
    """An item of a list.

    Attributes:
        name: The text of its ``name``, if the template has it.
    """

    name: str | None = None


@dataclass(frozen=True, slots=True)
class _Key:
    """A key on a line.

    Attributes:
        line: Counted from 1.
        path: The keys and list items above it, and itself.
        value: The rest of the line.
    """

    line: int
    path: "tuple[str | _Item, ...]"
    value: str


@dataclass(slots=True)
class _Object:
    """The lines with keys between two document markers of a template."""

    keys: list[_Key] = field(default_factory=list)

    @property
    def name(self) -> str | None:
        """The name of the object as in the template; None if only an action writes it."""
        return self.value("metadata", "name")

    def value(self, *path: str) -> str | None:
        """The text of the first key at a path; None if the template does not have it."""
        return next((key.value for key in self.keys if key.path == path), None)

    def may_be(self, kind: str, name: str) -> bool:
        """Whether it may be rendered as an object of this kind and name."""
        return self.value("kind") in {kind, f'"{kind}"'} and _may_be(self.name, name)


def object_line(template: bytes, kind: str, name: str) -> int | None:
    """Returns the line of the kind of an object, counted from 1; None if it is not known.

    Args:
        template: The text of the template.
        kind: The kind of the object.
        name: The name of the object.
    """
    found = _object(template, kind, name)
    return None if found is None else next(key.line for key in found.keys if key.path == ("kind",))


def line_in_template(template: bytes, manifest: Manifest, path: Sequence[str | int]) -> int | None:
    """Returns the line of a field, counted from 1; None if it is not known.

    Args:
        template: The text of the template.
        manifest: The object that it renders.
        path: The keys and list indexes that lead to the field.
    """
    found = _object(template, manifest.kind, manifest.name)
    fits = [(key.line, _fit(key, path, manifest.body)) for key in found.keys] if found is not None else []
    # The same holds for the items of a list.
    best = max((fit for _, fit in fits if fit is not None), default=None)
    lines = {line for line, fit in fits if fit is not None and fit == best}
    return lines.pop() if len(lines) == 1 else None


def _object(template: bytes, kind: str, name: str) -> _Object | None:
    found = [one for one in _objects(template) if one.may_be(kind, name)]
    # An exact name wins over one that an action may render.
    found = [one for one in found if one.name == name] or found
    return found[0] if len(found) == 1 else None


def _fit(key: _Key, path: Sequence[str | int], body: Json) -> int | None:
    """Returns how many list items on the path of a key match by name; None if it is not the key of the field."""
    fit = 0
    if len(key.path) != len(path):
        return None
    for part, step in zip(key.path, path, strict=True):
        if isinstance(part, str):
            if part != step:
                return None
            body = as_object(body).get(part)
        else:
            body = body[step] if isinstance(step, int) and isinstance(body, list) and step < len(body) else None
            name = as_object(body).get("name")
            if body is None or not _may_be(part.name, name):
                return None
            fit += part.name is not None and part.name == name
    return fit if _may_be(key.value or None, body) else None


def _may_be(text: str | None, value: Json) -> bool:
    """Whether a text in a template may be rendered as a value."""
    if text is None or not isinstance(value, str | int | float) or _BLOCK.fullmatch(text):
        return True
    parts = re.split(f"{_HIDDEN}+", text.partition(" #")[0].strip().strip("\"'"))
    written = str(value).lower() if isinstance(value, bool) else str(value)
    return re.fullmatch(".*".join(map(re.escape, parts)), written, re.DOTALL) is not None


@lru_cache(16)
def _objects(template: bytes) -> tuple[_Object, ...]:
    return tuple(_read(template))


def _read(template: bytes) -> Iterator[_Object]:
    text = _ACTION.sub(lambda found: re.sub(r"[^\n]", _HIDDEN, found[0]), template.decode("utf-8", "replace"))
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), start=1):
        if _MARKER.match(line):
            yield reader.found
            reader = _Reader()
        reader.add(number, line.rstrip())
    yield reader.found


class _Reader:
    """Reads the keys of one object, line by line."""

    def __init__(self) -> None:
        self.found = _Object()
        #: Where the reader is: keys with their columns, and items of lists.
        self._above: list[tuple[int, str | _Item]] = []
        self._block_column: int | None = None

    def add(self, number: int, line: str) -> None:
        """Reads the next line."""
        text = line.lstrip(" ")
        column = len(line) - len(text)
        if not text.strip(_HIDDEN + " ") or (self._block_column is not None and column > self._block_column):
            return
        self._block_column = None
        if text.startswith("#"):
            return
        dashes = _DASHES.match(line)
        begin = dashes.end() if dashes is not None else 0
        for position in (index for index in range(begin) if line[index] == "-"):
            self._leave(position, keeps_key=True)
            self._above.append((position, _Item()))
        key = _KEY.match(line, begin)
        if key is None:
            self._add_flow(number, line[begin:])
            return
        column = begin + len(key["space"])
        self._leave(column)
        self._above.append((column, key["key"]))
        value = key["value"] or ""
        self._add(number, tuple(step for _, step in self._above), value)
        if _BLOCK.fullmatch(value):
            self._block_column = column
        elif value.startswith(("{", "[")):
            self._add_flow(number, value)

    def _leave(self, column: int, *, keeps_key: bool = False) -> None:
        """Leaves what a line at a column is not part of. The key of a list may be in the column of its dashes."""
        while self._above and (
            self._above[-1][0] > column
            or (self._above[-1][0] == column and not (keeps_key and isinstance(self._above[-1][1], str)))
        ):
            self._above.pop()

    def _add(self, number: int, path: tuple[str | _Item, ...], value: str) -> None:
        self.found.keys.append(_Key(number, path, value))
        if path[-1] == "name" and len(path) > 1 and isinstance(path[-2], _Item):
            path[-2].name = value

    def _add_flow(self, number: int, text: str) -> None:
        """Adds the keys of ``{a: b}`` and ``[{a: b}]`` on one line."""
        try:
            values = [document.value for document in read_documents(text.replace(_HIDDEN, "_").encode(), "")]
        except DriftError:
            return
        # A value that an action writes is not known.
        has_action = _HIDDEN in text
        for value in values if text.startswith(("{", "[")) else ():
            self._add_value(number, tuple(step for _, step in self._above), value, has_action=has_action)

    def _add_value(self, number: int, path: tuple[str | _Item, ...], value: Json, *, has_action: bool) -> None:
        for key, below in value.items() if isinstance(value, dict) else ():
            self._add(number, (*path, key), _HIDDEN if has_action else str(below))
            self._add_value(number, (*path, key), below, has_action=has_action)
        for below in value if isinstance(value, list) else ():
            self._add_value(number, (*path, _Item()), below, has_action=has_action)
