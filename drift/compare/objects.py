"""One manifest and its live object through all stages of the comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from drift.compare.classify import ClassifiedDifference, classify
from drift.compare.diff import diff
from drift.compare.kind_specifics import remove_kind_specifics
from drift.compare.normalize import ListMap, normalize_object
from drift.compare.ownership import Ownership
from drift.compare.project import Projection, project
from drift.compare.remove_tracking import without_tracking
from drift.gitops.managers import NO_OTHERS, Managers, Role, Roles, assign_roles
from drift.gitops.tracking import ReservedMetadata, reserved_metadata
from drift.managed_fields import Entry, ManagedFieldsError, OwnerNode, build_tree, read_entries
from drift.model import LAST_APPLIED, Decision, Json, Object
from drift.paths import ItemKey, render
from drift.schema.facts import known_facts
from drift.schema.types import Type


@dataclass(frozen=True, slots=True)
class ObjectComparison:
    """The result of comparing one object.

    Attributes:
        differences: The differences with their causes, in the order of the object's fields.
        projection: The trees they were found in.
        decisions: What was seen and not reported, and why.
        remarks: What else the reader should know of this object, one sentence each.
        lacks_owners: Whether the live object has no ``managedFields``.
        has_webhook_changes: Whether changes were attributed to a webhook and left out, which the GitOps controller
            may contradict.
    """

    differences: tuple[ClassifiedDifference, ...]
    projection: Projection
    decisions: tuple[Decision, ...]
    remarks: tuple[str, ...]
    lacks_owners: bool
    has_webhook_changes: bool = False


def compare_object(
    desired: Object,
    live: Object,
    last_applied: Object | None,
    schema: Type,
    *,
    managers: Managers = NO_OTHERS,
    synced: Object | None = None,
    out_of_sync: bool = False,
    reserved: ReservedMetadata | None = None,
) -> ObjectComparison:
    """Compares a manifest with its live object.

    Args:
        desired: The manifest; a Secret with its values redacted.
        live: The live object in the same version, with its ``managedFields``; a Secret redacted likewise.
        last_applied: What the last-applied annotation holds, parsed, redacted likewise; None without one.
        schema: The kind's type.
        managers: The user's field managers, and the inferred applier.
        synced: The manifest at the revision that was last synced; None where that is not known.
        out_of_sync: Whether the GitOps controller itself says that the object differs from Git.
        reserved: The labels and annotations that appliers and Kubernetes put on this object; None for the known ones.
    """
    facts = known_facts()
    reserved = reserved or reserved_metadata()
    wanted = normalize_object(desired, schema, facts)
    present = normalize_object(live, schema, facts)
    entries, tree, remarks = _read_owners(live)
    has_tracking = reserved.has_tracking(live.get("metadata"), desired["metadata"])
    roles = assign_roles([entry.actor for entry in entries], managers, has_tracking=has_tracking)
    if entries and not roles.has_applier and Role.OTHER in roles.of_entry:
        remarks.append(f"no applier has written it; it was made by {_makers(entries, roles)}")
    recorded = None if last_applied is None else normalize_object(last_applied, schema, facts)
    has_recorded = recorded is not None and _is_the_appliers(tree, entries, roles)
    if synced is not None:
        base: Object | None = normalize_object(synced, schema, facts)
    else:
        base = recorded if has_recorded and not roles.is_server_side else None
    version = str(live.get("apiVersion", desired.get("apiVersion")))
    ownership = Ownership(
        entries,
        roles,
        tree,
        base,
        other_version_entries=_foreign(entries, present, version),
        last_client_side_apply=recorded if has_recorded and roles.is_server_side else None,
        out_of_sync=out_of_sync,
    )
    wanted, present, decisions = remove_kind_specifics(*_identity(desired), wanted, present, owners=tree)
    present, tracking = without_tracking(wanted, present, ownership, reserved)
    projection = project(
        wanted,
        present,
        schema,
        ownership,
        facts=facts,
        reserved=reserved,
        zeros=cache(lambda: normalize_object(desired, schema, facts, keep_zeros=True)),
    )
    classified = classify(
        diff(projection.desired, projection.live),
        projection,
        ownership,
        schema,
        _mapping(live.get("metadata")).get("generation"),
    )
    remarks += [f"{path} is given twice; the last one counts" for path in _duplicates(wanted, ())]
    return ObjectComparison(
        differences=classified.judged,
        projection=projection,
        decisions=(*decisions, *tracking, *projection.decisions, *classified.decisions),
        remarks=tuple(remarks),
        lacks_owners=not entries,
        has_webhook_changes=bool(classified.decisions),
    )


def _identity(body: Object) -> tuple[str, str, str]:
    """Group, kind and name."""
    group = str(body.get("apiVersion", "")).rpartition("/")[0]
    return group, str(body.get("kind", "")), str(body["metadata"]["name"])


def _is_the_appliers(tree: OwnerNode | None, entries: Sequence[Entry], roles: Roles) -> bool:
    """Whether the applier wrote the last-applied annotation; after a ``kubectl apply`` by hand it is that hand's."""
    node = tree
    for name in ("metadata", "annotations", LAST_APPLIED):
        node = None if node is None else node.child(name)
    if node is None:
        # Without managedFields there is no telling, and the annotation is all the evidence that there is.
        return not entries
    return any(roles.of_entry[index] is Role.APPLIER for index in node.owners)


def _makers(entries: Sequence[Entry], roles: Roles) -> str:
    names = {entry.actor.manager for entry, role in zip(entries, roles.of_entry, strict=True) if role is Role.OTHER}
    return ", ".join(sorted(names))


def _mapping(value: Json) -> Object:
    return value if isinstance(value, dict) else {}


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


def _duplicates(value: Json, path: tuple[str | ItemKey, ...]) -> list[str]:
    found = [render((*path, key)) for key in value.duplicates] if isinstance(value, ListMap) else []
    for name, below in value.items():
        if isinstance(below, dict):
            found += _duplicates(below, (*path, name))
    return found
