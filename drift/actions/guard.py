"""Says what merging a change of the manifests does to the drift that is open, and writes it in several formats."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from drift.actions.adopt import is_as_reported, value_at_path
from drift.actions.selection import Selected
from drift.model import Cause, Change, ObjectReport
from drift.objects import Json, Manifest, Object, as_object, indented_json
from drift.paths import ItemKey, Path, is_in_key, parse, render
from drift.report.github import Annotation
from drift.report.markdown import code
from drift.report.view import cause_and_managers, place_of, visible
from drift.schema.types import ABSENT, UNKNOWN, Shape, Type, built_in_types

_NOTHING: Final = "No edit by hand is open."


class Effect(StrEnum):
    """What a merge does to an open finding."""

    OVERWRITES = "overwrites"
    CONFLICTS = "conflicts"
    CODIFIES = "codifies"
    LEAVES = "leaves"
    UNKNOWN = "unknown"


#: The effects on edits that a merge would undo, or may undo.
_BLOCKING: Final = (Effect.OVERWRITES, Effect.CONFLICTS)
#: What each effect means, as a sentence after the finding.
_MEANINGS: Final[Mapping[Effect, str]] = {
    Effect.OVERWRITES: "the change sets this field or removes what holds it, and the next sync replaces the live value",
    Effect.CONFLICTS: "the base of the change is not what the report was made from, and the change sets this field",
    Effect.CODIFIES: "after the merge, Git says what is live",
    Effect.LEAVES: "the change does not touch it",
    Effect.UNKNOWN: (
        "the values are hidden, the manifests cannot be rendered without the cluster, or none is of this object"
    ),
}


@dataclass(frozen=True, slots=True)
class Guarded:
    """An open finding, and what a merge does to it."""

    selected: Selected
    effect: Effect

    @property
    def is_blocking(self) -> bool:
        """Whether the merge would undo an edit by hand, or may do so."""
        return self.effect in _BLOCKING


def guard(
    findings: Sequence[Selected],
    base: Sequence[Manifest],
    head: Sequence[Manifest],
    unknown: Collection[str] = (),
    into: Sequence[Manifest] | None = None,
    *,
    has_moved_files: bool = False,
) -> tuple[Guarded, ...]:
    """Returns what a merge does to each open edit by hand, those that it undoes first.

    Args:
        findings: The open findings. Those that wait for a sync, or that a controller caused, are left out.
        base: The manifests before the change.
        head: The manifests after it.
        unknown: The names of the sources whose manifests are not known.
        into: The manifests that the change is merged into, if others may have changed them since `base`.
        has_moved_files: Whether they have renamed files, so that the merge may change an object that is only in `into`.
    """
    before = _Index(base)
    sides = _Sides(before, _Index(head), before if into is None else _Index(into), unknown, has_moved_files)
    order = list(Effect)
    guarded = [
        Guarded(selected, _effect(selected, sides))
        for selected in findings
        if selected.finding.cause in {Cause.MANUAL, Cause.UNKNOWN}
    ]
    return tuple(sorted(guarded, key=lambda one: order.index(one.effect)))


class _Index:
    def __init__(self, manifests: Sequence[Manifest]) -> None:
        self._manifests: dict[tuple[str, str, str], list[Manifest]] = {}
        for manifest in manifests:
            group = manifest.api_version.rpartition("/")[0]
            self._manifests.setdefault((group, manifest.kind, manifest.name), []).append(manifest)

    def find(self, item: ObjectReport) -> Json:
        """Returns the manifest of an object, or `ABSENT`.

        A manifest may leave its namespace to the command line, and one of a cluster-scoped object may name any.
        """
        found = self._manifests.get((item.key.group, item.kind, item.name), ())
        is_wide = item.namespace is None
        return next((one.body for one in found if is_wide or one.namespace in {None, item.namespace}), ABSENT)


@dataclass(frozen=True, slots=True)
class _Sides:
    """The manifests before and after the change, and those that it is merged into: see `guard`."""

    before: _Index
    after: _Index
    into: _Index
    unknown: Collection[str]
    has_moved_files: bool


def _effect(selected: Selected, sides: _Sides) -> Effect:
    item, finding = selected.item, selected.finding
    base, head, other = (index.find(item) for index in (sides.before, sides.after, sides.into))
    if any(name in sides.unknown for name in item.origins):
        return Effect.UNKNOWN
    if not finding.path:
        is_untouched = (head is ABSENT) in {base is ABSENT, other is ABSENT}
        return Effect.LEAVES if is_untouched else _effect_on_object(item, finding.change, head)
    if base is ABSENT and head is ABSENT:
        # The report compared it with a manifest: either others have added or moved it, or these are not its manifests.
        return Effect.UNKNOWN if other is ABSENT or sides.has_moved_files else Effect.LEAVES
    path, live_items = parse(finding.path), _live_items(item)
    in_base, in_head, in_other = (_path_in(root, path, live_items) for root in (base, head, other))
    if all(_removes_surroundings(*held, head, in_head) for held in ((base, in_base), (other, in_other))):
        return Effect.OVERWRITES
    old, new = value_at_path(base, in_base), value_at_path(head, in_head)
    if _same(old, new) or _same(value_at_path(other, in_other), new):
        return Effect.LEAVES
    reported = ABSENT if finding.change is Change.ADDED else finding.desired
    live = ABSENT if finding.change is Change.REMOVED else finding.live
    schema = _type_at(item, path)
    return Effect.UNKNOWN if finding.redacted else _effect_on_value(schema, reported, live, old, new)


def _effect_on_value(schema: Type, reported: Json, live: Json, before: Json, after: Json) -> Effect:
    """Returns what a change does to a value, given the report's values of Git and the cluster, and those around it."""
    if _same_as_reported(after, live):
        return Effect.CODIFIES
    has_entries = not schema.atomic and schema.shape in {Shape.MAP, Shape.STRUCT}
    entries = live if reported is ABSENT else reported if live is ABSENT else None
    if has_entries and isinstance(entries, dict) and entries:
        # Only one side has the value. A sync merges it with what the other side has there now.
        parts = [[_entry(value, name) for value in (reported, live, before, after)] for name in entries]
        if all(_same_as_reported(part[3], part[1]) for part in parts):
            return Effect.CODIFIES
        if schema.shape is Shape.MAP:
            effects = {
                _effect_on_value(schema.field(name), *part)
                for name, part in zip(entries, parts, strict=True)
                if not _same(*part[2:])
            }
            return next((effect for effect in _BLOCKING if effect in effects), Effect.LEAVES)
    return Effect.OVERWRITES if _same_as_reported(before, reported) else Effect.CONFLICTS


