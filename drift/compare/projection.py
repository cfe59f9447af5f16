"""Removes from two normalized trees what is not drift, so that they differ only where a difference is reported.

1. `remove_tracking` removes copies of tracking labels from the live tree and restores values that the applier
   overwrites. kapp copies its labels to pod templates, claim templates and selectors; Argo CD did so up to 0.10.
2. `project` filters live-only fields by their owners and carries over everything else. Equal parts become the same
   Python object on both sides, so that the diff skips them at once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from drift.compare.atomic import (
    AtomicComparison,
    AtomicValue,
    is_mirrored,
    is_plain_dict,
    same_scalar,
    without_filled_in,
)
from drift.compare.edited_keys import edited_keys
from drift.compare.known_values import ALLOCATED_VALUE, DEFAULT, KnownValues, LivePart
from drift.compare.live_only import LiveOnlyFields
from drift.compare.normalize import NULL, SINGLE_FORM, UNTYPED_NULL, ListMap, value_at
from drift.compare.ownership import Attribution, Ownership, owner_node, owners_below
from drift.gitops.tracking import ReservedMetadata
from drift.managed_fields import OwnerNode
from drift.model import Decision
from drift.objects import Json, Object, as_object
from drift.paths import ItemKey, Path, render
from drift.schema.types import ABSENT, UNKNOWN, Type
from drift.schema.values import Canonical

#: Kinds whose values without a type no webhook completes, such as the values of charts and the defaults in a CRD.
#: Webhooks complete those of other kinds: Tekton sets the ``kind`` of each ``taskRef``.
_COMPLETE_GROUPS: Final = re.compile(r"apiextensions\.k8s\.io|fluxcd\.controlplane\.io|.+\.toolkit\.fluxcd\.io")
_COMPLETE_KINDS: Final = frozenset({("argoproj.io", "Application"), ("argoproj.io", "ApplicationSet")})
#: Where they have such values, also if the kind has no schema. Other values may have defaults then.
_CHART_VALUES: Final[Mapping[str, Path]] = {
    "Application": ("spec", "source", "helm", "valuesObject"),
    "ApplicationSet": ("spec", "template", "spec", "source", "helm", "valuesObject"),
    "HelmRelease": ("spec", "values"),
}
#: The length from which two forms of a value, such as base64, are not shown.
_MAX_SHOWN: Final = 160


def remove_tracking(
    desired: Object, live: Object, ownership: Ownership, reserved: ReservedMetadata
) -> tuple[Object, tuple[Decision, ...]]:
    """Returns the live tree without copied and overwritten tracking, and a decision for each change.

    Args:
        desired: The normalized manifest.
        live: The normalized live object.
        ownership: The owners of the live object's fields.
        reserved: The tracking labels and annotations of appliers.
    """
    labels = as_object(as_object(live.get("metadata")).get("labels"))
    copied = {name: labels[name] for name in reserved.copied_labels if name in labels}
    remover = _Remover(ownership, reserved, copied)
    live = remover.restore_overwritten(desired, live)
    if copied:
        live = remover.remove_copies(desired, live)
    return live, tuple(remover.decisions)


def without_tracking_metadata(tree: Object, reserved: ReservedMetadata) -> Object:
    """Returns a tree without the tracking labels and annotations that the applier added to the manifest.

    Argo CD adds them before it applies, so the last-applied annotation has them, but Git does not.

    Args:
        tree: An object.
        reserved: The tracking labels and annotations of appliers.
    """
    metadata = as_object(tree.get("metadata"))
    kept = {
        field: {name: value for name, value in names.items() if not reserved.is_tracking(field, name, value)}
        for field in ("labels", "annotations")
        if isinstance(names := metadata.get(field), dict)
    }
    return {**tree, "metadata": {**metadata, **kept}} if kept else tree


@dataclass(slots=True)
class _Remover:
    ownership: Ownership
    reserved: ReservedMetadata
    copied: Mapping[str, Json]
    decisions: list[Decision] = field(default_factory=list)

    def restore_overwritten(self, desired: Object, live: Object) -> Object:
        """Returns the live object with Git's value for each label and annotation that the applier overwrote."""
        desired_metadata, metadata = as_object(desired.get("metadata")), as_object(live.get("metadata"))
        changed: Object = {}
        for name in self.reserved.overwritten:
            in_git, in_cluster = as_object(desired_metadata.get(name)), as_object(metadata.get(name))
            restored = {
                key: in_git[key]
                for key, value in in_cluster.items()
                if key in in_git
                and in_git[key] != value
                and self.reserved.is_overwritten(name, key, value)
                and self._only_applier_owns(owner_node(self.ownership.tree, ("metadata", name, key)))
            }
            if restored:
                changed[name] = {**in_cluster, **restored}
                self.decisions += [
                    Decision(render(("metadata", name, key)), "overwritten by the applier's own value")
                    for key in restored
                ]
        return {**live, "metadata": {**metadata, **changed}} if changed else live

    def remove_copies(self, desired: Object, live: Object) -> Object:
        """Returns the live object without the copies of its own tracking labels."""
        kept = dict(live)
        for name, value in live.items():
            # The projection skips the object's own tracking labels.
            if name != "metadata":
                node = owner_node(self.ownership.tree, (name,))
                kept[name] = self._without_copies(desired.get(name), value, node, (name,))
        return kept

    def _without_copies(self, desired: Json, live: Json, node: OwnerNode | None, path: Path) -> Json:
        if isinstance(live, list):
            same_length = isinstance(desired, list) and len(desired) == len(live)
            return [
                self._without_copies(desired[i] if same_length else None, item, node, (*path, ItemKey((("#", i),))))
                for i, item in enumerate(live)
            ]
        if not isinstance(live, dict):
            return live
        desired = desired if isinstance(desired, dict) else {}
        kept: list[tuple[str | ItemKey, Json]] = []
        for name, value in live.items():
            child = self._child(node, name)
            if name not in desired and self._is_copy(name, value, child, in_atomic=child is node):
                self.decisions.append(Decision(render((*path, name)), "a copy of the applier's tracking label"))
                continue
            part = self._without_copies(desired.get(name), value, child, (*path, name))
            # Drop a map that is not in Git and held nothing but copies.
            if name in desired or part == value or part:
                kept.append((name, part))
        if not isinstance(live, ListMap):
            return dict(kept)
        items = ListMap(is_set=live.is_set)
        for key, part in kept:
            if isinstance(key, ItemKey):
                items.put(key, part, live.positions[key])
        return items

    @staticmethod
    def _child(node: OwnerNode | None, name: str | ItemKey) -> OwnerNode | None:
        """Returns the owners of a part, or the owners of the whole if it is atomic."""
        return node if node is None or not node.children else node.child(name)

    def _is_copy(self, name: object, value: Json, node: OwnerNode | None, *, in_atomic: bool) -> bool:
        if not isinstance(name, str) or name not in self.copied:
            return False
        # A manager that changes another part of an atomic selector owns all of it.
        return self._only_applier_owns(node) or (in_atomic and value == self.copied[name])

    def _only_applier_owns(self, node: OwnerNode | None) -> bool:
        return node is None or self.ownership.only_applier(node.all_owners())


