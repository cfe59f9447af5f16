"""The text report for a terminal, a log or a pipe: worst first, with the field managers below each finding."""

import io
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain, groupby
from typing import Final, Protocol, TypeVar

from drift.advice.advisor import Advisor
from drift.counts import first_few
from drift.model import Change, Finding, ObjectReport, Report, Severity, Status, Verdict
from drift.report.diff import DiffLine, Mark, Pieces, differing_pieces, in_pieces, line_diff
from drift.report.selection import (
    MAX_MEMBERS,
    NO_FILTERS,
    Filters,
    Group,
    by_source,
    finding_order,
    group_name,
    grouped,
    member_names,
    not_listed,
    only_drift,
    worst_first,
)
from drift.report.view import (
    CHANGE_SIGN,
    Side,
    age,
    cause_and_managers,
    cluster_names,
    command_lines,
    field_place,
    lifecycle_mark,
    object_name,
    open_for,
    reason_of,
    resolved_line,
    source_lines,
    summary,
    visible,
    what_differs_in_parts,
)

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
_SIDE_STYLE: Final = {Side.GIT: "red", Side.LIVE: "green"}
_MARK_STYLE: Final = {
    Mark.BOTH: "dim",
    Mark.GIT: "red",
    Mark.LIVE: "green",
    Mark.HUNK: "cyan",
    Mark.LEFT_OUT: "dim",
}
#: The text on a finding's own line if a line diff follows.
_ABOVE_DIFF: Final = {
    Change.CHANGED: "- Git, + live",
    Change.ADDED: "in the cluster, not in Git",
    Change.REMOVED: "in Git, not in the cluster",
}
_FIXES: Final = "-v shows the commands that keep a change or revert it"
#: The column in which a finding begins, after its severity.
_INDENT: Final = 11
_MARGIN: Final = " " * _INDENT
#: The indent of continuation lines and of subordinate lines.
_SHIFT: Final = 2

#: A text and its style.
Part = tuple[str, str]
_Entry = TypeVar("_Entry")


class LineWriter(Protocol):
    """Writes one line."""

    def __call__(self, *parts: Part, indent: int | None = 0) -> None:
        """Writes a line, and continues it below with an indent if it is too long.

        Args:
            parts: Texts without control characters, and their styles.
            indent: Columns before each continuation line; None leaves a long line to the terminal, so that it can be
                copied as one.
        """


def to_text(
    report: Report,
    *,
    color: bool,
    width: int | None = None,
    verbose: bool = False,
    height: int | None = None,
    filters: Filters = NO_FILTERS,
    saved: str | None = None,
) -> str:
    """Returns the report as text.

    Args:
        report: The report.
        saved: The file of the JSON report, which commands name; None if it is not known.
        color: Whether to write ANSI colours.
        width: Columns to fold at; None does not fold, for a pipe.
        height: Lines of the terminal; None for a pipe. If the text is longer, the worst comes last, beside the prompt.
        filters: What to show.
        verbose: Also lists ignored findings and differences that are not reported, with the reasons; and all commands.
    """
    objects, hidden = filters.apply(report)
    if verbose:
        shown, left_out = [item for item in objects if item.is_noteworthy], None
    else:
        shown = only_drift(objects, with_controllers=filters.with_controllers)
        left_out = not_listed(report, with_controllers=filters.with_controllers)
    advisor = Advisor.of(report, saved)

    def text(*, worst_last: bool) -> str:
        out = io.StringIO()
        line = line_writer(out, width, color=color)
        _ReportWriter(line, report, advisor, color=color, verbose=verbose, worst_last=worst_last).write(
            shown, hidden, left_out
        )
        return out.getvalue()

    found = text(worst_last=False)
    is_too_long = height is not None and found.count("\n") >= height
    return text(worst_last=True) if is_too_long else found


def line_writer(out: io.StringIO, width: int | None, *, color: bool) -> LineWriter:
    """Returns a writer for a terminal, or for a pipe if there are neither a width nor colours."""
    if width is None and not color:
        return partial(_write_plain, out)
    # Importing Rich takes a twentieth of a small scan's time; logs and pipes do not need it.
    from drift.report.terminal import TerminalWriter  # noqa: PLC0415

    return TerminalWriter(out, width, color=color).line


