"""Tracking labels beyond an object's own metadata, and marks that a syncer puts in place of what Git says.

kapp also puts its labels into pod templates, claim templates and selectors, and so did Argo CD up to 0.10. Before the
comparison they are taken out of the live side, wherever they are a copy of the object's own label.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from drift.compare.normalize import ListMap
from drift.compare.ownership import Ownership
from drift.gitops.managers import Role
from drift.gitops.tracking import ReservedMetadata
from drift.managed_fields import OwnerNode
from drift.model import Decision, Json, Object
from drift.paths import ItemKey, Path, render


def without_tracking(
    desired: Object, live: Object, ownership: Ownership, reserved: ReservedMetadata
) -> tuple[Object, tuple[Decision, ...]]:
    """The live side as it would be without a syncer's tracking.

    Args:
        desired: The normalized manifest.
        live: The normalized live object.
        ownership: Who owns what in the live object.
        reserved: The metadata that appliers and Kubernetes reserve.

    Returns:
        The live side, and what was left out of it.
    """
    labels = _mapping(_mapping(live.get("metadata")).get("labels"))
    copied = {name: labels[name] for name in reserved.copied_labels if name in labels}
    tracking = _Tracking(ownership, reserved, copied)
    live = tracking.without_overwritten(desired, live)
    if copied:
        live = tracking.without_copies(desired, live)
    return live, tuple(tracking.decisions)


@dataclass(slots=True)
class _Tracking:
    ownership: Ownership
    reserved: ReservedMetadata
    copied: Mapping[str, Json]
    decisions: list[Decision] = field(default_factory=list)

    def without_overwritten(self, desired: Object, live: Object) -> Object:
        """The live object with Git's value for each mark that the syncer overwrites."""
        metadata = _mapping(live.get("metadata"))
        changed: Object = {}
        for name in self.reserved.overwritten:
            present, wanted = _mapping(metadata.get(name)), _mapping(_mapping(desired.get("metadata")).get(name))
            replaced = {
                key: wanted[key]
                for key, value in present.items()
                if key in wanted
                and wanted[key] != value
                and self.reserved.is_overwritten(name, key, value)
                and self._is_untouched(self._node("metadata", name, key))
            }
            if replaced:
                changed[name] = {**present, **replaced}
                self.decisions += [
                    Decision(render(("metadata", name, key)), "a syncer's own mark, in place of what Git says")
                    for key in replaced
                ]
        return {**live, "metadata": {**metadata, **changed}} if changed else live

    def without_copies(self, desired: Object, live: Object) -> Object:
        """The live object without copies of its own tracking labels."""
        kept: Object = {}
        for name, value in live.items():
            # The object's own tracking labels are left to the projection.
            is_own = name == "metadata"
            kept[name] = value if is_own else self._without(desired.get(name), value, self._node(name), (name,))
        return kept

    def _without(self, desired: Json, live: Json, node: OwnerNode | None, path: Path) -> Json:
        if isinstance(live, list):
            same_length = isinstance(desired, list) and len(desired) == len(live)
            return [
                self._without(desired[i] if same_length else None, item, node, (*path, ItemKey((("#", i),))))
                for i, item in enumerate(live)
            ]
        if not isinstance(live, dict):
            return live
        wanted = desired if isinstance(desired, dict) else {}
        kept: list[tuple[str | ItemKey, Json]] = []
        for name, value in live.items():
            below = self._below(node, name)
            if name not in wanted and self._is_copy(name, value, below, is_whole=below is node):
                self.decisions.append(Decision(render((*path, name)), "a copy of the syncer's own label"))
                continue
            part = self._without(wanted.get(name), value, below, (*path, name))
            # A map that held nothing else is no part of what Git left out.
            if name in wanted or part == value or part:
                kept.append((name, part))
        if not isinstance(live, ListMap):
            return dict(kept)
        items = ListMap(is_set=live.is_set)
        for key, part in kept:
            if isinstance(key, ItemKey):
                items.put(key, part, live.positions[key])
        return items

    @staticmethod
    def _below(node: OwnerNode | None, name: str | ItemKey) -> OwnerNode | None:
        """The owners of a part; those of the whole where it is owned as one."""
        return node if node is None or not node.children else node.child(name)

    def _is_copy(self, name: object, value: Json, node: OwnerNode | None, *, is_whole: bool) -> bool:
        if not isinstance(name, str) or name not in self.copied:
            return False
        # Whoever changes another part of a selector owns all of it.
        return self._is_untouched(node) or (is_whole and value == self.copied[name])

    def _is_untouched(self, node: OwnerNode | None) -> bool:
        owners = node.all_owners() if node is not None else ()
        return all(self.ownership.roles.of_entry[index] is Role.APPLIER for index in owners)

    def _node(self, *path: str) -> OwnerNode | None:
        node = self.ownership.tree
        for name in path:
            node = node.child(name) if node is not None else None
        return node


def _mapping(value: Json) -> Object:
    return value if isinstance(value, dict) else {}