@dataclass(frozen=True, slots=True)
class Projection:
    """Two trees ready for the diff.

    Attributes:
        desired: The tree of the manifest.
        live: The tree of the live object, without the fields that are not reported.
        attributions: Who set each live-only part, by its path. The parts are leaves or atomic values.
        reordered: The list maps whose common items are in a different order: desired and live, by path.
        skipped: The paths of the parts that were left out of the live tree, and why. Few reports show them.
        assumes_admission: Whether a part was left out on the assumption that it was set while the applier's request was
            admitted.
    """

    desired: Object
    live: Object
    attributions: Mapping[Path, Attribution]
    reordered: Mapping[Path, tuple[ListMap, ListMap]]
    skipped: Sequence[tuple[Path, str]]
    assumes_admission: bool


def project(desired: Object, live: Object, schema: Type, known: KnownValues, *, is_unchanged: bool) -> Projection:
    """Returns both trees without the parts of the live object that Git does not need to set.

    Args:
        desired: The normalized manifest.
        live: The normalized live object.
        schema: The kind's type.
        known: Recognizes defaults, allocated values and tracking labels of the live object.
        is_unchanged: Whether the spec of the live object is as it was created, so that nothing has scaled it.
    """
    live_only = LiveOnlyFields(known, schema.is_scalable and not is_unchanged)
    projector = _Projector(live_only, _complete_part(known, schema))
    desired, live = projector.fields(desired, live, schema, known.ownership.tree, ())
    return Projection(
        desired, live, live_only.attributions, projector.reordered, live_only.skipped, live_only.assumes_admission
    )


