"""Which side moved: each difference's cause, by who owns the field now and by what was last applied."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from drift.compare.diff import Difference
from drift.compare.ownership import Claim, Ownership
from drift.compare.project import Projection
from drift.compare.show import contains_redacted
from drift.gitops.managers import Role
from drift.model import Actor, Cause, Change, Decision, Json
from drift.paths import ItemKey, Path, render
from drift.schema.types import ABSENT, Type

if TYPE_CHECKING:
    from drift.managed_fields import OwnerNode


@dataclass(frozen=True, slots=True)
class ClassifiedDifference:
    """A difference with its cause.

    Attributes:
        difference: What differs.
        cause: Which side moved.
        actors: Who did it, latest first; empty where the cluster kept no record.
        note: One sentence on what cannot be told, or None.
    """

    difference: Difference
    cause: Cause
    actors: tuple[Actor, ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Classified:
    """The differences of one object with their causes.

    Attributes:
        judged: Those that count.
        decisions: Those that do not, and why.
    """

    judged: tuple[ClassifiedDifference, ...]
    decisions: tuple[Decision, ...]


#: Why a field of Git can be absent although no one removed it.
NOT_KEPT: Final = (
    "this server does not keep this field: a typo, a disabled feature gate, or a field of another Kubernetes version"
)
#: Why a live value can differ from Git and from the last sync although only the applier owns it.
UNDER_APPLIERS_NAME: Final = "changed in the applier's own request: a webhook's work, or an edit under its name"
NEVER_CHANGED: Final = (
    "spec has not changed since the object was created, so no edit removed it: Git added it later, or this server does "
    "not keep it"
)


def classify(
    differences: Sequence[Difference],
    projection: Projection,
    ownership: Ownership,
    schema: Type,
    generation: Json = None,
) -> Classified:
    """Gives every difference its cause; one that several causes share is split into its parts.

    Args:
        differences: Of the two projected trees.
        projection: Those trees.
        ownership: Who owns what in the live object.
        schema: The kind's type.
        generation: ``metadata.generation`` of the live object; None where it has none.
    """
    judge = _Judge(ownership, projection, schema, generation)
    judged: list[ClassifiedDifference] = []
    decisions: list[Decision] = []
    for difference in differences:
        if judge.is_the_appliers_own_work(difference):
            why = "changed while the syncer's own request was admitted: a webhook's work"
            decisions.append(Decision(render(difference.path), why))
        else:
            judged += judge.judge(difference)
    judged += [judge.reordered(path) for path in projection.reordered]
    return Classified(tuple(judged), tuple(decisions))


class _Judge:
    def __init__(self, ownership: Ownership, projection: Projection, schema: Type, generation: Json) -> None:
        self._ownership = ownership
        self._projection = projection
        self._schema = schema
        self._is_first_generation = generation == 1

    def is_the_appliers_own_work(self, difference: Difference) -> bool:
        """Whether the cluster took what Git has and made something else of it in the very same request.

        Then the applier is the only owner, and what it last sent is what Git still has.
        """
        if self._ownership.out_of_sync or difference.change is not Change.CHANGED:
            return False
        if difference.path != difference.live_path:
            return False
        owners = self._owners(difference.live_path)
        return (
            bool(owners)
            and all(self._ownership.roles.of_entry[index] is Role.APPLIER for index in owners)
            and self._applied(difference.path) == _bare(difference.desired)
        )

    def judge(self, difference: Difference) -> Iterator[ClassifiedDifference]:
        if difference.change is Change.ADDED:
            yield from self._added(difference)
        elif difference.change is Change.REMOVED:
            yield self._removed(difference)
        else:
            yield self._changed(difference)

    def reordered(self, path: Path) -> ClassifiedDifference:
        # The order of a keyed list is nobody's field: only what was last synced can tell who changed it.
        difference = Difference(path, path, Change.REORDERED, ABSENT, ABSENT)
        applied = self._applied(path)
        if not isinstance(applied, dict):
            return ClassifiedDifference(difference, Cause.UNKNOWN, ())
        desired, live = self._projection.reordered[path]
        git_moved, live_moved = _in_other_order(applied, desired), _in_other_order(applied, live)
        if git_moved == live_moved:
            return ClassifiedDifference(difference, Cause.UNKNOWN, ())
        return ClassifiedDifference(difference, Cause.PENDING_SYNC if git_moved else Cause.MANUAL, ())

    def _added(self, difference: Difference) -> Iterator[ClassifiedDifference]:
        claims = list(self._claims_below(difference.live_path, difference.live))
        causes = {claim.cause for claim in claims}
        notes = {claim.note for claim in claims}
        # Of what must not be shown, its names are all that can be said.
        is_split = len(causes) > 1 or contains_redacted(difference.live)
        if is_split and isinstance(difference.live, dict):
            for element, part in difference.live.items():
                path = (*difference.live_path, element)
                if any(True for _ in self._claims_below(path, part)):
                    yield from self._added(replace(difference, path=path, live_path=path, live=part))
            return
        owners = sorted({index for claim in claims for index in claim.owners})
        cause = causes.pop() if causes else Cause.UNKNOWN
        if cause in {Cause.UNKNOWN, Cause.MANUAL} and self._applied(difference.path) == _bare(difference.live):
            cause = Cause.PENDING_SYNC
        note = notes.pop() if len(notes) == 1 and cause is Cause.UNKNOWN else None
        yield ClassifiedDifference(difference, cause, self._actors(owners), note)

    def _claims_below(self, path: Path, live: Json) -> Iterator[Claim]:
        """The claims at a path and below it, found by walking the live part: an object can have 20,000 claims."""
        claim = self._projection.claims.get(path)
        if claim is not None:
            yield claim
        if isinstance(live, dict):
            for element, below in live.items():
                yield from self._claims_below((*path, element), below)

    def _changed(self, difference: Difference) -> ClassifiedDifference:
        owners = self._owners(difference.live_path)
        roles = {self._ownership.roles.of_entry[index] for index in owners}
        if Role.CONTROLLER in roles and Role.APPLIER not in roles and Role.OTHER not in roles:
            return ClassifiedDifference(difference, Cause.CONTROLLER, self._actors(owners))
        applied = self._applied(difference.path)
        if applied is not ABSENT:
            # What was last synced is the sharper base: whichever side differs from it has moved.
            git_moved = applied != _bare(difference.desired)
            live_moved = applied != _bare(difference.live)
            if live_moved and not git_moved and roles == {Role.APPLIER}:
                return ClassifiedDifference(difference, Cause.UNKNOWN, self._actors(owners), UNDER_APPLIERS_NAME)
            if git_moved != live_moved:
                cause = Cause.PENDING_SYNC if git_moved else Cause.MANUAL
                return ClassifiedDifference(difference, cause, self._actors(owners))
        if Role.APPLIER in roles:
            return ClassifiedDifference(difference, Cause.PENDING_SYNC, self._actors(owners, Role.APPLIER))
        if Role.OTHER in roles:
            return ClassifiedDifference(difference, Cause.MANUAL, self._actors(owners, Role.OTHER))
        return ClassifiedDifference(difference, Cause.UNKNOWN, self._actors(owners))

    def _removed(self, difference: Difference) -> ClassifiedDifference:
        path = difference.path
        base_has_it = None if self._ownership.base is None else self._applied(path) is not ABSENT
        if not _is_declared(self._schema, path) or self._is_applied_in_vain(path):
            return ClassifiedDifference(difference, Cause.UNKNOWN, (), NOT_KEPT)
        if self._is_first_generation and path[0] == "spec" and self._ownership.roles.has_applier:
            if base_has_it:
                return ClassifiedDifference(difference, Cause.UNKNOWN, (), NOT_KEPT)
            # Server-side apply would own it, had it been synced.
            is_newer = base_has_it is False or self._ownership.roles.is_server_side
            cause, note = (Cause.PENDING_SYNC, None) if is_newer else (Cause.UNKNOWN, NEVER_CHANGED)
            return ClassifiedDifference(difference, cause, (), note)
        later = self._wrote_after_the_applier()
        if base_has_it is not None:
            return ClassifiedDifference(
                difference,
                Cause.MANUAL if base_has_it else Cause.PENDING_SYNC,
                self._actors(later) if base_has_it else (),
            )
        # Server-side apply leaves no trace of a removed field, so the next best evidence is who wrote since.
        return ClassifiedDifference(difference, Cause.MANUAL if later else Cause.UNKNOWN, self._actors(later))

    def _is_applied_in_vain(self, path: Path) -> bool:
        """Whether the applier's Apply entry owns a field that is not live; a removal would have ended the ownership."""
        node: OwnerNode | None = self._ownership.tree
        for element in path:
            node = None if node is None else node.child(element)
        return node is not None and any(
            self._ownership.roles.of_entry[index] is Role.APPLIER
            and self._ownership.entries[index].actor.operation == "Apply"
            # Ownership of a Secret's stringData outlives its keys in data.
            and not (path[0] == "data" and "f:stringData" in self._ownership.entries[index].fields)
            for index in node.owners
        )

    def _applied(self, path: Path) -> Json:
        """What was last synced at a path; `ABSENT` where there was nothing, or nothing is known."""
        return _at(self._ownership.base, path)

    def _wrote_after_the_applier(self) -> list[int]:
        """Entries of others that are later than the applier's last, and that could have written any field.

        On an object that no applier has written these are all entries of others: they made it.
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
            # Through a subresource, such as scale, only its own few fields can be written.
            and entry.actor.subresource is None
            and (applied is None or (entry.actor.time is not None and entry.actor.time > applied))
        ]

    def _owners(self, path: Path) -> list[int]:
        """The entries that own what is at a path, or the whole that the path leads into."""
        node: OwnerNode | None = self._ownership.tree
        if node is None:
            return []
        for element in path:
            if not node.children:
                break
            node = node.child(element)
            if node is None:
                return []
        return sorted(node.all_owners())

    def _actors(self, owners: Sequence[int], role: Role | None = None) -> tuple[Actor, ...]:
        actors = {
            self._ownership.entries[index].actor
            for index in owners
            if role is None or self._ownership.roles.of_entry[index] is role
        }
        return tuple(sorted(actors, key=lambda actor: (actor.time or "", actor.manager, actor.operation), reverse=True))


def _is_declared(schema: Type, path: Path) -> bool:
    """Whether the server's schema has a field at a path, or leaves open which fields there are."""
    for element in path:
        if isinstance(element, ItemKey):
            schema = schema.items
        elif not schema.declares(element):
            return False
        else:
            schema = schema.field(element)
    return True


def _at(tree: Json, path: Sequence[str | ItemKey]) -> Json:
    """The part of a normalized tree at a path; `ABSENT` where there is none."""
    if tree is None:
        return ABSENT
    for element in path:
        if not isinstance(tree, dict) or element not in tree:
            return ABSENT
        tree = tree[element]
    return tree


def _in_other_order(items: Json, others: Json) -> bool:
    """Whether the items that two keyed lists share stand in another order."""
    return [key for key in items if key in others] != [key for key in others if key in items]


def _bare(value: Json) -> Json:
    return getattr(value, "value", value)
