"""Ignores the differences that Argo CD and Flux ignore: ``ignoreDifferences`` of Applications, ``ignore`` of Flux."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate
from typing import Final

from drift.model import Change, Finding, IgnoredBy, Json, Manifest, Object, ObjectKey, as_object
from drift.paths import escape_pointer

#: One step of a jq path: .name, .["name"], [], [0], each with an optional question mark.
_JQ_STEP: Final = re.compile(
    r"""\.?(?:\[\s*"([^"]+)"\s*\]|\[\s*(\d*)\s*\]|([A-Za-z_][A-Za-z0-9_]*))\??|\."([^"]+)"\??"""
)


@dataclass(frozen=True, slots=True)
class IgnoreDifferences:
    """Differences that the owner of an object ignores: an entry of an Application's ``spec.ignoreDifferences``, say.

    Attributes:
        rule: What has it, for example ``ignoreDifferences of web``.
        reason: A sentence about its owner.
        objects: Patterns for the group, kind, namespace ("" for cluster-scoped objects) and name of an object.
        pointers: Patterns for the JSON pointers of findings; they also match everything below.
        managers: Field managers whose changes are ignored.
        origin: The source whose objects it is about; None for the objects of every source.
    """

    rule: str
    reason: str
    objects: tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], re.Pattern[str]]
    pointers: tuple[re.Pattern[str], ...]
    managers: tuple[str, ...] = ()
    origin: str | None = None

    def covers(self, key: ObjectKey, finding: Finding) -> bool:
        """Returns whether the owner of an object ignores a finding of it."""
        names = (key.group, key.kind, key.namespace or "", key.name)
        if not all(pattern.fullmatch(name) for pattern, name in zip(self.objects, names, strict=True)):
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
            found, remarks = application_ignores(manifest.body, manifest.place)
            entries += found
            notes += remarks
    return tuple(entries), tuple(notes)


def application_ignores(
    application: Object, place: str, origin: str | None = None
) -> tuple[list[IgnoreDifferences], list[str]]:
    """Reads the ``ignoreDifferences`` of an Application.

    Args:
        application: The manifest or the live object.
        place: Where it is, for notes.
        origin: As for `IgnoreDifferences`.

    Returns:
        As for `read_ignore_differences`.
    """
    notes: list[str] = []
    spec, metadata = as_object(application.get("spec")), as_object(application.get("metadata"))
    name = str(metadata.get("name"))
    return [_entry(name, entry, place, origin, notes) for entry in _objects(spec, "ignoreDifferences")], notes


def flux_ignores(owner: str, entries: Json, origin: str | None = None) -> tuple[list[IgnoreDifferences], list[str]]:
    """Reads ``spec.ignore`` of a Kustomization, or ``spec.driftDetection.ignore`` of a HelmRelease.

    Args:
        owner: ``Kustomization NAMESPACE/NAME``.
        entries: The list.
        origin: As for `IgnoreDifferences`.

    Returns:
        The entries, and a note on each that is not supported because it selects objects by labels or annotations.
    """
    found: list[IgnoreDifferences] = []
    notes: list[str] = []
    for entry in _objects({"entries": entries}, "entries"):
        target = as_object(entry.get("target"))
        try:
            # Flux's own selectors are regular expressions, too.
            patterns = [re.compile(str(target.get(field) or ".*")) for field in ("group", "kind", "namespace", "name")]
        except re.error:
            patterns = []
        if not patterns or target.get("labelSelector") or target.get("annotationSelector"):
            notes.append(
                f"{owner}: an entry of its ignore rules is not supported: give group, kind, namespace and name"
            )
            continue
        group, kind, namespace, name = patterns
        pointers = tuple(_below(re.escape(pointer)) for pointer in _texts(entry, "paths"))
        reason = f"Flux {owner} ignores this difference"
        found.append(
            IgnoreDifferences(f"ignore of {owner}", reason, (group, kind, namespace, name), pointers, origin=origin)
        )
    return found, notes


def apply_ignore_differences(
    key: ObjectKey, findings: Sequence[Finding], entries: Sequence[IgnoreDifferences], origins: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Returns the findings of an object; those that its owner ignores are ignored here too.

    Args:
        key: The object.
        findings: Its findings.
        entries: Those of all owners.
        origins: The sources of the object.
    """
    applicable = [entry for entry in entries if entry.origin is None or entry.origin in origins]
    return tuple(_ignore(key, finding, applicable) for finding in findings)


def _ignore(key: ObjectKey, finding: Finding, entries: Sequence[IgnoreDifferences]) -> Finding:
    entry = next((entry for entry in entries if entry.covers(key, finding)), None)
    if entry is None or finding.ignored is not None:
        return finding
    return replace(finding, ignored=IgnoredBy(entry.rule, entry.reason))


def _entry(name: str, entry: Object, place: str, origin: str | None, notes: list[str]) -> IgnoreDifferences:
    pointers = [_below(re.escape(pointer)) for pointer in _texts(entry, "jsonPointers")]
    for expression in _texts(entry, "jqPathExpressions"):
        pattern = _jq_pattern(expression)
        if pattern is None:
            notes.append(
                f"{place}: ignoreDifferences {expression!r} is not supported: use a jq path such as "
                ".spec.template.spec.containers[].image"
            )
        else:
            pointers.append(_below(pattern))
    globs = (re.compile(translate(str(entry.get(field) or ""))) for field in ("group", "kind"))
    exact = (
        re.compile(re.escape(value) if (value := str(entry.get(f) or "")) else ".*") for f in ("namespace", "name")
    )
    group, kind, namespace, object_name = (*globs, *exact)
    return IgnoreDifferences(
        rule=f"ignoreDifferences of {name}",
        reason=f"Argo CD Application {name} ignores this difference",
        objects=(group, kind, namespace, object_name),
        pointers=tuple(pointers),
        managers=tuple(_texts(entry, "managedFieldsManagers")),
        origin=origin,
    )


def _objects(value: Object, name: str) -> Iterator[Object]:
    found: Json = value.get(name)
    return (item for item in (found if isinstance(found, list) else ()) if isinstance(item, dict))


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