class _Projector:
    """Walks both trees. Methods return both sides; if these are equal, both are the same object."""

    def __init__(self, live_only: LiveOnlyFields, complete_part: Path | None) -> None:
        self._live_only = live_only
        self._complete_part = complete_part
        self._known = live_only.known
        self._ownership = live_only.known.ownership
        self.reordered: dict[Path, tuple[ListMap, ListMap]] = {}

    def value(self, desired: Json, live: Json, schema: Type, node: OwnerNode | None, path: Path) -> tuple[Json, Json]:
        if schema.atomic or isinstance(desired, list) or isinstance(live, list):
            return self._atomic(desired, live, schema, node, path)
        if isinstance(desired, dict) and isinstance(live, dict):
            is_emptied = node is None and self._is_default_that_git_empties(desired, live, schema)
            if is_emptied or isinstance(desired, ListMap) != isinstance(live, ListMap):
                # The parts of a default have no owner, and would be taken for what the server puts into an empty value.
                # A list on one side and an object on the other: only an invalid manifest or dump has this.
                return AtomicValue(desired), AtomicValue(live)
            if isinstance(desired, ListMap) and isinstance(live, ListMap):
                return self._list_map(desired, live, schema, node, path)
            return self.fields(desired, live, schema, node, path)
        if not same_scalar(desired, live):
            return desired, live
        if isinstance(desired, Canonical) and desired.written != getattr(live, "written", live):
            self._skip(path, _same_in_other_form(desired.written, getattr(live, "written", live)))
        return desired, desired

    def fields(
        self, desired: Object, live: Object, schema: Type, node: OwnerNode | None, path: Path
    ) -> tuple[Object, Object]:
        left: Object = {}
        right: Object = {}
        same = True
        for name, desired_value in desired.items():
            if not desired_value and self._is_left_to_server(desired_value, live, schema, node, (*path, name)):
                continue
            if name not in live:
                if desired_value is not UNTYPED_NULL and not _may_be_absent(desired_value):
                    left[name] = desired_value
                    same = False
                continue
            live_value = live[name]
            if (
                type(desired_value) is type(live_value)
                and type(desired_value) in SINGLE_FORM
                and desired_value == live_value
            ):
                left[name] = right[name] = desired_value
                continue
            live_value = self._without_filled_in(desired, live, schema, (*path, name))
            child = owners_below(node, name, schema)
            left[name], right[name] = self.value(desired_value, live_value, schema.field(name), child, (*path, name))
            same &= left[name] is right[name]
        for name, live_value in live.items():
            if name not in desired:
                if is_mirrored(live_value, schema, name, desired):
                    self._skip((*path, name), "a copy of another field that Git sets")
                    continue
                child = owners_below(node, name, schema)
                part = LivePart((*path, name), live_value, schema.field(name), child, node)
                kept = self._live_only.filter_field(part, schema, (live, desired))
                if kept is not ABSENT:
                    right[name] = kept
                    same = False
        return (left, left) if same else (left, right)

    def _is_left_to_server(self, desired: Json, live: Object, parent: Type, node: OwnerNode | None, path: Path) -> bool:
        """Whether Git sets a field to the empty value that lets the server allocate one, and no user set another."""
        name = str(path[-1])
        if not self._known.is_left_empty(desired, parent, name):
            return False
        if name not in live:
            return True
        part = LivePart(path, live[name], parent.field(name), owners_below(node, name, parent), node)
        if not self._known.fills_in(part, parent):
            return False
        self._skip(path, ALLOCATED_VALUE)
        return True

    def _is_default_that_git_empties(self, desired: Object, live: Object, schema: Type) -> bool:
        """Whether Git sets a list or map empty whose default has content, and the live value has some of it."""
        if desired or not schema.replaces_absence:
            return False
        # The fields of an empty object may have defaults of their own.
        return not is_plain_dict(live) or not all(
            self._known.is_default(value, schema, name, live) for name, value in live.items()
        )

    def _without_filled_in(self, desired: Object, live: Object, parent: Type, path: Path) -> Json:
        name = str(path[-1])
        kept = without_filled_in(desired, live, parent, name)
        if kept is not live[name]:
            for key in live[name]:
                if key not in kept:
                    self._skip((*path, key), DEFAULT)
        return kept

    def _list_map(
        self, desired: ListMap, live: ListMap, schema: Type, node: OwnerNode | None, path: Path
    ) -> tuple[ListMap, ListMap]:
        left, right = ListMap(is_set=desired.is_set), ListMap(is_set=live.is_set)
        same = True
        for key, desired_item in desired.items():
            if key not in live:
                left.put(key, desired_item, desired.positions[key])
                same = False
                continue
            child = node.child(key) if node else None
            left_item, right_item = self.value(desired_item, live[key], schema.items, child, (*path, key))
            left.put(key, left_item, desired.positions[key])
            right.put(key, right_item, live.positions[key])
            same &= left_item is right_item
        for key, live_item in live.items():
            if key not in desired:
                child = node.child(key) if node else None
                kept = self._live_only.filter_item(LivePart((*path, key), live_item, schema.items, child))
                if kept is not ABSENT:
                    right.put(key, kept, live.positions[key])
                    same = False
        for key, live_key in _edited_keys(left, right, live).items():
            # Beside Git's item, its defaults and allocated fields are recognized, too.
            child = node.child(live_key) if node else None
            pair = self.value(desired[key], live[live_key], schema.items, child, (*path, live_key))
            if pair[0] is not pair[1]:
                left[key], right[live_key] = pair
        if not desired.is_set and is_reordered(desired, live):
            self.reordered[path] = (desired, live)
        return (left, left) if same else (left, right)

    def _atomic(self, desired: Json, live: Json, schema: Type, node: OwnerNode | None, path: Path) -> tuple[Json, Json]:
        ownership = self._ownership
        comparison = AtomicComparison(
            self._known.is_default,
            self._known.is_left_empty,
            ignores_untyped_additions=ownership.only_applier(node.all_owners() if node else ())
            and not ownership.out_of_sync
            and not (ownership.base is None and self._is_complete(path))
            # Otherwise Git may have dropped what only the live value has.
            and (not ownership.base_has(path) or value_at(ownership.base, path) == desired),
        )
        left, right = comparison.compare(desired, live, schema)
        if left is right:
            if comparison.has_ignored:
                self._live_only.skip_admitted(path)
            same = AtomicValue(left)
            return same, same
        return AtomicValue(left), AtomicValue(right)

    def _is_complete(self, path: Path) -> bool:
        part = self._complete_part
        return part is not None and path[: len(part)] == part

    def _skip(self, path: Path, reason: str) -> None:
        self._live_only.skipped.append((path, reason))


