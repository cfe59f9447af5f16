"""Suggests ignore rules for the drift in a report. The user has to add the reasons."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from drift.globs import escape, escape_path
from drift.model import Finding, ObjectKey, Report

#: If this many objects of a kind differ at one path, suggest one rule for all objects of the kind.
MANY: Final = 3


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A suggested ignore rule.

    Attributes:
        fields: Its matchers, as in ``drift.yaml`` and in that order.
        covers: The objects for which it was made.
    """

    fields: dict[str, str]
    covers: tuple[ObjectKey, ...]


def suggest_rules(report: Report) -> list[Suggestion]:
    """Returns rules that ignore all drift in the report.

    Each rule is as narrow as possible: one object, one path, and the field manager if it is recorded. If many objects
    of a kind differ at one path, they share a rule. Missing and unmanaged objects are always ignored by name.

    Args:
        report: The report after the existing rules were applied.
    """
    groups: dict[tuple[str, str, str], list[tuple[ObjectKey, Finding]]] = {}
    for item in report.objects:
        for finding in item.findings:
            if finding.is_drift:
                group = (item.key.group, item.key.kind, finding.path)
                groups.setdefault(group, []).append((item.key, finding))
    suggestions: list[Suggestion] = []
    for (_, _, path), found in groups.items():
        if path and len({key for key, _ in found}) >= MANY:
            suggestions.append(_suggestion(found))
        else:
            suggestions += [_suggestion(part) for part in _by_object(found)]
    return suggestions


def _by_object(found: Iterable[tuple[ObjectKey, Finding]]) -> list[list[tuple[ObjectKey, Finding]]]:
    parts: dict[ObjectKey, list[tuple[ObjectKey, Finding]]] = {}
    for key, finding in found:
        parts.setdefault(key, []).append((key, finding))
    return list(parts.values())


def _suggestion(found: list[tuple[ObjectKey, Finding]]) -> Suggestion:
    keys = tuple(dict.fromkeys(key for key, _ in found))
    first, path = found[0][0], found[0][1].path
    namespaces = {key.namespace or "" for key in keys}
    managers = {actor.manager for _, finding in found for actor in finding.actors}
    fields = {"group": escape(first.group), "kind": escape(first.kind)}
    if len(namespaces) == 1:
        fields["namespace"] = escape(namespaces.pop())
    if len(keys) == 1:
        fields["name"] = escape(first.name)
    fields["path"] = escape_path(path)
    if len(managers) == 1 and all(finding.actors for _, finding in found):
        fields["manager"] = escape(managers.pop())
    return Suggestion(fields, keys)
