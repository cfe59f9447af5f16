"""Determines the cause of each difference: which side changed, by the field's owners and the last sync."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from drift.compare.atomic import is_plain_dict
from drift.compare.diff import Difference
from drift.compare.known_values import KnownValues, LivePart
from drift.compare.normalize import value_at
from drift.compare.ownership import AS_APPLIER_NOTE, Attribution, owner_node, owners_below
from drift.compare.projection import Projection, is_reordered
from drift.compare.show import contains_redacted
from drift.gitops.managers import Role
from drift.model import NOT_KEPT, Actor, Cause, Change, Decision
from drift.objects import Json
from drift.paths import ItemKey, Path, render
from drift.schema.facts import SCALED
from drift.schema.types import ABSENT, UNKNOWN, Shape, Type
from drift.words import closest, suggestion


@dataclass(frozen=True, slots=True)
class ClassifiedDifference:
    """A difference with its cause.

    Attributes:
        difference: What differs.
        cause: Which side changed.
        actors: The field managers that changed it, latest first; empty if the cluster kept no record.
        note: One sentence on what cannot be determined, or None.
    """

    difference: Difference
    cause: Cause
    actors: tuple[Actor, ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Classification:
    """The differences of one object with their causes.

    Attributes:
        differences: The differences to report.
        decisions: The differences not to report, and why.
    """

    differences: tuple[ClassifiedDifference, ...]
    decisions: tuple[Decision, ...]


#: The note on a field that the applier owns but the cluster lacks, if the server drops it when it is empty.
APPLIED_EMPTY: Final = "it was empty when it was last applied, or this server does not keep it beside the other fields"
#: The note on a field that Git sets and the cluster lacks, if no edit can have removed it.
SPEC_NEVER_CHANGED: Final = (
    "spec has not changed since the object was created, so no edit removed it: Git added it later, or this server does "
    "not keep it"
)

#: The cause of a change without a base, by the role of an owner. The first role that an owner has decides.
_CAUSE_BY_ROLE: Final = {
    Role.APPLIER: Cause.PENDING_SYNC,
    Role.OTHER: Cause.MANUAL,
    Role.CONTROLLER: Cause.CONTROLLER,
}


def classify(
    differences: Sequence[Difference],
    projection: Projection,
    known: KnownValues,
    schema: Type,
    generation: Json,
) -> Classification:
    """Determines the cause of each difference. Splits a difference whose parts have several causes.

    Args:
        differences: The differences between the two projected trees.
        projection: The two trees.
        known: Recognizes values that the server filled in, and knows the owners of the live object's fields.
        schema: The kind's type.
        generation: ``metadata.generation`` of the live object, or None.
    """
    classifier = _Classifier(known, projection, schema, generation)
    classified: list[ClassifiedDifference] = []
    decisions: list[Decision] = []
    for difference in differences:
        if classifier.changed_on_admission(difference):
            reason = "changed while the applier's own request was admitted: a webhook's work"
            decisions.append(Decision(render(difference.path), reason))
        else:
            classified += classifier.classify(difference)
    classified += [classifier.reordered(path) for path in projection.reordered]
    return Classification(tuple(classified), tuple(decisions))


class _Classifier:
    def __init__(self, known: KnownValues, projection: Projection, schema: Type, generation: Json) -> None:
        self._known = known
        self._ownership = known.ownership
        self._projection = projection
        self._schema = schema
        self._is_first_generation = generation == 1

    def changed_on_admission(self, difference: Difference) -> bool:
        """Whether admission changed a value in the request in which the applier set it.

        If so, the applier is the only owner, and it last sent the value that Git still has. With server-side apply, the
        owner is its Apply entry. A removed part of a list also leaves the applier as the only owner of the rest, so
        a value whose parts have owners of their own does not count.
        """
        ownership = self._ownership
        if difference.change is not Change.CHANGED or difference.path != difference.live_path:
            return False
        node = owner_node(ownership.tree, difference.live_path)
        owners = self._owners(difference.live_path)
        if not ownership.only_applier(owners) or (node is not None and node.children):
            return False
        if ownership.roles.is_server_side and len(ownership.applied(owners)) < len(owners):
            return False
        desired = _unwrapped(difference.desired)
        return self._base_at(difference.path) == desired and ownership.may_be_set_on_admission(difference.path, desired)

    def classify(self, difference: Difference) -> Iterator[ClassifiedDifference]:
        if difference.change is Change.ADDED:
            yield from self._added(difference)
        elif difference.change is Change.REMOVED:
            yield self._removed(difference)
        else:
            yield self._changed(difference)

    def reordered(self, path: Path) -> ClassifiedDifference:
        # No manager owns the order of a list map. Only the last sync tells which side changed it.
        difference = Difference(path, path, Change.REORDERED, ABSENT, ABSENT)
        base = self._base_at(path)
        if not isinstance(base, dict):
            return ClassifiedDifference(difference, Cause.UNKNOWN, ())
        desired, live = self._projection.reordered[path]
        git_changed, live_changed = is_reordered(base, desired), is_reordered(base, live)
        if git_changed == live_changed:
            return ClassifiedDifference(difference, Cause.UNKNOWN, ())
        return ClassifiedDifference(difference, Cause.PENDING_SYNC if git_changed else Cause.MANUAL, ())

    def _added(self, difference: Difference) -> Iterator[ClassifiedDifference]:
        attributions = list(self._attributions_below(difference.live_path, difference.live))
        causes = {attribution.cause for attribution in attributions}
        notes = {attribution.note for attribution in attributions}
        # A report shows only the names of redacted values, so each gets a difference of its own.
        is_split = len(causes) > 1 or contains_redacted(difference.live)
        if is_split and isinstance(difference.live, dict):
            for element, part in difference.live.items():
                path = (*difference.live_path, element)
                if any(True for _ in self._attributions_below(path, part)):
                    yield from self._added(replace(difference, path=path, live_path=path, live=part))
            return
        owners = sorted({index for attribution in attributions for index in attribution.owners})
        cause = causes.pop() if causes else Cause.UNKNOWN
        note = notes.pop() if len(notes) == 1 and cause is Cause.UNKNOWN else None
        yield ClassifiedDifference(difference, cause, self._actors(owners), note)

    def _attributions_below(self, path: Path, live: Json) -> Iterator[Attribution]:
        """Yields the attributions at a path and below. Walks the live part: an object can have 20,000 attributions."""
        attribution = self._projection.attributions.get(path)
        if attribution is not None:
            yield attribution
        if isinstance(live, dict):
            for element, part in live.items():
                yield from self._attributions_below((*path, element), part)

    def _changed(self, difference: Difference) -> ClassifiedDifference:
        owners = self._owners(difference.live_path)
        if not owners and _type_at(self._schema, difference.path) is not UNKNOWN:
            owners = list(self._ownership.written_in_other_version())
        roles = {self._ownership.roles.of_entry[index] for index in owners}
        # The last sync is better evidence than the owners: the side that differs from it has changed.
        predates_applier = bool(owners) and self._predates_applier(difference, owners)
        git_changed, live_changed = self._differ_from_base(difference, bool(roles) and not predates_applier)
        role, note = None, None
        if (git_changed and not live_changed) or (predates_applier and self._ownership.base is None):
            role, cause = Role.APPLIER, Cause.PENDING_SYNC
        elif live_changed and not git_changed and roles == {Role.APPLIER}:
            cause, note = Cause.UNKNOWN, AS_APPLIER_NOTE
        elif live_changed and not git_changed and roles != {Role.CONTROLLER}:
            cause = Cause.MANUAL
        else:
            role = next((role for role in _CAUSE_BY_ROLE if role in roles), None)
            cause = Cause.UNKNOWN if role is None else _CAUSE_BY_ROLE[role]
        return ClassifiedDifference(difference, cause, self._actors(owners, role), note)

    def _predates_applier(self, difference: Difference, owners: Sequence[int]) -> bool:
        """Whether a live value dates from before the applier: a former applier's, or a default that its creator owns.

        The applier has not set the field since, so Git added it later.
        """
        finder, path = self._known.attribution_finder, difference.live_path
        if finder.is_left_by_former_applier(owners):
            return True
        siblings = value_at(self._projection.live, path[:-1])
        return (
            finder.precede_apply(owners)
            and is_plain_dict(siblings)
            and not isinstance(path[-1], ItemKey)
            and self._known.is_default_at(_unwrapped(difference.live), self._parent(path), path, siblings)
        )

    def _differ_from_base(self, difference: Difference, has_writer: bool) -> tuple[bool, bool]:
        """Whether Git, and whether the cluster, differs from the last sync; (False, False) if that is not known.

        Args:
            difference: A value that differs between Git and the cluster.
            has_writer: Whether a manager may have set the live value after the last sync.
        """
        desired, live = _unwrapped(difference.desired), _unwrapped(difference.live)
        base, path = self._base_at(difference.path), difference.path
        if base is not ABSENT:
            return base != desired, base != live
        if self._ownership.base is None:
            return False, False
        # The server filled in the field after that sync. If Git sets that value now, Git asks for no change.
        parent, name = self._parent(path), str(path[-1])
        owners = owners_below(owner_node(self._ownership.tree, path[:-1]), name, parent)
        above = self._base_at(path[:-1])
        siblings = above if is_plain_dict(above) else {}
        part = LivePart(path, live, parent.field(name), owners)
        is_filled_in = self._known.why_known(part, parent, (siblings,)) is not None
        has_writer = has_writer or (parent.name, path[-1]) in SCALED
        return not self._known.is_default_at(desired, parent, path, siblings), has_writer and not is_filled_in

    def _parent(self, path: Path) -> Type:
        return _type_at(self._schema, path[:-1])

    def _removed(self, difference: Difference) -> ClassifiedDifference:
        path = difference.path
        note = _undeclared(self._schema, path)
        if note is not None:
            return ClassifiedDifference(difference, Cause.UNKNOWN, (), note)
        base_has_it = None if self._ownership.base is None else self._base_at(path) is not ABSENT
        if base_has_it is False:
            return ClassifiedDifference(difference, Cause.PENDING_SYNC, ())
        if self._is_applied_but_absent(path):
            if base_has_it or not self._may_have_been_empty(path):
                return ClassifiedDifference(difference, Cause.UNKNOWN, (), NOT_KEPT)
            # An edit of another field, such as the type of a Service, can make the server drop the field as well.
            cause = Cause.UNKNOWN if self._is_edited_since_apply() else Cause.PENDING_SYNC
            return ClassifiedDifference(difference, cause, (), APPLIED_EMPTY)
        if self._is_first_generation and path[0] == "spec" and self._ownership.roles.has_applier:
            return ClassifiedDifference(difference, Cause.UNKNOWN, (), NOT_KEPT if base_has_it else SPEC_NEVER_CHANGED)
        # A removed field has no owner. The best evidence is who wrote the object after the applier.
        later = self._entries_after_applier()
        cause = Cause.MANUAL if base_has_it or later else Cause.UNKNOWN
        return ClassifiedDifference(difference, cause, self._actors(later))

    def _is_applied_but_absent(self, path: Path) -> bool:
        """Whether the applier's Apply entry owns a field that is not live. Removing it would end the ownership."""
        node = owner_node(self._ownership.tree, path)
        if node is None:
            return False
        return any(
            # Ownership of a key of a Secret's stringData remains if the key is removed from data.
            not (path[0] == "data" and "f:stringData" in self._ownership.entries[index].fields)
            for index in self._ownership.applied(self._ownership.with_role(node.owners, Role.APPLIER))
        )

    def _is_edited_since_apply(self) -> bool:
        """Whether another manager may have written the object after the last server-side apply."""
        finder, entries = self._known.attribution_finder, self._ownership.entries
        others = self._ownership.with_role(range(len(entries)), Role.OTHER)
        return any(entries[index].actor.subresource is None and not finder.precede_apply([index]) for index in others)

    def _may_have_been_empty(self, path: Path) -> bool:
        """Whether the server drops a field if it is applied empty or with a zero value."""
        if isinstance(path[-1], ItemKey):
            return False
        parent = self._parent(path)
        return parent.field(path[-1]).shape is not Shape.SCALAR or self._known.facts.is_omitempty(parent, path[-1])

    def _base_at(self, path: Path) -> Json:
        """Returns what was last synced at a path, or `ABSENT` if there was nothing or if it is not known."""
        return value_at(self._ownership.base, path)

    def _entries_after_applier(self) -> list[int]:
        """Returns the entries of other managers that are later than the applier's last, and may write any field.

        If no applier has written the object, these are all entries of other managers.
        """
        entries, role_of = self._ownership.entries, self._ownership.roles.of_entry
        times = [entry.actor.time for entry, role in zip(entries, role_of, strict=True) if role is Role.APPLIER]
        applied = max((time for time in times if time is not None), default=None)
        if applied is None and self._ownership.roles.has_applier:
            return []
        return [
            index
            for index, entry in enumerate(entries)
            if role_of[index] is Role.OTHER
            # A subresource such as scale can write only its own few fields.
            and entry.actor.subresource is None
            and (applied is None or (entry.actor.time is not None and entry.actor.time > applied))
        ]

    def _owners(self, path: Path) -> list[int]:
        """Returns the entries that own the value at a path, or that own the atomic value around it."""
        node = self._ownership.tree
        if node is None:
            return []
        for element in path:
            if not node.children:
                break
            child = node.child(element)
            if child is None:
                return []
            node = child
        return sorted(node.all_owners())

    def _actors(self, owners: Sequence[int], role: Role | None = None) -> tuple[Actor, ...]:
        """Returns the managers of these entries, latest first; only those with a role, if one is given."""
        indexes = owners if role is None else self._ownership.with_role(owners, role)
        actors = {self._ownership.entries[index].actor for index in indexes}
        return tuple(sorted(actors, key=lambda actor: (actor.time or "", actor.manager, actor.operation), reverse=True))


def _undeclared(schema: Type, path: Path) -> str | None:
    """Returns a note if the server's schema does not declare a field on a path, with the likely right name, or None."""
    for index, element in enumerate(path):
        parent = _type_at(schema, path[:index])
        if not isinstance(element, ItemKey) and not parent.declares(element):
            return NOT_KEPT + suggestion(closest(element, parent.field_names))
    return None


def _type_at(schema: Type, path: Path) -> Type:
    for element in path:
        schema = schema.items if isinstance(element, ItemKey) else schema.field(element)
    return schema


def _unwrapped(value: Json) -> Json:
    """Returns the value of an `AtomicValue`, and any other value unchanged."""
    return getattr(value, "value", value)
