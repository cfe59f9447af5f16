"""The text report, for a terminal, a log or a pipe: worst first, with who and when below each finding."""

import io
import json
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.text import Text

from drift.model import Actor, Cause, Change, Finding, Json, ObjectReport, Report, Severity, Status, Verdict
from drift.report.json_report import is_worth_a_line

_SEVERITY_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}
_SEVERITY_STYLE: Final = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
_STATUS_RANK: Final = {
    Status.UNCHECKED: 1,
    Status.MISSING: 0,
    Status.DRIFTED: 0,
    Status.UNMANAGED: 0,
    Status.IN_SYNC: 2,
}
_CAUSE_TEXT: Final = {
    Cause.MANUAL: "changed in the cluster",
    Cause.PENDING_SYNC: "Git is ahead, not synced yet",
    Cause.CONTROLLER: "a controller's work",
    Cause.UNKNOWN: "cause not recorded",
}
_CHANGE_SIGN: Final = {Change.CHANGED: "~", Change.ADDED: "+", Change.REMOVED: "-", Change.REORDERED: "~"}
_HINT: Final = {
    Cause.MANUAL: "changed in the cluster: sync to revert it, or put the live value into Git to keep it",
    Cause.PENDING_SYNC: "Git is ahead: sync, or find out why the syncer does not",
    Cause.UNKNOWN: "cause not recorded: compare with the last change in Git before syncing",
}
#: Characters of a value that are shown, and of them before the first one that differs.
_MAX_VALUE: Final = 160
_CONTEXT: Final = 20
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400


def to_text(report: Report, *, color: bool, width: int | None = None, verbose: bool = False) -> str:
    """The report as text.

    Args:
        report: What to show.
        color: Whether to write ANSI colours.
        width: Columns; None leaves lines as long as they are, for a pipe.
        verbose: Also says what was seen and not reported, and why.
    """
    out = io.StringIO()
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
    _Writer(console, report, verbose=verbose).write()
    return out.getvalue()


class _Writer:
    def __init__(self, console: Console, report: Report, *, verbose: bool) -> None:
        self._console = console
        self._report = report
        self._verbose = verbose
        self._now = datetime.fromisoformat(report.generated_at)

    def write(self) -> None:
        shown = sorted(filter(self._is_shown, self._report.objects), key=_worst_first)
        for item in shown:
            self._object(item)
        if self._verbose:
            self._decisions()
        for note in self._report.notes:
            self._line(Text(f"note: {_escape(note)}", "dim"))
        for error in self._report.errors:
            self._line(Text(f"not checked: {_escape(error)}", "red"))
        self._hints()
        self._summary()

    def _is_shown(self, item: ObjectReport) -> bool:
        """Whether there is more to say of an object than what a rule sets aside."""
        if self._verbose or item.reason is not None or not item.findings:
            return is_worth_a_line(item)
        return any(finding.ignored is None for finding in item.findings)

    def _line(self, text: Text) -> None:
        # A line that is cut would hide what it is there to show, so long ones are folded.
        self._console.print(text, overflow="fold")

    def _object(self, item: ObjectReport) -> None:
        head = Text()
        head.append(_escape(_name(item)), "bold")
        head.append(f"  {item.status}", "" if item.status is Status.IN_SYNC else "bold yellow")
        if item.source is not None:
            head.append(f"  {_escape(str(item.source))}", "dim")
        self._line(head)
        if item.reason is not None:
            on_purpose = "not checked on purpose: " if item.by_choice else ""
            self._line(Text(f"  {on_purpose}{_escape(item.reason)}"))
        for finding in sorted(item.findings, key=_finding_order):
            if self._verbose or finding.ignored is None:
                self._finding(finding)
        self._console.print()

    def _finding(self, finding: Finding) -> None:
        line = Text("  ")
        line.append(f"{finding.severity:<8} ", _SEVERITY_STYLE[finding.severity])
        if finding.path:
            line.append(f"{_CHANGE_SIGN[finding.change]} {_escape(finding.path)}")
            line.append("  ")
            line.append(_values(finding))
        else:
            line.append(_whole_object(finding))
        self._line(line)
        self._line(Text(f"           {self._who(finding)}", "dim"))
        if finding.note is not None:
            self._line(Text(f"           {_escape(finding.note)}", "dim"))
        if finding.ignored is not None:
            self._line(
                Text(f"           ignored by {_escape(finding.ignored.rule)}: {_escape(finding.ignored.reason)}")
            )

    def _who(self, finding: Finding) -> str:
        actors = ", ".join(self._actor(actor) for actor in finding.actors)
        return f"{_CAUSE_TEXT[finding.cause]}: {actors}" if actors else _CAUSE_TEXT[finding.cause]

    def _actor(self, actor: Actor) -> str:
        via = f" ({_escape(actor.subresource)})" if actor.subresource else ""
        return f"{_escape(actor.manager)}{via}, {self._age(actor.time)}"

    def _age(self, time: str | None) -> str:
        if time is None:
            return "time not recorded"
        try:
            then = datetime.fromisoformat(time)
            seconds = (self._now - then.astimezone(UTC)).total_seconds()
        except (ValueError, OverflowError):
            return _escape(time)
        return f"{_duration(seconds)} ago ({_escape(time)})"

    def _decisions(self) -> None:
        for item in self._report.objects:
            for decision in item.decisions:
                self._line(
                    Text(
                        f"{_escape(_name(item))}: {_escape(decision.path)} not reported: {_escape(decision.why)}", "dim"
                    )
                )

    def _hints(self) -> None:
        causes = {finding.cause for item in self._report.objects for finding in item.findings if finding.is_drift}
        for cause, hint in _HINT.items():
            if cause in causes:
                self._line(Text(hint, "dim"))

    def _summary(self) -> None:
        counts = self._report.count_by_status()
        checked = sum(counts.values()) - counts[Status.UNMANAGED] - counts[Status.UNCHECKED]
        ignored = self._report.count_ignored()
        if ignored and not self._verbose:
            self._line(
                Text(f"{ignored} {'finding is' if ignored == 1 else 'findings are'} ignored; -v shows them", "dim")
            )
        if self._report.verdict is Verdict.IN_SYNC:
            text = f"in sync: {checked} {'object' if checked == 1 else 'objects'} checked"
            left_out = counts[Status.UNCHECKED]
            self._line(Text(f"{text}, {left_out} not checked on purpose" if left_out else text, "bold green"))
            return
        parts = [f"{count} {status}" for status, count in counts.items() if count]
        style = "bold red" if self._report.verdict is Verdict.INCOMPLETE else "bold yellow"
        self._line(Text(f"{self._report.verdict}: {', '.join(parts)}", style))


