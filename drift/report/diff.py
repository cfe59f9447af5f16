"""How the difference of two values is shown: on one line, as a line diff, and with the words that differ."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from functools import lru_cache
from typing import Final

from drift.documents.scalars import read_plain
from drift.model import Change, Finding
from drift.objects import Json
from drift.report.view import visible
from drift.words import plural

_WITHOUT_VALUES: Final = {
    Change.MISSING: "in Git, not in the cluster",
    Change.UNMANAGED: "in the cluster, not in Git",
    Change.REORDERED: "the same items in another order",
}
#: How many characters of a value are shown, and how many of these come before the first difference.
_MAX_VALUE: Final = 160
_BEFORE_DIFFERENCE: Final = 20
#: A structured value up to this many characters of JSON fits on the finding's own line.
_ONE_LINE: Final = 72
#: A structured value above this many characters of JSON gets no diff, only an excerpt.
_MAX_JSON: Final = 65_536
_CONTEXT: Final = 3
#: Lines shown for one finding, and consecutive lines of one side.
_MAX_LINES: Final = 40
_MAX_RUN: Final = 15
#: If more lines differ, equal lines among them are not matched: that takes long and helps little.
_MAX_MATCHED: Final = 500
_MAX_MATCHED_WORDS: Final = 40
_NO_NEWLINE: Final = "\\ no newline at the end"
#: Words, runs of spaces, and single characters between them: half a word is hard to read.
_TOKEN: Final = re.compile(r"\w+|\s+|.", re.DOTALL)
#: Longer scalars are not cached: they take memory and rarely repeat.
_MAX_CACHED: Final = 100
_PLAIN: Final = re.compile(r"[A-Za-z/](?:[A-Za-z0-9 ./_:@=,+-]*[A-Za-z0-9./_@=+-])?")

_Opcode = tuple[str, int, int, int, int]
#: A text in pieces: the first equals the other text, the next differs, and so on by turns. Joined, they are the text.
Pieces = tuple[str, ...]


class Mark(StrEnum):
    """The kind of a diff line."""

    BOTH = " "
    GIT = "-"
    LIVE = "+"
    HUNK = "@"
    LEFT_OUT = "."


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a diff.

    Attributes:
        mark: Its kind.
        text: The line, without control characters.
    """

    mark: Mark
    text: str

    def __str__(self) -> str:
        """Returns the line as in a unified diff."""
        return self.text if self.mark is Mark.HUNK else f"{'' if self.mark is Mark.LEFT_OUT else self.mark} {self.text}"


def what_differs(finding: Finding) -> str:
    """Returns the difference in one line, without its path."""
    return "".join(text for text, _ in what_differs_in_parts(finding))


def what_differs_in_parts(finding: Finding) -> Sequence[tuple[str, Mark | None]]:
    """Like `what_differs`, in parts: each text, and the side if it is a value."""
    if not has_values(finding):
        return [(_WITHOUT_VALUES.get(finding.change, f"{finding.change} (value not shown)"), None)]
    desired, live = excerpts(finding)
    git_part = [] if desired is None else [("Git ", None), (desired, Mark.GIT)]
    live_part = [] if live is None else [("live ", None), (live, Mark.LIVE)]
    if desired is None:
        return [*live_part, (", not in Git", None)]
    if live is None:
        return [*git_part, (", not in the cluster", None)]
    return [*git_part, (", ", None), *live_part]


def has_values(finding: Finding) -> bool:
    """Returns whether the finding has values that may be shown."""
    return finding.change not in _WITHOUT_VALUES and not finding.redacted


def excerpts(finding: Finding) -> tuple[str | None, str | None]:
    """Returns the desired and the live value on one line each; None for the side that lacks the field.

    Long values are cut around their first difference.
    """
    desired, live = _on_one_line(finding.desired), _on_one_line(finding.live)
    if finding.change is Change.ADDED:
        return None, _cut(live)
    if finding.change is Change.REMOVED:
        return _cut(desired), None
    start = _excerpt_start(desired, live)
    return _cut(desired, start), _cut(live, start)


