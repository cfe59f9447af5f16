"""The plain list for readers without scripts; the page's script replaces it."""

import re
from collections.abc import Sequence
from typing import Final

from drift.model import SEVERITY_RANK, Finding, ObjectReport
from drift.report.html.markup import escaped, escaped_name
from drift.report.view import (
    cause_and_managers,
    finding_order,
    is_shown,
    object_name,
    plural,
    reason_of,
    sentence,
    what_differs,
)

_MAX_OBJECTS: Final = 200
_MAX_FINDINGS: Final = 20
#: Only a fingerprint becomes an element's id: any other text could be the same as one of the page's own ids.
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{16,64}")


def listing(items: Sequence[ObjectReport]) -> str:
    """Returns the worst objects with their worst findings, and how many are left out.

    Args:
        items: The objects, worst first.
    """
    items = [item for item in items if is_shown(item)]
    if not items:
        return '<p class="empty">No object differs from Git.</p>\n'
    used_ids: set[str] = set()
    blocks = "".join(_object(item, used_ids) for item in items[:_MAX_OBJECTS])
    left_out = len(items) - _MAX_OBJECTS
    note = f"<p>{plural(left_out, 'more object')} not listed here: turn on scripts to see all.</p>\n"
    return f'<ol class="objects">\n{blocks}</ol>\n{note if left_out > 0 else ""}'


def _object(item: ObjectReport, used_ids: set[str]) -> str:
    findings = sorted((finding for finding in item.findings if finding.ignored is None), key=finding_order)
    source = "" if item.source is None else f' <span class="source">{escaped_name(str(item.source))}</span>'
    reason = reason_of(item)
    status = f'<span class="status {item.status}">{item.status}</span>'
    parts = [
        f'<li class="object"><div class="head"><h3>{escaped_name(object_name(item))}</h3> {status}{source}</div>\n',
        "" if reason is None else f'<p class="reason">{escaped(reason)}</p>\n',
        *(_finding(finding, used_ids) for finding in findings[:_MAX_FINDINGS]),
    ]
    left_out = len(findings) - _MAX_FINDINGS
    if left_out > 0:
        parts.append(f'<p class="reason">{plural(left_out, "more finding")} of this object not listed here.</p>\n')
    return "".join([*parts, "</li>\n"])


def _finding(finding: Finding, used_ids: set[str]) -> str:
    anchor = ""
    if finding.id not in used_ids and _FINGERPRINT.fullmatch(finding.id):
        used_ids.add(finding.id)
        anchor = f' id="{finding.id}"'
    path = f"<code>{escaped_name(finding.path)}</code> " if finding.path else ""
    note = f'<br><span class="note">note: {escaped(sentence(finding.note))}</span>' if finding.note else ""
    return (
        f'<p class="plain"{anchor}><span class="chip s{SEVERITY_RANK[finding.severity]}">{finding.severity}</span> '
        f"{path}{escaped(what_differs(finding))}; {escaped_name(cause_and_managers(finding))}{note}</p>\n"
    )
