"""The audited writes to the objects of a report, without their bodies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from http import HTTPStatus
from typing import Final

from drift.audit.effects import Effect, Target, effect_of
from drift.audit.events import DELETIONS, AuditedRequest, AuditEvent, parse_time
from drift.model import Actor
from drift.objects import Json, as_object

#: Writes kept of the objects of a report, and deletions kept of other objects.
MAX_WRITES: Final = 200_000
MAX_OTHER_DELETIONS: Final = 50_000
_MAX_DIGITS: Final = 19
_OF_REQUEST: Final = tuple(field.name for field in fields(AuditedRequest))


@dataclass(frozen=True, slots=True)
class Place:
    """An object as ``objectRef`` of an event names it.

    Attributes:
        group: The API group, "" for the core group.
        resource: The plural name of the kind.
        namespace: None for a cluster-scoped object.
        name: None for a whole collection, and for an object whose name the log lacks.
    """

    group: str
    resource: str
    namespace: str | None
    name: str | None

    @classmethod
    def of(cls, event: AuditEvent) -> "Place":
        """Returns the object or the collection that an event is about; the collection if the object has no name."""
        name = None if event.verb == "deletecollection" else event.name
        return cls(event.group, event.resource, event.namespace, name)

    @classmethod
    def of_namespace(cls, name: str) -> "Place":
        """Returns a namespace."""
        return cls("", "namespaces", None, name)

    @property
    def collection(self) -> "Place":
        """The collection that the object is in."""
        return Place(self.group, self.resource, self.namespace, None)


@dataclass(frozen=True, slots=True)
class Owner:
    """An item of ``metadata.ownerReferences``.

    Attributes:
        group: Its API group.
        kind: Its kind.
        name: Its name.
        uid: Its uid.
    """

    group: str
    kind: str
    name: str
    uid: str

    def __str__(self) -> str:
        """Returns ``Kind name``."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write(AuditedRequest):
    """An audited write.

    Attributes:
        resource_version: The ``resourceVersion`` that it resulted in; None if the log does not have it.
        is_creation: Whether it created the object.
        set_nothing: Whether it only removed fields, or changed nothing. False if the log does not tell.
        names: The names of the objects that ``deletecollection`` deleted; None if the log does not tell.
        effects: What it did to the place of each finding; empty if the log has no bodies.
        uid: The uid of the object; None if the log does not have it.
        owners: The owners of the object after it; None if the log does not tell.
    """

    resource_version: int | None = None
    is_creation: bool = False
    set_nothing: bool = False
    names: frozenset[str] | None = None
    effects: tuple[Effect, ...] = ()
    uid: str | None = None
    owners: tuple[Owner, ...] | None = None

    @classmethod
    def of(cls, event: AuditEvent, targets: Sequence[Target]) -> "Write":
        """Returns the write that an event records, to an object with some findings."""
        has_body = event.request is not None or event.response is not None
        metadata = as_object(as_object(event.response).get("metadata"))
        is_new = event.verb == "create" or (event.verb in {"apply", "patch"} and event.code == HTTPStatus.CREATED)
        return cls(
            **{name: getattr(event, name) for name in _OF_REQUEST},
            resource_version=_resource_version(metadata.get("resourceVersion")),
            is_creation=event.subresource is None and is_new,
            set_nothing=_set_nothing(event),
            names=_names(event),
            effects=tuple(effect_of(event, target) for target in targets) if has_body else (),
            uid=_uid(event),
            owners=_owners(event),
        )

    @property
    def is_deletion(self) -> bool:
        """Whether it deleted an object or a collection."""
        return self.verb in DELETIONS

    @property
    def second(self) -> datetime:
        """When it was received, in whole seconds as in ``managedFields``."""
        return self.received.replace(microsecond=0)

    @property
    def requester(self) -> tuple[str, str | None]:
        """The user, and who impersonated it."""
        return self.user, self.impersonated_by

    def was_by(self, actor: Actor) -> bool:
        """Whether it may be a write of a field manager in ``managedFields``."""
        if self.subresource != actor.subresource:
            return False
        # Without the parameters of the request, kubectl-edit and kubectl-set are both kubectl.
        is_prefix = not self.is_manager_given and actor.manager.startswith(f"{self.manager}-")
        return self.manager == actor.manager or is_prefix

    def is_at(self, second: datetime) -> bool:
        """Whether the API server handled it during a second, the unit of ``managedFields``."""
        return self.second <= second <= self.completed.replace(microsecond=0)


