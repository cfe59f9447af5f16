"""Applies the user's severity rules and ignore rules to a report, and suggests ignore rules for what is left."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from drift.config.settings import IgnoreRule, Settings
from drift.documents.scalars import read_plain
from drift.globs import escape, escape_path
from drift.model import Cause, Finding, IgnoredBy, ObjectReport, Report, SourceInfo, SourceKind, Status
from drift.objects import ObjectKey
from drift.policy.severity import SeverityTable, default_table
from drift.words import first_few

#: If this many objects of a kind differ at one path, suggest one rule for all objects of the kind.
MANY: Final = 3
_HEAD: Final = """\
# The findings of this scan as ignore rules for drift.yaml. Keep the rules for what is not drift, and give each
# a reason: drift refuses a rule without one. `expires: YYYY-MM-DD` makes a rule end after that day.
"""
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9./_-]*")
_SHOWN: Final = 5
_CONTROLLERS: Final = {
    SourceKind.FLUX_KUSTOMIZATION: "Flux",
    SourceKind.FLUX_HELM_RELEASE: "Flux",
    SourceKind.ARGOCD_APPLICATION: "Argo CD",
}
#: The length of a date at the start of a time.
_DATE: Final = 10


def apply_policy(report: Report, settings: Settings) -> Report:
    """Returns the report after the user's settings are applied.

    Ignored findings stay in the report. Notes name the rules that expired or matched nothing. In the report of a shard,
    rules that matched nothing go to ``unused_rules``, because they may match in another shard.

    Args:
        report: The result of the scan. Its time decides which rules have expired.
        settings: The user's settings.
    """
    today = datetime.fromisoformat(report.generated_at).date()
    expired = [rule for rule in settings.ignore if rule.expires is not None and rule.expires < today]
    policy = _Policy(settings, [rule for rule in settings.ignore if rule not in expired])
    objects = tuple(policy.apply(item) for item in report.objects)
    notes = [f"{rule} expired on {rule.expires}" for rule in expired]
    unused = [f"{rule} matched no finding; remove it if it is no longer needed" for rule in policy.unused()]
    if report.shard is not None:
        return replace(report, objects=objects, notes=(*report.notes, *notes), unused_rules=tuple(unused))
    notes += cross_check(report.sources, objects)
    return replace(report, objects=objects, notes=(*report.notes, *notes, *unused))


class _Policy:
    def __init__(self, settings: Settings, rules: Sequence[IgnoreRule]) -> None:
        self._table: SeverityTable | None = None
        if settings.severity:
            self._table = replace(default_table(), user_rules=settings.severity)
        self._rules = rules
        self._used: set[int] = set()

    def apply(self, item: ObjectReport) -> ObjectReport:
        findings = tuple(self._finding(item.key, finding) for finding in item.findings)
        if findings == item.findings:
            return item
        status = item.status
        if status is Status.DRIFTED and not any(finding.is_drift for finding in findings):
            status = Status.IN_SYNC
        return replace(item, findings=findings, status=status)

    def unused(self) -> list[IgnoreRule]:
        return [rule for rule in self._rules if rule.number not in self._used]

    def _finding(self, key: ObjectKey, finding: Finding) -> Finding:
        if self._table is not None:
            finding = replace(finding, severity=self._table.by_user(key, finding))
        covering = [rule for rule in self._rules if rule.covers(key, finding)]
        # All of them count as used, not only the first one, which ignores the finding.
        self._used.update(rule.number for rule in covering)
        if not covering or finding.ignored is not None:
            return finding
        return replace(finding, ignored=IgnoredBy(str(covering[0]), covering[0].reason))


# -- suggestions, as YAML that is invalid until the user adds the reasons


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


# -- what a GitOps controller says about a source, compared with the findings in its objects


def cross_check(sources: Sequence[SourceInfo], objects: Sequence[ObjectReport]) -> Iterator[str]:
    """Yields a sentence for each source whose controller is stopped, not ready, or overlooks edits by hand.

    Args:
        sources: The sources of a report.
        objects: Its objects, after the settings of the user are applied.
    """
    edits = Counter(
        origin
        for item in objects
        for finding in item.findings
        if finding.is_drift and finding.cause is Cause.MANUAL
        for origin in item.origins
    )
    for source in sources:
        controller = _CONTROLLERS.get(source.kind)
        # The others are in the report for another reason: skipped, or not rendered.
        if controller is None or not source.is_rendered or (source.path is None and not source.objects):
            continue
        said = [*_state(source, controller), *_overlooked(source, controller, edits[source.name])]
        if said:
            yield f"{source.name}: {'; '.join(said)}"


def why_stopped(source: SourceInfo) -> str | None:
    """Returns why the controller of a source does not sync by itself, in a few words, or None if it does."""
    if source.skips_reconcile:
        return "skipped by Argo CD"
    if source.suspended:
        return "automatic sync is off" if source.kind is SourceKind.ARGOCD_APPLICATION else "suspended"
    return None if source.stale_since is None else f"not reconciled since {source.stale_since[:_DATE]}"


def _state(source: SourceInfo, controller: str) -> Iterator[str]:
    if source.skips_reconcile:
        yield "Argo CD skips it, as its annotation argocd.argoproj.io/skip-reconcile says, so that it is never synced"
    elif source.suspended:
        stopped = "it is suspended" if controller == "Flux" else "automatic sync is off"
        yield f"{stopped}, so {controller} neither applies commits nor reverts edits by itself"
    elif source.stale_since is not None:
        yield f"{controller} reconciled it last on {source.stale_since[:_DATE]}; is {controller} running?"
    if source.ready is False:
        yield f"{controller} says: {source.message}" if source.message else f"{controller} says that it is not ready"


def _overlooked(source: SourceInfo, controller: str, edits: int) -> Iterator[str]:
    if not edits:
        return
    counted = "one edit by hand" if edits == 1 else f"{edits} edits by hand"
    if controller == "Argo CD" and (source.message or "").startswith("Synced"):
        yield f"Argo CD says Synced, and does not count {counted}"
    elif controller == "Flux" and source.ready:
        yield f"Flux says that it is ready, and has not reverted {counted}"