def _entry(value: Json, name: str) -> Json:
    return value.get(name, ABSENT) if isinstance(value, dict) else ABSENT


def _type_at(item: ObjectReport, path: Path) -> Type:
    """Returns the type of a field. Of custom resources, it is only known in metadata."""
    group, _, version = item.api_version.rpartition("/")
    schema = (built_in_types().kind(group, version, item.kind) or UNKNOWN).with_metadata()
    for element in path:
        schema = schema.items if isinstance(element, ItemKey) else schema.field(element)
    return schema


def _live_items(item: ObjectReport) -> Mapping[Path, Path]:
    """Returns the paths of the list items whose keys differ with their live keys, by those with Git's keys."""
    items: dict[Path, Path] = {}
    for finding in item.findings:
        with suppress(ValueError):
            path = parse(finding.path)
            if is_in_key(path) and finding.change is not Change.REMOVED:
                *above, key = items.get(path[:-1], path[:-1])
                fields = key if isinstance(key, ItemKey) else ()
                live = ItemKey((name, finding.live if name == path[-1] else value) for name, value in fields)
                # As all parsed paths, it has strings.
                items[path[:-1]] = parse(render((*above, live)))
    return items


def _path_in(root: Json, path: Path, live_items: Mapping[Path, Path]) -> Path:
    """Returns a path with the keys that list items have in a manifest: their live keys if Git's are gone."""
    found: Path = ()
    for number, element in enumerate(path, start=1):
        below = (*found, element)
        if path[:number] in live_items and value_at_path(root, below) is ABSENT:
            renamed = (*found, live_items[path[:number]][-1])
            below = below if value_at_path(root, renamed) is ABSENT else renamed
        found = below
    return found


def _removes_surroundings(base: Json, in_base: Path, head: Json, in_head: Path) -> bool:
    """Whether a change removes the object, or the list item, that holds a field."""
    if base is ABSENT:
        return False
    lengths = [length for length in range(1, len(in_base)) if isinstance(in_base[length - 1], ItemKey)]
    return head is ABSENT or any(
        value_at_path(base, in_base[:length]) is not ABSENT and value_at_path(head, in_head[:length]) is ABSENT
        for length in lengths
    )


def _effect_on_object(item: ObjectReport, change: Change, head: Json) -> Effect:
    """Returns what a change does that adds an object, or removes it."""
    if change is Change.MISSING:
        return Effect.CODIFIES if head is ABSENT else Effect.OVERWRITES
    if head is ABSENT:
        return Effect.LEAVES
    # An unmanaged object that the change adds: the sync takes it over, with whatever Git says.
    return Effect.CODIFIES if _matches_live(head, item) else Effect.OVERWRITES


def _matches_live(head: Object, item: ObjectReport) -> bool:
    """Whether a manifest, which may leave out its namespace, says what is live of an unmanaged object."""
    if item.manifest is None:
        return False
    metadata = {**as_object(head.get("metadata")), "namespace": item.namespace}
    live = {**item.manifest, "metadata": {**as_object(item.manifest.get("metadata")), "namespace": item.namespace}}
    return is_as_reported({**head, "metadata": metadata}, live)


def _same(one: Json, other: Json) -> bool:
    return (one is ABSENT) == (other is ABSENT) and (one is ABSENT or bool(one == other))


def _same_as_reported(value: Json, reported: Json) -> bool:
    if value is ABSENT or reported is ABSENT:
        return value is reported
    return is_as_reported(value, reported)


# -- formats


def _text(guarded: Sequence[Guarded]) -> str:
    width = max(map(len, Effect))
    lines = [f"{one.effect:<{width}}  {visible(str(one.selected))} ({_by(one)})" for one in guarded]
    meanings = [f"{effect:<{width}}  {_MEANINGS[effect]}" for effect in _used(guarded)]
    return "\n".join([*lines, "", *meanings] if lines else [_NOTHING]) + "\n"


def _markdown(guarded: Sequence[Guarded]) -> str:
    rows = [f"| {one.effect} | {_cell(str(one.selected))} | {_cell(_by(one))} |" for one in guarded]
    meanings = [f"- **{effect}**: {_MEANINGS[effect]}" for effect in _used(guarded)]
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
    return indented_json({"findings": findings})


def _github(guarded: Sequence[Guarded]) -> str:
    return "".join(str(_annotation(one)) for one in guarded if one.is_blocking)


def _annotation(one: Guarded) -> Annotation:
    title = f"{one.effect}: {visible(str(one.selected))}"
    place = place_of(one.selected.item, one.selected.finding)
    return Annotation(0, "error", title, f"{_MEANINGS[one.effect]} ({_by(one)})", place)


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
