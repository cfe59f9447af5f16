"""Removes copies of tracking labels from trees, and restores values that the applier overwrites.

kapp copies its labels to pod templates, claim templates and selectors, and Argo CD did so up to 0.10. Tracking labels
and annotations on the object itself are left to the projection, except those that replace a value in Git.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from drift.compare.normalize import ListMap
from drift.compare.ownership import Ownership, owner_node
from drift.gitops.tracking import ReservedMetadata
from drift.managed_fields import OwnerNode
from drift.model import Decision, Json, Object, as_object
from drift.paths import ItemKey, Path, render


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

    Argo CD adds them before it applies, so the last-applied annotation has them, but Git never had.

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
        kept: Object = {}
        for name, value in live.items():
            # The projection skips the object's own tracking labels.
            is_own = name == "metadata"
            node = owner_node(self.ownership.tree, (name,))
            kept[name] = value if is_own else self._without_copies(desired.get(name), value, node, (name,))
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
