"""A faster reader for plain YAML, which most manifests are.

Anything of which two readers could think differently is left to the exact one.

YAML has one grammar and many meanings: what ``on``, ``012`` or ``1_000`` stand for, which keys are merged, what a tag
does. The fast reader knows another YAML than kubectl; but where a text has none of what they disagree on, they read
the same. A cheap look at the text tells. It may take a harmless text for a doubtful one, never the other way round.
"""

import re
from typing import Final

import ryaml

from drift.model import Json

#: Line breaks of YAML that are none of ours, and marks that readers skip.
_BREAKS: Final = re.compile("[\r\x85\u2028\u2029\ufeff]")
#: A document that begins on the line of its marker, an end of a document, a directive.
_MARKERS: Final = re.compile(r"^(?:---[^\n]*[^\s#][^\n]*|\.\.\.|%)", re.MULTILINE)
_DOCUMENT: Final = re.compile(r"^---[^\n]*(?:\n|\Z)", re.MULTILINE)
_CONTENT: Final = re.compile(r"^[ \t]*[^\s#]", re.MULTILINE)
#: What a plain scalar, an anchor, an alias or a tag can follow, and what a plain scalar can end with.
_BEFORE: Final = r"(?:^|[:\-?][ \t]|[\]}\"']:|[\[{,])[ \t]*"
_AFTER: Final = r"[ \t]*(?:$|[#,\]}:])"
_WORDS: Final = r"[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|True|TRUE|False|FALSE|Null|NULL"
_NUMBERS: Final = (
    r"-0"
    r"|[-+]?0[0-9xXoObB_][0-9a-fA-FxXoO_]*"
    r"|[-+]?[1-9][0-9]{18,}"
    r"|[-+]?[0-9]++_[0-9_.eE+\-]*+"
    r"|[-+]?(?:[0-9]+\.[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9_]+)?"
    r"|[-+]?[0-9]+[eE][-+]?[0-9]+"
    r"|[-+]?\.(?:inf|Inf|INF|nan|NaN|NAN)"
)
_KEYS_THAT_ARE_NO_STRINGS: Final = r"(?:true|false|null|~|[-+]?[0-9]+)[ \t]*:(?:[\s,\]}]|$)"
#: What may mean something else to another reader, or nothing to it.
_DOUBTFUL: Final = re.compile(
    rf"{_BEFORE}(?:[&*!]|\+[0-9.]|<<[ \t]*:|\?(?:\s|$)|{_KEYS_THAT_ARE_NO_STRINGS}|(?:{_WORDS}|{_NUMBERS}){_AFTER})",
    re.MULTILINE,
)
#: With more, the time that reading takes may grow with their square.
_MOST_BRACKETS: Final = 5000
#: Lines that were looked at, as many as a few megabytes hold; what one file has, the next ones have too.
_MOST_REMEMBERED: Final = 100_000
_HARMLESS: Final[set[str]] = set()

#: The line that a document's content begins on, counted from 1, and the content.
PlainDocument = tuple[int, Json]


def begins_as_json(text: bytes) -> bool:
    """Whether a text is for the reader of JSON first."""
    return text.lstrip().startswith(b"{")


def read_plain_documents(text: bytes) -> list[PlainDocument] | None:
    """The documents of a YAML text, each with its line.

    Args:
        text: UTF-8.

    Returns:
        None where the text is not plain enough to be sure of its meaning, or is not valid: for the exact reader.
    """
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        return None
    if _is_doubtful(decoded):
        return None
    try:
        values = ryaml.loads_all(decoded)
    except (ValueError, RecursionError):
        return None
    lines = _first_lines(decoded)
    return list(zip(lines, values, strict=True)) if len(lines) == len(values) else None


def _is_doubtful(text: str) -> bool:
    if "\r" in text or (not text.isascii() and _BREAKS.search(text)):
        return True
    if _CONTENT.search(text) is None or text.count("[") + text.count("{") > _MOST_BRACKETS:
        return True
    # Whether a line is doubtful depends on nothing but the line, and most lines occur many times.
    new = set(text.split("\n")) - _HARMLESS
    lines = "\n".join(new)
    if _MARKERS.search(lines) is not None or _DOUBTFUL.search(lines) is not None:
        return True
    if len(_HARMLESS) < _MOST_REMEMBERED:
        _HARMLESS.update(new)
    return False


def _first_lines(text: str) -> list[int]:
    """The line on which the content of each document begins; of an empty one, that after its marker."""
    markers = list(_DOCUMENT.finditer(text))
    starts = [0, *(marker.end() for marker in markers)]
    ends = [*(marker.start() for marker in markers), len(text)]
    lines: list[int] = []
    line, counted = 1, 0
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        content = _CONTENT.search(text, start, end)
        if content is None and number == 0:
            # What stands before the first marker is a document only if it says something.
            continue
        begin = start if content is None else content.end() - 1
        line += text.count("\n", counted, begin)
        counted = begin
        lines.append(line)
    return lines
