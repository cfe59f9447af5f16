"""Decides what to report of a field that only the live object has, by its value and its owners."""

from dataclasses import dataclass, field

from drift.compare.atomic import AtomicValue, is_plain_dict
from drift.compare.known_values import KnownValues
from drift.compare.normalize import ListMap
from drift.compare.ownership import Claim, Ownership, owners_below
from drift.gitops.managers import Role
from drift.managed_fields import OwnerNode
from drift.model import Cause, Decision, Json, Object
from drift.paths import ItemKey, Path, render
from drift.schema.facts import SCALED
from drift.schema.types import ABSENT, Absent, Shape, Type


@dataclass(slots=True)
class LiveOnlyFields:
    """Filters the live-only fields of one object, and collects why.

    Attributes:
        ownership: The owners of the object's fields.
        known: Recognizes defaults, allocated values and tracking labels.
        is_scalable: Whether the object is a custom resource with the ``scale`` subresource.
        claims: Who set each reported field, by path. Filled in as fields are filtered.
        decisions: What is not reported, and why. Shared with the projection, which adds its decisions.
        has_admitted: Whether a part is not reported because it was set while the applier's request was admitted.
    """

    ownership: Ownership
    known: KnownValues
    is_scalable: bool
    claims: dict[Path, Claim] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    has_admitted: bool = False

    def filter_field(  # noqa: PLR0917
        self, value: Json, parent: Type, node: OwnerNode | None, path: Path, siblings: Object, desired: Object | None
    ) -> Json | Absent:
        """Returns the part of a live-only field that is reported, or `ABSENT`.

        Args:
            value: The live value.
            parent: The type of the object that has the field.
            node: The owners of that object.
            path: The path of the field.
            siblings: The live object that has the field.
            desired: The same object in Git, which lacks the field; None if Git lacks the object too.
        """
        reason = self.known.reason(value, parent, node, path, siblings, desired)
        if reason is not None:
            return self._skip(path, reason)
        name = str(path[-1])
        child = owners_below(node, name, parent)
        if child is None and self.ownership.tree is not None and not self.ownership.base_has(path):
            scaled = self._filter_scaled(value, parent, path)
            if scaled is not ABSENT:
                return scaled
        return self._filter_owned(value, parent.field(name), child, path)

    def filter_item(self, value: Json, schema: Type, node: OwnerNode | None, path: Path) -> Json | Absent:
        """Returns the part of a live-only list item that is reported, or `ABSENT`.

        Args:
            value: The live item.
            schema: The type of the item.
            node: The owners of the item.
            path: The path of the item.
        """
        reason = self.known.metadata_reason(path, value, node)
        if reason is not None:
            return self._skip(path, reason)
        return self._filter_owned(value, schema, node, path)

    def skip_admitted(self, path: Path) -> Absent:
        """Leaves out a part that was set while the applier's own request was admitted."""
        self.has_admitted = True
        return self._skip(path, "set while the applier's own request was admitted: a default, or a webhook's work")

    def _skip(self, path: Path, reason: str) -> Absent:
        self.decisions.append(Decision(render(path), reason))
        return ABSENT

    def _filter_scaled(self, value: Json, parent: Type, path: Path) -> Json | Absent:
        """Returns what the ``scale`` subresource may have set in a value without an owner.

        If the field did not exist before, the API server records no owner for it. For a custom resource, its definition
        names the field (``specReplicasPath``) but may not be readable. Any other field without an owner is a default
        there, and the schema declares those.
        """
        name = str(path[-1])
        if (parent.name, name) in SCALED:
            self.claims[path] = Claim(Cause.UNKNOWN, ())
            return value
        if not self.is_scalable or path[0] != "spec":
            return ABSENT
        schema = parent.field(name)
        if schema.shape is Shape.STRUCT and is_plain_dict(value):
            fields = {
                field_name: kept
                for field_name, field_value in value.items()
                if not self.known.is_default(field_value, schema, field_name, value, name)
                and (kept := self._filter_scaled(field_value, schema, (*path, field_name))) is not ABSENT
            }
            return fields or ABSENT
        if not isinstance(value, int) or isinstance(value, bool) or not schema.is_custom:
            return ABSENT
        self.claims[path] = Claim(Cause.UNKNOWN, ())
        return value

    def _filter_owned(self, value: Json, schema: Type, node: OwnerNode | None, path: Path) -> Json | Absent:
        ownership = self.ownership
        if node is None and ownership.tree is not None and not ownership.base_has(path):
            others = ownership.with_role(ownership.other_version_entries, Role.OTHER)
            if others and not schema.is_custom:
                self.claims[path] = Claim(Cause.MANUAL, others)
                return value
            return self._skip(path, "no field manager owns it: a default or an allocated value")
        if isinstance(value, dict) and value and not schema.atomic and self._has_owners_by_part(schema, node):
            parts = self._filter_parts(value, schema, node, path)
            has_meaning = schema.empty_has_meaning or isinstance(path[-1], ItemKey)
            if parts is not ABSENT or isinstance(value, ListMap) or not has_meaning:
                return parts
            # The server set all of its fields, but a manager added the object itself.
            value = {}
        claim = self.known.claim_finder.find(value, node, path)
        if claim is None:
            return self.skip_admitted(path)
        self.claims[path] = claim
        return AtomicValue(value) if schema.atomic or isinstance(value, list) else value

    def _has_owners_by_part(self, schema: Type, node: OwnerNode | None) -> bool:
        """Whether a value that is not empty has owners by part. False if its owners own it as a whole.

        An Apply entry that owns a map or a list, but nothing in it, applied an empty one. What it holds now was filled
        in, such as the labels of a Namespace or the requests of a LimitRange.
        """
        if node is None or node.children:
            return True
        is_granular = schema.shape is not Shape.UNKNOWN
        return is_granular and len(self.ownership.applied(node.owners)) == len(node.owners)

    def _filter_parts(self, value: Json, schema: Type, node: OwnerNode | None, path: Path) -> Json | Absent:
        if isinstance(value, ListMap):
            items = ListMap(is_set=value.is_set)
            for key, item in value.items():
                kept = self.filter_item(item, schema.items, node.child(key) if node else None, (*path, key))
                if kept is not ABSENT:
                    items.put(key, kept, value.positions[key])
            return items or ABSENT
        fields: Object = {}
        for name, field_value in value.items():
            kept = self.filter_field(field_value, schema, node, (*path, name), value, None)
            if kept is not ABSENT:
                fields[name] = kept
        return fields or ABSENT