def _worst_first(item: ObjectReport) -> tuple[int, int, str, str, str]:
    worst = min((_SEVERITY_RANK[finding.severity] for finding in item.findings), default=len(_SEVERITY_RANK))
    return (_STATUS_RANK[item.status], worst, item.key.namespace or "", item.key.kind, item.key.name)


def _finding_order(finding: Finding) -> tuple[int, str]:
    return (_SEVERITY_RANK[finding.severity], finding.path)


def _name(item: ObjectReport) -> str:
    namespace = f"{item.key.namespace}/" if item.key.namespace is not None else ""
    return f"{item.key.kind} {namespace}{item.key.name}"


def _whole_object(finding: Finding) -> str:
    if finding.change is Change.MISSING:
        return "in Git, not in the cluster"
    return "in the cluster, not in Git"


def _values(finding: Finding) -> str:
    if finding.change is Change.REORDERED:
        return "the same items in another order"
    if finding.redacted:
        return f"{finding.change} (value not shown)"
    if finding.change is Change.ADDED:
        return f"live {_value(finding.live)}, not in Git"
    if finding.change is Change.REMOVED:
        return f"Git {_value(finding.desired)}, not live"
    desired, live = _text(finding.desired), _text(finding.live)
    start = _excerpt_start(desired, live)
    return f"Git {_cut(desired, start)}, live {_cut(live, start)}"


def _value(value: Json) -> str:
    return _cut(_text(value), 0)


def _text(value: Json) -> str:
    return _escape(value if _is_plain(value) else json.dumps(value, ensure_ascii=False))


def _excerpt_start(text: str, other: str) -> int:
    """Where the excerpts of two long texts begin, so that both show the first place where they differ."""
    pairs = zip(text, other, strict=False)
    same = next((index for index, (one, two) in enumerate(pairs) if one != two), min(len(text), len(other)))
    return same - _CONTEXT if same > _MAX_VALUE - _CONTEXT else 0


def _cut(text: str, start: int) -> str:
    if start == 0 and len(text) <= _MAX_VALUE:
        return text
    before = "..." if start else ""
    after = "..." if start + _MAX_VALUE < len(text) else ""
    return f"{before}{text[start : start + _MAX_VALUE]}{after} ({len(text)} characters)"


def _is_plain(value: Json) -> bool:
    """Whether a string can stand unquoted and still be told from a number, a word of YAML or a trailing space."""
    return (
        isinstance(value, str)
        and value.isprintable()
        and value == value.strip()
        and any(character.isalpha() for character in value)
        and value not in {"true", "false", "null"}
        and " " not in value
    )


def _escape(text: str) -> str:
    """Control and format characters as escapes: nothing in a cluster may steer the reader's terminal."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def _duration(seconds: float) -> str:
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= unit:
            return f"{seconds // unit:.0f}{name}"
    return f"{max(seconds, 0):.0f}s"
