"""The terms of ``drift explain``: from the texts, the severity table and the JSON Schema of ``drift.yaml``."""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from drift.config.reader import json_schema
from drift.config.settings import SeverityRule
from drift.errors import UsageError
from drift.explain import texts
from drift.model import Severity
from drift.policy.severity import default_table
from drift.words import did_you_mean

_EXIT_STATUS: Final = "exit status"
_SETTING: Final = "setting of drift.yaml"


@dataclass(frozen=True, slots=True)
class Term:
    """One meaning of a term. A term may have several: ``unmanaged`` is a status, a change and a setting.

    Attributes:
        name: The term.
        topic: What kind of term it is.
        text: The explanation, one paragraph.
        rows: A list below the text: entries and their explanations.
    """

    name: str
    topic: str
    text: str
    rows: tuple[tuple[str, str], ...] = ()


def explain(name: str, width: int) -> str:
    """Returns the explanation of a term, in each of its meanings.

    Case does not matter, and spaces count as hyphens.

    Raises:
        UsageError: The term is unknown.
    """
    normalized = "-".join(name.lower().split())
    found = [term for term in all_terms() if term.name.lower() == normalized]
    if not found:
        known = {term.name for term in all_terms()}
        raise UsageError(f"{name!r} is not a term{did_you_mean(normalized, known)}")
    return "\n".join(_meaning(term, width) for term in found)


def list_terms(width: int) -> str:
    """Returns all terms by topic."""
    topics: dict[str, list[str]] = {}
    for term in all_terms():
        topics.setdefault(term.topic, []).append(term.name)
    lines = ["`drift explain TERM` explains one of these:", ""]
    for topic, names in topics.items():
        lines += [topic, _fold(", ".join(names), width, "  "), ""]
    return "\n".join(lines[:-1]) + "\n"


def all_terms() -> tuple[Term, ...]:
    """Returns all terms, sorted by topic."""
    return (
        *(Term(name, "status of an object", text) for name, text in texts.STATUSES.items()),
        *(Term(name, "change of a finding", text) for name, text in texts.CHANGES.items()),
        *(Term(name, "cause of a finding", text) for name, text in texts.CAUSES.items()),
        *(Term(name, "evidence for a user", text) for name, text in texts.EVIDENCES.items()),
        *(Term(name, "effect of a finding on security", text) for name, text in texts.SECURITIES.items()),
        *(Term(name, "lifecycle of a finding", text) for name, text in texts.LIFECYCLES.items()),
        *(Term(name, "state in the history", text) for name, text in texts.STATES.items()),
        *(Term(name, "severity of a finding", text, _rows(name)) for name, text in texts.SEVERITIES.items()),
        Term(
            "severity",
            "how it is decided",
            texts.HOW_SEVERITY_IS_DECIDED.format(default=default_table().default),
            tuple((_matchers(rule), f"{rule.severity}: {rule.reason}") for rule in default_table().rules),
        ),
        *(Term(str(status), _EXIT_STATUS, text) for status, text in texts.EXIT_STATUSES.items()),
        Term(
            "exit-status",
            "result of a command",
            "The exit statuses for scripts and CI. If several apply, the first of 2, 3, 1, 0 is returned.",
            tuple((str(status), text) for status, text in texts.EXIT_STATUSES.items()),
        ),
        *_settings(),
    )


def _rows(severity: Severity) -> tuple[tuple[str, str], ...]:
    table = default_table()
    rows = [(_matchers(rule), rule.reason or "") for rule in table.rules if rule.severity is severity]
    return (*rows, ("everything else", "no rule matches it")) if severity is table.default else tuple(rows)


def _matchers(rule: SeverityRule) -> str:
    group = rule.group.text if rule.group else ""
    if rule.kind:
        kind = f"{rule.kind.text}.{group}" if group else rule.kind.text
    else:
        kind = f"any kind of {group}" if rule.group else ""
    path = rule.path.text if rule.path else ""
    change = f"change {rule.change}" if rule.change else ""
    cause = f"cause {rule.cause}" if rule.cause else ""
    return ", ".join(filter(None, (kind, path, change, cause)))


def _settings() -> Iterator[Term]:
    schema = json_schema()
    for name, setting in schema["properties"].items():
        fields = _fields(setting, schema)
        yield Term(name, _SETTING, setting["description"], tuple((key, value) for key, value, _ in fields))
        for key, text, choices in fields:
            yield Term(f"{name}.{key}", _SETTING, text, choices)


def _fields(setting: dict[str, Any], schema: dict[str, Any]) -> list[tuple[str, str, tuple[tuple[str, str], ...]]]:
    """Returns the name, the description and the choices of each field of a setting."""
    reference = setting.get("items", {}).get("$ref")
    parent = schema["$defs"][reference.rpartition("/")[2]] if reference else setting
    return [
        (name, field["description"], tuple((word, "") for word in field.get("enum", ())))
        for name, field in parent.get("properties", {}).items()
    ]


# -- folded for a terminal


def _meaning(term: Term, width: int) -> str:
    lines = [f"{term.name} ({term.topic})", _fold(term.text, width, "  ")]
    if term.rows:
        lines += ["", *_table(term.rows, width)]
    return "\n".join(lines) + "\n"


def _table(rows: Iterable[tuple[str, str]], width: int) -> Iterable[str]:
    for left, right in rows:
        yield _fold(left, width, "    ")
        if right:
            yield _fold(right, width, "        ")


def _fold(text: str, width: int, indent: str) -> str:
    # Paths are not broken, so that they can be copied.
    return textwrap.fill(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