def _complete_part(known: KnownValues, schema: Type) -> Path | None:
    """Returns the path of the part in which no webhook completes values without a type, or None if there is none."""
    if _COMPLETE_GROUPS.fullmatch(known.group) is None and (known.group, known.kind) not in _COMPLETE_KINDS:
        return None
    return () if schema.field("spec") is not UNKNOWN else _CHART_VALUES.get(known.kind)


def _edited_keys(desired: ListMap, reported: ListMap, live: ListMap) -> dict[ItemKey, ItemKey]:
    """Pairs items by what Git and the cluster have, then by what is reported of it, which lacks allocated fields."""
    if reported.keys() <= desired.keys():
        return {}
    whole = ListMap(is_set=live.is_set)
    for key in reported:
        whole.put(key, live[key], live.positions[key])
    return edited_keys(desired, reported, edited_keys(desired, whole))


def is_reordered(items: Json, others: Json) -> bool:
    """Whether the common items of two list maps are in a different order."""
    return [key for key in items if key in others] != [key for key in others if key in items]


def _same_in_other_form(desired: Json, live: Json) -> str:
    values = f"{desired} in Git, {live} live"
    return "the same value in another form" + (f": {values}" if "\n" not in values and len(values) < _MAX_SHOWN else "")


def _may_be_absent(desired: Json) -> bool:
    """Whether Git sets a null in a map of strings, or a map that holds only nulls."""
    return desired is NULL or (is_plain_dict(desired) and bool(desired) and all(map(_may_be_absent, desired.values())))
