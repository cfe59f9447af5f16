"""Recognizes live values that are no drift if Git omits them: the API server, a controller or an applier sets them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from drift.compare.atomic import is_plain_dict, same_scalar
from drift.compare.normalize import ListMap, value_at
from drift.compare.ownership import Attribution, AttributionFinder, Ownership
from drift.gitops.managers import BEFORE_FIRST_APPLY, Role, is_gitops_applier, is_hand_tool, may_create
from drift.gitops.tracking import ReservedMetadata
from drift.managed_fields import OwnerNode
from drift.model import Actor, Cause
from drift.objects import Json, Object, as_object, at
from drift.paths import Path
from drift.schema.facts import (
    ALLOCATED,
    BOUND,
    CHOOSABLE,
    LABELLED_BY_TEMPLATE,
    NEVER_ALLOCATED,
    NOT_IN_TEMPLATES,
    AnyOf,
    Facts,
    is_never_allocated,
)
from drift.schema.types import ABSENT, Shape, Type

DEFAULT: Final = "the API server's default"
ALLOCATED_VALUE: Final = "allocated for this object alone"
_BOOKKEEPING: Final = "for internal use by Kubernetes"


@dataclass(frozen=True, slots=True)
class LivePart:
    """A field or a list item that Git lacks.

    Attributes:
        path: Its path.
        value: Its live value.
        schema: Its type.
        owners: Its owners; None if it has none.
        whole: The owners of the object that has the field; None if it has none, or for a list item.
    """

    path: Path
    value: Json
    schema: Type
    owners: OwnerNode | None
    whole: OwnerNode | None = None


@dataclass(frozen=True, slots=True)
class KnownValues:
    """Recognizes the known values of one live object.

    Attributes:
        attribution_finder: Finds who set a field of the object.
        facts: Defaults and omitempty fields that the schema does not declare.
        reserved: The labels and annotations that appliers and Kubernetes put on objects.
        group: The object's API group; "" for the core group.
        kind: The object's kind.
        template_labels: The labels of the object's template that the server copies to the object: live, then in Git.
        for_export: Whether Git has no manifest of the object yet. Then what a user chose at its creation is not known.
    """

    attribution_finder: AttributionFinder
    facts: Facts
    reserved: ReservedMetadata
    group: str
    kind: str
    template_labels: Sequence[Object]
    for_export: bool = False

    @property
    def ownership(self) -> Ownership:
        """The owners of the object's fields."""
        return self.attribution_finder.ownership

    def why_known(self, part: LivePart, parent: Type, sides: Sequence[Object]) -> str | None:
        """Returns why a live-only field is no difference, or None if it may be one.

        Args:
            part: The field.
            parent: The type of the object that has the field.
            sides: The object that has the field, and the same object in Git, if Git has it. Some defaults depend on
                other fields, which may have been edited after the server filled in the default.
        """
        reserved = self.why_reserved(part)
        if reserved is not None:
            return reserved
        path, name = part.path, str(part.path[-1])
        if path[:-1] == ("metadata", "labels") and any(
            labels.get(name) == part.value for labels in self.template_labels
        ):
            return "copied from its template's labels, since Git sets no labels"
        if _repeats_no_cluster_ip(part, parent, sides[1:]):
            return "a copy of another field"
        if self._is_allocated(part, parent):
            return ALLOCATED_VALUE
        is_default = any(self.is_default_at(part.value, parent, path, side) for side in sides)
        return DEFAULT if is_default else None

    def is_default_at(self, value: Json, parent: Type, path: Path, siblings: Object) -> bool:
        """Whether the server would fill in this value at a path, in an object with these other fields."""
        return self.is_default(value, parent, str(path[-1]), siblings, _parent_field(path))

    def why_reserved(self, part: LivePart) -> str | None:
        """Returns why a live-only label, annotation or finalizer is no difference.

        Returns None for any other path, for an unknown name, and for one that a user added by hand.
        """
        path, value = part.path, part.value
        if path[:-2] != ("metadata",):
            return None
        field, element = str(path[1]), path[2]
        name = element if isinstance(element, str) else element[0][1]
        if field not in self.reserved.bookkeeping:
            return None
        if self.reserved.is_from_anyone(field, name, self.kind):
            return _BOOKKEEPING
        bookkeeping = self.reserved.bookkeeping[field]
        attribution = None if part.owners is None else self.attribution_finder.find(value, part.owners, path)
        if attribution is not None:
            by_hand = self._written_by_hand(attribution)
            # An unknown controller may have written a name that only controllers use.
            if any(map(is_hand_tool, by_hand)) or (by_hand and name not in bookkeeping.exact):
                return None
        if self.reserved.is_tracking(field, name, value):
            return "a tracking label or annotation of the applier"
        return _BOOKKEEPING if name in bookkeeping else None

    def _written_by_hand(self, attribution: Attribution) -> Sequence[Actor]:
        """Returns the managers of a manual change, without former appliers of the object.

        If no applier has written the object, a user may have recreated it from one that a GitOps controller managed.
        """
        if attribution.cause is not Cause.MANUAL:
            return ()
        has_applier = self.ownership.roles.has_applier
        actors = [self.ownership.entries[index].actor for index in attribution.owners]
        return [
            actor
            for actor in actors
            if not is_gitops_applier(actor)
            and actor.manager != BEFORE_FIRST_APPLY
            and (has_applier or not may_create(actor))
        ]

    def is_left_empty(self, desired: Json, parent: Type, name: str) -> bool:
        """Whether a value in Git is an empty one that lets the server allocate one, which equals no value before that.

        Args:
            desired: The value in Git.
            parent: The type of the object that has the field.
            name: The field.
        """
        is_empty = desired == "" or (desired == 0 and not isinstance(desired, bool))
        return is_empty and (parent.name, name) in ALLOCATED and self.facts.is_omitempty(parent, name)

    def fills_in(self, part: LivePart, parent: Type) -> bool:
        """Whether the server allocated the value of a field that Git leaves empty, and no user set it.

        Args:
            part: The live field.
            parent: The type of the object that has the field.
        """
        path, name = part.path, str(part.path[-1])
        return not (
            is_never_allocated(part.value, parent.name, name)
            or _is_in_template(path, parent)
            or self._is_edited(parent, name, part.owners, part.whole)
        )

    def _is_edited(self, parent: Type, name: str, owners: OwnerNode | None, whole: OwnerNode | None) -> bool:
        return self.ownership.is_edited(owners, whole, by_hand_tool=(parent.name, name) in BOUND)

    def _is_allocated(self, part: LivePart, parent: Type) -> bool:
        """Whether the server or a controller allocated a field, and not Git at the last sync or a user since."""
        path, name = part.path, str(part.path[-1])
        if (parent.name, name) not in ALLOCATED or _is_in_template(path, parent):
            return False
        ownership = self.ownership
        if ownership.base_has(path) or is_never_allocated(part.value, parent.name, name):
            return False
        owners = part.owners.all_owners() if part.owners else ()
        if self.for_export and (parent.name, name) in CHOOSABLE:
            return len(ownership.with_role(owners, Role.CONTROLLER)) == len(owners)
        applier = ownership.with_role(owners, Role.APPLIER)
        if not applier:
            return not self._is_edited(parent, name, part.owners, part.whole)
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
        schema = parent.field(name)
        if default is not ABSENT and self._completes(value, default, schema, name):
            return True
        has_meaning = schema.replaces_absence or (schema.empty_has_meaning and default is ABSENT)
        if not is_plain_dict(value) or parent.shape is Shape.MAP or has_meaning:
            # The server adds neither keys to a map, nor an object that has a meaning even if it is empty, nor anything
            # other than the default.
            return False
        return (not value or schema.shape is Shape.STRUCT) and all(
            self.is_default(field_value, schema, field, value, name) for field, field_value in value.items()
        )

    def _completes(self, value: Json, default: Json, schema: Type, name: str = "") -> bool:
        """Whether a live value is a default in which the server has filled in the defaults that the schema nests.

        Args:
            value: The live value.
            default: The default, or a part of it.
            schema: The type of both.
            name: The field that has the value; "" for a list item.
        """
        if isinstance(default, AnyOf):
            return any(self._completes(value, candidate, schema, name) for candidate in default.values)
        if isinstance(value, ListMap | list):
            items = value.values() if isinstance(value, ListMap) else value
            return (
                isinstance(default, list)
                and len(value) == len(default)
                and all(self._completes(*pair, schema.items) for pair in zip(items, default, strict=True))
            )
        if isinstance(value, dict):
            return (
                isinstance(default, dict)
                and all(field in value or _is_left_out(default[field], schema.field(field)) for field in default)
                and all(
                    self._completes(field_value, default[field], schema.field(field), field)
                    if field in default
                    else self.is_default(field_value, schema, field, value, name)
                    for field, field_value in value.items()
                )
            )
        written = getattr(value, "written", value)
        return same_scalar(written, default) or same_scalar(value, str(default))


