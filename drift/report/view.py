"""What every format for people says in the same words: names, values, causes, and what comes first.

Nothing here knows of colours or markup; a format escapes what it gets from here once more, in its own way.
"""

import json
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Final

from drift.model import (
    SEVERITY_RANK,
    Actor,
    Cause,
    Change,
    Finding,
    Json,
    Lifecycle,
    ObjectKey,
    ObjectReport,
    Report,
    Resolved,
    Status,
    Verdict,
)
from drift.report.json_report import is_worth_a_line

CAUSE_TEXT: Final = {
    Cause.MANUAL: "changed in the cluster",
    Cause.PENDING_SYNC: "Git is ahead, not synced yet",
    Cause.CONTROLLER: "a controller's work",
    Cause.UNKNOWN: "cause not recorded",
}
CHANGE_SIGN: Final = {Change.CHANGED: "~", Change.ADDED: "+", Change.REMOVED: "-", Change.REORDERED: "~"}
_WITHOUT_VALUES: Final = {
    Change.MISSING: "in Git, not in the cluster",
    Change.UNMANAGED: "in the cluster, not in Git",
    Change.REORDERED: "the same items in another order",
}
HINT: Final = {
    Cause.MANUAL: "changed in the cluster: sync to revert it, or put the live value into Git to keep it",
    Cause.PENDING_SYNC: "Git is ahead: sync, or find out why the syncer does not",
    Cause.UNKNOWN: "cause not recorded: compare with the last change in Git before syncing",
}
#: What is in the cluster alone, no sync can be trusted to take away, whoever put it there.
_HINT_ON_EXTRAS: Final = {
    Change.ADDED: "added in the cluster: remove it there, which a sync may not do, or put it into Git to keep it",
    Change.UNMANAGED: "only in the cluster: delete it, put it into Git, or ignore it with a reason in drift.yaml",
}
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400
_STATUS_RANK: Final = {
    Status.UNCHECKED: 1,
    Status.MISSING: 0,
    Status.DRIFTED: 0,
    Status.UNMANAGED: 0,
    Status.IN_SYNC: 2,
}
_MARK: Final = {Lifecycle.NEW: "NEW", Lifecycle.REOPENED: "REOPENED"}
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_BRIEF: Final = 10
#: Characters of a value that are shown, and of them before the first one that differs.
_MAX_VALUE: Final = 160
_CONTEXT: Final = 20
#: Longer than any name that Kubernetes accepts, or than any sentence of ours; none can fill a report.
_MAX_NAME: Final = 300
_MAX_SENTENCE: Final = 1500
_MOST_NAMED: Final = 3


def is_shown(item: ObjectReport, *, verbose: bool = False) -> bool:
    """Whether there is more to say of an object than what a rule sets aside."""
    if verbose or item.reason is not None or not item.findings:
        return is_worth_a_line(item)
    return any(finding.ignored is None for finding in item.findings)


def worst_first(item: ObjectReport) -> tuple[int, int, str, str, str, str]:
    """The order of objects: by what is worst of them, then by name."""
    counted = (SEVERITY_RANK[finding.severity] for finding in item.findings if finding.ignored is None)
    worst = min(counted, default=len(SEVERITY_RANK))
    key = item.key
    return (_STATUS_RANK[item.status], worst, item.cluster or "", key.namespace or "", key.kind, key.name)


def finding_order(finding: Finding) -> tuple[int, str]:
    """The order of one object's findings: the worst first, then by path."""
    return (SEVERITY_RANK[finding.severity], finding.path)


def object_name(item: ObjectReport) -> str:
    """``Deployment shop/web``, and in which cluster where the report speaks of several."""
    return key_name(item.key, item.cluster)


def key_name(key: ObjectKey, cluster: str | None = None) -> str:
    """As `object_name`, of an object that the report does not have."""
    namespace = f"{key.namespace}/" if key.namespace is not None else ""
    where = f" in {cluster}" if cluster is not None else ""
    return visible(f"{key.kind} {namespace}{key.name}{where}")


class Side(Enum):
    """Whose value a part of a sentence is."""

    GIT = auto()
    LIVE = auto()


def what_differs(finding: Finding) -> str:
    """One line without the path: the values, or what else is to be said of the difference."""
    return "".join(text for text, _ in what_differs_in_parts(finding))


def what_differs_in_parts(finding: Finding) -> tuple[tuple[str, Side | None], ...]:
    """As `what_differs`, the values apart from the words."""
    if finding.change in _WITHOUT_VALUES:
        return ((_WITHOUT_VALUES[finding.change], None),)
    if finding.redacted:
        return ((f"{finding.change} (value not shown)", None),)
    desired, live = excerpts(finding)
    git_part, live_part = (("Git ", None), (desired, Side.GIT)), (("live ", None), (live, Side.LIVE))
    if finding.change is Change.ADDED:
        return (*live_part, (", not in Git", None))
    if finding.change is Change.REMOVED:
        return (*git_part, (", not live", None))
    return (*git_part, (", ", None), *live_part)


def excerpts(finding: Finding) -> tuple[str, str]:
    """The desired and the live value as one line each, cut around the first place where they differ."""
    desired, live = _text(finding.desired), _text(finding.live)
    start = excerpt_start(desired, live) if finding.change is Change.CHANGED else 0
    return cut(desired, start), cut(live, start)


def who(finding: Finding) -> str:
    """The cause and the field managers, each with the time that is recorded for it."""
    actors = ", ".join(f"{_actor(actor)}, {visible(actor.time or 'time not recorded')}" for actor in finding.actors)
    return f"{CAUSE_TEXT[finding.cause]}: {actors}" if actors else CAUSE_TEXT[finding.cause]


