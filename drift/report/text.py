"""The text report for a terminal, a log or a pipe: worst first, with the field managers below each finding."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby
from typing import Final

from drift.advice.advisor import Advisor
from drift.model import Change, Finding, ObjectReport, Report, Severity, SourceInfo, Status, Verdict
from drift.report.diff import DiffLine, Mark, Pieces, differing_pieces, in_pieces, line_diff, what_differs_in_parts
from drift.report.formats import DEFAULT_STYLE, Style
from drift.report.selection import (
    MAX_MEMBERS,
    NO_FILTERS,
    Group,
    by_source,
    group_name,
    grouped,
    member_names,
    not_listed,
    only_drift,
)
from drift.report.view import (
    CHANGE_SIGN,
    age,
    cause_and_managers,
    cluster_names,
    command_lines,
    field_place,
    lifecycle_mark,
    member_place,
    object_name,
    open_for,
    reason_of,
    resolved_line,
    source_lines,
    summary,
    visible,
)
from drift.words import first_few

SEVERITY_STYLE: Final = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
_VERDICT_STYLE: Final = {
    Verdict.IN_SYNC: "bold green",
    Verdict.DRIFTED: "bold yellow",
    Verdict.INCOMPLETE: "bold red",
}
_MARK_STYLE: Final = {
    Mark.BOTH: "dim",
    Mark.GIT: "red",
    Mark.LIVE: "green",
    Mark.HUNK: "cyan",
    Mark.LEFT_OUT: "dim",
}
#: Parameters of the ANSI sequence `Select Graphic Rendition`.
_CODES: Final = {
    "bold": 1,
    "dim": 2,
    "reverse": 7,
    "red": 31,
    "green": 32,
    "yellow": 33,
    "magenta": 35,
    "cyan": 36,
}
#: The text on a finding's own line if a line diff follows.
_ABOVE_DIFF: Final = {
    Change.CHANGED: "- Git, + live",
    Change.ADDED: "in the cluster, not in Git",
    Change.REMOVED: "in Git, not in the cluster",
}
_HOW_TO_FIX: Final = "-v shows the commands that keep a change or revert it"
#: The column in which a finding begins, after its severity.
_INDENT: Final = 11
_MARGIN: Final = " " * _INDENT
#: The indent of continuation lines and of subordinate lines.
_SHIFT: Final = 2
#: A folded line is only indented if this many columns remain.
_MIN_COLUMNS: Final = 20
#: A word with the spaces around it; without those after it, the group.
_WORD: Final = re.compile(r"(\s*\S+)\s*")

#: A text without control characters, and its style: names of `_CODES`, or "".
Part = tuple[str, str]
#: `Terminal.line`.
Line = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Terminal:
    """Formats lines.

    Attributes:
        width: Columns to fold at; None does not fold, for a pipe.
        color: Whether to write ANSI colours.
    """

    width: int | None
    color: bool

    def line(self, *parts: Part, indent: int | None = _SHIFT) -> str:
        """Returns a line, folded if it is too long, ending in a newline.

        Args:
            parts: The texts of the line.
            indent: Columns before each continuation line; None leaves a long line to the terminal, so that it can be
                copied as one.
        """
        plain = "".join(text for text, _ in parts)
        if self.width is None or indent is None or _columns(plain) <= self.width:
            return self._written(parts)
        indent = indent if self.width - indent >= _MIN_COLUMNS else 0
        # The first columns are only on the first line. A margin of the same width takes their place on the others.
        (_, end), *others = _folded(plain, indent, self.width)
        first, margin = self._written(_between(parts, 0, end)), " " * indent
        return first + "".join(margin + self._written(_between(parts, start, end)) for start, end in others)

    def _written(self, parts: Iterable[Part]) -> str:
        return "".join(_colored(text, style) if self.color else text for text, style in parts) + "\n"


def _between(parts: Iterable[Part], start: int, end: int) -> Iterator[Part]:
    """Yields the parts of a line between two of its positions."""
    for text, style in parts:
        yield text[max(start, 0) : max(end, 0)], style
        start, end = start - len(text), end - len(text)


def _folded(text: str, indent: int, width: int) -> Iterator[tuple[int, int]]:
    """Yields where the words of each line begin and end. They begin after the indent, and may reach the width."""
    start = end = indent
    column = indent
    # A path or a name that is too long stays whole, so that it can be searched and copied.
    for word in _WORD.finditer(text, indent):
        if column > indent and column + _columns(word[1]) > width:
            yield start, end
            start, column = word.start(), indent
        end = word.end(1)
        column += _columns(word[0])
    yield start, end


def _columns(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - few reports need it

    return cell_len(text)


def _colored(text: str, style: str) -> str:
    return f"\x1b[{_parameters(style)}m{text}\x1b[0m" if text and style else text


@cache
def _parameters(style: str) -> str:
    return ";".join(map(str, sorted(_CODES[name] for name in style.split())))


def to_text(report: Report, style: Style = DEFAULT_STYLE) -> str:
    """Returns the report as text. If it is longer than the terminal, the worst comes last, beside the prompt."""
    return _TextReport(report, style).text()


class _TextReport:
    def __init__(self, report: Report, style: Style) -> None:
        self._report = report
        self._style = style
        self._advisor = Advisor.of(report, style.saved)
        self._source_lines = source_lines(report)
        self._line = Terminal(style.width, style.color).line

    def text(self) -> str:
        filters, height = self._style.filters or NO_FILTERS, self._style.height
        objects, hidden = filters.apply(self._report)
        if self._style.verbose:
            shown, left_out = [item for item in objects if item.is_noteworthy], None
        else:
            shown = only_drift(objects, with_controllers=filters.with_controllers)
            left_out = not_listed(self._report, with_controllers=filters.with_controllers)
        sources = [
            (self._source_heading(source, items), [self._entry(entry) for entry in grouped(items)])
            for source, items in by_source(self._report, shown)
        ]
        # The verdict comes first and last: a reader may see only one end of a long report.
        head = f"{self._verdict()}\n" if shown else ""
        tail = "".join(map(self._line, self._last_lines(hidden, left_out))) + self._verdict()
        text = "".join([head, *(heading + "".join(entries) for heading, entries in sources), tail])
        if height is None or text.count("\n") < height:
            return text
        if shown:
            head = f"{self._verdict()}{self._line(('the worst findings come last', 'dim'))}\n"
        return "".join([head, *(heading + "".join(entries[::-1]) for heading, entries in sources[::-1]), tail])

    def _source_heading(self, source: SourceInfo | None, items: Sequence[ObjectReport]) -> str:
        if source is not None:
            return self._line((f"== {self._source_lines[source.key]}", "bold"))
        return self._line(("== in no source", "bold")) if len(self._report.sources) > 1 and items else ""

    def _last_lines(self, hidden: str | None, left_out: str | None) -> Iterator[Part]:
        if hidden is not None:
            yield hidden, "bold"
        if len(self._report.sources) == 1:
            yield from ((line, "dim") for line in self._source_lines.values())
        if self._style.verbose:
            for item in self._report.objects:
                for decision in item.decisions:
                    text = f"{object_name(item)}: {visible(decision.path)} not reported: {visible(decision.why)}"
                    yield text, "dim"
        yield from ((f"note: {visible(note)}", "dim") for note in self._report.notes)
        yield from ((f"not checked: {visible(error)}", "red") for error in self._report.problems)
        if not self._style.verbose and self._advisor.is_fixable and self._report.has_drift:
            yield _HOW_TO_FIX, "dim"
        if left_out is not None:
            yield f"{left_out}; show with -v", "dim"
        resolved = resolved_line(self._report)
        if resolved is not None:
            yield resolved, "green"

    def _verdict(self) -> str:
        cluster = ", ".join(cluster_names(self._report))
        where = f"{cluster}: " if cluster else ""
        return self._line((f"{where}{summary(self._report)}", _VERDICT_STYLE[self._report.verdict]))

    def _entry(self, entry: Group | ObjectReport) -> str:
        lines = self._group(entry) if isinstance(entry, Group) else self._object(entry)
        return "".join(lines) + "\n"

    def _object(self, item: ObjectReport) -> Iterator[str]:
        yield from self._heading(object_name(item), item)
        for advice, findings in groupby(item.findings, key=partial(self._advisor.advice, item)):
            for finding in findings:
                yield from self._finding(finding, field_place(item, finding))
                yield from self._verbose_commands(item, finding)
            yield from self._advice(advice)
        if not self._style.verbose:
            looks = dict.fromkeys(self._advisor.look(item, finding) for finding in item.findings)
            yield from (self._line((f"  look: {look}", "dim"), indent=None) for look in looks if look is not None)

    def _group(self, group: Group) -> Iterator[str]:
        yield from self._heading(group_name(group), group.item)
        yield from self._finding(group.finding, None)
        yield from self._advice(self._advisor.advice(*group.members[0]))
        if self._style.verbose:
            for (item, finding), name in zip(group.members, member_names(group), strict=True):
                path = f"  {visible(finding.path)}" if finding.path != group.finding.path else ""
                place = member_place(item, finding) or ""
                yield self._line((f"  {name}{path}", ""), (f"  {place}", "dim"), indent=_INDENT)
                yield from self._verbose_commands(item, finding)
        else:
            names = list(dict.fromkeys(member_names(group)))
            how = " (-v lists all)" if len(names) > MAX_MEMBERS else ""
            yield self._line((f"  {first_few(names, MAX_MEMBERS)}{how}", "dim"))

    def _heading(self, name: str, item: ObjectReport) -> Iterator[str]:
        yield self._line(
            (name, "bold"),
            (f"  {item.status}", "" if item.status is Status.IN_SYNC else "bold yellow"),
            ("" if item.source is None else f"  {visible(str(item.source))}", "dim"),
        )
        reason = reason_of(item)
        if reason is not None:
            yield self._line((f"  {reason}", ""))

    def _verbose_commands(self, item: ObjectReport, finding: Finding) -> Iterator[str]:
        if self._style.verbose:
            for label, command in command_lines(self._advisor.commands(item, finding)):
                yield self._line((f"{_MARGIN}{label}: {command}", "dim"), indent=None)

    def _finding(self, finding: Finding, place: str | None) -> Iterator[str]:
        lines = line_diff(finding)
        difference: Sequence[Part] = ((_ABOVE_DIFF[finding.change], ""),) if lines else self._difference(finding)
        mark = lifecycle_mark(finding)
        yield self._line(
            ("  ", ""),
            (f"{finding.severity:<8} ", SEVERITY_STYLE[finding.severity]),
            (f"{mark} " if mark else "", "bold magenta"),
            (f"{CHANGE_SIGN[finding.change]} {visible(finding.path)}  " if finding.path else "", ""),
            *difference,
            (f"  {place}" if place else "", "dim"),
            indent=_INDENT,
        )
        yield self._detail(cause_and_managers(finding, self._age) + open_for(finding, self._report.generated_at), "dim")
        if finding.note is not None:
            yield self._detail(f"note: {visible(finding.note)}")
        yield from self._diff_lines(lines)
        if finding.ignored is not None:
            yield self._detail(f"ignored by {visible(finding.ignored.rule)}: {visible(finding.ignored.reason)}")

    def _difference(self, finding: Finding) -> Sequence[Part]:
        """Returns `what_differs`; in colour, the words stand out that only one of two values has."""
        parts = what_differs_in_parts(finding)
        values = [text for text, side in parts if side is not None]
        is_compared = self._style.color and len(values) > 1
        pieces = iter(differing_pieces(*values) if is_compared else [(text,) for text in values])
        styled: list[Part] = []
        for text, side in parts:
            styled += [(text, "")] if side is None else _styled(next(pieces), _MARK_STYLE[side])
        return styled

    def _diff_lines(self, diff: Sequence[DiffLine]) -> Iterator[str]:
        for line, (first, *rest) in in_pieces(diff) if self._style.color else [(line, (line.text,)) for line in diff]:
            mark = str(line).removesuffix(line.text)
            shift = 0 if line.mark is Mark.HUNK else _SHIFT
            pieces = _styled((mark + first, *rest), _MARK_STYLE[line.mark])
            yield self._line((_MARGIN, ""), *pieces, indent=_INDENT + shift)

    def _advice(self, advice: str | None) -> Iterator[str]:
        if advice is not None:
            yield self._detail(f"next: {visible(advice)}")

    def _detail(self, text: str, style: str = "") -> str:
        """Returns a line below a finding."""
        return self._line((_MARGIN, ""), (text, style), indent=_INDENT)

    def _age(self, time: str) -> str:
        ago = age(time, self._report.generated_at)
        return visible(time) if ago is None else f"{ago} ago ({visible(time)})"


def _styled(pieces: Pieces, style: str) -> Sequence[Part]:
    """Returns pieces of a text; those that differ from the other side stand out."""
    return [(piece, f"{style} reverse" if index % 2 else style) for index, piece in enumerate(pieces)]
