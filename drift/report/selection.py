"""Which objects and findings a report for people shows, in which order and in which groups."""

import json
import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from drift.globs import Glob
from drift.model import (
    SEVERITY_RANK,
    Actor,
    Cause,
    Change,
    Finding,
    ObjectReport,
    Report,
    Severity,
    SourceInfo,
    SourceKey,
    Status,
    sources_of,
)
from drift.objects import Json, ObjectKey
from drift.report.view import visible
from drift.words import closest, plural, suggestion

_STATUS_RANK: Final = {
    Status.UNCHECKED: 1,
    Status.MISSING: 0,
    Status.DRIFTED: 0,
    Status.UNMANAGED: 0,
    Status.IN_SYNC: 2,
}
#: The objects of a group that a short format names.
MAX_MEMBERS: Final = 5
#: From this many objects on, a group is shorter than its objects.
_MIN_OBJECTS: Final = 3
#: Containers often have the name of their Deployment.
_CONTAINER: Final = re.compile(r'\.(containers|initContainers)\[name=(?:"(?:[^"\\]|\\.)*"|[^\]"]*)\]')


@dataclass(frozen=True, slots=True)
class Filters:
    """What the user wants to see; a filter that is empty or None hides nothing.

    Attributes:
        severity: The lowest severity.
        limit: The number of findings to list, the worst ones. Ignored findings do not count.
        kinds: Kinds as in a manifest; upper and lower case make no difference.
        causes: Causes of findings.
        namespaces: Namespaces; an empty one is that of cluster-scoped objects.
    """

    severity: Severity | None = None
    limit: int | None = None
    kinds: tuple[Glob, ...] = ()
    causes: tuple[Cause, ...] = ()
    namespaces: tuple[Glob, ...] = ()

    @property
    def with_controllers(self) -> bool:
        """Whether the user asks for what controllers changed, which is never drift."""
        return self.severity is Severity.INFO or Cause.CONTROLLER in self.causes

    def _matches(self, item: ObjectReport) -> bool:
        kind, namespace = item.kind.casefold(), item.namespace or ""
        return (not self.kinds or any(glob.matches(kind) for glob in self.kinds)) and (
            not self.namespaces or any(glob.matches(namespace) for glob in self.namespaces)
        )

    def _matching(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Returns the findings that match, worst first."""
        return tuple(
            finding
            for finding in sorted(findings, key=finding_order)
            if (not self.causes or finding.cause in self.causes)
            and (self.severity is None or SEVERITY_RANK[finding.severity] <= SEVERITY_RANK[self.severity])
        )

    def apply(self, report: Report) -> tuple[Sequence[ObjectReport], str | None]:
        """Returns the objects to show, each with the findings to show; and what is hidden, or None.

        Objects without findings, such as unchecked ones, have neither severity nor cause and do not count as findings.
        """
        matching = [item for item in report.objects if self._matches(item)]
        narrowed = [_with_findings(item, self._matching(item.findings)) for item in matching]
        kept = [now for now, item in zip(narrowed, matching, strict=True) if now.findings or not item.findings]
        shown = kept if self.limit is None else self._worst(kept, self.limit)
        hidden, hidden_objects = (
            all_of - of for all_of, of in zip(_counts(report.objects), _counts(shown), strict=True)
        )
        counts = [
            *([plural(hidden, "finding")] if hidden else []),
            *([f"{plural(hidden_objects, 'object')} without findings"] if hidden_objects else []),
        ]
        flags = {
            "--severity": self.severity is not None,
            "--kind": self.kinds,
            "--cause": self.causes,
            "--only-namespace": self.namespaces,
            "--limit": self.limit is not None,
        }
        used = ", ".join(flag for flag, is_used in flags.items() if is_used)
        counted = [f"{' and '.join(counts)} not shown ({used})"] if counts else []
        return shown, "; ".join([*counted, *self._without_objects(report)]) or None

    def _worst(self, items: Sequence[ObjectReport], limit: int) -> Sequence[ObjectReport]:
        """Returns the objects with the worst findings that are listed, and the objects without findings."""
        # What is not listed, such as ignored findings, does not count, and stays with its object.
        listed = [
            (SEVERITY_RANK[finding.severity], worst_first(item), finding.path, index, number)
            for index, item in enumerate(items)
            for number, finding in enumerate(item.findings)
            if _is_listed(finding, with_controllers=self.with_controllers)
        ]
        if len(listed) <= limit:
            return items
        listed.sort()
        worst = {index for *_, index, _ in listed[:limit]}
        left_out = {(index, number) for *_, index, number in listed[limit:]}
        return [
            _with_findings(item, tuple(one for n, one in enumerate(item.findings) if (index, n) not in left_out))
            for index, item in enumerate(items)
            if index in worst or not item.findings
        ]

    def _without_objects(self, report: Report) -> Iterator[str]:
        """Yields the filters that match no object: they may be mistyped."""
        kinds, namespaces = {item.kind for item in report.objects}, {item.namespace or "" for item in report.objects}
        for flag, globs, known, names in (
            ("--kind", self.kinds, kinds, {kind.casefold() for kind in kinds}),
            ("--only-namespace", self.namespaces, namespaces, namespaces),
        ):
            for glob in globs:
                if not any(map(glob.matches, names)):
                    yield visible(f"{flag} {glob.text} matches no object{suggestion(closest(glob.text, known))}")


NO_FILTERS: Final = Filters()


def is_shown(item: ObjectReport) -> bool:
    """Returns whether the object is listed: not if it is in sync, or if rules ignore all of its findings."""
    if item.reason is not None:
        return item.is_noteworthy
    if not item.findings:
        return item.status is not Status.IN_SYNC
    return any(finding.ignored is None for finding in item.findings)


def only_drift(items: Iterable[ObjectReport], *, with_controllers: bool) -> list[ObjectReport]:
    """Returns the objects with drift, with the findings that are drift, and the unchecked objects.

    Args:
        items: The objects.
        with_controllers: Whether to keep what controllers changed, also in objects that are in sync.
    """
    kept = (
        _with_findings(item, tuple(one for one in item.findings if _is_listed(one, with_controllers=with_controllers)))
        for item in items
        if item.findings or item.status is not Status.IN_SYNC
    )
    # A missing or unmanaged object keeps its status if a rule ignores it, but only its finding says that it is drift.
    return [item for item in kept if item.findings or item.status is Status.UNCHECKED]


def _is_listed(finding: Finding, *, with_controllers: bool) -> bool:
    return finding.is_drift or (with_controllers and finding.ignored is None)


def _counts(items: Sequence[ObjectReport]) -> tuple[int, int]:
    """Returns the number of findings that are drift, and of noteworthy objects without findings."""
    return (
        sum(finding.is_drift for item in items for finding in item.findings),
        sum(item.is_noteworthy and not item.findings for item in items),
    )


def _with_findings(item: ObjectReport, findings: tuple[Finding, ...]) -> ObjectReport:
    # Most objects keep all findings, and copies take time.
    return item if findings == item.findings else replace(item, findings=findings)


def not_listed(report: Report, *, with_controllers: bool) -> str | None:
    """Returns how much of a report `only_drift` leaves out, or None if it leaves out nothing."""
    by_controllers = report.count_by_cause()[Cause.CONTROLLER]
    remarks = sum(item.status is Status.IN_SYNC and item.reason is not None for item in report.objects)
    counts = (
        (report.count_ignored(), "finding", "ignored by rules"),
        (0 if with_controllers else by_controllers, "change", "made by controllers"),
        (remarks, "remark", "on objects in sync"),
    )
    return ", ".join(f"{plural(count, noun)} {what}" for count, noun, what in counts if count) or None


def worst_first(item: ObjectReport) -> tuple[int, int, str, str, str, str]:
    """Sort key of objects: by the worst finding that no rule ignores, then by name."""
    ranks = (SEVERITY_RANK[finding.severity] for finding in item.findings if finding.ignored is None)
    worst = min(ranks, default=len(SEVERITY_RANK))
    key = item.key
    return (_STATUS_RANK[item.status], worst, item.cluster or "", key.namespace or "", key.kind, key.name)


def finding_order(finding: Finding) -> tuple[int, str]:
    """Sort key of one object's findings: the worst first, then by path."""
    return (SEVERITY_RANK[finding.severity], finding.path)


def by_source(
    report: Report, items: Iterable[ObjectReport]
) -> Sequence[tuple[SourceInfo | None, Sequence[ObjectReport]]]:
    """Returns objects in groups by their first source. The source with the worst object comes first.

    Sources that are as bad as each other stay in the order of the report, and objects of no source come after them. If
    the report has only one source, there is one group without one. Groups without objects are left out, unless there is
    something to say about their source.
    """
    if len(report.sources) < 2:  # noqa: PLR2004 - several
        return [(None, [*items])]
    sources = {source.key: source for source in report.sources}
    groups: dict[SourceKey | None, list[ObjectReport]] = {key: [] for key in sources}
    for item in items:
        source = next(sources_of(item, sources), None)
        groups.setdefault(None if source is None else source.key, []).append(item)
    known = [(source, groups[source.key]) for source in report.sources if groups[source.key] or source.message]
    return sorted([*known, *([(None, groups[None])] if None in groups else [])], key=_worst_source_first)


def _worst_source_first(group: tuple[SourceInfo | None, Sequence[ObjectReport]]) -> tuple[int, int]:
    _, items = group
    return min((worst_first(item)[:2] for item in items), default=(len(_STATUS_RANK), len(SEVERITY_RANK)))


@dataclass(frozen=True, slots=True)
class Group:
    """The same finding of several objects of one kind.

    Attributes:
        finding: What the findings have in common, with the latest times of the field managers. Without a place.
        members: The objects, each with its own finding, sorted by name.
    """

    finding: Finding
    members: tuple[tuple[ObjectReport, Finding], ...]

    @property
    def item(self) -> ObjectReport:
        """The first object, with only what all of them have in common."""
        first = self.members[0][0]
        same = all(item.digest == first.digest for item, _ in self.members)
        return replace(first, findings=(self.finding,), source=None, digest=first.digest if same else None)

    @property
    def objects(self) -> int:
        """The number of objects. One object may have the finding in several containers."""
        return len({(item.cluster, item.key) for item, _ in self.members})

    @property
    def namespaces(self) -> Sequence[str]:
        """The namespaces of the objects, sorted; empty if the objects are cluster-scoped."""
        return sorted({item.namespace for item, _ in self.members if item.namespace is not None})


def grouped(items: Sequence[ObjectReport]) -> Sequence[Group | ObjectReport]:
    """Returns groups, and the objects with the findings that are in no group; the worst first.

    Findings belong together if they have the same kind, path, change, values, cause, severity and field managers.
    Ignored findings stay with their objects.
    """
    found: dict[Hashable, list[tuple[ObjectReport, Finding]]] = {}
    for item in sorted(items, key=worst_first):
        for finding in item.findings:
            if finding.ignored is None:
                found.setdefault(_group_key(item, finding), []).append((item, finding))
    several = (members for members in found.values() if len(members) >= _MIN_OBJECTS)
    groups = [Group(_common_finding([one for _, one in members]), tuple(members)) for members in several]
    groups = [group for group in groups if group.objects >= _MIN_OBJECTS]
    in_groups = {(item.cluster, item.key, finding.id) for group in groups for item, finding in group.members}
    rest = (_without(item, in_groups) for item in items)
    return sorted([*groups, *(item for item in rest if item is not None)], key=entry_order)


def _without(item: ObjectReport, in_groups: set[tuple[str | None, ObjectKey, str]]) -> ObjectReport | None:
    """Returns an object without the findings that are in groups; None if its groups say everything about it."""
    findings = tuple(
        one for one in item.findings if one.ignored is not None or (item.cluster, item.key, one.id) not in in_groups
    )
    if len(findings) == len(item.findings):
        return item
    return replace(item, findings=findings) if findings else None


def entry_order(entry: Group | ObjectReport) -> tuple[object, ...]:
    """Sort key of groups and objects: as `worst_first`, but groups before objects of the same severity."""
    status, severity, *name = worst_first(entry.item if isinstance(entry, Group) else entry)
    return (status, severity, isinstance(entry, ObjectReport), *name)


def _group_key(item: ObjectReport, finding: Finding) -> Hashable:
    # What an unmanaged object is matters more than that it is one of many. A missing object is in Git.
    digest = item.digest if finding.change is Change.UNMANAGED else None
    return (
        (item.cluster, item.key.group, item.kind, item.status, item.reason, item.not_compared, digest),
        (_common_path(finding), finding.change, finding.cause, finding.severity, finding.security, finding.lifecycle),
        (_value_key(finding.desired), _value_key(finding.live), finding.redacted, finding.note),
        frozenset(map(_actor_key, finding.actors)),
    )


def _value_key(value: Json) -> str:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else repr(value)


def _actor_key(actor: Actor) -> Hashable:
    who = (actor.user, actor.impersonated_by, actor.user_agent, actor.evidence)
    return (actor.manager, actor.operation, actor.subresource, *who)


def _common_path(finding: Finding) -> str:
    return _CONTAINER.sub(r".\1[]", finding.path)


def _common_finding(findings: Sequence[Finding]) -> Finding:
    first = min(findings, key=finding_order)
    return replace(
        first,
        path=first.path if all(one.path == first.path for one in findings) else _common_path(first),
        actors=tuple(_latest(actor, findings) for actor in first.actors),
        first_seen=min(
            (one.first_seen for one in findings if one.first_seen is not None),
            # As text, a time with milliseconds comes before the whole second.
            key=datetime.fromisoformat,
            default=None,
        ),
        file=None,
        line=None,
        git=first.git if all(one.git == first.git for one in findings) else None,
    )


def _latest(actor: Actor, findings: Sequence[Finding]) -> Actor:
    """Returns a field manager with the time of its latest change to one of the objects."""
    key = _actor_key(actor)
    times = [one.time for finding in findings for one in finding.actors if one.time and _actor_key(one) == key]
    return replace(actor, time=max(times, default=None))


def group_name(group: Group) -> str:
    """Returns ``the same change in 60 Deployments in shop``, or ``60 Pods in 4 namespaces`` for whole objects."""
    item, namespaces = group.item, group.namespaces
    name = f"{group.objects} {_plural(item.kind)}"
    where = (
        f" in {namespaces[0]}" if len(namespaces) == 1 else f" in {len(namespaces)} namespaces" if namespaces else ""
    )
    change = "the same change in " if group.finding.path else ""
    return visible(f"{change}{name}{where}{'' if item.cluster is None else f' in {item.cluster}'}")


def member_names(group: Group) -> Sequence[str]:
    """Returns the names of the objects of a group, with their namespaces unless all objects are in one."""
    is_clear = len(group.namespaces) < 2  # noqa: PLR2004 - several
    return [visible(item.name if is_clear else f"{item.namespace}/{item.name}") for item, _ in group.members]


def _plural(kind: str) -> str:
    if kind.endswith(("s", "x", "ch", "sh")):
        return kind if kind.endswith("points") else f"{kind}es"
    is_consonant = kind[-2:-1] not in {*"aeiou"}
    return f"{kind[:-1]}ies" if kind.endswith("y") and is_consonant else f"{kind}s"
