"""Parses YAML and JSON as kubectl does, with the position of each document and each error.

Most manifests are plain YAML, which a fast library reads. That library does not read ``on``, ``012`` or ``1_000``,
merge keys and tags as kubectl does. A cheap check finds every text that contains one of these and leaves it to
`drift.documents.exact_yaml`. It may reject a harmless text, but it never accepts an ambiguous one.
"""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import orjson
import ryaml

from drift.documents import Document, scalars
from drift.errors import ManifestError
from drift.objects import Json

if TYPE_CHECKING:
    from drift.documents.exact_yaml import YamlReader


#: Line breaks other than a newline, and byte order marks.
_BREAKS: Final = re.compile("[\r\x85\u2028\u2029\ufeff]")
#: Content on the line of a document marker, an end-of-document marker, a directive.
_UNUSUAL_MARKERS: Final = re.compile(r"^(?:---[^\n]*[^\s#][^\n]*|\.\.\.|%)", re.MULTILINE)
_MARKER_LINE: Final = re.compile(r"\n---[^\n]*")
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
    r"|[-+]?(?:[0-9]+\.[0-9_]*|\.[0-9_]+)(?:[eE][-+0-9_]+)?"
    r"|[-+]?[0-9]+[eE][-+0-9_]+"
    r"|[-+]_[0-9a-fA-FxXoO_.+\-]+"
    r"|[-+]?\.(?:inf|Inf|INF|nan|NaN|NAN)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ][-+:.0-9]+Z?)?"
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
_INTEGER_BITS: Final = 64
#: A line that begins a document. A block scalar cannot contain one, because its lines are indented.
_DOCUMENT_START: Final = re.compile(rb"^---(?=\s|\Z)", re.MULTILINE)
#: A line with content, other than a directive, a comment and a marker without content.
_CONTENT_LINE: Final = re.compile(rb"^(?!%|[ \t]*(?:#|\r?$)|---[ \t]*(?:#|\r?$))", re.MULTILINE)

#: The line on which a document's content begins, counted from 1, and the content.
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
    if _UNUSUAL_MARKERS.search(lines) is not None or _AMBIGUOUS.search(lines) is not None:
        return True
    if len(_CHECKED_LINES) < _MAX_CHECKED_LINES:
        _CHECKED_LINES.update(new)
    return False


def _first_lines(text: str) -> list[int]:
    """Returns the first line of content of each document; for an empty document, the line after its marker."""
    text = f"\n{text}"
    markers = list(_MARKER_LINE.finditer(text))
    starts = [0, *(marker.end() for marker in markers)]
    ends = [*(marker.start() for marker in markers), len(text)]
    lines: list[int] = []
    line, counted_to = 0, 0
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        content = _CONTENT.search(text, start, end)
        if content is None and number == 0:
            # Text before the first marker is a document only if it has content.
            continue
        begin = start + 1 if content is None else content.end() - 1
        line += text.count("\n", counted_to, begin)
        counted_to = begin
        lines.append(line)
    return lines


def read_documents(text: bytes, name: str, *, by_kustomize: bool = False) -> Iterator[Document]:
    """Returns the documents of a file.

    Args:
        text: YAML or JSON in bytes. Like kubectl, it accepts several JSON values in a row.
        name: The name of the file, for errors.
        by_kustomize: Whether kustomize builds the file before kubectl reads it. kustomize reads some words and dates as
            strings.

    Raises:
        ManifestError: The text is not valid, is nested too deep, or its aliases expand too far.
    """
    if begins_as_json(text):
        try:
            return iter(list(_read_json(text, name)))
        except ValueError:
            # It may be YAML in flow style, which also begins with a brace.
            pass
    plain = read_plain_documents(text)
    return _yaml_reader(name, by_kustomize=by_kustomize).read(text) if plain is None else number_documents(plain)


def read_valid_documents(text: bytes, name: str, *, by_kustomize: bool = False) -> Iterator[Document | ManifestError]:
    """Like `read_documents`, but yields an error in place of each document that cannot be read."""
    try:
        yield from list(read_documents(text, name, by_kustomize=by_kustomize))
    except ManifestError as error:
        parts = split_documents(text)
        if not parts[1:]:
            yield error
            return
        reader = _yaml_reader(name, by_kustomize=by_kustomize)
        for line, part in parts:
            try:
                yield from list(reader.read(part, line))
            except ManifestError as problem:
                reader.number += 1
                yield problem


def split_documents(text: bytes) -> list[tuple[int, bytes]]:
    """Returns the texts of the documents in a YAML text, each with the number of lines before it."""
    starts = [0, *(marker.start() for marker in _DOCUMENT_START.finditer(text)), len(text)]
    parts: list[tuple[int, bytes]] = []
    line = 0
    for number, (begin, end) in enumerate(pairwise(starts)):
        part = text[begin:end]
        # What precedes the first marker is a document only if it has content.
        if number > 0 or _CONTENT_LINE.search(part):
            parts.append((line, part))
        line += part.count(b"\n")
    return parts


def number_documents(plain: Iterable[PlainDocument]) -> Iterator[Document]:
    """Numbers the documents of one file."""
    return (Document(number, line, value) for number, (line, value) in enumerate(plain, start=1))


def _read_json(text: bytes, name: str) -> Iterator[Document]:
    repeats: list[bool] = []

    def pairs(found: list[tuple[str, Json]]) -> dict[str, Json]:
        values = dict(found)
        if len(values) != len(found):
            repeats.append(True)
        return values

    decoder = json.JSONDecoder(
        object_pairs_hook=pairs,
        parse_int=_json_integer,
        parse_float=_json_float,
        parse_constant=_no_constant,
    )
    decoded = text.decode()
    may_hold_surrogates = b"\\ud" in text.lower()
    position, number, end = 0, 0, len(decoded)
    while True:
        while position < end and decoded[position] in " \t\r\n":
            position += 1
        if position == end:
            return
        number += 1
        line = decoded.count("\n", 0, position) + 1
        begin = position
        try:
            value, position = decoder.raw_decode(decoded, position)
        except RecursionError:
            raise ValueError("nested too deep") from None
        if may_hold_surrogates:
            # Half of a surrogate pair is not a character and cannot be written to a report.
            json.dumps(value, ensure_ascii=False).encode()
        lines = _lines_of_repeated_keys(decoded[begin:position], line - 1, name) if repeats else ()
        repeats.clear()
        yield Document(number, line, value, lines)


def _lines_of_repeated_keys(text: str, lines_before: int, name: str) -> tuple[int, ...]:
    """Returns the lines of the repeated keys of a JSON value: the JSON decoder knows no positions."""
    try:
        return tuple(
            line for document in _yaml_reader(name).read(text.encode(), lines_before) for line in document.repeated_keys
        )
    except ManifestError:
        # JSON that is not YAML, for example indented with tabs.
        return (lines_before + 1,)


def _json_integer(text: str) -> int | float:
    number = int(text)
    return scalars.tidy_integer(number) if number.bit_length() <= _INTEGER_BITS else _json_float(text)


def _json_float(text: str) -> int | float:
    return scalars.tidy_float(float(text))


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _yaml_reader(name: str, *, by_kustomize: bool = False) -> "YamlReader":
    # Imported only here: most manifests are plain YAML, and PyYAML takes 10 ms to load.
    from drift.documents.exact_yaml import YamlReader  # noqa: PLC0415

    return YamlReader(name, by_kustomize=by_kustomize)
