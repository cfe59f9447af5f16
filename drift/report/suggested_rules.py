"""Suggested ignore rules as a part of ``drift.yaml``, which is invalid until the user adds the reasons."""

import re
from collections.abc import Sequence
from typing import Final

from drift.counts import first_few
from drift.documents.scalars import read_plain
from drift.policy.suggestions import Suggestion

_HEAD: Final = """\
# The findings of this scan as ignore rules for drift.yaml. Keep the rules for what is not drift, and give each
# a reason: drift refuses a rule without one. `expires: YYYY-MM-DD` makes a rule end after that day.
"""
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9./_-]*")
_SHOWN: Final = 5


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
