"""Markdown for GitHub comments and step summaries: it keeps to their size limits and counts what it leaves out.

Text from the cluster or from manifests is written as code, so that it makes no markup, mentions or links.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from drift.advice.advisor import Advisor
from drift.counts import plural
from drift.model import Finding, ObjectReport, Report, SourceInfo
from drift.report.diff import DiffLine, line_diff
from drift.report.formats import COMMENT_LIMIT
from drift.report.selection import (
    NO_FILTERS,
    Filters,
    Group,
    by_source,
    entry_order,
    finding_order,
    group_name,
    grouped,
    member_names,
    not_listed,
    only_drift,
    worst_first,
)
from drift.report.view import (
    cause_and_managers,
    cluster_names,
    command_lines,
    excerpts,
    field_place,
    has_values,
    object_name,
    open_for,
    reason_of,
    resolved_name,
    sentence,
    severity_mark,
    short,
    source_lines,
    summary,
    visible,
    what_differs,
)

#: Bytes kept free for the lines that count what is left out.
_RESERVED: Final = 600
#: Errors get at most an eighth of the space, notes and resolved findings a sixteenth each; objects get the rest.
_ERRORS_SHARE: Final = 8
_NOTES_SHARE: Final = 16
#: One object gets at most half of the remaining space, so that it does not hide all others.
_OBJECT_SHARE: Final = 2
_MAX_CLUSTERS: Final = 5
_MAX_FACT: Final = 80
_WITHOUT_MARKUP: Final = re.compile(r"(?![0-9]+[.)])[A-Za-z0-9][A-Za-z0-9 ,;'()/:.-]*")
#: Text that GitHub turns into a link or an emoji without any markup.
_AUTOMATIC: Final = re.compile(r"www\.|://|GH-[0-9]|:(?![0-9]{2}:)[a-z0-9-]+:", re.IGNORECASE)
_BACKTICKS: Final = re.compile(r"`+")


def to_markdown(
    report: Report,
    limit: int = COMMENT_LIMIT,
    *,
    filters: Filters = NO_FILTERS,
    saved: str | None = None,
) -> str:
    """Returns the report as GitHub-flavoured Markdown.

    Args:
        report: The report.
        limit: The maximum size in bytes of UTF-8, at least `SMALLEST_LIMIT`.
        filters: What to show.
        saved: The file of the JSON report, which commands name; None if it is not known.
    """
    unlisted = not_listed(report, with_controllers=filters.with_controllers)
    head, tail = _head(report), f"\n{unlisted}\n" if unlisted is not None else ""
    space = limit - _size(head) - _size(tail) - _RESERVED
    errors = _list("Not checked", report.problems, space // _ERRORS_SHARE)
    notes = _list("Notes", report.notes, space // _NOTES_SHARE)
    chosen, left_out = filters.apply(report)
    shown = sorted(only_drift(chosen, with_controllers=filters.with_controllers), key=worst_first)
    resolved = _list("Resolved since the last scan", list(map(resolved_name, report.resolved)), space // _NOTES_SHARE)
    sources = _list("Sources", [*source_lines(report).values()], space // _NOTES_SHARE)
    left = space - sum(map(_size, (sources, errors, notes, resolved)))
    style = _Style(Advisor.of(report, saved), report.generated_at, "####" if len(report.sources) > 1 else "###")
    objects, rest = _objects(report, shown, left, style)
    if rest:
        # A finding matters more than the commands for another one.
        objects, rest = _objects(report, shown, left, replace(style, shows_commands=False))
    hidden = f"\n**{left_out}**\n" if left_out is not None else ""
    return head + sources + errors + objects + rest + hidden + resolved + notes + tail


def _head(report: Report) -> str:
    lines = [f"## Drift: {report.verdict}", "", f"**{summary(report)}**"]
    clusters = cluster_names(report)
    facts = [f"cluster {_fact(name)}" for name in clusters[:_MAX_CLUSTERS]]
    if len(clusters) > _MAX_CLUSTERS:
        facts.append(f"{len(clusters) - _MAX_CLUSTERS} more clusters")
    if report.manifests.git_commit:
        dirty = " with uncommitted changes" if report.manifests.git_dirty else ""
        facts.append(f"Git {_fact(report.manifests.git_commit)}{dirty}")
    facts.append(_fact(report.generated_at))
    if report.has_drift:
        facts.append("`-` is Git, `+` is the cluster")
    return "\n".join([*lines, "", ", ".join(facts)]) + "\n"


def _list(title: str, sentences: Sequence[str], space: int) -> str:
    """Returns a section with as many sentences as fit into the space."""
    if not sentences:
        return ""
    text = f"\n### {title}\n\n"
    for number, entry in enumerate(sentences):
        line = f"- {_prose(entry)}\n"
        if _size(text) + _size(line) > space:
            return f"{text}- {len(sentences) - number} more not shown here\n"
        text += line
    return text


@dataclass(frozen=True, slots=True)
class _Style:
    """How objects are written.

    Attributes:
        advisor: What to do about the findings.
        now: The time of the report.
        level: The marks before the heading of an object.
        shows_commands: Whether the commands for each finding are written.
    """

    advisor: Advisor
    now: str
    level: str
    shows_commands: bool = True


def _objects(report: Report, items: Sequence[ObjectReport], space: int, style: _Style) -> tuple[str, str]:
    """Returns the sections of the worst objects and groups that fit into the space, and a sentence on the others.

    The sections are below the sources that the objects come from.
    """
    sources = [(_heading(report, source), grouped(members)) for source, members in by_source(report, items)]
    entries = [(number, entry) for number, (_, members) in enumerate(sources) for entry in members]
    worst = sorted(entries, key=lambda numbered: entry_order(numbered[1]))
    sections: list[list[str]] = [[] for _ in sources]
    rest = ""
    for position, (number, entry) in enumerate(worst):
        space -= 0 if sections[number] else _size(sources[number][0])
        section = _entry(entry, space // _OBJECT_SHARE, style)
        if section is None:
            rest = _left_out([one for _, one in worst[position:]])
            break
        sections[number].append(section)
        space -= _size(section)
    blocks = (heading + "".join(texts) for (heading, _), texts in zip(sources, sections, strict=True) if texts)
    return "".join(blocks), rest


def _heading(report: Report, source: SourceInfo | None) -> str:
    """Returns the heading of the objects of a source; "" if the report has only one source."""
    if len(report.sources) < 2:  # noqa: PLR2004 - several
        return ""
    return f"\n### {'In no source' if source is None else f'From {_prose(short(source.name))}'}\n"


def _left_out(entries: Sequence[Group | ObjectReport]) -> str:
    groups = [entry for entry in entries if isinstance(entry, Group)]
    items = [entry for entry in entries if isinstance(entry, ObjectReport)]
    objects = {(item.cluster, item.key) for item in (*items, *(item for group in groups for item, _ in group.members))}
    findings = sum(len(item.findings) for item in items)
    findings += sum(len(group.members) for group in groups)
    return (
        f"\n**{plural(len(objects), 'more object')} with {plural(findings, 'finding')} left out to fit here.** "
        "The worst are shown; the JSON report has all.\n"
    )


def _entry(entry: Group | ObjectReport, space: int, style: _Style) -> str | None:
    return _group(entry, space, style) if isinstance(entry, Group) else _object(entry, space, style)


def _group(group: Group, space: int, style: _Style) -> str | None:
    """Returns the section of a group with as many names of its objects as fit, or None if its finding does not fit."""
    text = f"\n{style.level} {code(short(group_name(group)))} {group.item.status}\n"
    reason = reason_of(group.item)
    if reason is not None:
        text += f"\n{_prose(reason)}\n"
    block = _finding(group.item, group.finding, replace(style, shows_commands=False), line_diff(group.finding))
    text += f"{block}\n<details><summary>{plural(group.objects, 'object')}</summary>\n\n"
    end = "\n</details>\n"
    for number, ((item, finding), name) in enumerate(zip(group.members, member_names(group), strict=True)):
        place = field_place(item, finding) or (None if item.source is None else short(str(item.source)))
        line = f"- {code(short(name))}{f', {code(place)}' if place else ''}\n"
        if _size(text) + _size(line) + _size(end) + _MAX_FACT > space:
            return f"{text}- {len(group.members) - number} more not shown here\n{end}" if number else None
        text += line
    return text + end


def _object(item: ObjectReport, space: int, style: _Style) -> str | None:
    """Returns an object's section with as many findings as fit, or None if not even one fits."""
    text = f"\n{style.level} {code(short(object_name(item)))} {item.status}\n"
    if item.source is not None:
        text += f"\n{code(short(str(item.source)))}\n"
    elif item.origins:
        text += f"\n{code(short(', '.join(item.origins)))}\n"
    reason = reason_of(item)
    if reason is not None:
        text += f"\n{_prose(reason)}\n"
    findings = sorted(item.findings, key=finding_order)
    for number, finding in enumerate(findings):
        block = _finding(item, finding, style, line_diff(finding))
        if _size(text) + _size(block) + _MAX_FACT > space:
            block = _finding(item, finding, style)
        # Keep space for the line that counts the findings left out: the next finding may need it.
        if _size(text) + _size(block) + _MAX_FACT > space:
            left_out = plural(len(findings) - number, "more finding")
            return f"{text}\n{left_out} of this object not shown here\n" if number else None
        text += block
    return text if _size(text) <= space else None


