"""Compares one manifest with its live object, through all stages, and writes the manifest of an unmanaged object."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from drift.compare.atomic import is_plain_dict
from drift.compare.classify import ClassifiedDifference, classify
from drift.compare.diff import Difference, diff
from drift.compare.hidden import without_hidden
from drift.compare.kind_specifics import remove_kind_specifics, without_part
from drift.compare.known_values import KnownValues, copied_template_labels
from drift.compare.normalize import ListMap, normalize_object, value_at
from drift.compare.ownership import AttributionFinder, Ownership, owner_node
from drift.compare.projection import Projection, project, remove_tracking, without_tracking_metadata
from drift.compare.show import contains_redacted, incomparables_in, to_json
from drift.gitops.flux_values import SOPS_VALUES
from drift.gitops.managers import BEFORE_FIRST_APPLY, NO_OTHERS, Managers, Role, Roles, assign_roles, may_create
from drift.gitops.tracking import ReservedMetadata, reserved_metadata
from drift.managed_fields import Entry, OwnerNode, build_tree, read_owners
from drift.model import Cause, Change, Decision, NotCompared
from drift.objects import LAST_APPLIED, Json, Object, as_object, text_at
from drift.paths import ItemKey, Path, render
from drift.schema.facts import known_facts
from drift.schema.types import ABSENT, Type

#: The maps of metadata from which the comparison leaves out entries.
_MAPS: Final = ("labels", "annotations")


@dataclass(frozen=True, slots=True)
class ObjectComparison:
    """The result of comparing one object.

    Attributes:
        differences: The differences with their causes, in the order of the object's fields.
        projection: The two trees in which they were found.
        objects: The manifest and the live object.
        other_decisions: Differences that are not reported, and why, besides those that the projection skipped.
        remarks: Other information on this object for the reader, one sentence each.
        lacks_owners: Whether the live object has no ``managedFields``.
        not_compared: The fields whose values in Git cannot be compared, sorted by path.
        concealed: The paths of differences whose live values must not be shown, because Git may have encrypted them.
        assumes_admission: Whether changes and additions were left out on the assumption that they were made while the
            applier's request was admitted, for example by a webhook. The GitOps controller may contradict that.
    """

    differences: tuple[ClassifiedDifference, ...]
    projection: Projection
    objects: tuple[Object, Object]
    other_decisions: tuple[Decision, ...]
    remarks: tuple[str, ...]
    lacks_owners: bool
    not_compared: tuple[NotCompared, ...] = ()
    concealed: frozenset[str] = frozenset()
    assumes_admission: bool = False

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The differences that are not reported, and why."""
        # A list item with an edited key is filtered twice.
        skipped = dict.fromkeys(Decision(render(path), why) for path, why in self.projection.skipped)
        return (*self.other_decisions, *skipped)

    def is_in_sync_at(self, path: Path) -> bool:
        """Whether no difference is at a path, below it or above it."""
        paths = (found.difference.path for found in self.differences)
        return not any(path[: len(found)] == found[: len(path)] for found in paths)


