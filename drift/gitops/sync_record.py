"""What a Flux Kustomization or an Argo CD Application synced last, in a common form."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from drift.model import Json, Object, ObjectKey

#: Group, kind, namespace ("" for cluster-scoped objects) and name, as Argo CD lists them.
ResourceId = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class SyncedSource:
    """A folder of a Git repository at a commit.

    Attributes:
        commit: The full hash.
        path: The folder, relative to the root of the repository; "" for the whole repository.
    """

    commit: str
    path: str = ""

    def contains(self, file: str) -> bool:
        """Returns whether a file is in the folder. Its path is relative to the root of the repository."""
        return not self.path or file == self.path or file.startswith(f"{self.path}/")


#: The sources of one sync. Empty if nothing was synced yet, None if unknown.
Sources = tuple[SyncedSource, ...] | None


def _unknown_reason(key: ObjectKey) -> None:
    del key


@dataclass(frozen=True, slots=True)
class SyncRecord:
    """What was synced last, and the state of single objects, according to the GitOps controller.

    Attributes:
        last: The sources of the last complete sync.
        newer: The sources of a newer, incomplete sync, by object.
        listed: The objects that the controller syncs; empty if it does not list them.
        out_of_sync: The objects that differ from Git.
        is_syncing: Whether a sync of another revision has begun and is not complete.
        why_pending: Returns why an object was not synced yet, as a sentence, or None if that is unknown.
        keeps: The setting that tells the controller not to prune what Git has dropped, or None.
    """

    last: Sources
    newer: Mapping[ResourceId, Sources] = field(default_factory=dict)
    listed: frozenset[ResourceId] = frozenset()
    out_of_sync: frozenset[ResourceId] = frozenset()
    is_syncing: bool = False
    why_pending: Callable[[ObjectKey], str | None] = _unknown_reason
    keeps: str | None = None

    def sources(self, key: ObjectKey) -> Sources:
        """Returns the sources from which an object was last synced."""
        return next((self.newer[name] for name in resource_ids(key) if name in self.newer), self.last)

    def lists(self, key: ObjectKey) -> bool:
        """Returns whether the controller lists an object."""
        return any(name in self.listed for name in resource_ids(key))

    def contradicts(self, key: ObjectKey) -> bool:
        """Returns whether the controller says that an object differs from Git, or may differ during a sync."""
        return self.is_syncing or any(name in self.out_of_sync for name in resource_ids(key))

    def commits(self) -> frozenset[str]:
        """Returns every commit from which something was synced."""
        return frozenset(source.commit for sources in (self.last, *self.newer.values()) for source in sources or ())


def resource_ids(key: ObjectKey) -> tuple[ResourceId, ...]:
    """Returns the ids under which an object may be listed: with its namespace, and without."""
    return (key.group, key.kind, key.namespace or "", key.name), (key.group, key.kind, "", key.name)


def at(value: Json, *path: str) -> Json:
    """Returns a field of unvalidated JSON, or None if it is missing."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text(value: Json, *path: str) -> str:
    """Returns a string field of unvalidated JSON; "" if it is missing or not a string."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def items(value: Json, *path: str) -> Iterator[Object]:
    """Yields the objects in a list field of unvalidated JSON."""
    found = at(value, *path)
    yield from (item for item in found if isinstance(item, dict)) if isinstance(found, list) else ()