def _finding(item: ObjectReport, finding: Finding, style: _Style, lines_of_diff: Sequence[DiffLine] = ()) -> str:
    path = f" {code(short(finding.path))}" if finding.path else ""
    difference = "" if has_values(finding) else f" {what_differs(finding)};"
    place = field_place(item, finding)
    where = f", {code(place)}" if place else ""
    who = f"{_prose(cause_and_managers(finding))}{open_for(finding, style.now)}{where}"
    lines = [f"**{severity_mark(finding)}**{path}:{difference} {who}"]
    if finding.note is not None:
        lines += ["", f"Note: {_prose(finding.note)}"]
    if lines_of_diff:
        lines += ["", _fence("diff", [str(line) for line in lines_of_diff])]
    elif has_values(finding):
        values = zip("-+", excerpts(finding), strict=True)
        lines += ["", _fence("diff", [f"{sign} {value}" for sign, value in values if value is not None])]
    advice = style.advisor.advice(item, finding)
    if advice is not None:
        lines += ["", f"Next: {_prose(advice)}"]
    commands = command_lines(style.advisor.commands(item, finding)) if style.shows_commands else ()
    if commands:
        shown = [line for name, command in commands for line in (f"# {name}", command)]
        lines += ["", "<details><summary>Commands</summary>", "", _fence("sh", shown), "", "</details>"]
    return "\n" + "\n".join(lines) + "\n"


def _fence(language: str, lines: Sequence[str]) -> str:
    """Returns a code block with a fence longer than any in its lines."""
    mark = "`" * max(3, _longest_run(lines) + 1)
    return "\n".join([f"{mark}{language}", *lines, mark])


def code(text: str) -> str:
    """Returns a text as inline code, with spaces inside if a backtick would touch the delimiters."""
    mark = "`" * (_longest_run([text]) + 1)
    space = " " if "`" in text or not text.strip() or text != text.strip() else ""
    return f"{mark}{space}{text or ' '}{space}{mark}"


def _prose(text: str) -> str:
    """Returns a sentence unchanged if nothing in it can be markup, else as code."""
    text = sentence(text)
    return text if _WITHOUT_MARKUP.fullmatch(text) and not _AUTOMATIC.search(text) else code(text)


def _fact(text: str) -> str:
    return code(visible(text)[:_MAX_FACT])


def _longest_run(texts: Sequence[str]) -> int:
    return max((len(run) for text in texts for run in _BACKTICKS.findall(text)), default=0)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
