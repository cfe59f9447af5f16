"""The part of a value that differs from its counterpart, to be highlighted inside a line. Pure functions."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

#: Words, runs of spaces, and single characters between them: half a word is hard to read.
_TOKEN: Final = re.compile(r"\w+|\s+|.", re.DOTALL)
#: If more tokens differ, equal ones among them are not matched: that takes long and helps little.
_MAX_MATCHED: Final = 40

#: A text in pieces: the first equals the other text, the next differs, and so on by turns. Joined, they are the text.
Pieces = tuple[str, ...]


def differing_pieces(desired: str, live: str) -> tuple[Pieces, Pieces]:
    """Returns both texts in pieces that are equal and different by turns; one piece if they share no word."""
    left, right = _TOKEN.findall(desired), _TOKEN.findall(live)
    head = _common(left, right)
    tail = _common(left[head:][::-1], right[head:][::-1])
    opcodes = _opcodes(left, right, head, tail)
    if not any(tag == "equal" and _has_word(left[start:end]) for tag, start, end, _, _ in opcodes):
        return (desired,), (live,)
    return (
        _pieces(left, [(tag, start, end) for tag, start, end, _, _ in opcodes]),
        _pieces(right, [(tag, start, end) for tag, _, _, start, end in opcodes]),
    )


_Opcode = tuple[str, int, int, int, int]


def _opcodes(left: Sequence[str], right: Sequence[str], head: int, tail: int) -> Sequence[_Opcode]:
    left_end, right_end = len(left) - tail, len(right) - tail
    inner: Sequence[_Opcode] = [("replace", head, left_end, head, right_end)]
    git, live = left[head:left_end], right[head:right_end]
    # Most values differ in one place.
    if max(len(git), len(live)) <= _MAX_MATCHED and not set(git).isdisjoint(live):
        matcher = SequenceMatcher(None, git, live, autojunk=False)
        inner = [(tag, a + head, b + head, c + head, d + head) for tag, a, b, c, d in matcher.get_opcodes()]
    return [("equal", 0, head, 0, head), *inner, ("equal", left_end, len(left), right_end, len(right))]


def _common(tokens: Sequence[str], others: Sequence[str]) -> int:
    """Returns how many tokens at the beginning are equal."""
    pairs = zip(tokens, others, strict=False)
    return next((index for index, (one, two) in enumerate(pairs) if one != two), min(len(tokens), len(others)))


def _has_word(tokens: Sequence[str]) -> bool:
    return any(token[0].isalnum() for token in tokens)


def _pieces(tokens: Sequence[str], spans: Sequence[tuple[str, int, int]]) -> Pieces:
    pieces = [""]
    for tag, start, end in spans:
        text = "".join(tokens[start:end])
        # The pieces at even positions are the equal ones.
        if text and (tag == "equal") != (len(pieces) % 2 == 1):
            pieces.append("")
        pieces[-1] += text
    return tuple(pieces)
