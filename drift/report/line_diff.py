"""What differs in a value of many lines, as a line diff that is short enough to be read: hunks, context, a limit."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Final

from drift.model import Change, Finding, Json
from drift.report.view import cut, excerpt_start, plural, visible
from drift.report.yaml_text import to_yaml

#: A structured value whose JSON is not longer is better said on the finding's own line.
_ONE_LINE: Final = 72
#: A structured value whose JSON is longer is not laid out at all: it is only shown around its first difference.
_LARGEST: Final = 65_536
_CONTEXT: Final = 3
#: Lines that are shown of one finding, and of them one after the other on one side.
_MOST_LINES: Final = 40
_LONGEST_RUN: Final = 15
#: Where more lines than these differ, which of them are alike is not searched for: it would take long, and tell little.
_MOST_MATCHED: Final = 500
_NO_NEWLINE: Final = "\\ no newline at the end"


class Mark(StrEnum):
    """What a line of a diff is."""

    BOTH = " "
    GIT = "-"
    LIVE = "+"
    HUNK = "@"
    LEFT_OUT = "."


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a diff.

    Attributes:
        mark: What it is.
        text: The line, with nothing in it that steers a terminal.
    """

    mark: Mark
    text: str

    def __str__(self) -> str:
        """As in a unified diff."""
        return self.text if self.mark is Mark.HUNK else f"{'' if self.mark is Mark.LEFT_OUT else self.mark} {self.text}"


def line_diff(finding: Finding) -> tuple[DiffLine, ...]:
    """The difference line by line; empty where one line says it as well, or where the values are not to be shown.

    Text is compared as it is, anything else as YAML.

    Raises:
        TypeError: A value that must not be shown has come this far, which is a bug of ours.
    """
    if finding.redacted or finding.change not in {Change.CHANGED, Change.ADDED, Change.REMOVED}:
        return ()
    values = [
        *([] if finding.change is Change.ADDED else [finding.desired]),
        *([] if finding.change is Change.REMOVED else [finding.live]),
    ]
    try:
        if not any(map(_has_lines, values)):
            return ()
        texts = values if all(isinstance(value, str) for value in values) else [to_yaml(value) for value in values]
    except (RecursionError, _TooLargeError):
        return ()
    if finding.change is Change.CHANGED:
        return tuple(_limited(list(_changed(*_lines(*texts)))))
    mark = Mark.LIVE if finding.change is Change.ADDED else Mark.GIT
    return tuple(_limited(list(_run(mark, [cut(visible(line)) for line in texts[0].removesuffix("\n").split("\n")]))))


class _TooLargeError(Exception):
    pass


def _has_lines(value: Json) -> bool:
    if isinstance(value, str):
        return "\n" in value[:-1]
    if not isinstance(value, dict | list):
        return False
    size = len(json.dumps(value, ensure_ascii=False))
    if size > _LARGEST:
        raise _TooLargeError
    return size > _ONE_LINE


def _lines(desired: str, live: str) -> tuple[list[str], list[str]]:
    """Both as lines; that only one of them ends in a newline is a line of its own."""
    sides = (desired.split("\n"), live.split("\n"))
    for text, lines in zip((desired, live), sides, strict=True):
        if text.endswith("\n"):
            lines.pop()
        elif desired.endswith("\n") != live.endswith("\n"):
            lines.append(_NO_NEWLINE)
    return sides


def _changed(desired: Sequence[str], live: Sequence[str]) -> Iterator[DiffLine]:
    end = (len(desired), len(live))
    for group in _groups(desired, live):
        first, last = group[0], group[-1]
        if (first[1], first[3], last[2], last[4]) != (0, 0, *end):
            yield DiffLine(Mark.HUNK, f"@@ -{_span(first[1], last[2])} +{_span(first[3], last[4])} @@")
        for tag, i, j, k, m in group:
            if tag == "equal":
                yield from (DiffLine(Mark.BOTH, cut(visible(line))) for line in desired[i:j])
            else:
                removed, added = _side_by_side(desired[i:j], live[k:m])
                yield from _run(Mark.GIT, removed)
                yield from _run(Mark.LIVE, added)


_Opcode = tuple[str, int, int, int, int]


def _groups(desired: Sequence[str], live: Sequence[str]) -> Iterator[list[_Opcode]]:
    """Hunks as `SequenceMatcher.get_grouped_opcodes` has them, of texts of any length."""
    pairs = list(zip(desired, live, strict=False))
    start = next((index for index, (one, two) in enumerate(pairs) if one != two), len(pairs))
    most = len(pairs) - start
    tails = zip(reversed(desired[start:]), reversed(live[start:]), strict=False)
    same = next((index for index, (one, two) in enumerate(tails) if one != two), most)
    from_line = max(start - _CONTEXT, 0)
    left = desired[from_line : len(desired) - max(same - _CONTEXT, 0)]
    right = live[from_line : len(live) - max(same - _CONTEXT, 0)]
    if max(len(left), len(right)) <= _MOST_MATCHED:
        groups = SequenceMatcher(None, left, right, autojunk=False).get_grouped_opcodes(_CONTEXT)
    else:
        before, after = start - from_line, min(same, _CONTEXT)
        i, k = len(left) - after, len(right) - after
        whole: list[_Opcode] = [
            ("equal", 0, before, 0, before),
            ("replace", before, i, before, k),
            ("equal", i, len(left), k, len(right)),
        ]
        groups = iter([whole])
    for group in groups:
        yield [
            (tag, i + from_line, j + from_line, k + from_line, m + from_line)
            for tag, i, j, k, m in group
            if (i, k) != (j, m)
        ]


def _side_by_side(desired: Sequence[str], live: Sequence[str]) -> tuple[list[str], list[str]]:
    """The lines that differ, long ones cut around the first place where they differ from their like."""
    left, right = [_exact(line) for line in desired], [_exact(line) for line in live]
    if len(left) != len(right):
        return [cut(line) for line in left], [cut(line) for line in right]
    starts = [excerpt_start(one, two) for one, two in zip(left, right, strict=True)]
    return (
        [cut(line, start) for line, start in zip(left, starts, strict=True)],
        [cut(line, start) for line, start in zip(right, starts, strict=True)],
    )


def _exact(line: str) -> str:
    """A line with the spaces at its end made visible: they may be all that differs."""
    bare = line.rstrip(" ")
    return visible(bare) + "\\x20" * (len(line) - len(bare))


def _run(mark: Mark, lines: Sequence[str]) -> Iterator[DiffLine]:
    """Lines of one side, the first of them where they are many."""
    shown = len(lines) if len(lines) <= _LONGEST_RUN else _LONGEST_RUN - 1
    yield from (DiffLine(mark, line) for line in lines[:shown])
    if shown < len(lines):
        yield DiffLine(Mark.LEFT_OUT, f"{mark} {plural(len(lines) - shown, 'more line')}")


def _limited(lines: Sequence[DiffLine]) -> Sequence[DiffLine]:
    if len(lines) <= _MOST_LINES:
        return lines
    left_out = plural(len(lines) - _MOST_LINES + 1, "more line")
    return [*lines[: _MOST_LINES - 1], DiffLine(Mark.LEFT_OUT, f"{left_out} of this difference")]


def _span(start: int, stop: int) -> str:
    """Lines as unified diffs count them."""
    length = stop - start
    return f"{start + bool(length)},{length}" if length != 1 else f"{start + 1}"
