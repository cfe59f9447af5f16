"""Projects two normalized trees to two trees that differ only where a difference is reported.

Live-only fields are filtered by their owner; everything else is carried over. Equal parts become the same Python object
on both sides, so that the diff skips them at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from drift.compare.atomic import (
    AtomicComparison,
    AtomicValue,
    is_mirrored,
    is_plain_dict,
    same_scalar,
    without_filled_in,
)
from drift.compare.known_values import ALLOCATED_VALUE, DEFAULT, KnownValues
from drift.compare.live_only import LiveOnlyFields
from drift.compare.normalize import NULL, SINGLE_FORM, ListMap, value_at
from drift.compare.ownership import Claim, owners_below
from drift.managed_fields import OwnerNode
from drift.model import Decision, Json, Object
from drift.paths import Path, render
from drift.schema.types import ABSENT, Type
from drift.schema.values import Canonical


@dataclass(frozen=True, slots=True)
class Projection:
    """Two trees ready for the diff.

    Attributes:
        desired: The tree of the manifest.
        live: The tree of the live object, without the fields that are not reported.
        claims: Who set each live-only part, by its path. The parts are leaves or atomic values.
        reordered: The list maps whose common items are in a different order: desired and live, by path.
        decisions: What was left out of the live tree, and why.
        has_admitted: Whether a part was left out because it was set while the applier's request was admitted.
    """

    desired: Object
    live: Object
    claims: Mapping[Path, Claim]
    reordered: Mapping[Path, tuple[ListMap, ListMap]]
    decisions: tuple[Decision, ...]
    has_admitted: bool


def project(desired: Object, live: Object, schema: Type, known: KnownValues) -> Projection:
    """Leaves out of the live object what Git does not need to set.

    Args:
        desired: The normalized manifest.
        live: The normalized live object.
        schema: The kind's type.
        known: Recognizes defaults, allocated values and tracking labels of the live object.
    """
    ownership = known.claim_finder.ownership
    live_only = LiveOnlyFields(ownership, known, schema.is_scalable)
    projector = _Projector(live_only)
    both = projector.fields(desired, live, schema, ownership.tree, ())
    return Projection(
        both[0], both[1], live_only.claims, projector.reordered, tuple(live_only.decisions), live_only.has_admitted
    )


class _Projector:
    """Walks both trees. Methods return both sides; if these are equal, both are the same object."""

    def __init__(self, live_only: LiveOnlyFields) -> None:
        self._live_only = live_only
        self._known = live_only.known
        self._ownership = live_only.ownership
        self._decisions = live_only.decisions
        self.reordered: dict[Path, tuple[ListMap, ListMap]] = {}

    def value(self, desired: Json, live: Json, schema: Type, node: OwnerNode | None, path: Path) -> tuple[Json, Json]:
        if schema.atomic or isinstance(desired, list) or isinstance(live, list):
            return self._atomic(desired, live, schema, node, path)
        if isinstance(desired, dict) and isinstance(live, dict):
            if isinstance(desired, ListMap) != isinstance(live, ListMap):
                # A list on one side and an object on the other: only an invalid manifest or dump has this.
                return AtomicValue(desired), AtomicValue(live)
            if isinstance(desired, ListMap) and isinstance(live, ListMap):
                return self._list_map(desired, live, schema, node, path)
            return self.fields(desired, live, schema, node, path)
        if not same_scalar(desired, live):
            return desired, live
        if isinstance(desired, Canonical) and desired.written != getattr(live, "written", live):
            reason = f"the same value in another form: {desired.written} in Git, {getattr(live, 'written', live)} live"
            self._skip(path, reason)
        return desired, desired

    def fields(
        self, desired: Object, live: Object, schema: Type, node: OwnerNode | None, path: Path
    ) -> tuple[Object, Object]:
        left: Object = {}
        right: Object = {}
        same = True
        for name, desired_value in desired.items():
            if self._known.asks_for_allocation(desired_value, schema, name):
                self._skip((*path, name), ALLOCATED_VALUE)
                continue
            if name not in live:
                if not _may_be_absent(desired_value):
                    left[name] = desired_value
                    same = False
                continue
            live_value = self._without_filled_in(desired, live, schema, (*path, name))
            if (
                type(desired_value) is type(live_value)
                and type(desired_value) in SINGLE_FORM
                and desired_value == live_value
            ):
                left[name] = right[name] = desired_value
                continue
            child = owners_below(node, name, schema)
            left[name], right[name] = self.value(desired_value, live_value, schema.field(name), child, (*path, name))
            same &= left[name] is right[name]
        for name, live_value in live.items():
            if name not in desired:
                if is_mirrored(live_value, schema, name, desired):
                    self._skip((*path, name), "a copy of another field that Git sets")
                    continue
                kept = self._live_only.filter_field(live_value, schema, node, (*path, name), live, desired)
                if kept is not ABSENT:
                    right[name] = kept
                    same = False
        return (left, left) if same else (left, right)

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
                kept = self._live_only.filter_item(live_item, schema.items, child, (*path, key))
                if kept is not ABSENT:
                    right.put(key, kept, live.positions[key])
                    same = False
        if not desired.is_set and [key for key in desired if key in live] != [key for key in live if key in desired]:
            self.reordered[path] = (desired, live)
        return (left, left) if same else (left, right)

    def _atomic(self, desired: Json, live: Json, schema: Type, node: OwnerNode | None, path: Path) -> tuple[Json, Json]:
        ownership = self._ownership
        comparison = AtomicComparison(
            self._known.is_default,
            ignores_untyped_additions=ownership.only_applier(node.all_owners() if node else ())
            and not ownership.out_of_sync
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

    def _skip(self, path: Path, reason: str) -> None:
        self._decisions.append(Decision(render(path), reason))


def _may_be_absent(desired: Json) -> bool:
    """Whether Git sets a null in a map of strings, or a map that holds only nulls."""
    return desired is NULL or (is_plain_dict(desired) and bool(desired) and all(map(_may_be_absent, desired.values())))
