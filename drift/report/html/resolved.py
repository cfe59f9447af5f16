"""What is gone since the last scan: what it was, how bad, and how long it was open."""

from collections.abc import Sequence
from typing import Final

from drift.model import SEVERITY_RANK, Change, Resolved
from drift.report.html.markup import name
from drift.report.view import CAUSE_TEXT, age, plural

_MOST: Final = 100
_WHOLE: Final = {Change.MISSING: "was missing", Change.UNMANAGED: "was unmanaged"}


def resolved_section(resolved: Sequence[Resolved], now: str) -> str:
    """A section, worst first; "" where nothing was resolved.

    Args:
        resolved: From the report.
        now: When the report was made, for ages.
    """
    if not resolved:
        return ""
    ordered = sorted(resolved, key=lambda item: SEVERITY_RANK[item.severity])
    lines = "".join(f"<li>{_line(item, now)}</li>\n" for item in ordered[:_MOST])
    left_out = len(ordered) - _MOST
    note = f"<p>{left_out} more not listed here.</p>\n" if left_out > 0 else ""
    return (
        f'<section class="resolved" aria-labelledby="resolved"><details class="quiet"><summary>'
        f'<h2 id="resolved">{plural(len(ordered), "finding")} resolved since the last scan</h2></summary>\n'
        f"<ul>\n{lines}</ul>\n{note}</details></section>\n"
    )


def _line(item: Resolved, now: str) -> str:
    namespace = "" if item.key.namespace is None else f"{item.key.namespace}/"
    cluster = "" if item.cluster is None else f" in {name(item.cluster)}"
    path = f"<code>{name(item.path)}</code>" if item.path else _WHOLE.get(item.change, item.change)
    times = ", ".join(
        f"{said} {name(time)}" if ago is None else f"{said} {ago} ago"
        for said, time in (("seen first", item.first_seen), ("gone", item.resolved_at))
        for ago in [age(time, now)]
    )
    return (
        f'<span class="chip s{SEVERITY_RANK[item.severity]}">{item.severity}</span> '
        f"{name(item.key.kind)} {name(namespace + item.key.name)}{cluster} {path} "
        f'<span class="muted">{CAUSE_TEXT[item.cause]}; {times}</span>'
    )
