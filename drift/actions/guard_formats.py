"""Writes the result of `drift guard` as text, Markdown, JSON and GitHub annotations."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from drift.actions.guard import MEANINGS, Effect, Guarded
from drift.report.github import Annotation
from drift.report.markdown import code
from drift.report.view import cause_and_managers, place_of, visible

_NOTHING: Final = "No edit by hand is open."


def _text(guarded: Sequence[Guarded]) -> str:
    width = max(map(len, Effect))
    lines = [f"{one.effect:<{width}}  {visible(str(one.selected))} ({_by(one)})" for one in guarded]
    meanings = [f"{effect:<{width}}  {MEANINGS[effect]}" for effect in _used(guarded)]
    return "\n".join([*lines, "", *meanings] if lines else [_NOTHING]) + "\n"


def _markdown(guarded: Sequence[Guarded]) -> str:
    rows = [f"| {one.effect} | {_cell(str(one.selected))} | {_cell(_by(one))} |" for one in guarded]
    meanings = [f"- **{effect}**: {MEANINGS[effect]}" for effect in _used(guarded)]
    table = ["| this change | finding | who |", "|---|---|---|", *rows, "", *meanings]
    return "\n".join(table if rows else [_NOTHING]) + "\n"


def _cell(text: str) -> str:
    return code(visible(text)).replace("|", "\\|")


def _json(guarded: Sequence[Guarded]) -> str:
    findings = [
        {
            "effect": one.effect,
            "id": one.selected.finding.id,
            "apiVersion": one.selected.item.api_version,
            "kind": one.selected.item.kind,
            "namespace": one.selected.item.namespace,
            "name": one.selected.item.name,
            "path": one.selected.finding.path,
        }
        for one in guarded
    ]
    return json.dumps({"findings": findings}, indent=2, ensure_ascii=False) + "\n"


def _github(guarded: Sequence[Guarded]) -> str:
    return "".join(str(_annotation(one)) for one in guarded if one.is_blocking)


def _annotation(one: Guarded) -> Annotation:
    title = f"{one.effect}: {visible(str(one.selected))}"
    place = place_of(one.selected.item, one.selected.finding)
    return Annotation(0, "error", title, f"{MEANINGS[one.effect]} ({_by(one)})", place)


def _by(one: Guarded) -> str:
    return cause_and_managers(one.selected.finding)


def _used(guarded: Sequence[Guarded]) -> Iterator[Effect]:
    return (effect for effect in Effect if any(one.effect is effect for one in guarded))


#: How each format is written.
FORMATS: Final[Mapping[str, Callable[[Sequence[Guarded]], str]]] = {
    "text": _text,
    "markdown": _markdown,
    "json": _json,
    "github": _github,
}
