"""Decides which fields that only the live object has are drift, by their values and owners.

Values that the API server, a controller or an applier sets are no drift if Git omits them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from drift.compare.atomic import AtomicValue, is_plain_dict, same_scalar
from drift.compare.normalize import ListMap, value_at
from drift.compare.ownership import Attribution, AttributionFinder, Ownership, owners_below
from drift.gitops.managers import BEFORE_FIRST_APPLY, Role, is_gitops_applier, is_hand_tool
from drift.gitops.tracking import ReservedMetadata
from drift.managed_fields import OwnerNode
from drift.model import Actor, Cause
from drift.objects import Json, Object
from drift.paths import ItemKey, Path
from drift.schema.facts import ALLOCATED, LABELLED_BY_TEMPLATE, NOT_IN_TEMPLATES, SCALED, AnyOf, Facts
from drift.schema.types import ABSENT, Absent, Shape, Type

DEFAULT: Final = "the API server's default"
ALLOCATED_VALUE: Final = "allocated for this object alone"
_BOOKKEEPING: Final = "for internal use by Kubernetes"


@dataclass(frozen=True, slots=True)
class KnownValues:
    """Recognizes the known values of one live object.

    Attributes:
        attribution_finder: Finds who set a field of the object.
        facts: Defaults and omitempty fields that the schema does not declare.
        reserved: The labels and annotations that appliers and Kubernetes put on objects.
        template_labels: The labels of the object's template that the server copies to the object: live, then in Git.
    """

    attribution_finder: AttributionFinder
    facts: Facts
    reserved: ReservedMetadata
    template_labels: Sequence[Object]

    @property
    def ownership(self) -> Ownership:
        """The owners of the object's fields."""
        return self.attribution_finder.ownership

    def reason(  # noqa: PLR0917
        self,
        value: Json,
        parent: Type,
        node: OwnerNode | None,
        path: Path,
        siblings: Object,
        desired: Object | None = None,
    ) -> str | None:
        """Returns why a live-only field is no difference, or None if it may be one.

        Args:
            value: The live value.
            parent: The type of the object that has the field.
            node: The owners of that object.
            path: The path of the field.
            siblings: The live object that has the field.
            desired: The same object in Git, which lacks the field; None if Git lacks the object too.
        """
        name = str(path[-1])
        metadata_reason = self.metadata_reason(path, value, owners_below(node, name, parent))
        if metadata_reason is not None:
            return metadata_reason
        if path[:-1] == ("metadata", "labels") and any(labels.get(name) == value for labels in self.template_labels):
            return "copied from its template's labels, since Git sets no labels"
        if self._is_allocated(parent, name, node, path):
            return ALLOCATED_VALUE
        # Some defaults depend on other fields, which may have been edited after the server filled in the default.
        is_default = self.is_default_at(value, parent, path, siblings) or (
            desired is not None and self.is_default_at(value, parent, path, desired)
        )
        return DEFAULT if is_default else None

    def is_default_at(self, value: Json, parent: Type, path: Path, siblings: Object) -> bool:
        """Whether the server would fill in this value at a path, in an object with these other fields."""
        return self.is_default(value, parent, str(path[-1]), siblings, _parent_field(path))

    def metadata_reason(self, path: Path, value: Json, node: OwnerNode | None) -> str | None:
        """Returns why a live-only label, annotation or finalizer is no difference.

        Returns None for any other path, for an unknown name, and for one that a user added by hand.
        """
        if path[:-2] != ("metadata",):
            return None
        field, element = str(path[1]), path[2]
        name = element if isinstance(element, str) else element[0][1]
        if field not in self.reserved.bookkeeping:
            return None
        if name in self.reserved.any_writer[field]:
            return _BOOKKEEPING
        bookkeeping = self.reserved.bookkeeping[field]
        attribution = None if node is None else self.attribution_finder.find(value, node, path)
        # If no applier has written the object, a user recreated it from one that a GitOps controller managed.
        if attribution is not None and self.ownership.roles.has_applier:
            by_hand = self._written_by_hand(attribution)
            # An unknown controller may have written a name that only controllers use.
            if any(map(is_hand_tool, by_hand)) or (by_hand and name not in bookkeeping.exact):
                return None
        if self.reserved.is_tracking(field, name, value):
            return "a tracking label or annotation of the applier"
        return _BOOKKEEPING if name in bookkeeping else None

    def _written_by_hand(self, attribution: Attribution) -> Sequence[Actor]:
        """Returns the managers of a manual change, without former appliers of the object."""
        if attribution.cause is not Cause.MANUAL:
            return ()
        actors = [self.ownership.entries[index].actor for index in attribution.owners]
        return [actor for actor in actors if not is_gitops_applier(actor) and actor.manager != BEFORE_FIRST_APPLY]

    def asks_for_allocation(self, desired: Json, parent: Type, name: str) -> bool:
        """Whether Git sets a field to the empty value that lets the server allocate one."""
        is_empty = desired == "" or (desired == 0 and not isinstance(desired, bool))
        return is_empty and (parent.name, name) in ALLOCATED and self.facts.is_omitempty(parent, name)

    def _is_allocated(self, parent: Type, name: str, node: OwnerNode | None, path: Path) -> bool:
        """Whether the server or a controller allocated a value; false if Git set it at the last sync."""
        in_template = len(path) != len(("spec", name))
        if (parent.name, name) not in ALLOCATED or ((parent.name, name) in NOT_IN_TEMPLATES and in_template):
            return False
        ownership = self.ownership
        if ownership.base_has(path):
            return False
        child = owners_below(node, name, parent)
        applier = ownership.with_role(child.all_owners(), Role.APPLIER) if child else ()
        if not applier:
            return True
        if ownership.applied(applier) or self.attribution_finder.is_zero_in_git(path):
            return False
        return value_at(ownership.last_client_side_apply, path) is ABSENT

    def is_default(self, value: Json, parent: Type, name: str, siblings: Object, parent_field: str = "") -> bool:
        """Whether the server would fill in this value, as a whole or part by part.

        Args:
            value: The live value.
            parent: The type of the object that has the field.
            name: The field.
            siblings: The live object that has the field.
            parent_field: The field that holds that object; "" if it is a list item, or if it is not known.
        """
        default = self.facts.default(parent, name, siblings, parent_field)
        if default is not ABSENT and _equals_default(value, default):
            return True
        schema = parent.field(name)
        if isinstance(default, dict) and is_plain_dict(value) and default.keys() < value.keys():
            # The fields that the default leaves out have defaults themselves.
            return all(
                _equals_default(field_value, default[field])
                if field in default
                else self.is_default(field_value, schema, field, value, name)
                for field, field_value in value.items()
            )
        has_meaning = schema.empty_has_meaning and default is ABSENT
        if not is_plain_dict(value) or parent.shape is Shape.MAP or has_meaning:
            # The server adds neither keys to a map nor an object that has a meaning even if it is empty.
            return False
        return (not value or schema.shape is Shape.STRUCT) and all(
            self.is_default(field_value, schema, field, value, name) for field, field_value in value.items()
        )


