"""Who owns which field of a live object, and who set a field that only the live object has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from drift.gitops.managers import Role, Roles
from drift.managed_fields import Entry, OwnerNode
from drift.model import Cause, Object
from drift.paths import ItemKey

#: The note on a live-only field that the applier owns by Update, if there is no base to compare it with.
NO_BASE_NOTE: Final = "a webhook's work, or a change that Git does not have"


@dataclass(frozen=True, slots=True)
class Ownership:
    """The field managers of one live object, and what the applier last synced.

    Attributes:
        entries: The object's ``managedFields``; empty if it has none.
        roles: The role of each entry.
        tree: The field sets of all entries as one tree; None if the object has no ``managedFields``.
        other_version_entries: Indexes of entries written through another API version that own fields which this version
            lacks. A field without a recorded owner may be theirs.
        base: The normalized tree of what was last synced: the manifest at the synced revision, or else the applier's
            last-applied annotation. None if neither is known.
        last_client_side_apply: The normalized last-applied annotation of an applier that has since switched to
            server-side apply; None if it did not switch or left no annotation.
        out_of_sync: Whether the GitOps controller reports the object as out of sync.
    """

    entries: Sequence[Entry]
    roles: Roles
    tree: OwnerNode | None
    base: Object | None
    other_version_entries: tuple[int, ...] = ()
    last_client_side_apply: Object | None = None
    out_of_sync: bool = False

    def with_role(self, indexes: Iterable[int], role: Role) -> tuple[int, ...]:
        """Returns those of the entries whose manager has a role, in the given order."""
        return tuple(index for index in indexes if self.roles.of_entry[index] is role)

    def applied(self, indexes: Iterable[int]) -> tuple[int, ...]:
        """Returns those of the entries that were written by server-side apply, in the given order."""
        return tuple(index for index in indexes if self.entries[index].actor.operation == "Apply")

    def only_applier(self, indexes: Iterable[int]) -> bool:
        """Whether all of the entries are the applier's; also true for no entries."""
        return all(self.roles.of_entry[index] is Role.APPLIER for index in indexes)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who set a live-only field.

    Attributes:
        cause: Which side changed.
        owners: Indexes of the ``managedFields`` entries that own the field.
        note: One sentence on what cannot be determined, or None.
    """

    cause: Cause
    owners: tuple[int, ...]
    note: str | None = None


def owner_node(tree: OwnerNode | None, path: Iterable[str | ItemKey]) -> OwnerNode | None:
    """Returns the node at a path of an owner tree, or None if no one owns anything there."""
    node = tree
    for element in path:
        if node is None:
            return None
        node = node.child(element)
    return node
