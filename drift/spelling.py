"""Suggestions for a mistyped word, in one wording for every message."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message on an unknown word: ``; did you mean 'x'?``, or all the known ones where none is close."""
    words = sorted(map(str, known))
    close = get_close_matches(word.lower(), words, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?"
    return f"; there are {', '.join(words)}"
