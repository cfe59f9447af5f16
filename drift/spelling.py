"""Suggestions for mistyped words in error messages."""

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, known: Iterable[str]) -> list[str]:
    """Returns up to three known words that resemble this one, best match first, ignoring case."""
    words = {name.lower(): name for name in sorted(known)}
    return [words[found] for found in get_close_matches(word.lower(), words, n=3, cutoff=0.75)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns the end of an error message: ``; did you mean 'x'?``, or all known words if none is similar."""
    words = sorted(map(str, known))
    close = get_close_matches(word.lower(), words, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?"
    return f"; use one of {', '.join(words)}"
