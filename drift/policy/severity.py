"""How much a difference matters, by what it changes. The table is data: ``severity.json``."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

from drift.config.reader import read_severity_rule
from drift.config.settings import SeverityRule
from drift.model import Cause, Change, Finding, Json, ObjectKey, Severity
from drift.paths import ItemKey, Path, render, set_member

#: Group, kind, path, change and cause.
_Asked = tuple[str, str, str, Change, Cause]
#: Paths that name items of lists may be as many as there are objects.
_MOST_KNOWN: Final = 10_000
_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class SeverityTable:
    """The rules, in the order in which they are tried, and what counts where none matches.

    Attributes:
        rules: The shipped ones.
        default: For what no rule matches.
        first: The user's, tried before the others.
        known: What was found before: a fleet differs in few ways, many times each.
    """

    rules: tuple[SeverityRule, ...]
    default: Severity
    first: tuple[SeverityRule, ...] = ()
    known: dict[_Asked, tuple[Severity | None, Severity | None]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def severity(self, key: ObjectKey, path: str, change: Change, cause: Cause, value: Json = None) -> Severity:
        """How much a difference matters.

        Args:
            key: The object.
            path: What differs; empty for the object as a whole.
            change: How it differs.
            cause: Which side moved.
            value: What was added or removed. It matters as much as its worst part, so that a volume which was added
                is as bad as the host's folder in it; unless a rule of the user names the whole.
        """
        chosen, whole = self._of(key, path, change, cause)
        if chosen is not None:
            return chosen
        found = [] if whole is None else [whole]
        if change in {Change.ADDED, Change.REMOVED}:
            for below, is_leaf in _parts(value, ()):
                _, part = self._of(key, _join(path, below), change, cause)
                if part is not None:
                    found.append(part)
                elif is_leaf and whole is None:
                    found.append(self.default)
        return min(found, key=_RANK.__getitem__, default=self.default)

    def _of(self, key: ObjectKey, path: str, change: Change, cause: Cause) -> tuple[Severity | None, Severity | None]:
        """What the user's rules say of one path, and what all of them say."""
        asked = (key.group, key.kind, path, change, cause)
        found = self.known.get(asked)
        if found is None:
            chosen = _first(self.first, key, path, change, cause)
            found = chosen, chosen or _first(self.rules, key, path, change, cause)
            if len(self.known) >= _MOST_KNOWN:
                self.known.clear()
            self.known[asked] = found
        return found

    def of_finding(self, key: ObjectKey, finding: Finding) -> Severity:
        """How much a finding of an object matters."""
        value = finding.live if finding.change is Change.ADDED else finding.desired
        return self.severity(key, finding.path, finding.change, finding.cause, value)


def _first(rules: Sequence[SeverityRule], key: ObjectKey, path: str, change: Change, cause: Cause) -> Severity | None:
    return next((rule.severity for rule in rules if rule.covers(key, path, change, cause)), None)


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
    )
