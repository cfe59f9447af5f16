"""The text report, for a terminal, a log or a pipe: worst first, with who and when below each finding."""

import io
from collections.abc import Callable
from typing import Final

from rich.console import Console
from rich.text import Text

from drift.model import Actor, Finding, ObjectReport, Report, Severity, Status, Verdict
from drift.report.view import (
    CAUSE_TEXT,
    CHANGE_SIGN,
    age,
    finding_order,
    hints,
    is_shown,
    object_name,
    plural,
    summary,
    visible,
    what_differs,
    worst_first,
)

_SEVERITY_STYLE: Final = {
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


def to_text(report: Report, *, color: bool, width: int | None = None, verbose: bool = False) -> str:
    """The report as text.

    Args:
        report: What to show.
        color: Whether to write ANSI colours.
        width: Columns; None leaves lines as long as they are, for a pipe.
        verbose: Also says what was seen and not reported, and why.
    """
    out = io.StringIO()
    if width is None and not color:
        # Nothing to lay out, which would take most of the time of a large report.
        _Writer(lambda line: out.write(f"{line.plain}\n"), report, verbose=verbose).write()
        return out.getvalue()
    console = Console(
        file=out,
        color_system="standard" if color else None,
        force_terminal=color,
        width=width or 100_000,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=width is None,
        legacy_windows=False,
        no_color=not color,
    )
    # A line that is cut would hide what it is there to show, so long ones are folded.
    _Writer(lambda line: console.print(line, overflow="fold"), report, verbose=verbose).write()
    return out.getvalue()


class _Writer:
    def __init__(self, print_line: Callable[[Text], object], report: Report, *, verbose: bool) -> None:
        self._line = print_line
        self._report = report
        self._verbose = verbose

    def write(self) -> None:
        for item in sorted(self._report.objects, key=worst_first):
            if is_shown(item, verbose=self._verbose):
                self._object(item)
        if self._verbose:
            self._decisions()
        for note in self._report.notes:
            self._line(Text(f"note: {visible(note)}", "dim"))
        for error in self._report.errors:
            self._line(Text(f"not checked: {visible(error)}", "red"))
        self._summary()

    def _object(self, item: ObjectReport) -> None:
        head = Text()
        head.append(object_name(item), "bold")
        head.append(f"  {item.status}", "" if item.status is Status.IN_SYNC else "bold yellow")
        if item.source is not None:
            head.append(f"  {visible(str(item.source))}", "dim")
        self._line(head)
        if item.reason is not None:
            on_purpose = "not checked on purpose: " if item.by_choice else ""
            self._line(Text(f"  {on_purpose}{visible(item.reason)}"))
        for finding in sorted(item.findings, key=finding_order):
            if self._verbose or finding.ignored is None:
                self._finding(finding)
        self._line(Text())

    def _finding(self, finding: Finding) -> None:
        line = Text("  ")
        line.append(f"{finding.severity:<8} ", _SEVERITY_STYLE[finding.severity])
        if finding.path:
            line.append(f"{CHANGE_SIGN[finding.change]} {visible(finding.path)}")
            line.append("  ")
            line.append(what_differs(finding))
        else:
            line.append(what_differs(finding))
        self._line(line)
        self._line(Text(f"           {self._who(finding)}", "dim"))
        if finding.note is not None:
            self._line(Text(f"           {visible(finding.note)}", "dim"))
        if finding.ignored is not None:
            self._line(
                Text(f"           ignored by {visible(finding.ignored.rule)}: {visible(finding.ignored.reason)}")
            )

    def _who(self, finding: Finding) -> str:
        actors = ", ".join(self._actor(actor) for actor in finding.actors)
        return f"{CAUSE_TEXT[finding.cause]}: {actors}" if actors else CAUSE_TEXT[finding.cause]

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
                self._line(
                    Text(f"{object_name(item)}: {visible(decision.path)} not reported: {visible(decision.why)}", "dim")
                )

    def _summary(self) -> None:
        for hint in hints(self._report):
            self._line(Text(hint, "dim"))
        ignored = self._report.count_ignored()
        if ignored and not self._verbose:
            are = "is" if ignored == 1 else "are"
            self._line(Text(f"{plural(ignored, 'finding')} {are} ignored; -v shows them", "dim"))
        self._line(Text(summary(self._report), _VERDICT_STYLE[self._report.verdict]))
