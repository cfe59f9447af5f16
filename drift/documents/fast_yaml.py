"""A fast reader for plain YAML, which most manifests are. Everything else is left to `drift.documents.parse`.

YAML libraries disagree about ``on``, ``012`` or ``1_000``, merge keys and tags, and this one disagrees with kubectl.
A cheap check rejects every text that contains one of these. It may reject a harmless text, but it never accepts an
ambiguous one.
"""

import re
from typing import Final

import orjson
import ryaml

from drift.model import Json

#: Line breaks other than a newline, and byte order marks.
_BREAKS: Final = re.compile("[\r\x85\u2028\u2029\ufeff]")
#: Content on the line of a document marker, an end-of-document marker, a directive.
_MARKERS: Final = re.compile(r"^(?:---[^\n]*[^\s#][^\n]*|\.\.\.|%)", re.MULTILINE)
_DOCUMENT: Final = re.compile(r"^---[^\n]*(?:\n|\Z)", re.MULTILINE)
_CONTENT: Final = re.compile(r"^[ \t]*[^\s#]", re.MULTILINE)
#: What can come before a plain scalar, an anchor, an alias or a tag, and what can come after a plain scalar.
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
_NON_STRING_KEYS: Final = r"(?:true|false|null|~|[-+]?[0-9]+)[ \t]*:(?:[\s,\]}]|$)"
#: What YAML readers interpret differently or do not support.
_AMBIGUOUS: Final = re.compile(
    rf"{_BEFORE}(?:[&*!]|\+[0-9.]|<<[ \t]*:|\?(?:\s|$)|{_NON_STRING_KEYS}|(?:{_WORDS}|{_NUMBERS}){_AFTER})",
    re.MULTILINE,
)
#: With more brackets, the reading time may grow quadratically.
_MAX_BRACKETS: Final = 5000
#: A cache of lines that passed the check, because most files of a folder share many lines.
_CHECKED_LINES: Final[set[str]] = set()
_MAX_CHECKED_LINES: Final = 100_000

#: The line on which a document's content begins, counted_to from 1, and the content.
PlainDocument = tuple[int, Json]


def begins_as_json(text: bytes) -> bool:
    """Whether a text is probably JSON."""
    return text.lstrip().startswith(b"{")


def read_plain_documents(text: bytes) -> list[PlainDocument] | None:
    """Returns the documents of a UTF-8 text, or None if the text is ambiguous or not valid YAML."""
    documents = parse_plain_documents(text)
    try:
        # orjson makes one string of equal keys. ryaml does not, and a fleet would take a third more memory.
        return None if documents is None else [(line, value) for line, value in orjson.loads(orjson.dumps(documents))]
    except TypeError:
        # Half of a surrogate pair, or nested too deep for orjson.
        return None


def parse_plain_documents(text: bytes) -> list[PlainDocument] | None:
    """Returns the documents like `read_plain_documents`, but JSON may be unable to represent them."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        return None
    if _is_ambiguous(decoded):
        return None
    try:
        values = ryaml.loads_all(decoded)
    except (ValueError, TypeError, RecursionError):
        return None
    lines = _first_lines(decoded)
    return list(zip(lines, values, strict=True)) if len(lines) == len(values) else None


def _is_ambiguous(text: str) -> bool:
    if "\r" in text or (not text.isascii() and _BREAKS.search(text)):
        return True
    if _CONTENT.search(text) is None or text.count("[") + text.count("{") > _MAX_BRACKETS:
        return True
    # The check looks at each line separately, and most lines occur many times.
    new = set(text.split("\n")) - _CHECKED_LINES
    lines = "\n".join(new)
    if _MARKERS.search(lines) is not None or _AMBIGUOUS.search(lines) is not None:
        return True
    if len(_CHECKED_LINES) < _MAX_CHECKED_LINES:
        _CHECKED_LINES.update(new)
    return False


def _first_lines(text: str) -> list[int]:
    """Returns the first line of content of each document; for an empty document, the line after its marker."""
    markers = list(_DOCUMENT.finditer(text))
    starts = [0, *(marker.end() for marker in markers)]
    ends = [*(marker.start() for marker in markers), len(text)]
    lines: list[int] = []
    line, counted_to = 1, 0
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        content = _CONTENT.search(text, start, end)
        if content is None and number == 0:
            # Text before the first marker is a document only if it has content.
            continue
        begin = start if content is None else content.end() - 1
        line += text.count("\n", counted_to, begin)
        counted_to = begin
        lines.append(line)
    return lines