def _actor(actor: Actor) -> str:
    return visible(f"{actor.manager} ({actor.subresource})" if actor.subresource else actor.manager)


def lifecycle_mark(finding: Finding) -> str:
    """``NEW`` or ``REOPENED``; empty for what was there before, and where no history tells."""
    return _MARK.get(finding.lifecycle, "") if finding.lifecycle is not None else ""


def severity_mark(finding: Finding) -> str:
    """The severity, with the mark of what is new."""
    return f"{finding.severity} {lifecycle_mark(finding)}".rstrip()


def open_for(finding: Finding, now: str) -> str:
    """``; open for 3 d 4 h``, to end a line with; empty for what is new, and where no history tells.

    Args:
        finding: As the history has it.
        now: The time of the report, RFC 3339.
    """
    if finding.lifecycle is not Lifecycle.ONGOING or finding.first_seen is None:
        return ""
    return f"; open for {duration_between(finding.first_seen, now)}"


def duration_between(since: str, until: str) -> str:
    """As `duration`, of the time between two RFC 3339 times."""
    return duration((datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())


def duration(seconds: float) -> str:
    """``3 d 4 h``, ``12 min``, ``0 s``: the two greatest units, rounded down; ``1.4 s`` where it is brief."""
    if 0 < seconds < _BRIEF and seconds % 1:
        return f"{seconds:.1f} s"
    seconds = max(int(seconds), 0)
    for position, (unit, name) in enumerate(_UNITS):
        if seconds >= unit:
            rest = seconds % unit
            smaller = _UNITS[position + 1 : position + 2]
            parts = [f"{seconds // unit} {name}", *(f"{rest // size} {word}" for size, word in smaller if rest >= size)]
            return " ".join(parts)
    return "0 s"


def resolved_name(gone: Resolved) -> str:
    """The object and the path of what is resolved, and how long it was open."""
    lasted = duration_between(gone.first_seen, gone.resolved_at)
    return f"{short(key_name(gone.key, gone.cluster))} {short(gone.path or gone.change)}, after {lasted}"


def resolved_line(report: Report) -> str | None:
    """What is resolved since the last scan, in one line that names the first few; None where nothing is."""
    if not report.resolved:
        return None
    named = "; ".join(map(resolved_name, report.resolved[:_MOST_NAMED]))
    more = len(report.resolved) - _MOST_NAMED
    rest = f"; and {more} more" if more > 0 else ""
    return f"{plural(len(report.resolved), 'finding')} resolved since the last scan: {named}{rest}"


def hints(report: Report) -> list[str]:
    """What to do about the kinds of drift that the report has."""
    found = {what_to_do(finding) for item in report.objects for finding in item.findings}
    return [hint for hint in (*HINT.values(), *_HINT_ON_EXTRAS.values()) if hint in found]


def what_to_do(finding: Finding) -> str:
    """What to do about one finding; "" where there is nothing to be done."""
    if not finding.is_drift:
        return ""
    if finding.change in _HINT_ON_EXTRAS and finding.cause is not Cause.PENDING_SYNC:
        return _HINT_ON_EXTRAS[finding.change]
    return HINT[finding.cause]


def age(time: str, now: str) -> str | None:
    """How long before ``now`` a time was, in its largest unit: ``2h``.

    None where it is no time, or so far ahead that the clocks disagree: then only the time itself can be said.
    """
    try:
        seconds = (datetime.fromisoformat(now) - datetime.fromisoformat(time).astimezone(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    if seconds < -_MINUTE:
        return None
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= unit:
            return f"{seconds // unit:.0f}{name}"
    return f"{max(seconds, 0):.0f}s"


def summary(report: Report) -> str:
    """The whole report in one line."""
    return _summary(report) if report.shard is None else f"{_summary(report)} ({report.shard})"


def _summary(report: Report) -> str:
    counts = report.count_by_status()
    if report.verdict is not Verdict.IN_SYNC:
        parts = [f"{count} {status}" for status, count in counts.items() if count]
        return f"{report.verdict}: {', '.join(parts)}" if parts else str(report.verdict)
    left_out = counts[Status.UNCHECKED]
    checked = sum(counts.values()) - counts[Status.UNMANAGED] - left_out
    text = f"in sync: {plural(checked, 'object')} checked"
    return f"{text}, {left_out} not checked on purpose" if left_out else text


def plural(count: int, noun: str) -> str:
    """``1 object``, ``2 objects``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def visible(text: str) -> str:
    """Control and format characters as escapes: nothing in a cluster may steer a terminal, or turn a line around."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def short(text: str) -> str:
    """A name or a path, cut where no honest cluster would have it so long."""
    return _at_most(_MAX_NAME, visible(text))


def sentence(text: str) -> str:
    """A reason, a note or an error, cut where none of ours would be so long."""
    return _at_most(_MAX_SENTENCE, visible(text))


def _at_most(most: int, text: str) -> str:
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def _text(value: Json) -> str:
    return visible(value if _is_plain(value) else json.dumps(value, ensure_ascii=False))


def excerpt_start(text: str, other: str) -> int:
    """Where the excerpts of two long texts begin, so that both show the first place where they differ."""
    shorter = min(len(text), len(other))
    if shorter <= _MAX_VALUE - _CONTEXT:
        return 0
    pairs = zip(text, other, strict=False)
    same = next((index for index, (one, two) in enumerate(pairs) if one != two), shorter)
    return same - _CONTEXT if same > _MAX_VALUE - _CONTEXT else 0


def cut(text: str, start: int = 0) -> str:
    """A text, or as much of it as is shown, from where its excerpt begins."""
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
