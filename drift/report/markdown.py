"""Markdown for a comment or a step summary on GitHub: never longer than these may be, and it says what was left out.

What comes from outside is put into code, where nothing is markup, no name is notified and no link is made.
"""

import re
from collections.abc import Sequence
from typing import Final

from drift.model import Change, Finding, ObjectReport, Report
from drift.report.formats import COMMENT_LIMIT
from drift.report.line_diff import DiffLine, line_diff
from drift.report.view import (
    excerpts,
    finding_order,
    hints,
    is_shown,
    object_name,
    open_for,
    plural,
    resolved_name,
    sentence,
    severity_mark,
    short,
    summary,
    visible,
    what_differs,
    who,
    worst_first,
)

_RESERVED: Final = 600
#: Parts of the room: what is not checked, and notes. The objects have what is left of it.
_ERRORS_SHARE: Final = 8
_NOTES_SHARE: Final = 16
#: Part of what is left that one object may take, so that it does not hide all the others.
_OBJECT_SHARE: Final = 2
_MOST_CLUSTERS: Final = 5
_MAX_FACT: Final = 80
_HARMLESS: Final = re.compile(r"(?![0-9]+[.)])[A-Za-z0-9][A-Za-z0-9 ,;'()/:.-]*")
#: What GitHub makes a link or a picture of, without any markup.
_AUTOMATIC: Final = re.compile(r"www\.|://|GH-[0-9]|:(?![0-9]{2}:)[a-z0-9-]+:", re.IGNORECASE)
_BACKTICKS: Final = re.compile(r"`+")