def compare_object(
    desired: Object,
    live: Object,
    last_applied: Object | None,
    schema: Type,
    *,
    managers: Managers = NO_OTHERS,
    synced_manifest: Object | None = None,
    is_sent: bool = False,
    out_of_sync: bool = False,
    reserved: ReservedMetadata | None = None,
    for_export: bool = False,
) -> ObjectComparison:
    """Compares a manifest with its live object.

    The values of a Secret must be redacted in all arguments.

    Args:
        desired: The manifest.
        live: The live object in the same version, with its ``managedFields``.
        last_applied: The parsed last-applied annotation; None if there is none.
        schema: The kind's type.
        managers: The user's field managers, and the inferred applier.
        synced_manifest: The manifest at the last synced revision; None if it is not known.
        is_sent: Whether `synced_manifest` is exactly what the applier sent to the API server, such as a Helm release.
        out_of_sync: Whether the GitOps controller reports the object as out of sync.
        reserved: The labels and annotations that appliers and Kubernetes put on this object; None for the known ones.
        for_export: Whether there is no manifest yet, and `desired` is an empty one.
    """
    facts = known_facts()
    schema = schema.with_metadata()
    reserved = reserved or reserved_metadata()
    desired_tree = normalize_object(desired, schema, facts)
    live_tree = normalize_object(live, schema, facts)
    entries, owners, remarks = _read_owners(live)
    is_complete = owners is not None and not remarks
    roles = assign_roles(
        [entry.actor for entry in entries],
        managers,
        tracked_by=reserved.programs(live.get("metadata"), desired["metadata"]),
        field_sets=[entry.fields for entry in entries],
    )
    last_applied_tree = None
    if last_applied is not None and _is_by_applier(owners, roles, is_complete=is_complete):
        last_applied_tree = normalize_object(without_tracking_metadata(last_applied, reserved), schema, facts)
    base = None if roles.is_server_side else last_applied_tree
    if synced_manifest is not None:
        base = normalize_object(synced_manifest, schema, facts)
    # Compared with Git alone, and without an excuse for what admission may have set.
    with_git = cache(
        lambda: compare_object(
            *(desired, live, last_applied, schema),
            managers=managers,
            synced_manifest=desired,
            out_of_sync=True,
            reserved=reserved,
        )
    )

    def is_in_sync_at(path: Path) -> bool:
        # That comparison itself does not need another one.
        return synced_manifest is not desired and with_git().is_in_sync_at(path)

    live_tree = without_hidden(live_tree, desired_tree, base, schema, is_in_sync_at)
    version = str(live.get("apiVersion", desired.get("apiVersion")))
    ownership = Ownership(
        entries,
        roles,
        owners,
        base,
        is_complete=is_complete,
        other_version_entries=_other_version_entries(entries, live_tree, version),
        last_client_side_apply=last_applied_tree if roles.is_server_side else None,
        out_of_sync=out_of_sync,
        sent=base if is_sent else None if roles.is_server_side else last_applied_tree,
        created=text_at(live, "metadata", "creationTimestamp"),
    )
    desired_tree, live_tree, decisions = remove_kind_specifics(
        *_identity(desired), desired_tree, live_tree, ownership=ownership
    )
    live_tree, tracking_decisions = remove_tracking(desired_tree, live_tree, ownership, reserved)
    desired_tree, live_tree = (
        _with_emptied_maps(desired_tree, desired, live_tree),
        _with_emptied_maps(live_tree, live, desired_tree),
    )
    with_zeros = cache(lambda: normalize_object(desired, schema, facts, keep_zeros=True))
    labels = copied_template_labels(desired_tree, live_tree, schema, for_export=for_export)
    finder, (group, kind, _) = AttributionFinder(ownership, with_zeros), _identity(desired)
    known = KnownValues(finder, facts, reserved, group, kind, labels, for_export)
    generation = as_object(live.get("metadata")).get("generation")
    projection = project(desired_tree, live_tree, schema, known, is_unchanged=generation == 1)
    differences, not_compared = _without_incomparable(diff(projection.desired, projection.live))
    classification = classify(differences, projection, known, schema, generation)
    others = _other_managers(entries, roles)
    if classification.differences and others and not roles.has_applier:
        remarks.append(f"written by {others}, not by an applier")
    remarks += [f"{path} is given twice; the last one counts" for path in _duplicates(desired_tree, ())]
    return ObjectComparison(
        differences=classification.differences,
        projection=projection,
        objects=(desired, live),
        other_decisions=(*decisions, *tracking_decisions, *classification.decisions),
        remarks=tuple(remarks),
        lacks_owners=not entries,
        not_compared=not_compared,
        concealed=_concealed(differences, desired_tree, base),
        assumes_admission=projection.assumes_admission or bool(classification.decisions),
    )