def copied_template_labels(desired: Object, live: Object, schema: Type) -> Sequence[Object]:
    """Returns the template labels, live and in Git, that the server copies to an object for which Git sets no labels.

    Args:
        desired: The normalized manifest.
        live: The normalized live object.
        schema: The kind's type.
    """
    if schema.name not in LABELLED_BY_TEMPLATE or desired.get("metadata", {}).get("labels"):
        return ()
    templates = (body.get("spec", {}).get("template", {}) for body in (live, desired))
    return [template.get("metadata", {}).get("labels", {}) for template in templates]


def _parent_field(path: Path) -> str:
    """Returns the field that holds the object with the field at a path; "" if the object is a list item."""
    above = path[-2] if len(path) > 1 else ""
    return above if isinstance(above, str) else ""


def _equals_default(value: Json, default: Json) -> bool:
    if isinstance(default, AnyOf):
        return any(_equals_default(value, candidate) for candidate in default.values)
    if isinstance(value, ListMap | list):
        items = value.values() if isinstance(value, ListMap) else value
        return (
            isinstance(default, list)
            and len(value) == len(default)
            and all(_equals_default(item, default_item) for item, default_item in zip(items, default, strict=True))
        )
    if isinstance(value, dict):
        return (
            isinstance(default, dict)
            and value.keys() == default.keys()
            and all(_equals_default(field_value, default[name]) for name, field_value in value.items())
        )
    written = getattr(value, "written", value)
    return same_scalar(written, default) or same_scalar(value, str(default))