class WriteLog:
    """The writes to each object.

    Args:
        limit: The number of writes that are kept. Older ones are forgotten first, as if the log began later.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._writes: dict[Place, list[Write]] = {}
        self._count = 0
        #: The time up to which all writes are forgotten; None if none are.
        self.forgotten_until: datetime | None = None

    def add(self, place: Place, write: Write) -> None:
        """Adds a write, in any order. If there are too many, the older half is forgotten."""
        self._writes.setdefault(place, []).append(write)
        self._count += 1
        if self._count > self._limit:
            self._forget()

    def _forget(self) -> None:
        times = sorted(write.received for writes in self._writes.values() for write in writes)
        limit = self.forgotten_until = times[len(times) // 2]
        kept = {place: [one for one in writes if one.received > limit] for place, writes in self._writes.items()}
        self._writes = {place: writes for place, writes in kept.items() if writes}
        self._count = sum(map(len, self._writes.values()))

    def of(self, place: Place) -> Sequence[Write]:
        """Returns the writes to an object or a collection, in the order in which they took effect."""
        writes = sorted(self._writes.get(place, ()), key=lambda write: (write.completed, write.received))
        # Requests may overlap, and the clocks of API servers differ: the resourceVersions tell the order.
        positions = [position for position, write in enumerate(writes) if write.resource_version is not None]
        ordered = sorted((writes[position] for position in positions), key=lambda write: write.resource_version or 0)
        for position, write in zip(positions, ordered, strict=True):
            writes[position] = write
        return writes

    def deletions(self) -> Iterator[tuple[Place, Write]]:
        """Yields every deletion."""
        for place, writes in self._writes.items():
            yield from ((place, write) for write in writes if write.is_deletion)


def last_creation(writes: Sequence[Write]) -> Write | None:
    """Returns the write that created an object; None if it is not among these, which are in order."""
    return next((write for write in reversed(writes) if write.is_creation), None)


def _set_nothing(event: AuditEvent) -> bool:
    """Returns whether the response has an older time for the field manager than the request.

    The API server updates the time if a request sets a field, not if it only removes some or changes nothing.
    """
    entries = as_object(as_object(event.response).get("metadata")).get("managedFields")
    times = [
        parse_time(entry.get("time"))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
        and entry.get("manager") == event.manager
        and (entry.get("subresource") or None) == event.subresource
    ]
    first, last = event.received.replace(microsecond=0), event.completed
    return bool(times) and not any(time is None or first <= time <= last for time in times)


def _resource_version(version: Json) -> int | None:
    return int(version) if isinstance(version, str) and version.isdecimal() and len(version) <= _MAX_DIGITS else None


def _names(event: AuditEvent) -> frozenset[str] | None:
    names = as_object(event.response).get("names") if event.verb == "deletecollection" else None
    return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else None


def _uid(event: AuditEvent) -> str | None:
    """Returns the uid in a response: of the object, or in the details of the Status of a deletion."""
    response = as_object(event.response)
    uid = as_object(response.get("metadata")).get("uid") or as_object(response.get("details")).get("uid")
    return uid if isinstance(uid, str) else None


def _owners(event: AuditEvent) -> tuple[Owner, ...] | None:
    """Returns the owners in a body. A request may leave them out; a response without them means no owners."""
    if event.subresource is not None or event.verb == "deletecollection":
        return None
    response, request = as_object(event.response), as_object(event.request)
    if response.get("kind") not in {None, "Status"}:
        references = as_object(response.get("metadata")).get("ownerReferences", [])
    else:
        references = as_object(request.get("metadata")).get("ownerReferences")
    if not isinstance(references, list):
        return None
    read = [_owner(as_object(reference)) for reference in references]
    return tuple(owner for owner in read if owner is not None)


def _owner(reference: dict[str, Json]) -> Owner | None:
    texts = [reference.get(name) for name in ("apiVersion", "kind", "name", "uid")]
    version, kind, name, uid = (text if isinstance(text, str) else "" for text in texts)
    return Owner(version.rpartition("/")[0], kind, name, uid) if kind and name else None
