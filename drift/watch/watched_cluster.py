"""A live source that watches keep current: reads start a watch, and later reads are answered from memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, Self

from drift.errors import RequestError
from drift.kube.api_server import ApiServer
from drift.kube.list_watch import Event, ListScope
from drift.kube.live import LiveObject
from drift.kube.resources import Resource, Resources
from drift.model import ClusterInfo
from drift.objects import ObjectKey
from drift.watch.reflector import Backlog, Reflector, ReflectorMessage, ReflectorState, Timing

#: Seconds to wait for a first list even if the scan's time for first lists is used up.
_MIN_LIST_TIMEOUT: Final = 0.5

_NamespacedName = tuple[str | None, str]
_Objects = dict[str | None, dict[str, LiveObject]]


@dataclass(slots=True)
class _Store:
    """A reflector and its objects by namespace and name. Only the comparing thread uses it.

    Attributes:
        reflector: The reflector.
        namespaces: The namespaces of the objects that are kept; None for all.
        objects: None before the first list.
        used_at: When a scan last used it, on the monotonic clock.
        scan: The number of the scan that last used it.
    """

    reflector: Reflector
    namespaces: frozenset[str] | None
    objects: _Objects | None = None
    used_at: float = field(default_factory=monotonic)
    scan: int = 0

    def keeps(self, live: LiveObject) -> bool:
        return self.namespaces is None or live.namespace in self.namespaces

    def take_first_list(self) -> None:
        first = self.reflector.take_first() if self.objects is None else None
        if first is not None:
            self.fill(first)

    def fill(self, objects: Iterable[LiveObject]) -> None:
        self.objects = {}
        for live in objects:
            if self.keeps(live):
                self.objects.setdefault(live.namespace, {})[live.name] = live

    def by_name(self) -> dict[_NamespacedName, LiveObject]:
        objects = self.objects or {}
        return {(namespace, name): live for namespace, named in objects.items() for name, live in named.items()}


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """An object before and after it was created, changed or deleted. None means that it did not exist."""

    place: ListScope
    namespace: str | None
    name: str
    before: LiveObject | None
    after: LiveObject | None

    @property
    def key(self) -> ObjectKey:
        """The key of the object."""
        return self.place.resource.key(self.namespace, self.name)


class WatchedCluster:
    """An API server that is read from memory, kept current by watches. It implements `LiveSource`.

    Only `discover_again` may be called from any thread; everything else belongs to the comparing thread. `take_list`
    and `take_event` apply what the reflectors received. ``emit`` is called from the threads of the reflectors.

    Attributes:
        backlog: The events that were emitted but not taken yet.
    """

    def __init__(self, server: ApiServer, timing: Timing, emit: Callable[[ReflectorMessage], None]) -> None:
        self.backlog = Backlog()
        self._server = server
        self._timing = timing
        self._emit = emit
        self._stores: dict[ListScope, _Store] = {}
        self._schemas: dict[str, Mapping[str, Any] | None] = {}
        #: The schemas that could not be read, with when and why.
        self._unread_schemas: dict[str, tuple[float, RequestError]] = {}
        self._namespaces: frozenset[str] | None = frozenset()
        self._scan = 0
        self._list_deadline = 0.0
        self._change: ObjectChange | None = None

    # -- LiveSource

    @property
    def info(self) -> ClusterInfo:
        """The cluster."""
        return self._server.info

    @property
    def resources(self) -> Resources:
        """The served resources."""
        return self._server.resources

    @property
    def default_namespace(self) -> str:
        """The namespace of objects that name none."""
        return self._server.default_namespace

    @property
    def request_count(self) -> None:
        """None: watches send requests continuously, not for one scan."""
        return

    def schema(self, resource: Resource) -> Mapping[str, Any] | None:
        """Returns the OpenAPI v3 document of a resource, from a cache until discovery changes.

        Raises:
            RequestError: It could not be read. It is not requested again for a while.
        """
        root = resource.root
        # Discovery may replace the cache meanwhile.
        schemas, unread = self._schemas, self._unread_schemas
        if root not in schemas:
            failed_at, error = unread.get(root, (0.0, None))
            if error is not None and monotonic() - failed_at < self._timing.discovery_interval:
                raise error.with_traceback(None)
            try:
                schemas[root] = self._server.schema(resource)
            except RequestError as failure:
                unread[root] = (monotonic(), failure)
                raise
        return schemas[root]

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None:
        """Returns one object, or None if it does not exist.

        Raises:
            RequestError: The account may not read it, or its watch has been interrupted for too long.
        """
        change = self._change
        if change is not None and (resource, namespace, name) == (change.place.resource, change.namespace, change.name):
            return change.after
        store = self._store_for_object(resource, namespace, name)
        return self._objects(store).get(namespace, {}).get(name)

    def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False, at_most: int | None = None
    ) -> Iterator[LiveObject]:
        """Returns the objects of a kind as they are now, whatever events change while the caller iterates.

        Raises:
            TooManyObjectsError: The first list had more than ``at_most`` objects.
            RequestError: The account may not read them, or their watch has been interrupted for too long.
        """
        objects = self._objects(self._store_for_kind(resource, namespace, metadata_only=metadata_only, at_most=at_most))
        chosen = objects.values() if namespace is None else [objects.get(namespace, {})]
        return iter([live for named in chosen for live in named.values()])

    # -- for the watch

    @property
    def requests_sent(self) -> int:
        """Requests sent so far by all threads."""
        return self._server.request_count

    def right_after(self, change: ObjectChange) -> Self:
        """Returns the same cluster, except that `get` returns one object as it was right after a change."""
        cluster = copy(self)
        cluster._change = change  # noqa: SLF001 - of the copy
        return cluster

    def begin_scan(self, namespaces: Iterable[str] | None) -> None:
        """Starts a scan that reads objects in these namespaces; None for all."""
        chosen = None if namespaces is None else frozenset(namespaces)
        if chosen != self._namespaces:
            self._namespaces = chosen
            # These stores kept only the objects of the previous namespaces.
            self._drop(store for store in self._stores.values() if store.namespaces not in {None, chosen})
        self._scan += 1
        # One deadline for all kinds: a server that does not answer holds the scan up once, not once for each kind.
        self._list_deadline = monotonic() + self._timing.first_list_timeout

    def end_scan(self) -> None:
        """Ends a scan, and the watches that no scan has used for a long time."""
        oldest = monotonic() - self._timing.unused_after
        self._drop(store for store in self._stores.values() if store.used_at < oldest)

    def in_use(self) -> tuple[Reflector, ...]:
        """Returns the reflectors that the last scan used."""
        return tuple(store.reflector for store in self._stores.values() if store.scan == self._scan)

    def take_list(self, reflector: Reflector, objects: Iterable[LiveObject]) -> Sequence[ObjectChange]:
        """Replaces the objects of a reflector by a new list, and returns what changed."""
        store = self._store_of(reflector)
        if store is None:
            return []
        before = store.by_name()
        store.fill(objects)
        after = store.by_name()
        return [
            ObjectChange(reflector.place, *name, before.get(name), after.get(name))
            for name in {**before, **after}
            if _version(before.get(name)) != _version(after.get(name))
        ]

    def take_event(self, reflector: Reflector, event: Event) -> ObjectChange | None:
        """Applies an event, and returns the change; None if the object is not kept."""
        store = self._store_of(reflector)
        live = event.live
        if store is None or store.objects is None or live is None or not store.keeps(live):
            return None
        objects = store.objects.setdefault(live.namespace, {})
        before = objects.pop(live.name, None) if event.deleted else objects.get(live.name)
        if not event.deleted:
            objects[live.name] = live
        return ObjectChange(reflector.place, live.namespace, live.name, before, None if event.deleted else live)

    def discover_again(self) -> bool:
        """Asks the server again which kinds and schemas it serves. Call it from any thread.

        Returns:
            Whether anything changed.

        Raises:
            ScanError: Discovery failed.
        """
        changed = self._server.discover_again()
        if changed:
            self._schemas, self._unread_schemas = {}, {}
        return changed

    def stop(self) -> None:
        """Ends all watches."""
        self._drop(self._stores.values())

    # -- choosing what to watch

    def _store_for_object(self, resource: Resource, namespace: str | None, name: str) -> _Store:
        """Returns the store of the object's kind if there is one, else a store of this object alone."""
        existing = self._existing_store(resource, namespace)
        return existing if existing is not None else self._watch(ListScope(resource, namespace, name), None)

    def _store_for_kind(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool, at_most: int | None
    ) -> _Store:
        """Returns the store of a kind. With ``at_most``, it keeps only objects in the namespaces of the scan."""
        existing = None if namespace is None else self._existing_store(resource, namespace)
        if existing is not None:
            return existing
        namespaces = None if at_most is None or namespace is not None else self._namespaces
        place = self._prefer_full(ListScope(resource, namespace, None, metadata_only))
        return self._watch(place, namespaces, at_most)

    def _existing_store(self, resource: Resource, namespace: str | None) -> _Store | None:
        """Returns a store that has all objects of a kind in a namespace, or None."""
        for place, namespaces in (
            (ListScope(resource, namespace), None),
            (ListScope(resource, None), self._namespaces),
        ):
            store = self._stores.get(place)
            if store is None or store.reflector.condition.state is ReflectorState.REFUSED:
                continue
            if store.namespaces is None or (namespace in store.namespaces and store.namespaces == namespaces):
                return store
        return None

    def _prefer_full(self, place: ListScope) -> ListScope:
        """Returns the place with full objects if they are watched already: they include the metadata."""
        full = ListScope(place.resource, place.namespace, place.name)
        return full if full in self._stores else place

    def _watch(self, place: ListScope, namespaces: frozenset[str] | None, at_most: int | None = None) -> _Store:
        store = self._stores.get(place)
        if store is not None and (store.namespaces is None or store.namespaces == namespaces):
            return store
        if store is not None:
            self._drop([store])
        reflector = Reflector(self._server, place, self._timing, self._emit, at_most=at_most, backlog=self.backlog)
        store = self._stores[place] = _Store(reflector, namespaces)
        reflector.start()
        return store

    def _objects(self, store: _Store) -> _Objects:
        """Returns the objects of a store.

        Raises:
            RequestError: They were not listed, or may be outdated.
        """
        store.used_at, store.scan = monotonic(), self._scan
        reflector = store.reflector
        if store.objects is None:
            reflector.wait(max(self._list_deadline - monotonic(), _MIN_LIST_TIMEOUT))
            store.take_first_list()
        condition = reflector.condition
        if condition.state is ReflectorState.REFUSED and condition.error is not None:
            # The same exception is raised many times. Without this, it would collect a traceback each time.
            raise condition.error.with_traceback(None)
        if store.objects is None:
            raise RequestError(
                f"they could not be listed: {condition.error or 'no response yet'}", status=0, reason="NotListed"
            )
        problem = stale_reason(reflector, self._timing)
        if problem is not None:
            raise RequestError(problem, status=0, reason="WatchInterrupted")
        return store.objects

    def _store_of(self, reflector: Reflector) -> _Store | None:
        """Returns the store of a reflector, or None if it was stopped and its last messages arrive late."""
        store = self._stores.get(reflector.place)
        if store is None or store.reflector is not reflector:
            return None
        # The first list is older than any message.
        store.take_first_list()
        return store

    def _drop(self, stores: Iterable[_Store]) -> None:
        for store in list(stores):
            store.reflector.stop()
            del self._stores[store.reflector.place]


def stale_reason(reflector: Reflector, timing: Timing) -> str | None:
    """Returns why the objects of a reflector may be outdated, or None while they are current."""
    condition = reflector.condition
    if condition.state is ReflectorState.POLLING:
        longest = timing.poll_interval + timing.stale_after
        is_stale = monotonic() - reflector.listed_at >= longest
        return f"the last list is older than {longest:g} s" if is_stale else None
    if condition.state is not ReflectorState.LOST or monotonic() - condition.since < timing.stale_after:
        return None
    return f"the watch has been interrupted for more than {timing.stale_after:g} s: {condition.error}"


def _version(live: LiveObject | None) -> tuple[object, object] | None:
    if live is None:
        return None
    metadata = live.body.get("metadata") or {}
    return metadata.get("uid"), metadata.get("resourceVersion")
