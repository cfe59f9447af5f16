"""Ignores the differences that ``ignoreDifferences`` of the Argo CD Applications among the manifests ignores."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final

from drift.model import Change, Finding, IgnoredBy, Json, Manifest, Object, ObjectKey
from drift.paths import escape_pointer

#: One step of a jq path: .name, .["name"], [], [0], each with an optional question mark.
_JQ_STEP: Final = re.compile(
    r"""\.?(?:\[\s*"([^"]+)"\s*\]|\[\s*(\d*)\s*\]|([A-Za-z_][A-Za-z0-9_]*))\??|\."([^"]+)"\??"""
)


@dataclass(frozen=True, slots=True)
class IgnoreDifferences:
    """One entry of an Application's ``spec.ignoreDifferences``.

    Attributes:
        application: The name of the Application.
        group: A glob; "" is the core group.
        kind: A glob.
        namespace: "" matches every namespace.
        name: "" matches every name.
        pointers: Patterns for the JSON pointers of findings; they also match everything below.
        managers: Field managers whose changes are ignored.
    """

    application: str
    group: str
    kind: str
    namespace: str
    name: str
    pointers: tuple[re.Pattern[str], ...]
    managers: tuple[str, ...]

    def covers(self, key: ObjectKey, finding: Finding) -> bool:
        """Returns whether Argo CD ignores a finding of an object."""
        if not (fnmatchcase(key.group, self.group) and fnmatchcase(key.kind, self.kind)):
            return False
        if (self.namespace and self.namespace != key.namespace) or (self.name and self.name != key.name):
            return False
        if finding.pointer and all(map(self._points_at, _leaves(finding))):
            return True
        return bool(finding.actors) and all(actor.manager in self.managers for actor in finding.actors)

    def _points_at(self, pointer: str) -> bool:
        return any(pattern.fullmatch(pointer) for pattern in self.pointers)


def _leaves(finding: Finding) -> Iterator[str]:
    """Yields the pointer of a finding, or those of the leaves of a value that was added or removed as a whole."""
    value = finding.live if finding.change is Change.ADDED else finding.desired
    if finding.change in {Change.ADDED, Change.REMOVED} and isinstance(value, dict | list) and value:
        yield from _leaves_of(value, finding.pointer)
    else:
        yield finding.pointer


def _leaves_of(value: Json, pointer: str) -> Iterator[str]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not children:
        yield pointer
    for name, child in children:
        yield from _leaves_of(child, f"{pointer}/{escape_pointer(str(name))}")


def read_ignore_differences(manifests: Iterable[Manifest]) -> tuple[tuple[IgnoreDifferences, ...], tuple[str, ...]]:
    """Reads the ``ignoreDifferences`` of the Argo CD Applications among the manifests.

    Returns:
        The entries, and a note on each jq expression that is not supported because it is more than a path.
    """
    entries: list[IgnoreDifferences] = []
    notes: list[str] = []
    for manifest in manifests:
        if manifest.group == "argoproj.io" and manifest.kind == "Application":
            spec = manifest.body.get("spec")
            for entry in (spec.get("ignoreDifferences") if isinstance(spec, dict) else None) or ():
                entries += [_entry(manifest, entry, notes)] if isinstance(entry, dict) else []
    return tuple(entries), tuple(notes)


def apply_ignore_differences(
    key: ObjectKey, findings: Sequence[Finding], entries: Sequence[IgnoreDifferences]
) -> tuple[Finding, ...]:
    """Returns the findings of an object; those that Argo CD ignores are ignored here too."""
    return tuple(_ignore(key, finding, entries) for finding in findings)


def _ignore(key: ObjectKey, finding: Finding, entries: Sequence[IgnoreDifferences]) -> Finding:
    entry = next((entry for entry in entries if entry.covers(key, finding)), None)
    if entry is None or finding.ignored is not None:
        return finding
    reason = f"Argo CD Application {entry.application} ignores this difference"
    return replace(finding, ignored=IgnoredBy(f"ignoreDifferences of {entry.application}", reason))


def _entry(manifest: Manifest, entry: Object, notes: list[str]) -> IgnoreDifferences:
    pointers = [_below(re.escape(pointer)) for pointer in _texts(entry, "jsonPointers")]
    for expression in _texts(entry, "jqPathExpressions"):
        pattern = _jq_pattern(expression)
        if pattern is None:
            notes.append(
                f"{manifest.place}: ignoreDifferences {expression!r} is not supported: use a jq path such as "
                ".spec.template.spec.containers[].image"
            )
        else:
            pointers.append(_below(pattern))
    texts: dict[str, Any] = {name: str(entry.get(name) or "") for name in ("group", "kind", "namespace", "name")}
    return IgnoreDifferences(
        application=manifest.name,
        **texts,
        pointers=tuple(pointers),
        managers=tuple(_texts(entry, "managedFieldsManagers")),
    )


def _texts(entry: Object, name: str) -> Iterator[str]:
    values: Json = entry.get(name)
    return (value for value in (values if isinstance(values, list) else ()) if isinstance(value, str))


def _below(pattern: str) -> re.Pattern[str]:
    return re.compile(f"{pattern}(?:/.*)?")


def _jq_pattern(expression: str) -> str | None:
    """Returns a pattern for the JSON pointers that a jq path matches, or None for other expressions."""
    text, pattern, position = expression.strip(), "", 0
    while position < len(text):
        step = _JQ_STEP.match(text, position)
        if step is None:
            return None
        quoted, index, word, dotted = step.groups()
        name = quoted or word or dotted
        pattern += f"/{re.escape(escape_pointer(name))}" if name else f"/{index or '[0-9]+'}"
        position = step.end()
    return pattern or None