def _with_emptied_maps(tree: Object, body: Object, other: Object) -> Object:
    """Returns a tree with an empty map of labels or annotations where no entry of the object's map is compared.

    Without it, the entries of the other side would be one difference of the whole map, and to add that map would
    replace the last-applied annotation.

    Args:
        tree: The normalized object.
        body: The object.
        other: The other side, normalized.
    """
    metadata, in_body, in_other = (as_object(one.get("metadata")) for one in (tree, body, other))
    emptied: Object = {
        name: {}
        for name in _MAPS
        if name not in metadata and in_other.get(name) and in_body.get(name) and isinstance(in_body[name], dict)
    }
    return {**tree, "metadata": {**metadata, **emptied}} if emptied else tree


def _without_incomparable(differences: Sequence[Difference]) -> tuple[list[Difference], tuple[NotCompared, ...]]:
    """Separates the differences from the fields whose values in Git cannot be compared.

    That such a field, or a part of the object that contains one, is missing in the cluster is a difference.
    """
    found: list[Difference] = []
    not_compared: list[NotCompared] = []
    for difference in differences:
        incomparable = None if difference.change is Change.REMOVED else next(incomparables_in(difference.desired), None)
        if incomparable is None:
            found.append(difference)
        else:
            not_compared.append(NotCompared(render(difference.path), incomparable.reason))
    return found, tuple(sorted(not_compared, key=lambda item: item.path))


def _concealed(differences: Sequence[Difference], desired: Object, base: Object | None) -> frozenset[str]:
    """Returns the paths of differences whose live values may be the plain text of values that SOPS encrypts in Git.

    A field that only the cluster has may have been encrypted in Git before.
    """
    trees = [tree for tree in (desired, base) if differences and tree and _is_encrypted(tree)]
    if not trees:
        return frozenset()
    is_metadata_open = not any(_is_encrypted(tree.get("metadata")) for tree in trees)
    return frozenset(
        render(difference.path)
        for difference in differences
        if (difference.change is Change.ADDED or _was_encrypted(base, difference.path))
        and not (is_metadata_open and difference.path[0] == "metadata")
    )


def _is_encrypted(tree: Json) -> bool:
    return not SOPS_VALUES.isdisjoint(incomparables_in(tree))


def _was_encrypted(base: Object | None, path: Path) -> bool:
    """Whether the value at a path was encrypted when it was last synced, or may have been."""
    before = value_at(base, path)
    return base is not None and (before is ABSENT or _is_encrypted(before))


def _identity(body: Object) -> tuple[str, str, str]:
    """Returns the group, kind and name."""
    group = str(body.get("apiVersion", "")).rpartition("/")[0]
    return group, str(body.get("kind", "")), str(body["metadata"]["name"])


def _is_by_applier(owners: OwnerNode | None, roles: Roles, *, is_complete: bool) -> bool:
    """Whether the applier wrote the last-applied annotation, and not a user with ``kubectl apply``."""
    node = owner_node(owners, ("metadata", "annotations", LAST_APPLIED))
    if node is None:
        # If managedFields do not tell all owners, the annotation is the only evidence.
        return not is_complete
    return any(roles.of_entry[index] is Role.APPLIER for index in node.owners)


def _other_managers(entries: Sequence[Entry], roles: Roles) -> str:
    """Returns the names of the managers that are neither applier nor controller.

    Returns "" if all of them can only edit an object: then they took over all fields of the applier that created it.
    """
    actors = [entry.actor for entry, role in zip(entries, roles.of_entry, strict=True) if role is Role.OTHER]
    names = {actor.manager for actor in actors} - {BEFORE_FIRST_APPLY}
    return ", ".join(sorted(names)) if any(map(may_create, actors)) else ""


