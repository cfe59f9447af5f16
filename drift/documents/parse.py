"""Parses YAML and JSON as kubectl does, with the position of each document and each error."""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from drift.documents import scalars
from drift.documents.document import Document
from drift.documents.fast_yaml import PlainDocument, begins_as_json, read_plain_documents
from drift.errors import ManifestError
from drift.model import Json

if TYPE_CHECKING:
    from drift.documents.exact_yaml import YamlReader

_INTEGER_BITS: Final = 64
#: A line that begins a document. A block scalar cannot contain one, because its lines are indented.
_MARKER: Final = re.compile(rb"^---(?=\s|\Z)", re.MULTILINE)
#: A line with content, other than a directive, a comment and a marker without content.
_CONTENT: Final = re.compile(rb"^(?!%|[ \t]*(?:#|\r?$)|---[ \t]*(?:#|\r?$))", re.MULTILINE)


def read_documents(text: bytes, name: str) -> Iterator[Document]:
    """Returns the documents of a file.

    Args:
        text: YAML or JSON in bytes. Like kubectl, it accepts several JSON values in a row.
        name: The name of the file, for errors.

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
    return _yaml_reader(name).read(text) if plain is None else number_documents(plain)


def read_valid_documents(text: bytes, name: str) -> Iterator[Document | ManifestError]:
    """Returns the documents of a file, and an error in place of each that cannot be read.

    Args:
        text: As for `read_documents`.
        name: As for `read_documents`.
    """
    try:
        yield from list(read_documents(text, name))
    except ManifestError as error:
        parts = split_documents(text)
        if not parts[1:]:
            yield error
            return
        reader = _yaml_reader(name)
        for line, part in parts:
            try:
                yield from list(reader.read(part, line))
            except ManifestError as problem:
                reader.number += 1
                yield problem


def split_documents(text: bytes) -> list[tuple[int, bytes]]:
    """Returns the texts of the documents in a YAML text, each with the number of lines before it."""
    starts = [0, *(marker.start() for marker in _MARKER.finditer(text)), len(text)]
    parts: list[tuple[int, bytes]] = []
    line = 0
    for number, (begin, end) in enumerate(pairwise(starts)):
        part = text[begin:end]
        # What precedes the first marker is a document only if it has content.
        if number > 0 or _CONTENT.search(part):
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


def _yaml_reader(name: str) -> "YamlReader":
    # Imported only here: most manifests are plain YAML, and PyYAML takes 10 ms to load.
    from drift.documents.exact_yaml import YamlReader  # noqa: PLC0415

    return YamlReader(name)
