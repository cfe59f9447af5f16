"""Decides which parts that only the live object has are drift, by their values and owners."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from drift.compare.atomic import AtomicValue, is_plain_dict
from drift.compare.known_values import KnownValues, LivePart
from drift.compare.normalize import ListMap
from drift.compare.ownership import AS_APPLIER_NOTE, Attribution, owners_below
from drift.model import Cause
from drift.objects import Json, Object
from drift.paths import ItemKey, Path
from drift.schema.facts import SCALED, is_never_allocated
from drift.schema.types import ABSENT, UNKNOWN, Absent, Shape, Type


@dataclass(slots=True)
class LiveOnlyFields:
    """Filters the live-only fields of one object, and collects why.

    Attributes:
        known: Recognizes defaults, allocated values and tracking labels.
        is_scalable: Whether the object is a custom resource that the ``scale`` subresource may have changed.
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

    def filter_field(self, part: LivePart, parent: Type, sides: Sequence[Object]) -> Json | Absent:
        """Returns what is reported of a live-only field, or `ABSENT`. Arguments as in `KnownValues.why_known`."""
        reason = self.known.why_known(part, parent, sides)
        if reason is not None:
            return self._skip(part.path, reason)
        # Nothing is allocated in a template, so the owners decide there, as for any other field.
        is_in_spec = len(part.path) == len(("spec", "field"))
        if is_in_spec and is_never_allocated(part.value, parent.name, str(part.path[-1])):
            return self._report_chosen(part)
        if self._lacks_owner(part):
            scaled = self._filter_scaled(part.value, parent, part.path)
            if scaled is not ABSENT:
                return scaled
        return self._filter_owned(part)

    def filter_item(self, part: LivePart) -> Json | Absent:
        """Returns what is reported of a live-only list item, or `ABSENT`."""
        reason = self.known.why_reserved(part)
        return self._filter_owned(part) if reason is None else self._skip(part.path, reason)

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

    def _report_chosen(self, part: LivePart) -> Json:
        """Reports a value that the creator of the object chose, although it may have no owner by now.

        The API server keeps it through later syncs, as the value of a field that cannot be changed. Admission does not
        explain it.
        """
        attribution = self.known.attribution_finder.find(part.value, part.owners, part.path)
        if attribution is None:
            owners = sorted(part.owners.all_owners()) if part.owners else ()
            attribution = Attribution(Cause.UNKNOWN, tuple(owners), AS_APPLIER_NOTE)
        self.attributions[part.path] = attribution
        return part.value

    def _lacks_owner(self, part: LivePart) -> bool:
        """Whether no field manager owns a part, and Git did not have it at the last sync."""
        ownership = self.known.ownership
        return part.owners is None and ownership.is_complete and not ownership.base_has(part.path)

    def _filter_owned(self, part: LivePart) -> Json | Absent:
        path, value, schema = part.path, part.value, part.schema
        if self._lacks_owner(part):
            ownership = self.known.ownership
            others = ownership.written_in_other_version()
            if others and path == ("metadata", "annotations"):
                # The server writes fields that only another version has to annotations, beside those of controllers.
                return self._filter_parts(part)
            if others and schema is not UNKNOWN:
                self.attributions[path] = Attribution(Cause.MANUAL, others)
                return value
            return self._skip(path, "no field manager owns it: a default or an allocated value")
        if isinstance(value, dict) and value and not schema.atomic and self._has_owners_by_part(part):
            kept = self._filter_parts(part)
            has_meaning = schema.empty_has_meaning or isinstance(path[-1], ItemKey)
            if kept is not ABSENT or isinstance(value, ListMap) or not has_meaning:
                return kept
            # The server filled in all of its fields, but a manager added the object.
            value = {}
        attribution = self.known.attribution_finder.find(value, part.owners, path)
        if attribution is None:
            return self.skip_admitted(path)
        self.attributions[path] = attribution
        return AtomicValue(value) if schema.atomic or isinstance(value, list) else value

    def _has_owners_by_part(self, part: LivePart) -> bool:
        """Whether the parts of a value have their own owners, or none; False if its owners own it as a whole.

        An Apply entry that owns a map or a list but nothing in it applied an empty one. The server filled in the
        present content, such as the labels of a Namespace or the requests of a LimitRange.
        """
        node = part.owners
        if node is None or node.children:
            return True
        is_granular = part.schema.shape is not Shape.UNKNOWN
        return is_granular and len(self.known.ownership.applied(node.owners)) == len(node.owners)

    def _filter_parts(self, whole: LivePart) -> Json | Absent:
        path, value, schema, node = whole.path, whole.value, whole.schema, whole.owners
        if isinstance(value, ListMap):
            items = ListMap(is_set=value.is_set)
            for key, item in value.items():
                kept = self.filter_item(LivePart((*path, key), item, schema.items, node.child(key) if node else None))
                if kept is not ABSENT:
                    items.put(key, kept, value.positions[key])
            return items or ABSENT
        fields: Object = {}
        for name, part in value.items():
            field_part = LivePart((*path, name), part, schema.field(name), owners_below(node, name, schema), node)
            kept = self.filter_field(field_part, schema, (value,))
            if kept is not ABSENT:
                fields[name] = kept
        return fields or ABSENT