def _on_one_line(value: Json) -> str:
    # Without quotes, it must not look like a number, a keyword or a text with spaces.
    is_plain = (
        isinstance(value, str)
        and value.isprintable()
        and " " not in value
        and value == value.strip()
        and any(map(str.isalpha, value))
        and value not in {"true", "false", "null"}
    )
    return visible(value if is_plain else json.dumps(value, ensure_ascii=False))


def _excerpt_start(text: str, other: str) -> int:
    """Returns where to cut two long texts so that both excerpts show their first difference."""
    if min(len(text), len(other)) <= _MAX_VALUE - _BEFORE_DIFFERENCE:
        return 0
    same = _equal_at_start(text, other)
    return same - _BEFORE_DIFFERENCE if same > _MAX_VALUE - _BEFORE_DIFFERENCE else 0


def _cut(text: str, start: int = 0) -> str:
    """Returns the part of a text that is shown, from ``start`` on, and the text's length if it is cut."""
    if start == 0 and len(text) <= _MAX_VALUE:
        return text
    before = "..." if start else ""
    after = "..." if start + _MAX_VALUE < len(text) else ""
    return f"{before}{text[start : start + _MAX_VALUE]}{after} ({len(text)} characters)"


def line_diff(finding: Finding) -> tuple[DiffLine, ...]:
    """Returns a line diff, or nothing if the difference fits on one line or its values are redacted.

    Strings are compared as they are, other values as YAML.

    Raises:
        TypeError: The finding holds a redacted value, which is a bug in drift.
    """
    if not has_values(finding):
        return ()
    values = [finding.desired] if finding.change is Change.REMOVED else [finding.live]
    if finding.change is Change.CHANGED:
        values = [finding.desired, finding.live]
    try:
        if not any(map(_needs_lines, values)):
            return ()
        texts = values if all(isinstance(value, str) for value in values) else [to_yaml(value) for value in values]
    except (RecursionError, _TooLargeError):
        return ()
    if finding.change is Change.CHANGED:
        lines = [*_hunks(*_split_lines(*texts))]
    else:
        mark = Mark.LIVE if finding.change is Change.ADDED else Mark.GIT
        lines = [*_run(mark, [_cut(visible(line)) for line in texts[0].removesuffix("\n").split("\n")])]
    if len(lines) > _MAX_LINES:
        left_out = plural(len(lines) - _MAX_LINES + 1, "more line")
        lines[_MAX_LINES - 1 :] = [DiffLine(Mark.LEFT_OUT, f"{left_out} of this difference")]
    return tuple(lines)


def in_pieces(diff: Sequence[DiffLine]) -> Sequence[tuple[DiffLine, Pieces]]:
    """Returns the lines of a diff with the pieces of their texts; see `differing_pieces`.

    Lines of Git and as many lines of the cluster right after them are compared one by one.
    """
    pieces: list[Pieces] = [(line.text,) for line in diff]
    position = 0
    while position < len(diff):
        removed = _run_length(diff, position, Mark.GIT)
        added = _run_length(diff, position + removed, Mark.LIVE)
        if removed == added:
            for git in range(position, position + removed):
                live = git + removed
                pieces[git], pieces[live] = differing_pieces(diff[git].text, diff[live].text)
        position += removed + added or 1
    return list(zip(diff, pieces, strict=True))


def _run_length(diff: Sequence[DiffLine], start: int, mark: Mark) -> int:
    """Returns how many consecutive lines have this mark, from a position on."""
    return next((index for index, line in enumerate(diff[start:]) if line.mark is not mark), len(diff) - start)


class _TooLargeError(Exception):
    pass


def _needs_lines(value: Json) -> bool:
    if isinstance(value, str):
        return "\n" in value[:-1]
    if not isinstance(value, dict | list):
        return False
    size = len(json.dumps(value, ensure_ascii=False))
    if size > _MAX_JSON:
        raise _TooLargeError
    return size > _ONE_LINE


