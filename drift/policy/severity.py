"""Decides the severity of differences by the rules in ``severity.json`` and in ``drift.yaml``."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

from drift.config.reader import read_severity_rule
from drift.config.settings import SeverityRule
from drift.model import SEVERITY_RANK, Cause, Change, Finding, Json, ObjectKey, Severity
from drift.paths import ItemKey, Path, render, set_member

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
        first: The user's rules, which are tried first.
        cache: The results for single paths: those of the user's rules and those of all rules.
        candidates: The rules that may match, by group, kind, change and cause: the user's and the shipped ones.
    """

    rules: tuple[SeverityRule, ...]
    default: Severity
    stops: Mapping[str, Json] = field(default_factory=dict)
    first: tuple[SeverityRule, ...] = ()
    cache: dict[_Lookup, tuple[Severity | None, Severity | None]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    candidates: dict[tuple[str, str, Change, Cause], tuple[Sequence[SeverityRule], ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def severity(self, key: ObjectKey, path: str, change: Change, cause: Cause, value: Json = None) -> Severity:
        """Returns the severity of a difference.

        An added or removed value is as severe as its most severe part: an added volume is as severe as the host path in
        it. A user's rule for the value as a whole takes precedence.

        Args:
            key: The object.
            path: What differs; empty for the object as a whole.
            change: How it differs.
            cause: What caused it.
            value: The desired value if it was removed, else the live value.
        """
        by_user, whole = self._of_path(key, path, change, cause)
        if by_user is not None:
            return by_user
        found = [] if whole is None else [whole]
        if self._stops(path, change, cause, value):
            found.append(Severity.HIGH)
        if change in {Change.ADDED, Change.REMOVED}:
            for subpath, is_leaf in _parts(value, ()):
                _, part = self._of_path(key, _join(path, subpath), change, cause)
                if part is not None:
                    found.append(part)
                elif is_leaf and whole is None:
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
            first, rules = self._rules_for(key, change, cause)
            by_user = _first(first, path)
            found = by_user, by_user or _first(rules, path)
            if len(self.cache) >= _CACHE_SIZE:
                self.cache.clear()
            self.cache[lookup] = found
        return found

    def _rules_for(self, key: ObjectKey, change: Change, cause: Cause) -> tuple[Sequence[SeverityRule], ...]:
        """Returns the user's rules and the shipped rules that may match, depending on the path."""
        lookup = (key.group, key.kind, change, cause)
        found = self.candidates.get(lookup)
        if found is None:
            found = self.candidates[lookup] = tuple(
                [rule for rule in rules if rule.may_match(key, change, cause)] for rules in (self.first, self.rules)
            )
        return found

    def of_finding(self, key: ObjectKey, finding: Finding) -> Severity:
        """Returns the severity of a finding."""
        value = finding.desired if finding.change is Change.REMOVED else finding.live
        return self.severity(key, finding.path, finding.change, finding.cause, value)


def _first(rules: Iterable[SeverityRule], path: str) -> Severity | None:
    return next((rule.severity for rule in rules if rule.path is None or rule.path.matches(path)), None)


def _parts(value: Json, path: Path) -> Iterator[tuple[Path, bool]]:
    """Yields the paths of all parts of a JSON value, and whether each is a leaf. All scalars of an item are its key."""
    items: Iterable[tuple[str | ItemKey, Json]]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = [(_item_key(item), item) for item in value]
    else:
        return
    for element, part in items:
        yield (*path, element), not (isinstance(part, dict | list) and part)
        yield from _parts(part, (*path, element))


def _item_key(item: Json) -> ItemKey:
    if not isinstance(item, dict):
        return set_member(item)
    return ItemKey(sorted((name, value) for name, value in item.items() if isinstance(value, str | int)))


def _join(path: str, subpath: Path) -> str:
    text = render(subpath)
    return path + text if text.startswith("[") or not path else f"{path}.{text}"


@cache
def default_table() -> SeverityTable:
    """Returns the shipped rules."""
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("severity.json").read_text("utf-8"))
    return SeverityTable(
        rules=tuple(read_severity_rule(rule, ("rules", index)) for index, rule in enumerate(data["rules"])),
        default=Severity(data["default"]),
        stops=data["stops"],
    )