@dataclass(slots=True)
class LiveOnlyFields:
    """Filters the live-only fields of one object, and collects why.

    Attributes:
        known: Recognizes defaults, allocated values and tracking labels.
        is_scalable: Whether the object is a custom resource with the ``scale`` subresource.
        attributions: Who set each reported field, by path. Filled in as fields are filtered.
        skipped: The paths of what is not reported, and why. Shared with the projection, which adds others.
        assumes_admission: Whether a part is not reported on the assumption that it was set while the applier's request
            was admitted.
    """

    known: KnownValues
    is_scalable: bool
    attributions: dict[Path, Attribution] = field(default_factory=dict)
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    assumes_admission: bool = False

    def filter_field(
        self, parent: Type, node: OwnerNode | None, path: Path, siblings: Object, desired: Object | None
    ) -> Json | Absent:
        """Returns the part of a live-only field that is reported, or `ABSENT`.

        Args:
            parent: The type of the object that has the field.
            node: The owners of that object.
            path: The path of the field.
            siblings: The live object that has the field.
            desired: The same object in Git, which lacks the field; None if Git lacks the object too.
        """
        name = str(path[-1])
        value = siblings[name]
        reason = self.known.reason(value, parent, node, path, siblings, desired)
        if reason is not None:
            return self._skip(path, reason)
        child = owners_below(node, name, parent)
        if child is None and self.known.ownership.tree is not None and not self.known.ownership.base_has(path):
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
        self.assumes_admission = True
        return self._skip(path, "set while the applier's own request was admitted: a default, or a webhook's work")

    def _skip(self, path: Path, reason: str) -> Absent:
        self.skipped.append((path, reason))
        return ABSENT

    def _filter_scaled(self, value: Json, parent: Type, path: Path) -> Json | Absent:
        """Returns the part of a value without an owner that the ``scale`` subresource may have set, or `ABSENT`.

        The API server records no owner if scaling adds the field. In a custom resource, the field is the one that its
        CustomResourceDefinition names (``specReplicasPath``), which may not be readable. All other fields there without
        an owner are defaults, which the schema declares.
        """
        name = str(path[-1])
        if (parent.name, name) in SCALED:
            self.attributions[path] = Attribution(Cause.UNKNOWN, ())
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
        self.attributions[path] = Attribution(Cause.UNKNOWN, ())
        return value

    def _filter_owned(self, value: Json, schema: Type, node: OwnerNode | None, path: Path) -> Json | Absent:
        ownership = self.known.ownership
        if node is None and ownership.tree is not None and not ownership.base_has(path):
            others = ownership.with_role(ownership.other_version_entries, Role.OTHER)
            if others and not schema.is_custom:
                self.attributions[path] = Attribution(Cause.MANUAL, others)
                return value
            return self._skip(path, "no field manager owns it: a default or an allocated value")
        if isinstance(value, dict) and value and not schema.atomic and self._has_owners_by_part(schema, node):
            parts = self._filter_parts(value, schema, node, path)
            has_meaning = schema.empty_has_meaning or isinstance(path[-1], ItemKey)
            if parts is not ABSENT or isinstance(value, ListMap) or not has_meaning:
                return parts
            # The server filled in all of its fields, but a manager added the object.
            value = {}
        attribution = self.known.attribution_finder.find(value, node, path)
        if attribution is None:
            return self.skip_admitted(path)
        self.attributions[path] = attribution
        return AtomicValue(value) if schema.atomic or isinstance(value, list) else value

    def _has_owners_by_part(self, schema: Type, node: OwnerNode | None) -> bool:
        """Whether the parts of a value have their own owners, or none; False if its owners own it as a whole.

        An Apply entry that owns a map or a list but nothing in it applied an empty one. The server filled in the
        present content, such as the labels of a Namespace or the requests of a LimitRange.
        """
        if node is None or node.children:
            return True
        is_granular = schema.shape is not Shape.UNKNOWN
        return is_granular and len(self.known.ownership.applied(node.owners)) == len(node.owners)

    def _filter_parts(self, value: Json, schema: Type, node: OwnerNode | None, path: Path) -> Json | Absent:
        if isinstance(value, ListMap):
            items = ListMap(is_set=value.is_set)
            for key, item in value.items():
                kept = self.filter_item(item, schema.items, node.child(key) if node else None, (*path, key))
                if kept is not ABSENT:
                    items.put(key, kept, value.positions[key])
            return items or ABSENT
        fields: Object = {}
        for name in value:
            kept = self.filter_field(schema, node, (*path, name), value, None)
            if kept is not ABSENT:
                fields[name] = kept
        return fields or ABSENT
