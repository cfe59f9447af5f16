"""Who owns which field of a live object, and who set a field that only the live object has."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from drift.compare.normalize import value_at
from drift.gitops.managers import BEFORE_FIRST_APPLY, Role, Roles, is_gitops_applier, is_hand_tool, may_create
from drift.managed_fields import Entry, OwnerNode
from drift.model import Cause
from drift.objects import Json, Object
from drift.paths import ItemKey, Path
from drift.schema.types import ABSENT, Shape, Type

#: The note on a live-only field that the applier owns by Update, if there is no base to compare it with.
NO_BASE_NOTE: Final = "a webhook's work, or a change that Git does not have"
#: The note on a field that the applier owns and that differs from what was last synced.
AS_APPLIER_NOTE: Final = "changed in the applier's own request: a webhook's work, or an edit under its name"
#: The note on such a field if there is a base, but the GitOps controller reports the object as out of sync.
OUT_OF_SYNC_NOTE: Final = f"{NO_BASE_NOTE}: the GitOps controller reports this object as out of sync"


@dataclass(frozen=True, slots=True)
class Ownership:
    """The field managers of one live object, and what the applier last synced.

    Attributes:
        entries: The object's ``managedFields``; empty if it has none.
        roles: The role of each entry.
        tree: The field sets of all entries as one tree; None if the object has no ``managedFields``.
        is_complete: Whether ``managedFields`` tell the owners of all fields. If not, because the object has none or an
            entry cannot be read, a field that has no owner here may have one.
        other_version_entries: Indexes of entries written through another API version that own fields which this version
            lacks. A field without a recorded owner may be theirs.
        base: The normalized tree of what was last synced: the manifest at the synced revision, or else the applier's
            last-applied annotation. None if neither is known.
        last_client_side_apply: The normalized last-applied annotation of an applier that has since switched to
            server-side apply; None if it did not switch or left no annotation.
        out_of_sync: Whether the GitOps controller reports the object as out of sync.
        sent: The normalized tree of what the applier last sent to the API server; None if that is not known.
        created: When the object was created, as in ``metadata.creationTimestamp``; "" if that is not known.
    """

    entries: Sequence[Entry]
    roles: Roles
    tree: OwnerNode | None
    base: Object | None
    is_complete: bool = True
    other_version_entries: tuple[int, ...] = ()
    last_client_side_apply: Object | None = None
    out_of_sync: bool = False
    sent: Object | None = None
    created: str = ""

    def with_role(self, indexes: Iterable[int], role: Role) -> tuple[int, ...]:
        """Returns the entries among these whose manager has a role, in the given order."""
        return tuple(index for index in indexes if self.roles.of_entry[index] is role)

    def applied(self, indexes: Iterable[int]) -> tuple[int, ...]:
        """Returns the entries among these that server-side apply wrote, in the given order."""
        return tuple(index for index in indexes if self.entries[index].actor.operation == "Apply")

    def only_applier(self, indexes: Collection[int]) -> bool:
        """Whether these entries are the applier's only; false if there are none."""
        return bool(indexes) and all(self.roles.of_entry[index] is Role.APPLIER for index in indexes)

    def is_edited(self, node: OwnerNode | None, whole: OwnerNode | None = None, *, by_hand_tool: bool) -> bool:
        """Whether a user set a value, or a part of it, after the object was created.

        If no applier has written the object, only tools that cannot create one count: a user may have made it of an
        exported one, and owns all values of that.

        Args:
            node: The owners of the value; None if it has none.
            whole: The owners of the object that has the value. Who owns a whole list item has edited its key, or added
                it, and may have copied the value: the port of a Service keeps its node port when its number changes.
            by_hand_tool: Whether only tools that people use count, because unknown controllers write the field, too.
        """
        if node is None or not self.created:
            return False
        owners = node.all_owners().difference(() if whole is None else whole.owners)
        actors = [self.entries[index].actor for index in self.with_role(owners, Role.OTHER)]
        return any(
            (actor.time or "") > self.created
            and (is_hand_tool(actor) if by_hand_tool else actor.manager != BEFORE_FIRST_APPLY)
            and (self.roles.has_applier or not may_create(actor))
            for actor in actors
        )

    def written_in_other_version(self) -> tuple[int, ...]:
        """Returns the entries of users who may have written a field without owner, through another API version."""
        return self.with_role(self.other_version_entries, Role.OTHER)

    def base_has(self, path: Path) -> bool:
        """Whether a base is known and has a field. If Git lacks the field, Git dropped it after the last sync."""
        return value_at(self.base, path) is not ABSENT

    def may_be_set_on_admission(self, path: Path, desired: Json) -> bool:
        """Whether admission of the applier's own request may have set a live value that the applier owns.

        If it is known what the applier sent, it must have sent the value that Git has now. Otherwise, the applier must
        not be a command: people who run it by hand may have set the value.

        Args:
            path: The path of the value.
            desired: The value in Git; `ABSENT` if only the cluster has one.
        """
        if self.out_of_sync:
            return False
        if self.sent is None:
            return not self.roles.is_command
        return bool(value_at(self.sent, path) == desired)


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who set a live-only field.

    Attributes:
        cause: Which side changed.
        owners: Indexes of the ``managedFields`` entries that own the field.
        note: One sentence on what cannot be determined, or None.
    """

    cause: Cause
    owners: tuple[int, ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class AttributionFinder:
    """Finds who set a live-only field.

    Attributes:
        ownership: The owners of the live object.
        with_zeros: Returns the normalized manifest including the zero values that the server drops. Called on demand.
    """

    ownership: Ownership
    with_zeros: Callable[[], Object]

    def find(self, value: Json, node: OwnerNode | None, path: Path) -> Attribution | None:
        """Returns who set a live-only leaf, or None if it was set while the applier's own request was admitted.

        The order of the checks is that of the table in docs/semantics.md.

        Args:
            value: The live value.
            node: The owners of the leaf.
            path: The path of the leaf.
        """
        ownership = self.ownership
        owners = tuple(sorted(node.all_owners())) if node else ()
        applier = ownership.with_role(owners, Role.APPLIER)
        applied = ownership.applied(applier)
        others = ownership.with_role(owners, Role.OTHER)
        if ownership.base_has(path) and not (others and value_at(ownership.base, path) != value):
            return Attribution(Cause.PENDING_SYNC, applied or applier)
        if node is None:
            return Attribution(Cause.UNKNOWN, ())
        is_dropped = applier and (self.is_zero_in_git(path) or self._is_left_by_client_side_apply(path))
        for cause, deciding in (
            (Cause.PENDING_SYNC, applied or (applier if is_dropped else ())),
            (Cause.PENDING_SYNC, others if self.is_left_by_former_applier(others) else ()),
            (Cause.MANUAL, others),
            (Cause.CONTROLLER, ownership.with_role(owners, Role.CONTROLLER)),
        ):
            if deciding:
                return Attribution(cause, deciding)
        if ownership.base is None and not ownership.roles.is_server_side:
            return Attribution(Cause.UNKNOWN, applier, NO_BASE_NOTE)
        if ownership.may_be_set_on_admission(path, ABSENT):
            return None
        return Attribution(Cause.UNKNOWN, applier, OUT_OF_SYNC_NOTE if ownership.out_of_sync else AS_APPLIER_NOTE)

    def is_zero_in_git(self, path: Path) -> bool:
        """Whether Git sets this field to a zero value, which the server drops. Always False if there is a base."""
        if self.ownership.base is not None:
            return False
        # With hostNetwork, the API server replaces a hostPort of 0 by the containerPort.
        return path[-1] != "hostPort" and value_at(self.with_zeros(), path) is not ABSENT

    def is_left_by_former_applier(self, owners: Sequence[int]) -> bool:
        """Whether only former appliers own a field, for instance Helm before Flux.

        What another applier wrote after the present one is an edit by hand.
        """
        return self.precede_apply(owners) and all(
            is_gitops_applier(self.ownership.entries[index].actor) for index in owners
        )

    def precede_apply(self, owners: Iterable[int]) -> bool:
        """Whether these entries are all Updates, and older than the applier's last server-side apply."""
        ownership = self.ownership
        entries = ownership.entries
        appliers = ownership.applied(ownership.with_role(range(len(entries)), Role.APPLIER))
        applied = max((entries[index].actor.time or "" for index in appliers), default="")
        return all(
            entries[index].actor.operation == "Update" and "" < (entries[index].actor.time or "") < applied
            for index in owners
        )

    def _is_left_by_client_side_apply(self, path: Path) -> bool:
        """Whether Git dropped a field after the applier switched to server-side apply, and its Update entry keeps it.

        The applier gives up only what its Apply entry owns (kubernetes/kubernetes#99003). A field that its client-side
        apply did not record was set while its request was admitted.
        """
        if not self.ownership.roles.is_server_side:
            return False
        recorded = self.ownership.last_client_side_apply
        return recorded is None or value_at(recorded, path) is not ABSENT


def owners_below(node: OwnerNode | None, name: str, parent: Type) -> OwnerNode | None:
    """Returns the owners of a field, or None if it has none.

    A value without a schema may be atomic for the API server: an entry that owns it as a whole owns all its fields.

    Args:
        node: The owners of the object that has the field.
        name: The field.
        parent: The type of that object.
    """
    child = None if node is None else node.child(name)
    if child is None and node is not None and node.is_leaf and parent.shape is Shape.UNKNOWN:
        return node
    return child


def owner_node(tree: OwnerNode | None, path: Iterable[str | ItemKey]) -> OwnerNode | None:
    """Returns the node at a path of an owner tree, or None if the path has no owner."""
    node = tree
    for element in path:
        if node is None:
            return None
        node = node.child(element)
    return node
