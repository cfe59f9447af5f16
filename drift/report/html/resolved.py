"""The findings that are resolved since the last scan."""

from collections.abc import Sequence
from typing import Final

from drift.model import SEVERITY_RANK, Change, Resolved
from drift.report.html.markup import escaped_name
from drift.report.view import CAUSE_TEXT, age, plural

_MAX_LISTED: Final = 100
_WHOLE_OBJECT: Final = {Change.MISSING: "was missing", Change.UNMANAGED: "was unmanaged"}


def resolved_section(resolved: Sequence[Resolved], now: str) -> str:
    """Returns a section with the worst findings first, or "" if none are resolved.

    Args:
        resolved: The resolved findings of the report.
        now: The time of the report, for ages.
    """
    if not resolved:
        return ""
    ordered = sorted(resolved, key=lambda item: SEVERITY_RANK[item.severity])
    lines = "".join(f"<li>{_line(item, now)}</li>\n" for item in ordered[:_MAX_LISTED])
    left_out = len(ordered) - _MAX_LISTED
    note = f"<p>{left_out} more not listed here.</p>\n" if left_out > 0 else ""
    return (
        f'<section class="resolved" aria-labelledby="resolved"><details class="quiet"><summary>'
        f'<h2 id="resolved">{plural(len(ordered), "finding")} resolved since the last scan</h2></summary>\n'
        f"<ul>\n{lines}</ul>\n{note}</details></section>\n"
    )


def _line(item: Resolved, now: str) -> str:
    namespace = "" if item.key.namespace is None else f"{item.key.namespace}/"
    cluster = "" if item.cluster is None else f" in {escaped_name(item.cluster)}"
    path = f"<code>{escaped_name(item.path)}</code>" if item.path else _WHOLE_OBJECT.get(item.change, item.change)
    times = ", ".join(
        f"{event} {escaped_name(time)}" if ago is None else f"{event} {ago} ago"
        for event, time in (("first seen", item.first_seen), ("gone", item.resolved_at))
        for ago in [age(time, now)]
    )
    return (
        f'<span class="chip s{SEVERITY_RANK[item.severity]}">{item.severity}</span> '
        f"{escaped_name(item.key.kind)} {escaped_name(namespace + item.key.name)}{cluster} {path} "
        f'<span class="muted">{CAUSE_TEXT[item.cause]}; {times}</span>'
    )
