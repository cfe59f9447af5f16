"""How much a difference matters, by what it changes. The table is data: ``severity.json``."""

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
_Asked = tuple[str, str, str, Change, Cause]
#: Paths that name items of lists may be as many as there are objects.
_MOST_KNOWN: Final = 10_000


@dataclass(frozen=True, slots=True)
class SeverityTable:
    """The rules, in the order in which they are tried, and what counts where none matches.

    Attributes:
        rules: The shipped ones.
        default: For what no rule matches.
        stops: Values with which nothing runs any more, by path: they matter much, whatever the rules say of the path.
        first: The user's, tried before the others.
        known: What was found before: a fleet differs in few ways, many times each.
        covering: The rules that remain for a kind, a change and a cause, of the user and the shipped ones.
    """

    rules: tuple[SeverityRule, ...]
    default: Severity
    stops: Mapping[str, Json] = field(default_factory=dict)
    first: tuple[SeverityRule, ...] = ()
    known: dict[_Asked, tuple[Severity | None, Severity | None]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    covering: dict[tuple[str, str, Change, Cause], tuple[Sequence[SeverityRule], ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def severity(self, key: ObjectKey, path: str, change: Change, cause: Cause, value: Json = None) -> Severity:
        """How much a difference matters.

        Args:
            key: The object.
            path: What differs; empty for the object as a whole.
            change: How it differs.
            cause: Which side moved.
            value: What was removed, else what is live. What was added or removed matters as much as its worst part, so
                that a volume which was added is as bad as the host's folder in it; unless a rule of the user names
                the whole.
        """
        chosen, whole = self._of(key, path, change, cause)
        if chosen is not None:
            return chosen
        found = [] if whole is None else [whole]
        if self._stops(path, change, cause, value):
            found.append(Severity.HIGH)
        if change in {Change.ADDED, Change.REMOVED}:
            for below, is_leaf in _parts(value, ()):
                _, part = self._of(key, _join(path, below), change, cause)
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

    def _of(self, key: ObjectKey, path: str, change: Change, cause: Cause) -> tuple[Severity | None, Severity | None]:
        """What the user's rules say of one path, and what all of them say."""
        asked = (key.group, key.kind, path, change, cause)
        found = self.known.get(asked)
        if found is None:
            first, rules = self._rules_for(key, change, cause)
            chosen = _first(first, path)
            found = chosen, chosen or _first(rules, path)
            if len(self.known) >= _MOST_KNOWN:
                self.known.clear()
            self.known[asked] = found
        return found

    def _rules_for(self, key: ObjectKey, change: Change, cause: Cause) -> tuple[Sequence[SeverityRule], ...]:
        """The rules of the user and the shipped ones that may cover a difference, whatever its path is."""
        asked = (key.group, key.kind, change, cause)
        found = self.covering.get(asked)
        if found is None:
            found = self.covering[asked] = tuple(
                [rule for rule in rules if rule.concerns(key, change, cause)] for rules in (self.first, self.rules)
            )
        return found

    def of_finding(self, key: ObjectKey, finding: Finding) -> Severity:
        """How much a finding of an object matters."""
        value = finding.desired if finding.change is Change.REMOVED else finding.live
        return self.severity(key, finding.path, finding.change, finding.cause, value)


def _first(rules: Iterable[SeverityRule], path: str) -> Severity | None:
    return next((rule.severity for rule in rules if rule.path is None or rule.path.matches(path)), None)


def _parts(value: Json, path: Path) -> Iterator[tuple[Path, bool]]:
    """The paths of everything below a JSON value, and whether each is a leaf. An item is named by all its scalars."""
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


def _join(path: str, below: Path) -> str:
    text = render(below)
    return path + text if text.startswith("[") or not path else f"{path}.{text}"


@cache
def default_table() -> SeverityTable:
    """The table that is shipped."""
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("severity.json").read_text("utf-8"))
    return SeverityTable(
        rules=tuple(read_severity_rule(rule, ("rules", index)) for index, rule in enumerate(data["rules"])),
        default=Severity(data["default"]),
        stops=data["stops"],
    )
