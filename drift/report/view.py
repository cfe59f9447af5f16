"""What every format for people says in the same words: names, values, causes, and what comes first.

Nothing here knows of colours or markup; a format escapes what it gets from here once more, in its own way.
"""

import json
from datetime import UTC, datetime
from typing import Final

from drift.model import Actor, Cause, Change, Finding, Json, ObjectReport, Report, Severity, Status, Verdict
from drift.report.json_report import is_worth_a_line

SEVERITY_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}
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
_HINT_WHOLE: Final = {
    Change.MISSING: "deleted, or never synced: sync it, or take it out of Git",
    Change.UNMANAGED: "not in Git: put it into Git, delete it, or ignore it with a reason",
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
#: Characters of a value that are shown, and of them before the first one that differs.
_MAX_VALUE: Final = 160
_CONTEXT: Final = 20
#: Longer than any name that Kubernetes accepts, or than any sentence of ours; none can fill a report.
_MAX_NAME: Final = 300
_MAX_SENTENCE: Final = 1500


def is_shown(item: ObjectReport, *, verbose: bool = False) -> bool:
    """Whether there is more to say of an object than what a rule sets aside."""
    if verbose or item.reason is not None or not item.findings:
        return is_worth_a_line(item)
    return any(finding.ignored is None for finding in item.findings)


def worst_first(item: ObjectReport) -> tuple[int, int, str, str, str, str]:
    """The order of objects: by what is worst of them, then by name."""
    worst = min((SEVERITY_RANK[finding.severity] for finding in item.findings), default=len(SEVERITY_RANK))
    key = item.key
    return (_STATUS_RANK[item.status], worst, item.cluster or "", key.namespace or "", key.kind, key.name)


def finding_order(finding: Finding) -> tuple[int, str]:
    """The order of one object's findings: the worst first, then by path."""
    return (SEVERITY_RANK[finding.severity], finding.path)


def object_name(item: ObjectReport) -> str:
    """``Deployment shop/web``, and in which cluster where the report speaks of several."""
    namespace = f"{item.key.namespace}/" if item.key.namespace is not None else ""
    cluster = f" in {item.cluster}" if item.cluster is not None else ""
    return visible(f"{item.key.kind} {namespace}{item.key.name}{cluster}")


def what_differs(finding: Finding) -> str:
    """One line without the path: the values, or what else is to be said of the difference."""
    if finding.change in _WITHOUT_VALUES:
        return _WITHOUT_VALUES[finding.change]
    if finding.redacted:
        return f"{finding.change} (value not shown)"
    desired, live = excerpts(finding)
    if finding.change is Change.ADDED:
        return f"live {live}, not in Git"
    if finding.change is Change.REMOVED:
        return f"Git {desired}, not live"
    return f"Git {desired}, live {live}"


def excerpts(finding: Finding) -> tuple[str, str]:
    """The desired and the live value as one line each, cut around the first place where they differ."""
    desired, live = _text(finding.desired), _text(finding.live)
    start = _excerpt_start(desired, live) if finding.change is Change.CHANGED else 0
    return _cut(desired, start), _cut(live, start)


def who(finding: Finding) -> str:
    """The cause and the field managers, each with the time that is recorded for it."""
    actors = ", ".join(f"{_actor(actor)}, {visible(actor.time or 'time not recorded')}" for actor in finding.actors)
    return f"{CAUSE_TEXT[finding.cause]}: {actors}" if actors else CAUSE_TEXT[finding.cause]


def _actor(actor: Actor) -> str:
    return visible(f"{actor.manager} ({actor.subresource})" if actor.subresource else actor.manager)


def hints(report: Report) -> list[str]:
    """What to do about the causes that the report has."""
    causes = {finding.cause for item in report.objects for finding in item.findings if finding.is_drift}
    return [hint for cause, hint in HINT.items() if cause in causes]


def what_to_do(finding: Finding) -> str:
    """What to do about one finding; "" where there is nothing to be done."""
    if not finding.is_drift:
        return ""
    return _HINT_WHOLE.get(finding.change) or HINT[finding.cause]


def age(time: str, now: str) -> str | None:
    """How long before ``now`` a time was, in its largest unit: ``2h``; None where it is no time."""
    try:
        seconds = (datetime.fromisoformat(now) - datetime.fromisoformat(time).astimezone(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= unit:
            return f"{seconds // unit:.0f}{name}"
    return f"{max(seconds, 0):.0f}s"


def summary(report: Report) -> str:
    """The whole report in one line."""
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
