"""The text report, for a terminal, a log or a pipe: worst first, with who and when below each finding."""

import io
from itertools import starmap
from typing import Final

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text

from drift.model import Actor, Change, Finding, ObjectReport, Report, Severity, Status, Verdict
from drift.report.line_diff import Mark, line_diff
from drift.report.view import (
    CAUSE_TEXT,
    CHANGE_SIGN,
    Side,
    age,
    finding_order,
    hints,
    is_shown,
    lifecycle_mark,
    object_name,
    open_for,
    plural,
    resolved_line,
    summary,
    visible,
    what_differs_in_parts,
    worst_first,
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
#: What stands on a finding's own line where its values are lines below it.
_ABOVE_LINES: Final = {
    Change.CHANGED: "- Git, + live",
    Change.ADDED: "live, not in Git",
    Change.REMOVED: "in Git, not live",
}
#: Where the severity ends and a finding begins.
_INDENT: Final = 11
_MARGIN: Final = " " * _INDENT
#: How far what goes on, or belongs to a line above, is set in.
_SHIFT: Final = 2
#: Columns that must be left for a folded line to be set in.
_NARROWEST: Final = 20


def to_text(report: Report, *, color: bool, width: int | None = None, verbose: bool = False) -> str:
    """The report as text.

    Args:
        report: What to show.
        color: Whether to write ANSI colours.
        width: Columns; None leaves lines as long as they are, for a pipe.
        verbose: Also says what was seen and not reported, and why.
    """
    out = io.StringIO()
    _Writer(_Page(out, width, color=color), report, verbose=verbose).write()
    return out.getvalue()


#: A text and its style.
Part = tuple[str, str]


class _Page:
    """Writes lines, folded where the terminal ends. Rich could lay out the whole, but takes most of a scan's time."""

    def __init__(self, out: io.StringIO, width: int | None, *, color: bool) -> None:
        self._out = out
        self._width = width
        self._color = color
        self._console = Console(file=out, width=width, color_system=None, legacy_windows=False)

    def line(self, *parts: Part, indent: int = 0) -> None:
        """Writes a line; where it is too long, it goes on below its own beginning.

        Args:
            parts: Texts that hold nothing which steers a terminal, and their styles.
            indent: Columns in front of where a folded line goes on.
        """
        plain = "".join(text for text, _ in parts)
        if self._width is None or cell_len(plain) <= self._width:
            self._out.write(("".join(starmap(_coloured, parts)) if self._color else plain) + "\n")
            return
        indent = indent if self._width - indent >= _NARROWEST else 0
        line = Text.assemble(*parts)
        head, body = line[:indent], line[indent:]
        # What is cut would be hidden, so even a word that is too long is folded.
        for part in body.wrap(self._console, self._width - indent, overflow="fold"):
            self._write(head + part)
            head = Text(" " * indent)

    def _write(self, line: Text) -> None:
        if self._color:
            for segment in line.render(self._console):
                self._out.write(_coloured(segment.text, segment.style or ""))
            self._out.write("\n")
        else:
            self._out.write(f"{line.plain}\n")


def _coloured(text: str, style: str | Style) -> str:
    parsed = Style.parse(style) if isinstance(style, str) else style
    return parsed.render(text, color_system=ColorSystem.STANDARD)


class _Writer:
    def __init__(self, page: _Page, report: Report, *, verbose: bool) -> None:
        self._line = page.line
        self._report = report
        self._verbose = verbose

    def write(self) -> None:
        for item in sorted(self._report.objects, key=worst_first):
            if is_shown(item, verbose=self._verbose):
                self._object(item)
        if self._verbose:
            self._decisions()
        for note in self._report.notes:
            self._line((f"note: {visible(note)}", "dim"), indent=_SHIFT)
        for error in self._report.errors:
            self._line((f"not checked: {visible(error)}", "red"), indent=_SHIFT)
        self._summary()

    def _object(self, item: ObjectReport) -> None:
        self._line(
            (object_name(item), "bold"),
            (f"  {item.status}", "" if item.status is Status.IN_SYNC else "bold yellow"),
            ("" if item.source is None else f"  {visible(str(item.source))}", "dim"),
            indent=_SHIFT,
        )
        if item.reason is not None:
            on_purpose = "not checked on purpose: " if item.by_choice else ""
            self._line((f"  {on_purpose}{visible(item.reason)}", ""), indent=_SHIFT)
        for finding in sorted(item.findings, key=finding_order):
            if self._verbose or finding.ignored is None:
                self._finding(finding)
        self._line()

    def _finding(self, finding: Finding) -> None:
        lines = line_diff(finding)
        what: tuple[Part, ...] = ((_ABOVE_LINES[finding.change], ""),) if lines else _in_parts(finding)
        mark = lifecycle_mark(finding)
        self._line(
            ("  ", ""),
            (f"{finding.severity:<8} ", SEVERITY_STYLE[finding.severity]),
            (f"{mark} " if mark else "", "bold magenta"),
            (f"{CHANGE_SIGN[finding.change]} {visible(finding.path)}  " if finding.path else "", ""),
            *what,
            indent=_INDENT,
        )
        self._below(self._who(finding), "dim")
        if finding.note is not None:
            self._below(visible(finding.note), "dim")
        for one in lines:
            self._below(str(one), _MARK_STYLE[one.mark], deeper=0 if one.mark is Mark.HUNK else _SHIFT)
        if finding.ignored is not None:
            self._below(f"ignored by {visible(finding.ignored.rule)}: {visible(finding.ignored.reason)}")

    def _below(self, text: str, style: str = "", deeper: int = 0) -> None:
        self._line((_MARGIN, ""), (text, style), indent=_INDENT + deeper)

    def _who(self, finding: Finding) -> str:
        actors = ", ".join(self._actor(actor) for actor in finding.actors)
        text = f"{CAUSE_TEXT[finding.cause]}: {actors}" if actors else CAUSE_TEXT[finding.cause]
        return text + open_for(finding, self._report.generated_at)

    def _actor(self, actor: Actor) -> str:
        via = f" ({visible(actor.subresource)})" if actor.subresource else ""
        return f"{visible(actor.manager)}{via}, {self._age(actor.time)}"

    def _age(self, time: str | None) -> str:
        if time is None:
            return "time not recorded"
        ago = age(time, self._report.generated_at)
        return visible(time) if ago is None else f"{ago} ago ({visible(time)})"

    def _decisions(self) -> None:
        for item in self._report.objects:
            for decision in item.decisions:
                what = f"{object_name(item)}: {visible(decision.path)} not reported: {visible(decision.why)}"
                self._line((what, "dim"), indent=_SHIFT)

    def _summary(self) -> None:
        for hint in hints(self._report):
            self._line((hint, "dim"), indent=_SHIFT)
        ignored = self._report.count_ignored()
        if ignored and not self._verbose:
            are = "is" if ignored == 1 else "are"
            self._line((f"{plural(ignored, 'finding')} {are} ignored; -v shows them", "dim"), indent=_SHIFT)
        resolved = resolved_line(self._report)
        if resolved is not None:
            self._line((resolved, "green"), indent=_SHIFT)
        self._line((summary(self._report), _VERDICT_STYLE[self._report.verdict]), indent=_SHIFT)


def _in_parts(finding: Finding) -> tuple[Part, ...]:
    return tuple((text, "" if side is None else _SIDE_STYLE[side]) for text, side in what_differs_in_parts(finding))
