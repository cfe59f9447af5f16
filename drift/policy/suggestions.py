"""Suggests ignore rules for the drift in a report, as YAML that is invalid until the user adds the reasons."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from drift.documents.scalars import read_plain
from drift.globs import escape, escape_path
from drift.model import Finding, ObjectKey, Report
from drift.words import first_few

#: If this many objects of a kind differ at one path, suggest one rule for all objects of the kind.
MANY: Final = 3
_HEAD: Final = """\
# The findings of this scan as ignore rules for drift.yaml. Keep the rules for what is not drift, and give each
# a reason: drift refuses a rule without one. `expires: YYYY-MM-DD` makes a rule end after that day.
"""
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9./_-]*")
_SHOWN: Final = 5


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


def to_yaml(suggestions: Sequence[Suggestion]) -> str:
    """Returns the rules as YAML, ending in a newline."""
    if not suggestions:
        return "# This scan has no findings to ignore.\nignore: []\n"
    return f"{_HEAD}ignore:\n" + "".join(map(_rule, suggestions))


def _rule(suggestion: Suggestion) -> str:
    lines = [f"{name}: {_scalar(value)}" for name, value in suggestion.fields.items()]
    text = "  - " + "\n    ".join([*lines, 'reason: ""  # why is this not drift?']) + "\n"
    if len(suggestion.covers) > 1:
        names = [f"{key.namespace}/{key.name}" if key.namespace else key.name for key in suggestion.covers]
        text = f"  # {len(names)} objects: {first_few(names, _SHOWN)}\n{text}"
    return text


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and read_plain(text) == text:
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
