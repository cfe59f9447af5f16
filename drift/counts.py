"""Counted nouns and shortened lists in sentences."""

from collections.abc import Sequence


def plural(count: int, noun: str) -> str:
    """Returns ``1 object`` or ``2 objects``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def first_few(names: Sequence[str], most: int) -> str:
    """Returns ``a, b and 3 more``: the first names, and how many others there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
