"""One manifest and its live object through all stages of the comparison."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from drift.compare.classify import Judged, classify
from drift.compare.diff import diff
from drift.compare.exceptions import set_aside
from drift.compare.normalize import Keyed, normalize_object
from drift.compare.project import Ownership, Projection, project
from drift.model import Decision, Json, Object
from drift.ownership.fieldset import Entry, ManagedFieldsError, OwnerNode, build_tree, read_entries
from drift.ownership.marks import known_marks
from drift.ownership.roles import Role, Roles, assign_roles
from drift.paths import ItemKey, render
from drift.schema.facts import known_facts
from drift.schema.types import Type


@dataclass(frozen=True, slots=True)
class Compared:
    """The result of comparing one object.

    Attributes:
        judged: The differences with their causes, in the order of the object's fields.
        projection: The trees they were found in.
        decisions: What was seen and not reported, and why.
        remarks: What else the reader should know of this object, one sentence each.
        lacks_owners: Whether the live object has no ``managedFields``.
    """

    judged: tuple[Judged, ...]
    projection: Projection
    decisions: tuple[Decision, ...]
    remarks: tuple[str, ...]
    lacks_owners: bool


def compare_object(
    desired: Object,
    live: Object,
    last_applied: Object | None,
    schema: Type,
    *,
    appliers: Iterable[str] = (),
    controllers: Iterable[str] = (),
    synced: Object | None = None,
) -> Compared:
    """Compares a manifest with its live object.

    Args:
        desired: The manifest; a Secret with its values redacted.
        live: The live object in the same version, with its ``managedFields``; a Secret redacted likewise.
        last_applied: What the last-applied annotation holds, parsed, redacted likewise; None without one.
        schema: The kind's type.
        appliers: Field managers that sync Git, beside the well-known ones.
        controllers: Field managers that work for the cluster, beside the well-known ones.
        synced: The manifest at the revision that was last synced; None where that is not known.
    """
    facts = known_facts()
    wanted = normalize_object(desired, schema, facts)
    present = normalize_object(live, schema, facts)
    entries, tree, remarks = _read_owners(live)
    roles = assign_roles(entries, appliers, lambda: _count_owned(entries, tree, wanted, present), controllers)
    if roles.inferred is not None:
        remarks.append(f"no known syncer has applied it; {roles.inferred} is taken for the one, as it owns most of it")
    base = synced or (last_applied if _applies_client_side(entries, roles) else None)
    applied = None if base is None else normalize_object(base, schema, facts)
    version = str(live.get("apiVersion", desired.get("apiVersion")))
    ownership = Ownership(entries, roles, tree, applied, foreign=_foreign(entries, present, version))
    wanted, present, decisions = set_aside(*_identity(desired), wanted, present)
    projection = project(
        wanted,
        present,
        schema,
        ownership,
        facts=facts,
        marks=known_marks(),
        zeros=cache(lambda: normalize_object(desired, schema, facts, keep_zeros=True)),
    )
    classified = classify(diff(projection.desired, projection.live), projection, ownership)
    remarks += [f"{path} is given twice; the last one counts" for path in _duplicates(wanted, ())]
    return Compared(
        judged=classified.judged,
        projection=projection,
        decisions=(*decisions, *projection.decisions, *classified.decisions),
        remarks=tuple(remarks),
        lacks_owners=not entries,
    )


def _identity(body: Object) -> tuple[str, str, str]:
    """Group, kind and name."""
    group = str(body.get("apiVersion", "")).rpartition("/")[0]
    return group, str(body.get("kind", "")), str(body["metadata"]["name"])


def _applies_client_side(entries: Sequence[Entry], roles: Roles) -> bool:
    """Whether the last-applied annotation is of the applier's last sync.

    Once an applier has turned to server-side apply, the annotation is a leftover of the time before.
    """
    operations = {
        entry.actor.operation for entry, role in zip(entries, roles.of_entry, strict=True) if role is Role.APPLIER
    }
    return "Apply" not in operations


def _read_owners(live: Object) -> tuple[Sequence[Entry], OwnerNode | None, list[str]]:
    """The entries, their tree (None where nothing is recorded), and what is to be said about them."""
    metadata = live.get("metadata")
    managed_fields = metadata.get("managedFields") if isinstance(metadata, dict) else None
    if not managed_fields:
        return (), None, []
    try:
        entries = read_entries(managed_fields)
        return entries, build_tree(entries), []
    except ManagedFieldsError as error:
        return (), None, [f"its managedFields cannot be read ({error}), so it is compared without owners"]


def _foreign(entries: Sequence[Entry], present: Object, version: str) -> tuple[int, ...]:
    """Entries written through another version that own fields which the object does not have in this one."""
    found = []
    for index, entry in enumerate(entries):
        # Who deleted a field owns it no more, so only another version's name for it can be missing.
        if entry.api_version != version and entry.actor.subresource is None:
            spec = build_tree([entry]).child("spec")
            if spec is not None and _names_more_than(spec, present.get("spec")):
                found.append(index)
    return tuple(found)


def _names_more_than(node: OwnerNode, tree: Json) -> bool:
    """Whether a field set names parts that a tree does not have; what is owned as a whole has no parts to look for."""
    if not isinstance(tree, dict):
        return False
    return any(name not in tree or _names_more_than(child, tree[name]) for name, child in node.children.items())


def _count_owned(entries: Sequence[Entry], tree: OwnerNode | None, wanted: Object, present: Object) -> list[int]:
    """How many fields each entry owns that are as Git wants them: who made them other than that did not sync Git."""
    counts = [0] * len(entries)
    pending: list[tuple[OwnerNode, Json, Json]] = [] if tree is None else [(tree, wanted, present)]
    while pending:
        node, value, live = pending.pop()
        if value == live:
            for index in node.owners:
                counts[index] += 1
        if isinstance(value, dict) and isinstance(live, dict):
            both = value.keys() & live.keys()
            pending += [(child, value[name], live[name]) for name, child in node.children.items() if name in both]
    return counts


def _duplicates(value: Json, path: tuple[str | ItemKey, ...]) -> list[str]:
    found = [render((*path, key)) for key in value.duplicates] if isinstance(value, Keyed) else []
    for name, below in value.items():
        if isinstance(below, dict):
            found += _duplicates(below, (*path, name))
    return found
