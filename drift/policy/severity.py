"""How much a difference matters, by what it changes. The table is data: ``severity.json``."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from drift.model import Cause, Change, Severity
from drift.paths import ItemKey


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: re.Pattern[str]
    path: re.Pattern[str]
    severity: Severity


@dataclass(frozen=True, slots=True)
class SeverityTable:
    """The rules, in the order in which they are tried, and what counts where none matches."""

    rules: tuple[_Rule, ...]
    by_change: dict[Change, Severity]
    default: Severity

    def severity(self, kind: str, path: Iterable[str | ItemKey], change: Change, cause: Cause) -> Severity:
        """How much a difference matters.

        Args:
            kind: The object's kind.
            path: What differs; empty for the object as a whole.
            change: How it differs.
            cause: A controller's own work is information, whatever it changes.
        """
        if cause is Cause.CONTROLLER:
            return Severity.INFO
        if change is Change.REORDERED:
            return self.by_change[change]
        text = _pattern_text(path)
        ruled = next((r.severity for r in self.rules if r.kind.fullmatch(kind) and r.path.fullmatch(text)), None)
        return ruled or self.by_change.get(change, self.default)


def _pattern_text(path: Iterable[str | ItemKey]) -> str:
    return "".join("[]" if isinstance(element, ItemKey) else f".{element}" for element in path).removeprefix(".")


@cache
def default_table() -> SeverityTable:
    """The table that is shipped."""
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("severity.json").read_text("utf-8"))
    return SeverityTable(
        rules=tuple(
            _Rule(_glob(rule.get("kind", "*")), _glob(rule.get("path", "**")), Severity(rule["severity"]))
            for rule in data["rules"]
        ),
        by_change={change: Severity(data[change]) for change in (Change.REORDERED, Change.MISSING, Change.UNMANAGED)},
        default=Severity(data["default"]),
    )


def _glob(glob: str) -> re.Pattern[str]:
    # "**." at the beginning also matches nothing, so that a rule for a field finds it at the top as well.
    pattern = re.escape(glob).replace(r"\*\*\.", r"(?:.*\.)?").replace(r"\*\*", ".*").replace(r"\*", "[^.]*")
    return re.compile(pattern)
