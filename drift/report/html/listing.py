"""The plain listing: what a reader without scripts gets, and what the script puts its own list in place of."""

import re
from collections.abc import Sequence
from typing import Final

from drift.model import SEVERITY_RANK, Finding, ObjectReport
from drift.report.html.data import reason
from drift.report.html.markup import name, shown
from drift.report.view import finding_order, is_shown, object_name, plural, what_differs, who

_MOST_OBJECTS: Final = 200
_MOST_FINDINGS: Final = 20
#: Nothing but a fingerprint becomes an element's id: another text could take the place of one of the page's own.
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{16,64}")


def listing(items: Sequence[ObjectReport]) -> str:
    """The worst objects with their worst findings, and what is left out.

    Args:
        items: Worst first.
    """
    items = [item for item in items if is_shown(item)]
    if not items:
        return '<p class="nothing">No object differs from Git.</p>\n'
    used: set[str] = set()
    blocks = "".join(_object(item, used) for item in items[:_MOST_OBJECTS])
    left_out = len(items) - _MOST_OBJECTS
    note = f"<p>{plural(left_out, 'more object')} not listed here: the page lists them with scripts turned on.</p>\n"
    return f'<ol class="objects">\n{blocks}</ol>\n{note if left_out > 0 else ""}'


def _object(item: ObjectReport, used: set[str]) -> str:
    findings = sorted((finding for finding in item.findings if finding.ignored is None), key=finding_order)
    source = "" if item.source is None else f' <span class="source">{name(str(item.source))}</span>'
    said = reason(item)
    status = f'<span class="status {item.status}">{item.status}</span>'
    parts = [
        f'<li class="object"><div class="head"><h3>{name(object_name(item))}</h3> {status}{source}</div>\n',
        "" if said is None else f'<p class="reason">{shown(said)}</p>\n',
        *(_finding(finding, used) for finding in findings[:_MOST_FINDINGS]),
    ]
    left_out = len(findings) - _MOST_FINDINGS
    if left_out > 0:
        parts.append(f'<p class="reason">{plural(left_out, "more finding")} of it not listed here.</p>\n')
    return "".join([*parts, "</li>\n"])


def _finding(finding: Finding, used: set[str]) -> str:
    anchor = ""
    if finding.id not in used and _FINGERPRINT.fullmatch(finding.id):
        used.add(finding.id)
        anchor = f' id="{finding.id}"'
    path = f"<code>{name(finding.path)}</code> " if finding.path else ""
    return (
        f'<p class="plain"{anchor}><span class="chip s{SEVERITY_RANK[finding.severity]}">{finding.severity}</span> '
        f"{path}{shown(what_differs(finding))}; {name(who(finding))}</p>\n"
    )
