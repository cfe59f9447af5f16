"""Reads YAML and JSON as kubectl does, and edits YAML."""

from dataclasses import dataclass

from drift.objects import Json


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file.

    Attributes:
        number: Counted from 1, including empty documents.
        line: Where the content begins, counted from 1.
        value: The content; None for an empty document.
        repeated_keys: The lines of keys that the same mapping has before. As for kubectl, the last one wins.
    """

    number: int
    line: int
    value: Json
    repeated_keys: tuple[int, ...] = ()
