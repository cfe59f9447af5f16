"""Globs for names and for the paths of findings, as used in ignore rules and severity rules.

A path glob has the syntax of paths in a report, so that a path can be copied from there:

    spec.replicas                  that field only
    *                              one field or key (also a part of a name: ``max*``)
    **                             any number of fields, keys and list items, also zero
    ["example.com/*"]              a key that is not a plain word, quoted as in a report
    [] or [*]                      any one item of a list
    [name=web], [port=80]          a list item by its key, as in a report; the values are globs
    [=value]                       a member of a set
    (empty)                        the object as a whole: missing, or unmanaged

It must match the whole path: ``spec.template`` does not match the fields below, ``spec.template.**`` does. A backslash
escapes an asterisk.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

_QUOTED: Final = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
_WORD: Final = r'(?:\*\*|(?:[^.\[\]"\s*\\]|\\[*\\]|\*(?!\*))+)'
_PAIR: Final = rf'[A-Za-z0-9_-]*=(?:{_QUOTED}|[^\s\[\],"=]+)'
_ITEM: Final = rf"\[(?:\*?|{_PAIR}(?:,{_PAIR})*)\]"
#: The syntax of a path glob, also used in the JSON Schema. (Python's ``$`` also matches before a final line break.)
PATH_GRAMMAR: Final = rf"^(?:(?:{_WORD}|\[{_QUOTED}\])(?:\.{_WORD}|\[{_QUOTED}\]|{_ITEM})*)?(?!\n)$"

_PATH: Final = re.compile(PATH_GRAMMAR)
_ELEMENT: Final = re.compile(rf"\.?(?P<word>{_WORD})|\[(?P<quoted>{_QUOTED})\]|(?P<item>{_ITEM})")
_KEY: Final = re.compile(rf'(?P<field>[A-Za-z0-9_-]*)=(?P<value>{_QUOTED}|[^\s\[\],"=]+)')
# Paths are encoded for matching: every element begins with one of the first two characters, every pair of an item's key
# ends with the third. No name in Kubernetes contains them.
_FIELD_START: Final = "\x00"
_ITEM_START: Final = "\x01"
_PAIR_END: Final = "\x02"
_IN_PAIR: Final = f"[^{_FIELD_START}{_ITEM_START}{_PAIR_END}]*"
_ONE: Final = f"[^{_FIELD_START}{_ITEM_START}]*"
_ANY_NUMBER: Final = f"(?:[{_FIELD_START}{_ITEM_START}]{_ONE})*"
_EVERY: Final = re.compile(".*", re.DOTALL)
_STAR: Final = re.compile(r"\\([*\\])|(\*)")
_FILE_PART: Final = re.compile(r"(\*\*/|\*\*|\*|\?)")
_FILE_PARTS: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class Glob:
    r"""A glob for a name: ``*`` matches any characters, ``\*`` an asterisk.

    Attributes:
        text: As written.
    """

    text: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(_translate(self.text, ".*"), re.DOTALL)

    def matches(self, name: str) -> bool:
        """Returns whether it matches the whole name."""
        return name == self.text or (("*" in self.text) and self._pattern.fullmatch(name) is not None)


@dataclass(frozen=True)
class PathGlob:
    """A glob for the paths of findings; the module describes the syntax.

    Attributes:
        text: As written.

    Raises:
        ValueError: The syntax is invalid.
    """

    text: str

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.text):
            raise ValueError(f"{self.text!r} is not a path; write it as in a report, for example spec.items[name=x].*")

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What matches an encoded path."""
        pattern = "".join(map(_element_pattern, _ELEMENT.finditer(self.text)))
        # A path copied from a report matches itself, also if the glob reads a backslash in it as an escape.
        return re.compile(f"{pattern}|{re.escape(_encode(self.text))}" if "\\" in self.text else pattern, re.DOTALL)

    def matches(self, path: str) -> bool:
        """Returns whether it matches a path in the format of `drift.paths.render`."""
        return self.pattern.fullmatch(_encode(path)) is not None


class PathGlobs:
    """Path globs in an order. Finds the first match faster than one glob after the other would.

    Args:
        globs: The globs; None matches every path.
    """

    def __init__(self, globs: Iterable[PathGlob | None]) -> None:
        self._matchers = [_EVERY.fullmatch if glob is None else glob.pattern.fullmatch for glob in globs]

    def first(self, path: str) -> int | None:
        """Returns the index of the first glob that matches a path, or None."""
        encoded = _encode(path)
        return next((index for index, matches in enumerate(self._matchers) if matches(encoded)), None)


@dataclass(frozen=True)
class FileGlob:
    """A glob for files and folders: ``*`` and ``?`` match within a name, ``**`` any number of folders.

    A folder that matches includes everything below it. A glob without ``/`` matches a name at any depth.

    Attributes:
        text: As written.
    """

    text: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        text = self.text.removeprefix("./").rstrip("/")
        start = "" if "/" in text else "(?:.*/)?"
        parts = (_FILE_PARTS.get(part, re.escape(part)) for part in _FILE_PART.split(text.removeprefix("/")))
        return re.compile(f"{start}{''.join(parts)}(?:/.*)?", re.DOTALL)

    def matches(self, path: str) -> bool:
        """Returns whether it matches a path, given without a leading ``/``, or one of the folders in it."""
        return self._pattern.fullmatch(path) is not None


def escape(name: str) -> str:
    """Returns the glob that matches only this name."""
    return name.replace("\\", "\\\\").replace("*", "\\*") if "*" in name else name


def escape_path(path: str) -> str:
    """Returns the path glob that matches only this path."""
    # In the path of a finding, asterisks and backslashes occur only within JSON strings.
    return path.replace(r"\\", r"\\\\").replace("*", r"\\*")


def _translate(glob: str, star: str) -> str:
    pattern, position = "", 0
    for found in _STAR.finditer(glob):
        pattern += re.escape(glob[position : found.start()])
        pattern += star if found[2] else re.escape(found[1])
        position = found.end()
    return pattern + re.escape(glob[position:])


def _element_pattern(element: re.Match[str]) -> str:
    word, quoted, item = element["word"], element["quoted"], element["item"]
    if word == "**":
        return _ANY_NUMBER
    if item is None:
        return _FIELD_START + _translate(json.loads(quoted) if quoted else word, _ONE)
    pairs = "".join(
        # The pairs of a key may be in any order, and a glob may leave some out.
        f"(?=(?:{_ONE}{_PAIR_END})?{pair['field']}={_translate(_value(pair), _IN_PAIR)}{_PAIR_END})"
        for pair in _KEY.finditer(item)
    )
    return f"{_ITEM_START}{pairs}{_ONE}"


def _value(pair: re.Match[str]) -> str:
    value: str = json.loads(pair["value"]) if pair["value"].startswith('"') else pair["value"]
    return value


@lru_cache(maxsize=4096)
def _encode(path: str) -> str:
    encoded = ""
    for element in _ELEMENT.finditer(path):
        if element["item"] is None:
            encoded += _FIELD_START + (json.loads(element["quoted"]) if element["quoted"] else element["word"])
        else:
            pairs = _KEY.finditer(element["item"])
            encoded += _ITEM_START + "".join(f"{pair['field']}={_value(pair)}{_PAIR_END}" for pair in pairs)
    return encoded
