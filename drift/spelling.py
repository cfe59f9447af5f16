"""Suggestions for mistyped words in error messages."""

from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> list[str]:
    """Returns up to three known words that resemble this one, best match first, ignoring case."""
    words = {name.lower(): name for name in sorted(known)}
    return [words[found] for found in _similar(word, words, cutoff=0.75)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns the end of an error message: ``; did you mean 'x'?``, or all known words if none is similar."""
    words = sorted(map(str, known))
    return suggestion(_similar(word, words, cutoff=0.6)) or f"; use one of {', '.join(words)}"


def suggestion(words: Iterable[str]) -> str:
    """Returns the end of an error message: ``; did you mean 'x' or 'y'?``, or nothing if there are no words."""
    quoted = " or ".join(map(repr, words))
    return f"; did you mean {quoted}?" if quoted else ""


def _similar(word: str, known: Iterable[str], cutoff: float) -> list[str]:
    # Imported only here, so that a run without a mistake starts fast.
    from difflib import get_close_matches  # noqa: PLC0415

    return get_close_matches(word.lower(), list(known), n=3, cutoff=cutoff)
