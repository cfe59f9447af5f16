"""Renders explanations as text, folded for a terminal."""

import textwrap
from collections.abc import Iterable

from drift.errors import UsageError
from drift.explain.terms import Term, all_terms
from drift.spelling import did_you_mean


def explain(name: str, width: int) -> str:
    """Returns the explanation of a term, in each of its meanings.

    Args:
        name: The term; case does not matter, and spaces count as hyphens.
        width: Columns to fold at.

    Raises:
        UsageError: The term is unknown.
    """
    normalized = "-".join(name.lower().split())
    found = [term for term in all_terms() if term.name == normalized]
    if not found:
        known = {term.name for term in all_terms()}
        raise UsageError(f"{name!r} is not a term{did_you_mean(normalized, known)}")
    return "\n".join(_meaning(term, width) for term in found)


def list_terms(width: int) -> str:
    """Returns all terms by topic."""
    topics: dict[str, list[str]] = {}
    for term in all_terms():
        topics.setdefault(term.topic, []).append(term.name)
    lines = ["`drift explain TERM` explains one of these:", ""]
    for topic, names in topics.items():
        lines += [topic, _fold(", ".join(names), width, "  "), ""]
    return "\n".join(lines[:-1]) + "\n"


def _meaning(term: Term, width: int) -> str:
    lines = [f"{term.name} ({term.topic})", _fold(term.text, width, "  ")]
    if term.rows:
        lines += ["", *_table(term.rows, width)]
    return "\n".join(lines) + "\n"


def _table(rows: Iterable[tuple[str, str]], width: int) -> Iterable[str]:
    for left, right in rows:
        yield _fold(left, width, "    ")
        if right:
            yield _fold(right, width, "        ")


def _fold(text: str, width: int, indent: str) -> str:
    # Paths are not broken, so that they can be copied.
    return textwrap.fill(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
