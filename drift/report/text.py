"""The text report, for a terminal, a log or a pipe: worst first, with who and when below each finding."""

import io
from functools import partial
from typing import Final, Protocol

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

#: A text and its style.
Part = tuple[str, str]


class Line(Protocol):
    """Writes a line."""

    def __call__(self, *parts: Part, indent: int = 0) -> None:
        """Writes a line; where it is too long, it goes on below its own beginning.

        Args:
            parts: Texts that hold nothing which steers a terminal, and their styles.
            indent: Columns in front of where a folded line goes on.
        """


def to_text(report: Report, *, color: bool, width: int | None = None, verbose: bool = False) -> str:
    """The report as text.

    Args:
        report: What to show.
        color: Whether to write ANSI colours.
        width: Columns; None leaves lines as long as they are, for a pipe.
        verbose: Also says what was seen and not reported, and why.
    """
    out = io.StringIO()
    _Writer(_line(out, width, color=color), report, verbose=verbose).write()
    return out.getvalue()


def _line(out: io.StringIO, width: int | None, *, color: bool) -> Line:
    if width is None and not color:
        return partial(_plain_line, out)
    # Loading Rich takes a twentieth of the time of a small scan, and logs and pipes have no use for it.
    from drift.report.text_page import Page  # noqa: PLC0415

    return Page(out, width, color=color).line


def _plain_line(out: io.StringIO, *parts: Part, indent: int = 0) -> None:  # noqa: ARG001
    out.write("".join(text for text, _ in parts) + "\n")


class _Writer:
    def __init__(self, line: Line, report: Report, *, verbose: bool) -> None:
        self._line = line
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
            on_purpose = "not checked on purpose: " if item.is_skipped else ""
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