def _split_lines(desired: str, live: str) -> tuple[list[str], list[str]]:
    """Splits both texts into lines; if only one text ends in a newline, a line says so."""
    sides = (desired.split("\n"), live.split("\n"))
    for text, lines in zip((desired, live), sides, strict=True):
        if text.endswith("\n"):
            lines.pop()
        elif desired.endswith("\n") != live.endswith("\n"):
            lines.append(_NO_NEWLINE)
    return sides


def _hunks(desired: Sequence[str], live: Sequence[str]) -> Iterator[DiffLine]:
    end = (len(desired), len(live))
    for group in _groups(desired, live):
        first, last = group[0], group[-1]
        if (first[1], first[3], last[2], last[4]) != (0, 0, *end):
            yield DiffLine(Mark.HUNK, f"@@ -{_span(first[1], last[2])} +{_span(first[3], last[4])} @@")
        for tag, desired_start, desired_end, live_start, live_end in group:
            if tag == "equal":
                yield from (DiffLine(Mark.BOTH, _cut(visible(line))) for line in desired[desired_start:desired_end])
            else:
                removed, added = _excerpt_lines(desired[desired_start:desired_end], live[live_start:live_end])
                yield from _run(Mark.GIT, removed)
                yield from _run(Mark.LIVE, added)


def _groups(desired: Sequence[str], live: Sequence[str]) -> Iterator[list[_Opcode]]:
    """Returns the hunks of `SequenceMatcher.get_grouped_opcodes`, for texts of any length."""
    # Equal lines at both ends are cut off first, except for the context: matching takes quadratic time.
    head, tail = _equal_ends(desired, live)
    offset = max(head - _CONTEXT, 0)
    left = desired[offset : len(desired) - max(tail - _CONTEXT, 0)]
    right = live[offset : len(live) - max(tail - _CONTEXT, 0)]
    if max(len(left), len(right)) <= _MAX_MATCHED:
        groups = SequenceMatcher(None, left, right, autojunk=False).get_grouped_opcodes(_CONTEXT)
    else:
        before, after = head - offset, min(tail, _CONTEXT)
        left_end, right_end = len(left) - after, len(right) - after
        replaced: list[_Opcode] = [
            ("equal", 0, before, 0, before),
            ("replace", before, left_end, before, right_end),
            ("equal", left_end, len(left), right_end, len(right)),
        ]
        groups = iter([replaced])
    for group in groups:
        yield [(tag, i + offset, j + offset, k + offset, m + offset) for tag, i, j, k, m in group if (i, k) != (j, m)]


def _equal_ends(left: Sequence[str], right: Sequence[str]) -> tuple[int, int]:
    """Returns how many items at the beginning are equal, and how many of the others at the end."""
    head = _equal_at_start(left, right)
    return head, _equal_at_start(left[head:][::-1], right[head:][::-1])


def _equal_at_start(left: Sequence[str], right: Sequence[str]) -> int:
    pairs = zip(left, right, strict=False)
    return next((index for index, (one, two) in enumerate(pairs) if one != two), min(len(left), len(right)))