def copied_template_labels(
    desired: Object, live: Object, schema: Type, *, for_export: bool = False
) -> Sequence[Object]:
    """Returns the template labels, live and in Git, that the server copies to an object for which Git sets no labels.

    Args:
        desired: The normalized manifest.
        live: The normalized live object.
        schema: The kind's type.
        for_export: Whether Git has no manifest yet. It gets all labels if the object has others, too: the server copies
            none then.
    """
    if schema.name not in LABELLED_BY_TEMPLATE or at(desired, "metadata", "labels"):
        return ()
    copied = [as_object(at(body, "spec", "template", "metadata", "labels")) for body in (live, desired)]
    labels = as_object(at(live, "metadata", "labels"))
    return () if for_export and not labels.items() <= copied[0].items() else copied


def _repeats_no_cluster_ip(part: LivePart, parent: Type, in_git: Sequence[Object]) -> bool:
    """Whether the field says that a Service is headless as another one does, which is in Git or is reported.

    The server keeps ``clusterIP`` equal to the first of ``clusterIPs``.

    Args:
        part: The live-only field.
        parent: The type of the object that has the field.
        in_git: The same object in Git, if Git has it.
    """
    if parent.name not in NEVER_ALLOCATED:
        return False
    match part.path[-1]:
        case "clusterIPs":
            return bool(part.value == ["None"])
        case "clusterIP":
            return part.value == "None" and any(spec.get("clusterIPs") == ["None"] for spec in in_git)
    return False


def _is_in_template(path: Path, parent: Type) -> bool:
    """Whether a field is in a template, where the server does not allocate it as it does on the object itself."""
    return (parent.name, path[-1]) in NOT_IN_TEMPLATES and len(path) != len(("spec", "field"))


def _parent_field(path: Path) -> str:
    """Returns the field that holds the object with the field at a path; "" if the object is a list item."""
    above = path[-2] if len(path) > 1 else ""
    return above if isinstance(above, str) else ""


def _is_left_out(default: Json, schema: Type) -> bool:
    """Whether a normalized tree lacks a part of a default because it equals no value."""
    is_empty = isinstance(default, list) or (isinstance(default, dict) and schema.shape is Shape.MAP)
    return default is None or (is_empty and not default and not schema.replaces_absence)
