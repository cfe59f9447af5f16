"""The live side as watches keep it current: what a scan asks for is followed from then on, and answered from memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from drift.errors import RequestError
from drift.kube.api_server import ApiServer
from drift.kube.live_object import LiveObject
from drift.kube.resources import Resource, Resources
from drift.kube.watch import Event, WatchScope
from drift.model import ClusterInfo
from drift.watch.backlog import Backlog
from drift.watch.reflector import Reflector, ReflectorMessage, ReflectorState
from drift.watch.timing import Timing

#: Seconds that a first list is waited for in any case.
_LEAST_PATIENCE: Final = 0.5

#: Namespace and name.
Spot = tuple[str | None, str]


@dataclass(slots=True)
class _Followed:
    """A feed and what is known from it, by namespace and name; only the comparing thread looks at it.

    Attributes:
        feed: The feed.
        namespaces: Those whose objects are kept; None for all.
        objects: None before the first list has come.
        asked: When a scan last asked for it, on the monotonic clock.
        scan: Which scan asked for it last.
    """

    feed: Reflector
    namespaces: frozenset[str] | None
    objects: dict[str | None, dict[str, LiveObject]] | None = None
    asked: float = field(default_factory=monotonic)
    scan: int = 0

    def keeps(self, live: LiveObject) -> bool:
        return self.namespaces is None or live.namespace in self.namespaces

    def catch_up(self) -> None:
        first = self.feed.take_first() if self.objects is None else None
        if first is not None:
            self.fill(first)

    def fill(self, objects: Iterable[LiveObject]) -> None:
        self.objects = {}
        for live in objects:
            if self.keeps(live):
                self.objects.setdefault(live.namespace, {})[live.name] = live


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One object before and after something happened to it; None where it is not there."""

    place: WatchScope
    namespace: str | None
    name: str
    before: LiveObject | None
    after: LiveObject | None


