"""What a Flux Kustomization or an Argo CD Application records of its syncs, in terms that both share."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from drift.model import Json, Object, ObjectKey

#: Group, kind, namespace ("" for cluster-scoped objects) and name, as Argo CD lists them.
ResourceId = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class SyncedSource:
    """A folder of a Git repository at the commit that was synced.

    Attributes:
        commit: The full hash.
        path: The folder, relative to the top of the repository; "" for all of it.
    """

    commit: str
    path: str = ""

    def holds(self, file: str) -> bool:
        """Whether a file, relative to the top of the repository, lies in the folder."""
        return not self.path or file == self.path or file.startswith(f"{self.path}/")


#: The sources that were synced together. Empty: nothing was synced yet. None: not known.
Sources = tuple[SyncedSource, ...] | None


def _no_reason(key: ObjectKey) -> None:
    del key


@dataclass(frozen=True, slots=True)
class SyncRecord:
    """What was last synced, and what the GitOps controller says of single objects.

    Attributes:
        last: What the last complete sync synced.
        newer: What a newer, incomplete sync synced, by object.
        listed: All objects that the controller says it syncs; empty if it does not list them.
        out_of_sync: Objects that differ from Git, as the controller says.
        is_syncing: Whether the controller has begun to sync another revision and has not completed it.
        why_pending: Why an object that was never synced is not there yet, as a sentence; None if that is not known.
    """

    last: Sources
    newer: Mapping[ResourceId, Sources] = field(default_factory=dict)
    listed: frozenset[ResourceId] = frozenset()
    out_of_sync: frozenset[ResourceId] = frozenset()
    is_syncing: bool = False
    why_pending: Callable[[ObjectKey], str | None] = _no_reason

    def sources(self, key: ObjectKey) -> Sources:
        """What was last synced of one object."""
        return next((self.newer[name] for name in resource_ids(key) if name in self.newer), self.last)

    def lists(self, key: ObjectKey) -> bool:
        """Whether the controller says that it syncs an object."""
        return any(name in self.listed for name in resource_ids(key))

    def contradicts(self, key: ObjectKey) -> bool:
        """Whether the controller says that an object is not as Git wants it."""
        return self.is_syncing or any(name in self.out_of_sync for name in resource_ids(key))

    def commits(self) -> frozenset[str]:
        """Every commit of which something was synced."""
        return frozenset(source.commit for sources in (self.last, *self.newer.values()) for source in sources or ())


def resource_ids(key: ObjectKey) -> tuple[ResourceId, ...]:
    """The ways in which an object may be listed: a namespaced one may be listed without its namespace."""
    return (key.group, key.kind, key.namespace or "", key.name), (key.group, key.kind, "", key.name)


def at(value: Json, *path: str) -> Json:
    """A field of an object whose shape is not known; None if it is not there."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text(value: Json, *path: str) -> str:
    """A string field of such an object; "" if it is not there, or not a string."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def items(value: Json, *path: str) -> Iterator[Object]:
    """The objects in a list of such an object."""
    found = at(value, *path)
    yield from (item for item in found if isinstance(item, dict)) if isinstance(found, list) else ()
