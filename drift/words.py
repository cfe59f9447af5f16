"""Parts of sentences: counted nouns, shortened lists, times, and suggestions for mistyped words."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime


def plural(count: int, noun: str) -> str:
    """Returns ``1 object`` or ``2 objects``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def first_few(names: Sequence[str], most: int) -> str:
    """Returns ``a, b and 3 more``: the first names, and how many others there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def rfc3339(time: datetime) -> str:
    """Returns a time with a zone as RFC 3339, in UTC and to the second, as Kubernetes writes it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_ms(time: datetime) -> str:
    """Returns a time with a zone as RFC 3339, in UTC and with milliseconds, as the history stores it."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