def _write_plain(out: io.StringIO, *parts: Part, indent: int | None = 0) -> None:  # noqa: ARG001
    out.write("".join(text for text, _ in parts) + "\n")


class _ReportWriter:
    def __init__(
        self, line: LineWriter, report: Report, advisor: Advisor, *, color: bool, verbose: bool, worst_last: bool
    ) -> None:
        self._line = line
        self._color = color
        self._worst_last = worst_last
        self._report = report
        self._advisor = advisor
        self._verbose = verbose

    def write(self, shown: Sequence[ObjectReport], hidden: str | None, left_out: str | None) -> None:
        lines = source_lines(self._report)
        if shown:
            # The verdict comes first and last: a reader may see only one end of a long report.
            self._verdict()
            if self._worst_last:
                self._line(("the worst findings come last", "dim"), indent=_SHIFT)
            self._line()
        self._sources(shown, lines)
        if hidden is not None:
            self._line((hidden, "bold"), indent=_SHIFT)
        if len(self._report.sources) == 1:
            for line in lines.values():
                self._line((line, "dim"), indent=_SHIFT)
        if self._verbose:
            self._decisions()
        for note in self._report.notes:
            self._line((f"note: {visible(note)}", "dim"), indent=_SHIFT)
        for error in self._report.problems:
            self._line((f"not checked: {visible(error)}", "red"), indent=_SHIFT)
        self._summary(left_out)

    def _sources(self, shown: Sequence[ObjectReport], lines: Mapping[str, str]) -> None:
        for source, items in self._in_order(by_source(self._report, sorted(shown, key=worst_first))):
            if source is not None:
                self._line((f"== {lines[source.name]}", "bold"), indent=_SHIFT)
            elif len(self._report.sources) > 1 and items:
                self._line(("== in no source", "bold"), indent=_SHIFT)
            for entry in self._in_order(grouped(items)):
                if isinstance(entry, Group):
                    self._group(entry)
                else:
                    self._object(entry)

    def _in_order(self, entries: Sequence[_Entry]) -> Sequence[_Entry]:
        return entries[::-1] if self._worst_last else entries

    def _object(self, item: ObjectReport) -> None:
        self._heading(object_name(item), item)
        shown = sorted(item.findings, key=finding_order)
        for advice, findings in groupby(shown, key=partial(self._advisor.advice, item)):
            for finding in findings:
                self._finding(finding, field_place(item, finding))
                self._all_commands(item, finding)
            if advice is not None:
                self._detail(f"next: {visible(advice)}")
        if not self._verbose:
            looks = dict.fromkeys(command for one in shown for command in self._commands(item, one)[:1])
            for label, command in looks:
                self._line((f"  {label}: {command}", "dim"), indent=None)
        self._line()

    def _group(self, group: Group) -> None:
        self._heading(group_name(group), group.item)
        self._finding(group.finding, None)
        advice = self._advisor.advice(*group.members[0])
        if advice is not None:
            self._detail(f"next: {visible(advice)}")
        if self._verbose:
            for (item, finding), name in zip(group.members, member_names(group), strict=True):
                path = f"  {visible(finding.path)}" if finding.path != group.finding.path else ""
                place = field_place(item, finding) or ("" if item.source is None else visible(str(item.source)))
                self._line((f"  {name}{path}", ""), (f"  {place}", "dim"), indent=_INDENT)
                self._all_commands(item, finding)
        else:
            names = list(dict.fromkeys(member_names(group)))
            how = " (-v lists all)" if len(names) > MAX_MEMBERS else ""
            self._line((f"  {first_few(names, MAX_MEMBERS)}{how}", "dim"), indent=_SHIFT)
        self._line()

    def _heading(self, name: str, item: ObjectReport) -> None:
        self._line(
            (name, "bold"),
            (f"  {item.status}", "" if item.status is Status.IN_SYNC else "bold yellow"),
            ("" if item.source is None else f"  {visible(str(item.source))}", "dim"),
            indent=_SHIFT,
        )
        reason = reason_of(item)
        if reason is not None:
            self._line((f"  {reason}", ""), indent=_SHIFT)

    def _commands(self, item: ObjectReport, finding: Finding) -> Sequence[tuple[str, str]]:
        return command_lines(self._advisor.commands(item, finding))

    def _all_commands(self, item: ObjectReport, finding: Finding) -> None:
        for label, command in self._commands(item, finding) if self._verbose else ():
            self._line((f"{_MARGIN}{label}: {command}", "dim"), indent=None)

    def _finding(self, finding: Finding, place: str | None) -> None:
        lines = line_diff(finding)
        difference: Sequence[Part] = ((_ABOVE_DIFF[finding.change], ""),) if lines else self._difference(finding)
        mark = lifecycle_mark(finding)
        self._line(
            ("  ", ""),
            (f"{finding.severity:<8} ", SEVERITY_STYLE[finding.severity]),
            (f"{mark} " if mark else "", "bold magenta"),
            (f"{CHANGE_SIGN[finding.change]} {visible(finding.path)}  " if finding.path else "", ""),
            *difference,
            (f"  {place}" if place else "", "dim"),
            indent=_INDENT,
        )
        self._detail(self._cause_and_managers(finding), "dim")
        if finding.note is not None:
            self._detail(f"note: {visible(finding.note)}")
        self._lines(lines)
        if finding.ignored is not None:
            self._detail(f"ignored by {visible(finding.ignored.rule)}: {visible(finding.ignored.reason)}")

    def _difference(self, finding: Finding) -> Sequence[Part]:
        parts = what_differs_in_parts(finding)
        values = {side: text for text, side in parts if side is not None}
        pieces: dict[Side, Pieces] = {side: (text,) for side, text in values.items()}
        if self._color and len(values) == len(Side):
            pieces = dict(zip(values, differing_pieces(*values.values()), strict=True))
        styled = ([(text, "")] if side is None else _styled(pieces[side], _SIDE_STYLE[side]) for text, side in parts)
        return [*chain.from_iterable(styled)]

    def _lines(self, diff: Sequence[DiffLine]) -> None:
        for line, pieces in in_pieces(diff) if self._color else [(line, (line.text,)) for line in diff]:
            style = _MARK_STYLE[line.mark]
            first, *rest = pieces
            marked = str(line).removesuffix(line.text) + first
            shift = 0 if line.mark is Mark.HUNK else _SHIFT
            self._line((_MARGIN, ""), *_styled((marked, *rest), style), indent=_INDENT + shift)

    def _detail(self, text: str, style: str = "", shift: int = 0) -> None:
        """Writes a line below a finding."""
        self._line((_MARGIN, ""), (text, style), indent=_INDENT + shift)

    def _cause_and_managers(self, finding: Finding) -> str:
        return cause_and_managers(finding, self._age) + open_for(finding, self._report.generated_at)

    def _age(self, time: str) -> str:
        ago = age(time, self._report.generated_at)
        return visible(time) if ago is None else f"{ago} ago ({visible(time)})"

    def _decisions(self) -> None:
        for item in self._report.objects:
            for decision in item.decisions:
                text = f"{object_name(item)}: {visible(decision.path)} not reported: {visible(decision.why)}"
                self._line((text, "dim"), indent=_SHIFT)

    def _summary(self, left_out: str | None) -> None:
        if not self._verbose and self._advisor.is_fixable and self._report.has_drift:
            self._line((_FIXES, "dim"), indent=_SHIFT)
        if left_out is not None:
            self._line((f"{left_out}; show with -v", "dim"), indent=_SHIFT)
        resolved = resolved_line(self._report)
        if resolved is not None:
            self._line((resolved, "green"), indent=_SHIFT)
        self._verdict()

    def _verdict(self) -> None:
        cluster = ", ".join(cluster_names(self._report))
        where = f"{cluster}: " if cluster else ""
        self._line((f"{where}{summary(self._report)}", _VERDICT_STYLE[self._report.verdict]), indent=_SHIFT)


def _styled(pieces: Pieces, style: str) -> Sequence[Part]:
    """Returns pieces of a text; those that differ from the other side stand out."""
    return [(piece, f"{style} reverse" if index % 2 else style) for index, piece in enumerate(pieces)]
