"""Markdown for GitHub comments and step summaries: it keeps to their size limits and counts what it leaves out.

Text from the cluster or from manifests is written as code, so that it makes no markup, mentions or links.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from drift.advice.advisor import Advisor
from drift.model import Finding, ObjectReport, Report, SourceInfo
from drift.report.diff import DiffLine, excerpts, has_values, line_diff, what_differs
from drift.report.formats import DEFAULT_STYLE, Style
from drift.report.selection import (
    NO_FILTERS,
    Group,
    by_source,
    entry_order,
    group_name,
    grouped,
    member_names,
    not_listed,
    only_drift,
)
from drift.report.view import (
    cause_and_managers,
    cluster_names,
    command_lines,
    field_place,
    member_place,
    object_name,
    open_for,
    reason_of,
    resolved_name,
    sentence,
    severity_mark,
    short,
    source_lines,
    source_name,
    summary,
    visible,
)
from drift.words import plural

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


def to_markdown(report: Report, style: Style = DEFAULT_STYLE) -> str:
    """Returns the report as GitHub-flavoured Markdown."""
    filters = style.filters or NO_FILTERS
    chosen, hidden = filters.apply(report)
    shown = only_drift(chosen, with_controllers=filters.with_controllers)
    unlisted = not_listed(report, with_controllers=filters.with_controllers)
    head, tail = _head(report), f"\n{unlisted}\n" if unlisted is not None else ""
    space = style.markdown_limit - _size(head) - _size(tail) - _RESERVED
    errors = _list("Not checked", report.problems, space // _ERRORS_SHARE)
    notes = _list("Notes", report.notes, space // _NOTES_SHARE)
    resolved = _list("Resolved since the last scan", list(map(resolved_name, report.resolved)), space // _NOTES_SHARE)
    sources = _list("Sources", [*source_lines(report).values()], space // _NOTES_SHARE)
    space -= sum(map(_size, (sources, errors, notes, resolved)))
    sections = _Sections(report, Advisor.of(report, style.saved))
    entries = [(source, grouped(items)) for source, items in by_source(report, shown)]
    objects, rest = sections.of(entries, space)
    if rest:
        # A finding matters more than the commands for another one.
        objects, rest = replace(sections, shows_commands=False).of(entries, space)
    if hidden is not None:
        rest += f"\n**{hidden}**\n"
    return head + sources + errors + objects + rest + resolved + notes + tail


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
    head = f"\n### {title}\n\n"
    shown = _that_fit((f"- {_prose(text)}\n" for text in sentences), space - _size(head))
    return head + "".join(shown) + _more(len(sentences) - len(shown))


def _that_fit(texts: Iterable[str], space: int) -> Sequence[str]:
    """Returns the texts up to the first one that does not fit into the space."""
    shown: list[str] = []
    for text in texts:
        space -= _size(text)
        if space < 0:
            break
        shown.append(text)
    return shown


def _more(count: int) -> str:
    return f"- {count} more not shown here\n" if count else ""


@dataclass(frozen=True, slots=True)
class _Sections:
    """Writes the sections of objects.

    Attributes:
        report: The report.
        advisor: What to do about the findings.
        shows_commands: Whether the commands for each finding are written.
    """

    report: Report
    advisor: Advisor
    shows_commands: bool = True

    @property
    def _has_sources(self) -> bool:
        return len(self.report.sources) > 1

    def of(
        self, sources: Sequence[tuple[SourceInfo | None, Sequence[Group | ObjectReport]]], space: int
    ) -> tuple[str, str]:
        """Returns the sections of the worst objects and groups that fit into the space, and a sentence on the others.

        The sections are below the sources that the objects come from.
        """
        headings = [self._source_heading(source) for source, _ in sources]
        entries = [(number, entry) for number, (_, members) in enumerate(sources) for entry in members]
        worst = sorted(entries, key=lambda numbered: entry_order(numbered[1]))
        sections: list[list[str]] = [[] for _ in sources]
        rest = ""
        for position, (number, entry) in enumerate(worst):
            space -= 0 if sections[number] else _size(headings[number])
            section = self._entry(entry, space // _OBJECT_SHARE)
            if section is None:
                rest = _left_out([one for _, one in worst[position:]])
                break
            sections[number].append(section)
            space -= _size(section)
        blocks = (heading + "".join(texts) for heading, texts in zip(headings, sections, strict=True) if texts)
        return "".join(blocks), rest

    def _source_heading(self, source: SourceInfo | None) -> str:
        """Returns the heading of the objects of a source; "" if the report has only one source."""
        name = "In no source" if source is None else f"From {_prose(source_name(source))}"
        return f"\n### {name}\n" if self._has_sources else ""

    def _entry(self, entry: Group | ObjectReport, space: int) -> str | None:
        """Returns the section of a group or an object with as much as fits, or None if not even one finding fits."""
        return self._group(entry, space) if isinstance(entry, Group) else self._object(entry, space)

    def _heading(self, name: str, item: ObjectReport, place: str = "") -> str:
        reason = reason_of(item)
        lines = [
            f"{'####' if self._has_sources else '###'} {code(short(name))} {item.status}",
            *([code(short(place))] if place else []),
            *([_prose(reason)] if reason is not None else []),
        ]
        return "".join(f"\n{line}\n" for line in lines)

    def _group(self, group: Group, space: int) -> str | None:
        block = self._finding(group.item, group.finding, line_diff(group.finding), ())
        head = f"{self._heading(group_name(group), group.item)}{block}\n"
        head += f"<details><summary>{plural(group.objects, 'object')}</summary>\n\n"
        end = "\n</details>\n"
        places = (member_place(item, finding) for item, finding in group.members)
        lines = (
            f"- {code(short(name))}{f', {code(place)}' if place else ''}\n"
            for name, place in zip(member_names(group), places, strict=True)
        )
        shown = _that_fit(lines, space - _size(head) - _size(end) - _MAX_FACT)
        return head + "".join(shown) + _more(len(group.members) - len(shown)) + end if shown else None

    def _object(self, item: ObjectReport, space: int) -> str | None:
        place = ", ".join(item.origins) if item.source is None else str(item.source)
        text = self._heading(object_name(item), item, place)
        for number, finding in enumerate(item.findings):
            # Keep space for the line that counts the findings left out: the next finding may need it.
            left = space - _size(text) - _MAX_FACT
            commands = command_lines(self.advisor.commands(item, finding)) if self.shows_commands else ()
            block = self._finding(item, finding, line_diff(finding), commands)
            if _size(block) > left:
                block = self._finding(item, finding, (), commands)
            if _size(block) > left:
                left_out = plural(len(item.findings) - number, "more finding")
                return f"{text}\n{left_out} of this object not shown here\n" if number else None
            text += block
        return text if _size(text) <= space else None

    def _finding(
        self, item: ObjectReport, finding: Finding, diff: Sequence[DiffLine], commands: Sequence[tuple[str, str]]
    ) -> str:
        path = f" {code(short(finding.path))}" if finding.path else ""
        difference = "" if has_values(finding) else f" {what_differs(finding)};"
        place = field_place(item, finding)
        where = f", {code(place)}" if place else ""
        who = f"{_prose(cause_and_managers(finding))}{open_for(finding, self.report.generated_at)}{where}"
        paragraphs = [f"**{severity_mark(finding)}**{path}:{difference} {who}"]
        if finding.note is not None:
            paragraphs.append(f"Note: {_prose(finding.note)}")
        if diff:
            paragraphs.append(_fence("diff", map(str, diff)))
        elif has_values(finding):
            values = zip("-+", excerpts(finding), strict=True)
            paragraphs.append(_fence("diff", (f"{sign} {value}" for sign, value in values if value is not None)))
        advice = self.advisor.advice(item, finding)
        if advice is not None:
            paragraphs.append(f"Next: {_prose(advice)}")
        if commands:
            shown = (line for name, command in commands for line in (f"# {name}", command))
            paragraphs += ["<details><summary>Commands</summary>", _fence("sh", shown), "</details>"]
        return "".join(f"\n{paragraph}\n" for paragraph in paragraphs)


def _left_out(entries: Sequence[Group | ObjectReport]) -> str:
    findings = [
        (item, number)
        for entry in entries
        for item, number in (
            ((item, 1) for item, _ in entry.members) if isinstance(entry, Group) else [(entry, len(entry.findings))]
        )
    ]
    objects = {(item.cluster, item.key) for item, _ in findings}
    count = sum(number for _, number in findings)
    return (
        f"\n**{plural(len(objects), 'more object')} with {plural(count, 'finding')} left out to fit here.** "
        "The worst are shown; the JSON report has all.\n"
    )


def _fence(language: str, lines: Iterable[str]) -> str:
    """Returns a code block with a fence longer than any in its lines."""
    text = "\n".join(lines)
    mark = "`" * max(3, _longest_run(text) + 1)
    return f"{mark}{language}\n{text}\n{mark}"


def code(text: str) -> str:
    """Returns a text as inline code, with spaces inside if a backtick would touch the delimiters."""
    mark = "`" * (_longest_run(text) + 1)
    space = " " if "`" in text or not text.strip() or text != text.strip() else ""
    return f"{mark}{space}{text or ' '}{space}{mark}"


def _prose(text: str) -> str:
    """Returns a sentence unchanged if nothing in it can be markup, else as code."""
    text = sentence(text)
    return text if _WITHOUT_MARKUP.fullmatch(text) and not _AUTOMATIC.search(text) else code(text)


def _fact(text: str) -> str:
    return code(visible(text)[:_MAX_FACT])


def _longest_run(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
