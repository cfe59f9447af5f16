"""The same finding of many objects, such as an edit of every Deployment, as one group."""

import json
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from drift.model import Actor, Change, Finding, ObjectKey, ObjectReport
from drift.report.view import finding_order, visible, worst_first

#: The objects of a group that a short format names.
MAX_MEMBERS: Final = 5
#: From this many objects on, a group is shorter than its objects.
_MIN_OBJECTS: Final = 3
#: Containers often have the name of their Deployment.
_CONTAINER: Final = re.compile(r'\.(containers|initContainers)\[name=(?:"(?:[^"\\]|\\.)*"|[^\]"]*)\]')


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
                found.setdefault(_key(item, finding), []).append((item, finding))
    several = (members for members in found.values() if len(members) >= _MIN_OBJECTS)
    groups = [Group(_common([one for _, one in members]), tuple(members)) for members in several]
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


def _key(item: ObjectReport, finding: Finding) -> Hashable:
    # What an unmanaged object is matters more than that it is one of many. A missing object is in Git.
    digest = item.digest if finding.change is Change.UNMANAGED else None
    return (
        (item.cluster, item.key.group, item.kind, item.status, item.reason, item.not_compared, digest),
        (_path(finding), finding.change, finding.cause, finding.severity, finding.security, finding.lifecycle),
        (json.dumps([finding.desired, finding.live], sort_keys=True), finding.redacted, finding.note),
        frozenset(replace(actor, time=None) for actor in finding.actors),
    )


def _path(finding: Finding) -> str:
    return _CONTAINER.sub(r".\1[]", finding.path)


def _common(findings: Sequence[Finding]) -> Finding:
    first = min(findings, key=finding_order)
    return replace(
        first,
        path=first.path if all(one.path == first.path for one in findings) else _path(first),
        actors=tuple(_latest(actor, findings) for actor in first.actors),
        first_seen=min((one.first_seen for one in findings if one.first_seen is not None), default=None),
        file=None,
        line=None,
        git=first.git if all(one.git == first.git for one in findings) else None,
    )


def _latest(actor: Actor, findings: Sequence[Finding]) -> Actor:
    """Returns a field manager with the time of its latest change to one of the objects."""
    same = [one.time for finding in findings for one in finding.actors if replace(one, time=actor.time) == actor]
    return replace(actor, time=max((time for time in same if time is not None), default=None))


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