class WatchedCluster:
    """An API server whose answers come from memory, kept current by watches; a live side like any other.

    All but the feeds' own threads is for one thread. Of what the watches bring, it learns by `take`.

    Args:
        server: The API server.
        timing: How long things may take.
        emit: Takes the feeds' messages; called from their threads.

    Attributes:
        backlog: The events that were told and are not taken yet.
    """

    def __init__(self, server: ApiServer, timing: Timing, emit: Callable[[ReflectorMessage], None]) -> None:
        self.backlog = Backlog()
        self._server = server
        self._timing = timing
        self._emit = emit
        self._followed: dict[WatchScope, _Followed] = {}
        self._schemas: dict[str, Mapping[str, Any] | None] = {}
        self._namespaces: frozenset[str] = frozenset()
        self._scan = 0
        self._patient_until = 0.0

    # -- a live side

    @property
    def info(self) -> ClusterInfo:
        """The API server."""
        return self._server.info

    @property
    def resources(self) -> Resources:
        """What it serves."""
        return self._server.resources

    @property
    def default_namespace(self) -> str:
        """Where objects live that name no namespace."""
        return self._server.default_namespace

    @property
    def request_count(self) -> None:
        """None: requests are not sent for one scan but all the time."""
        return

    def schema(self, resource: Resource) -> Mapping[str, Any] | None:
        """The OpenAPI v3 document of a resource, kept until the server has another one."""
        if resource.root not in self._schemas:
            self._schemas[resource.root] = self._server.schema(resource)
        return self._schemas[resource.root]

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None:
        """One object; None if it does not exist.

        Raises:
            RequestError: It is out of sight, or the account may not read it.
        """
        followed = self._for_one(resource, namespace, name)
        return self._known(followed).get(namespace, {}).get(name)

    def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False, at_most: int | None = None
    ) -> Iterator[LiveObject]:
        """The objects of a kind.

        Raises:
            TooManyObjectsError: There were more than ``at_most`` when it was asked for first.
            RequestError: They are out of sight, or the account may not read them.
        """
        known = self._known(self._for_all(resource, namespace, metadata_only=metadata_only, at_most=at_most))
        chosen = known.values() if namespace is None else [known.get(namespace, {})]
        return (live for objects in chosen for live in objects.values())

    # -- what the watching does with it

    @property
    def requests_sent(self) -> int:
        """Requests sent so far, by whoever."""
        return self._server.request_count

    def begin_scan(self, namespaces: Iterable[str]) -> None:
        """A scan begins, of manifests in these namespaces."""
        chosen = frozenset(namespaces)
        if chosen != self._namespaces:
            self._namespaces = chosen
            # What they were not to keep, they do not know.
            self._drop(item for item in self._followed.values() if item.namespaces not in {None, chosen})
        self._scan += 1
        # All kinds together: a server that answers none of them does not hold a scan up for each.
        self._patient_until = monotonic() + self._timing.first_list_timeout

    def end_scan(self) -> None:
        """A scan has ended: what none has asked for in a long time is followed no more."""
        oldest = monotonic() - self._timing.unused_after
        self._drop(item for item in self._followed.values() if item.asked < oldest)

    def in_use(self) -> tuple[Reflector, ...]:
        """The feeds that the last scan asked."""
        return tuple(item.feed for item in self._followed.values() if item.scan == self._scan)

    def take(self, feed: Reflector, objects: Iterable[LiveObject]) -> Sequence[ObjectChange]:
        """Takes in a new list of a feed, and tells what is not as it was."""
        followed = self._of(feed)
        if followed is None:
            return []
        before = _by_spot(followed)
        followed.fill(objects)
        after = _by_spot(followed)
        return [
            ObjectChange(feed.place, *spot, before.get(spot), after.get(spot))
            for spot in {**before, **after}
            if _version(before.get(spot)) != _version(after.get(spot))
        ]

    def take_event(self, feed: Reflector, event: Event) -> ObjectChange | None:
        """Takes in an event of a feed; None if it concerns nothing that is kept."""
        followed = self._of(feed)
        live = event.live
        if followed is None or followed.objects is None or live is None or not followed.keeps(live):
            return None
        objects = followed.objects.setdefault(live.namespace, {})
        before = objects.pop(live.name, None) if event.deleted else objects.get(live.name)
        if not event.deleted:
            objects[live.name] = live
        return ObjectChange(feed.place, live.namespace, live.name, before, None if event.deleted else live)

    def discover_again(self) -> bool:
        """Asks anew which kinds and schemas the server has; called from any thread.

        Returns:
            Whether anything is not as it was.

        Raises:
            ScanError: It does not say.
        """
        changed = self._server.discover_again()
        if changed:
            self._schemas = {}
        return changed

    def stop(self) -> None:
        """Follows nothing any more."""
        self._drop(self._followed.values())

    # -- choosing what to follow

    def _for_one(self, resource: Resource, namespace: str | None, name: str) -> _Followed:
        """What follows one object: the feed of its kind, where there is one that is let to."""
        whole = self._for_more(resource, namespace)
        return whole if whole is not None else self._follow(WatchScope(resource, namespace, name), None)

    def _for_all(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool, at_most: int | None
    ) -> _Followed:
        """What follows a kind. With a bound, it is asked for the sake of the manifests' namespaces alone."""
        whole = None if namespace is None else self._for_more(resource, namespace)
        if whole is not None:
            return whole
        namespaces = None if at_most is None or namespace is not None else self._namespaces
        place = self._full_or_not(WatchScope(resource, namespace, None, metadata_only))
        return self._follow(place, namespaces, at_most)

    def _for_more(self, resource: Resource, namespace: str | None) -> _Followed | None:
        """What follows all of a kind in a namespace, be it together with others; None where nothing does or may."""
        for place, namespaces in (
            (WatchScope(resource, namespace), None),
            (WatchScope(resource, None), self._namespaces),
        ):
            whole = self._followed.get(place)
            if whole is None or whole.feed.condition.state is ReflectorState.REFUSED:
                continue
            if whole.namespaces is None or (namespace in whole.namespaces and whole.namespaces == namespaces):
                return whole
        return None

    def _full_or_not(self, place: WatchScope) -> WatchScope:
        """The same place with everything where that is followed already: it answers for the metadata too."""
        full = WatchScope(place.resource, place.namespace, place.name)
        return full if full in self._followed else place

    def _follow(self, place: WatchScope, namespaces: frozenset[str] | None, at_most: int | None = None) -> _Followed:
        known = self._followed.get(place)
        if known is not None and (known.namespaces is None or known.namespaces == namespaces):
            return known
        if known is not None:
            self._drop([known])
        feed = Reflector(self._server, place, self._timing, self._emit, at_most=at_most, backlog=self.backlog)
        followed = self._followed[place] = _Followed(feed, namespaces)
        feed.start()
        return followed

    def _known(self, followed: _Followed) -> dict[str | None, dict[str, LiveObject]]:
        """What a feed knows.

        Raises:
            RequestError: That is nothing, or nothing that can be relied on.
        """
        followed.asked, followed.scan = monotonic(), self._scan
        feed, timing = followed.feed, self._timing
        if followed.objects is None:
            feed.wait(max(self._patient_until - monotonic(), _LEAST_PATIENCE))
            followed.catch_up()
        condition = feed.condition
        if condition.state is ReflectorState.REFUSED and condition.error is not None:
            # The same error is raised again and again, and must not gather the traces of all those times.
            raise condition.error.with_traceback(None)
        if followed.objects is None:
            why = condition.error or "no answer yet"
            raise RequestError(f"they could not be listed: {why}", status=0, reason="NotListed")
        trouble = lost_for_long(feed, timing)
        if trouble is not None:
            raise RequestError(trouble, status=0, reason="OutOfSight")
        return followed.objects

    def _of(self, feed: Reflector) -> _Followed | None:
        """What is known from a feed; None for one that is not followed any more, whose last messages are late."""
        followed = self._followed.get(feed.place)
        if followed is None or followed.feed is not feed:
            return None
        # What was listed first came before anything else that the feed tells.
        followed.catch_up()
        return followed

    def _drop(self, followed: Iterable[_Followed]) -> None:
        for item in list(followed):
            item.feed.stop()
            del self._followed[item.feed.place]


def lost_for_long(feed: Reflector, timing: Timing) -> str | None:
    """Why nothing can be claimed any more of what a feed follows; None while it can."""
    condition = feed.condition
    if condition.state is not ReflectorState.LOST or monotonic() - condition.since < timing.stale_after:
        return None
    return f"the watch has been interrupted for more than {timing.stale_after:g} s: {condition.error}"


def _by_spot(followed: _Followed) -> dict[Spot, LiveObject]:
    known = followed.objects or {}
    return {(namespace, name): live for namespace, objects in known.items() for name, live in objects.items()}


def _version(live: LiveObject | None) -> tuple[object, object] | None:
    if live is None:
        return None
    metadata = live.body.get("metadata") or {}
    return metadata.get("uid"), metadata.get("resourceVersion")
