"""Decides the severity of differences by the rules in ``severity.json`` and in ``drift.yaml``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

from drift.config.reader import read_severity_rule
from drift.config.settings import SeverityRule
from drift.globs import PathGlobs
from drift.model import SEVERITY_RANK, Cause, Change, Finding, Security, Severity
from drift.objects import Json, ObjectKey
from drift.policy.security import gives_full_control, parts

#: Group, kind, path, change and cause.
_Lookup = tuple[str, str, str, Change, Cause]
#: Limits the cache: there may be a path with the name of a list item for every object.
_CACHE_SIZE: Final = 10_000


@dataclass(frozen=True, slots=True)
class SeverityTable:
    """Severity rules. The first rule that matches decides.

    Attributes:
        rules: The shipped rules.
        default: The severity if no rule matches.
        stops: Values by path that stop a workload; a change to one of them is at least high.
        user_rules: The user's rules, which are tried first.
        cache: The results for single paths: those of the user's rules and those of all rules.
        candidates: The rules that may match, by group, kind, change and cause: the user's and the shipped ones.
    """

    rules: tuple[SeverityRule, ...]
    default: Severity
    stops: Mapping[str, Json] = field(default_factory=dict)
    user_rules: tuple[SeverityRule, ...] = ()
    cache: dict[_Lookup, tuple[Severity | None, Severity | None]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    candidates: dict[tuple[str, str, Change, Cause], tuple["_Rules", "_Rules"]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def severity(  # noqa: PLR0917
        self,
        key: ObjectKey,
        path: str,
        change: Change,
        cause: Cause,
        value: Json = None,
        security: Security | None = None,
    ) -> Severity:
        """Returns the severity of a difference.

        An added or removed value is as severe as its most severe part: an added volume is as severe as the host path in
        it. A difference that loosens security is at least high, and critical if it gives full control. A user's rule
        for the value as a whole takes precedence.

        Args:
            key: The object.
            path: What differs; empty for the object as a whole.
            change: How it differs.
            cause: What caused it.
            value: The desired value if it was removed, else the live value.
            security: What it does to security.
        """
        by_user, whole = self._of_path(key, path, change, cause)
        if by_user is not None:
            return by_user
        found = [] if whole is None else [whole]
        if security is Security.LOOSENS and cause is not Cause.CONTROLLER:
            found.append(Severity.CRITICAL if gives_full_control(key, path, value) else Severity.HIGH)
        if self._stops(path, change, cause, value):
            found.append(Severity.HIGH)
        if change in {Change.ADDED, Change.REMOVED}:
            for part in parts(path, value):
                _, of_part = self._of_path(key, part.path, change, cause)
                if of_part is not None:
                    found.append(of_part)
                elif part.is_leaf and whole is None:
                    found.append(self.default)
        return min(found, key=SEVERITY_RANK.__getitem__, default=self.default)

    def _stops(self, path: str, change: Change, cause: Cause, value: Json) -> bool:
        if cause is Cause.CONTROLLER or change not in {Change.ADDED, Change.CHANGED}:
            return False
        stop = self.stops.get(path)
        return stop is not None and type(value) is type(stop) and bool(value == stop)

    def _of_path(
        self, key: ObjectKey, path: str, change: Change, cause: Cause
    ) -> tuple[Severity | None, Severity | None]:
        """Returns the severity of one path by the user's rules, and by all rules."""
        lookup = (key.group, key.kind, path, change, cause)
        found = self.cache.get(lookup)
        if found is None:
            user_rules, rules = self._rules_for(key, change, cause)
            by_user = user_rules.severity(path)
            found = by_user, by_user or rules.severity(path)
            if len(self.cache) >= _CACHE_SIZE:
                self.cache.clear()
            self.cache[lookup] = found
        return found

    def _rules_for(self, key: ObjectKey, change: Change, cause: Cause) -> tuple["_Rules", "_Rules"]:
        """Returns the user's rules and the shipped rules that may match, depending on the path."""
        lookup = (key.group, key.kind, change, cause)
        found = self.candidates.get(lookup)
        if found is None:
            user_rules, shipped = (
                _Rules([rule for rule in rules if rule.may_match(key, change, cause)])
                for rules in (self.user_rules, self.rules)
            )
            found = self.candidates[lookup] = user_rules, shipped
        return found

    def of_finding(self, key: ObjectKey, finding: Finding) -> Severity:
        """Returns the severity of a finding whose cause has changed."""
        found = self._of_value(key, finding)
        is_hidden = finding.redacted and finding.cause is not Cause.CONTROLLER
        if finding.path and not is_hidden:
            return found
        # What is not in the finding may have raised its severity: the content of an object, or a concealed value.
        return min(found, finding.severity, key=SEVERITY_RANK.__getitem__)

    def by_user(self, key: ObjectKey, finding: Finding) -> Severity:
        """Returns the severity of a finding by the user's rules; the finding keeps its own if no rule matches."""
        paths = [finding.path]
        if finding.change in {Change.ADDED, Change.REMOVED}:
            paths += [part.path for part in parts(finding.path, _value(finding))]
        matches = any(self._of_path(key, path, finding.change, finding.cause)[0] is not None for path in paths)
        # What no rule matches is not judged again: the value may be concealed, and an object is not in its finding.
        return self._of_value(key, finding) if matches else finding.severity

    def _of_value(self, key: ObjectKey, finding: Finding) -> Severity:
        return self.severity(key, finding.path, finding.change, finding.cause, _value(finding), finding.security)


def _value(finding: Finding) -> Json:
    return finding.desired if finding.change is Change.REMOVED else finding.live


class _Rules:
    """Rules that match if their path does."""

    def __init__(self, rules: Sequence[SeverityRule]) -> None:
        self._severities = [rule.severity for rule in rules]
        self._paths = PathGlobs(rule.path for rule in rules)

    def severity(self, path: str) -> Severity | None:
        index = self._paths.first(path)
        return None if index is None else self._severities[index]


@cache
def default_table() -> SeverityTable:
    """Returns the shipped rules."""
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("severity.json").read_text("utf-8"))
    return SeverityTable(
        rules=tuple(read_severity_rule(rule, ("rules", index)) for index, rule in enumerate(data["rules"])),
        default=Severity(data["default"]),
        stops=data["stops"],
    )