def to_markdown(report: Report, limit: int = COMMENT_LIMIT) -> str:
    """The report as GitHub-flavoured Markdown.

    Args:
        report: What to show.
        limit: Bytes of UTF-8 that the text may have, `SMALLEST_LIMIT` at least.
    """
    head, tail = _head(report), _tail(report)
    room = limit - _size(head) - _size(tail) - _RESERVED
    errors = _list("Not checked", report.errors, room // _ERRORS_SHARE)
    notes = _list("Notes", report.notes, room // _NOTES_SHARE)
    shown = sorted(filter(is_shown, report.objects), key=worst_first)
    resolved = _list("Resolved since the last scan", list(map(resolved_name, report.resolved)), room // _NOTES_SHARE)
    objects = _objects(shown, room - _size(errors) - _size(notes) - _size(resolved), report.generated_at)
    return head + errors + objects + resolved + notes + tail


def _head(report: Report) -> str:
    lines = [f"## Drift: {report.verdict}", "", f"**{summary(report)}**"]
    clusters = [cluster.context or cluster.server for cluster in (report.clusters or (report.cluster,)) if cluster]
    facts = [f"cluster {_fact(name)}" for name in clusters[:_MOST_CLUSTERS]]
    if len(clusters) > _MOST_CLUSTERS:
        facts.append(f"{len(clusters) - _MOST_CLUSTERS} more clusters")
    if report.manifests.git_commit:
        dirty = " with uncommitted changes" if report.manifests.git_dirty else ""
        facts.append(f"Git {_fact(report.manifests.git_commit)}{dirty}")
    facts.append(_fact(report.generated_at))
    if report.has_drift:
        facts.append("`-` is Git, `+` is the cluster")
    return "\n".join([*lines, "", ", ".join(facts)]) + "\n"


def _tail(report: Report) -> str:
    lines = [f"- {hint}" for hint in hints(report)]
    ignored = report.count_ignored()
    if ignored:
        lines.append(f"- {plural(ignored, 'finding')} ignored by rules")
    return "\n### What to do\n\n" + "\n".join(lines) + "\n" if lines else ""


def _list(title: str, sentences: Sequence[str], room: int) -> str:
    """A section of sentences, as many as its part of the room holds."""
    if not sentences:
        return ""
    text = f"\n### {title}\n\n"
    for number, said in enumerate(sentences):
        line = f"- {_prose(said)}\n"
        if _size(text) + _size(line) > room:
            return f"{text}- {len(sentences) - number} more not shown here\n"
        text += line
    return text


def _objects(items: Sequence[ObjectReport], room: int, now: str) -> str:
    text = ""
    for number, item in enumerate(items):
        left = room - _size(text)
        block = _object(item, left // _OBJECT_SHARE, now)
        if block is None:
            return text + _left_out(items[number:])
        text += block
    return text


def _left_out(items: Sequence[ObjectReport]) -> str:
    findings = sum(finding.ignored is None for item in items for finding in item.findings)
    return (
        f"\n**{plural(len(items), 'more object')} with {plural(findings, 'finding')} left out to fit here;** "
        "the worst are shown, and the JSON report has them all.\n"
    )


def _object(item: ObjectReport, room: int, now: str) -> str | None:
    """An object's section, with as many of its findings as fit; None where not even one does."""
    text = f"\n### {_code(short(object_name(item)))} {item.status}\n"
    if item.source is not None:
        text += f"\n{_code(short(str(item.source)))}\n"
    if item.reason is not None:
        on_purpose = "not checked on purpose: " if item.is_skipped else ""
        text += f"\n{on_purpose}{_prose(item.reason)}\n"
    findings = sorted((finding for finding in item.findings if finding.ignored is None), key=finding_order)
    for number, finding in enumerate(findings):
        block = _finding(finding, now, line_diff(finding))
        if _size(text) + _size(block) + _MAX_FACT > room:
            block = _finding(finding, now)
        # Room for the sentence on what is left out of this object, which the next finding may make necessary.
        if _size(text) + _size(block) + _MAX_FACT > room:
            return (
                f"{text}\n{plural(len(findings) - number, 'more finding')} of it not shown here\n" if number else None
            )
        text += block
    return text if _size(text) <= room else None


def _finding(finding: Finding, now: str, lines_of_diff: Sequence[DiffLine] = ()) -> str:
    path = f" {_code(short(finding.path))}" if finding.path else ""
    with_values = finding.change in {Change.CHANGED, Change.ADDED, Change.REMOVED} and not finding.redacted
    what = "" if with_values else f" {what_differs(finding)};"
    lines = [f"**{severity_mark(finding)}**{path}:{what} {_prose(who(finding))}{open_for(finding, now)}"]
    if finding.note is not None:
        lines[0] += f"; {_prose(finding.note)}"
    if lines_of_diff:
        lines += ["", _fence("diff", [str(line) for line in lines_of_diff])]
    elif with_values:
        desired, live = excerpts(finding)
        removed = [] if finding.change is Change.ADDED else [f"- {desired}"]
        added = [] if finding.change is Change.REMOVED else [f"+ {live}"]
        lines += ["", _fence("diff", [*removed, *added])]
    return "\n" + "\n".join(lines) + "\n"


def _fence(language: str, lines: Sequence[str]) -> str:
    """A block of code that nothing in it can end."""
    mark = "`" * max(3, _longest_run(lines) + 1)
    return "\n".join([f"{mark}{language}", *lines, mark])


def _code(text: str) -> str:
    """Code within a line; a space on both sides where a backtick would touch the marks."""
    mark = "`" * (_longest_run([text]) + 1)
    space = " " if "`" in text or not text.strip() or text != text.strip() else ""
    return f"{mark}{space}{text or ' '}{space}{mark}"


def _prose(text: str) -> str:
    """A sentence as it is where nothing in it can be markup, else as code."""
    text = sentence(text)
    return text if _HARMLESS.fullmatch(text) and not _AUTOMATIC.search(text) else _code(text)


def _fact(text: str) -> str:
    return _code(visible(text)[:_MAX_FACT])


def _longest_run(texts: Sequence[str]) -> int:
    return max((len(run) for text in texts for run in _BACKTICKS.findall(text)), default=0)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