def _read_owners(live: Object) -> tuple[Sequence[Entry], OwnerNode | None, list[str]]:
    """Returns the ``managedFields`` entries, their tree (None if there are none), and remarks for the reader."""
    managed_fields = as_object(live.get("metadata")).get("managedFields")
    if not managed_fields:
        return (), None, []
    entries, tree = read_owners(managed_fields)
    problem = next((entry.problem for entry in entries if entry.problem is not None), None)
    remark = f"its managedFields cannot be read in full ({problem}), so the owners of some fields are unknown"
    return entries, tree, [] if problem is None else [remark]


def _other_version_entries(entries: Sequence[Entry], live_tree: Object, version: str) -> tuple[int, ...]:
    """Returns the entries written through another API version that own fields which this version lacks."""
    found = []
    for index, entry in enumerate(entries):
        # Deleting a field ends its ownership, so a missing field can only be one that this version names differently.
        if entry.api_version != version and entry.actor.subresource is None:
            spec = build_tree([entry]).child("spec")
            if spec is not None and _owns_missing_fields(spec, live_tree.get("spec")):
                found.append(index)
    return tuple(found)


def _owns_missing_fields(node: OwnerNode, tree: Json) -> bool:
    """Whether a field set names fields that a tree lacks. An atomic value has no fields to look for."""
    if not isinstance(tree, dict):
        return False
    return any(name not in tree or _owns_missing_fields(child, tree[name]) for name, child in node.children.items())


def _duplicates(value: Json, path: Path) -> list[str]:
    """Returns the paths of list items that the manifest gives more than once."""
    found = [render((*path, key)) for key in value.duplicates] if isinstance(value, ListMap) else []
    for name, child in value.items():
        if isinstance(child, dict):
            found += _duplicates(child, (*path, name))
    return found


def export(live: Object, schema: Type) -> Object | None:
    """Returns a manifest with all that people set, and without defaults, status and server metadata.

    That is what an empty manifest lacks, by the same comparison that finds drift. If people set only a part of a list
    item, such as the image of an injected container, the item has its key too: no server takes an item without it.

    Args:
        live: The live object with its ``managedFields``, redacted.
        schema: The kind's type.

    Returns:
        None if the object holds a value that must not be shown.
    """
    metadata = as_object(live.get("metadata"))
    manifest: Object = {
        "apiVersion": live.get("apiVersion"),
        "kind": live.get("kind"),
        "metadata": {name: metadata[name] for name in ("name", "namespace") if name in metadata},
    }
    compared = compare_object(manifest, live, None, schema, for_export=True)
    tree = compared.projection.live
    for judged in compared.differences:
        if judged.cause is Cause.CONTROLLER:
            tree = without_part(tree, *judged.difference.live_path)
    if contains_redacted(tree):
        return None
    tree = _with_keys(tree, schema)
    # People set no other part of metadata: the rest belongs to the API server and to controllers.
    names = as_object(tree.get("metadata"))
    manifest["metadata"] |= {name: to_json(names[name]) for name in ("labels", "annotations") if name in names}
    return manifest | {name: to_json(value) for name, value in tree.items() if name != "metadata"}


def _with_keys(tree: Json, schema: Type) -> Json:
    """Returns a tree in which each item of a list map has its key, except for default values such as ``TCP``."""
    if isinstance(tree, ListMap):
        items = ListMap(is_set=tree.is_set)
        for key, item in tree.items():
            items.put(key, _with_key(_with_keys(item, schema.items), key, schema.items), tree.positions[key])
        return items
    if is_plain_dict(tree):
        return {name: _with_keys(value, schema.field(name)) for name, value in tree.items()}
    return tree


def _with_key(item: Json, key: ItemKey, schema: Type) -> Json:
    if not is_plain_dict(item):
        return item
    facts = known_facts()
    missing = {
        name: value for name, value in key.first if name not in item and value != facts.default(schema, name, item)
    }
    return {**missing, **item}
