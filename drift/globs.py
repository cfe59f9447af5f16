"""Globs over names and over the paths of findings: the one matching language of ignore rules and of severity.

A path glob is written like the path of a finding, so that a path from a report can be pasted:

    spec.replicas                  that field alone
    *                              one field or key (also as a part of a name: ``max*``)
    **                             any number of fields, keys and list items, none included
    ["example.com/*"]              a key that is not a plain word, quoted as in a report
    [] or [*]                      any one item of a list
    [name=web], [port=80]          the items of a list by what the report names them by; the values are globs
    [=value]                       the members of a set
    (empty)                        the object as a whole: missing, or unmanaged

It has to match a whole path: ``spec.template`` does not cover what is below, ``spec.template.**`` does. A backslash
before an asterisk stands for the asterisk itself.
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

_QUOTED: Final = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
_WORD: Final = r'(?:\*\*|(?:[^.\[\]"\s*\\]|\\[*\\]|\*(?!\*))+)'
_PAIR: Final = rf'[A-Za-z0-9_-]*=(?:{_QUOTED}|[^\s\[\],"=]+)'
_ITEM: Final = rf"\[(?:\*?|{_PAIR}(?:,{_PAIR})*)\]"
#: What a path glob looks like, for a JSON Schema as well. (Python's ``$`` also matches before a last line break.)
PATH_GRAMMAR: Final = rf"^(?:(?:{_WORD}|\[{_QUOTED}\])(?:\.{_WORD}|\[{_QUOTED}\]|{_ITEM})*)?(?!\n)$"

_PATH: Final = re.compile(PATH_GRAMMAR)
_ELEMENT: Final = re.compile(rf"\.?(?P<word>{_WORD})|\[(?P<quoted>{_QUOTED})\]|(?P<item>{_ITEM})")
_KEY: Final = re.compile(rf'(?P<field>[A-Za-z0-9_-]*)=(?P<value>{_QUOTED}|[^\s\[\],"=]+)')
# How a path is encoded for matching: every element begins with one of the first two, every pair of an item's key ends
# with the third. No name of Kubernetes contains them.
_FIELD: Final = "\x00"
_ITEM_MARK: Final = "\x01"
_END: Final = "\x02"
_ONE: Final = f"[^{_FIELD}{_ITEM_MARK}]*"
_ANY_NUMBER: Final = f"(?:[{_FIELD}{_ITEM_MARK}]{_ONE})*"
_STAR: Final = re.compile(r"\\([*\\])|(\*)")


@dataclass(frozen=True)
class Glob:
    r"""A glob over a name: ``*`` stands for any characters, ``\*`` for an asterisk.

    Attributes:
        text: As written.
    """

    text: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(_translate(self.text, ".*"), re.DOTALL)

    def matches(self, name: str) -> bool:
        """Whether it covers a whole name."""
        return name == self.text or (("*" in self.text) and self._pattern.fullmatch(name) is not None)


@dataclass(frozen=True)
class PathGlob:
    """A glob over the paths of findings, as this module describes.

    Attributes:
        text: As written.

    Raises:
        ValueError: It is not written as one.
    """

    text: str

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.text):
            raise ValueError(f"{self.text!r} is not a path; write it like the paths in a report: spec.items[name=x].*")

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("".join(map(_element_pattern, _ELEMENT.finditer(self.text))), re.DOTALL)

    def matches(self, path: str) -> bool:
        """Whether it covers a path as `drift.paths.render` writes it."""
        return path == self.text or self._pattern.fullmatch(_encode(path)) is not None


def escape(name: str) -> str:
    """The glob that covers this name alone."""
    return name.replace("\\", "\\\\").replace("*", "\\*") if "*" in name else name


def escape_path(path: str) -> str:
    """The path glob that covers this path alone."""
    # In the path of a finding, asterisks and backslashes stand only within quotes, which are JSON's.
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
        return _FIELD + _translate(json.loads(quoted) if quoted else word, _ONE)
    pairs = "".join(
        # The pairs of a key are free to stand in any order, and a glob need not name all of them.
        f"(?=(?:{_ONE}{_END})?{pair['field']}={_translate(_value(pair), f'[^{_FIELD}{_ITEM_MARK}{_END}]*')}{_END})"
        for pair in _KEY.finditer(item)
    )
    return f"{_ITEM_MARK}{pairs}{_ONE}"


def _value(pair: re.Match[str]) -> str:
    value: str = json.loads(pair["value"]) if pair["value"].startswith('"') else pair["value"]
    return value


@lru_cache(maxsize=4096)
def _encode(path: str) -> str:
    encoded = ""
    for element in _ELEMENT.finditer(path):
        if element["item"] is None:
            encoded += _FIELD + (json.loads(element["quoted"]) if element["quoted"] else element["word"])
        else:
            pairs = _KEY.finditer(element["item"])
            encoded += _ITEM_MARK + "".join(f"{pair['field']}={_value(pair)}{_END}" for pair in pairs)
    return encoded