def _excerpt_lines(desired: Sequence[str], live: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the lines of both sides; long lines are cut around the first difference from their counterpart."""
    left, right = list(map(_show_trailing_spaces, desired)), list(map(_show_trailing_spaces, live))
    starts = list(map(_excerpt_start, left, right)) if len(left) == len(right) else [0] * max(len(left), len(right))
    return list(map(_cut, left, starts)), list(map(_cut, right, starts))


def _show_trailing_spaces(line: str) -> str:
    """Escapes trailing spaces, which may be the only difference."""
    bare = line.rstrip(" ")
    return visible(bare) + "\\x20" * (len(line) - len(bare))


def _run(mark: Mark, lines: Sequence[str]) -> Iterator[DiffLine]:
    """Yields consecutive lines of one side, and the number of those left out."""
    shown = len(lines) if len(lines) <= _MAX_RUN else _MAX_RUN - 1
    yield from (DiffLine(mark, line) for line in lines[:shown])
    if shown < len(lines):
        yield DiffLine(Mark.LEFT_OUT, f"{mark} {plural(len(lines) - shown, 'more line')}")


def _span(start: int, stop: int) -> str:
    """Returns a range of lines as a unified diff writes it."""
    length = stop - start
    return f"{start + bool(length)},{length}" if length != 1 else f"{start + 1}"


def differing_pieces(desired: str, live: str) -> tuple[Pieces, Pieces]:
    """Returns both texts in pieces that are equal and different by turns; one piece if they share no word."""
    left, right = _TOKEN.findall(desired), _TOKEN.findall(live)
    opcodes = _opcodes(left, right)
    equal = (token for tag, start, end, _, _ in opcodes if tag == "equal" for token in left[start:end])
    if not any(token[0].isalnum() for token in equal):
        return (desired,), (live,)
    return (
        _pieces((tag, left[start:end]) for tag, start, end, _, _ in opcodes),
        _pieces((tag, right[start:end]) for tag, _, _, start, end in opcodes),
    )


def _opcodes(left: Sequence[str], right: Sequence[str]) -> Sequence[_Opcode]:
    head, tail = _equal_ends(left, right)
    left_end, right_end = len(left) - tail, len(right) - tail
    inner: Sequence[_Opcode] = [("replace", head, left_end, head, right_end)]
    git, live = left[head:left_end], right[head:right_end]
    # Most values differ in one place.
    if max(len(git), len(live)) <= _MAX_MATCHED_WORDS and not set(git).isdisjoint(live):
        matcher = SequenceMatcher(None, git, live, autojunk=False)
        inner = [(tag, a + head, b + head, c + head, d + head) for tag, a, b, c, d in matcher.get_opcodes()]
    return [("equal", 0, head, 0, head), *inner, ("equal", left_end, len(left), right_end, len(right))]


def _pieces(spans: Iterable[tuple[str, Sequence[str]]]) -> Pieces:
    pieces = [""]
    for tag, tokens in spans:
        text = "".join(tokens)
        # The pieces at even positions are the equal ones.
        if text and (tag == "equal") != (len(pieces) % 2 == 1):
            pieces.append("")
        pieces[-1] += text
    return tuple(pieces)


def to_yaml(value: Json) -> str:
    """Returns the value as YAML with sorted keys, ending in a newline.

    Raises:
        RecursionError: The value is nested too deeply.
        TypeError: The value contains something that JSON does not have.
    """
    if isinstance(value, str):
        return f"{scalar(value)}\n"
    first, *others = _yaml_lines(value, "")
    return "\n".join([first[1:], *others] if first else others) + "\n"


def _yaml_lines(value: Json, indent: str) -> Iterator[str]:
    """Yields the lines of a value; the first one continues the line of a key or a dash and starts with a space."""
    if isinstance(value, dict) and value:
        yield ""
        for key in sorted(value):
            below = value[key]
            # A list has the same indentation as the field that contains it.
            first, *others = _yaml_lines(below, indent if isinstance(below, list) else f"{indent}  ")
            yield f"{indent}{scalar(key)}:{first}"
            yield from others
    elif isinstance(value, list) and value:
        yield ""
        for item in value:
            first, *others = _yaml_lines(item, f"{indent}  ")
            if not first:
                # The item's own first line follows the dash.
                first, *others = others
                first = first[len(indent) + 1 :]
            yield f"{indent}-{first}"
            yield from others
    elif isinstance(value, str) and _fits_literally(value):
        yield " |" if value.endswith("\n") else " |-"
        yield from (f"{indent}{line}" if line else "" for line in value.removesuffix("\n").split("\n"))
    else:
        yield f" {scalar(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def _fits_literally(text: str) -> bool:
    """Returns whether a text with several lines can be a literal block."""
    lines = text.removesuffix("\n").split("\n")
    return len(lines) > 1 and lines[0][:1] not in {"", " "} and lines[-1] != "" and all(map(str.isprintable, lines))


def scalar(text: str) -> str:
    """Returns a text as a scalar on one line, quoted unless YAML reads it as the same text without quotes."""
    return _cached_scalar(text) if len(text) <= _MAX_CACHED else _scalar(text)


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and ": " not in text and read_plain(text) == text:
        return text
    return json.dumps(text, ensure_ascii=False)


_cached_scalar: Final = lru_cache(4096)(_scalar)
