"""Suggestions for a mistyped word, in one wording for every message."""

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, known: Iterable[str]) -> list[str]:
    """Up to three of the known words that are close to this one, the closest first; capital letters do not matter."""
    words = {name.lower(): name for name in sorted(known)}
    return [words[found] for found in get_close_matches(word.lower(), words, n=3, cutoff=0.75)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message on an unknown word: ``; did you mean 'x'?``, or all the known ones where none is close."""
    words = sorted(map(str, known))
    close = get_close_matches(word.lower(), words, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?"
    return f"; there are {', '.join(words)}"
