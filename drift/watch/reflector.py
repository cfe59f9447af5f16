"""Follows one kind in one place: list, watch from there, list again where the watch cannot go on, and say how it goes.

A thread of its own reads; what it learns goes as messages to the one thread that compares. It sends GET requests only.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from time import monotonic
from typing import Final, Protocol

from drift.errors import ConnectError, RequestError, ScanError, TooManyObjectsError
from drift.kube.live_object import LiveObject
from drift.kube.resources import Resource
from drift.kube.watch import Event, ExpiredError, Listing, WatchScope
from drift.watch.backlog import Backlog
from drift.watch.timing import Backoff, Timing

#: The API server's answers to an account that may not, and to a resource that cannot be watched at all.
_REFUSED: Final = frozenset({403, 405})
#: After so many failures in a row the version itself may be what the server cannot go on from.
_DOUBTED: Final = 3
#: A watch that ends sooner without having said anything is no success, and not made anew at once.
_TOO_SHORT: Final = 1.0


class EventStream(Protocol):
    """Events as they come, until they end or are stopped from another thread."""

    def __iter__(self) -> Iterator[Event]: ...

    def stop(self) -> None:
        """Ends it."""


class ListerWatcher(Protocol):
    """What a feed asks of an API server."""

    def list_scope(self, place: WatchScope, *, at_most: int | None = None) -> Listing:
        """All objects of a place."""

    def watch(self, place: WatchScope, version: str, *, seconds: int, silence: float) -> EventStream:
        """What happens in a place from a version on."""

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None:
        """One object."""


class ReflectorState(Enum):
    """How a feed is doing."""

    STARTING = auto()
    #: What is known is what is there, as far as the server tells.
    LIVE = auto()
    #: ListReceived from time to time, since this account may not watch.
    POLLING = auto()
    #: Out of sight: what is known was so once.
    LOST = auto()
    #: This account may not list, or there is more than is worth following.
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class ReflectorCondition:
    """How a feed is doing, since when and why.

    Attributes:
        state: How.
        since: Seconds on the monotonic clock. For `ReflectorState.LOST`: when the watch was first interrupted.
        error: What is wrong; None where nothing is.
    """

    state: ReflectorState
    since: float
    error: ScanError | None = None


@dataclass(frozen=True, slots=True)
class ListReceived:
    """A feed has listed everything. `at` is when the list came."""

    feed: "Reflector"
    objects: tuple[LiveObject, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class EventReceived:
    """One object was made, changed or deleted. `at` is when the event came."""

    feed: "Reflector"
    event: Event
    at: datetime


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A feed is doing otherwise than before.

    Attributes:
        feed: Which.
        words: A sentence on it; None where there is nothing to say.
        is_detail: Whether it is for those who want to know everything.
    """

    feed: "Reflector"
    words: str | None = None
    is_detail: bool = True


ReflectorMessage = ListReceived | EventReceived | StateChanged


class Reflector:
    """Follows a place until it is stopped.

    Args:
        server: Who is asked.
        place: What is followed.
        timing: How long things may take.
        emit: Takes the messages; called from the feed's thread.
        at_most: How many objects the first list may hold to be worth following; None for any number.
        backlog: Blocks the reflector while too many events wait. The consumer of an `EventReceived` removes its
            size again.

    Attributes:
        place: What is followed.
        condition: How it is doing.
        restarts: Watches that were made anew.
        relists: Lists that had to be made anew since the watch could not go on.
        events: Objects that were made, changed or deleted.
        last_event: Unix time of the last of them; None before the first.
        first: What the first list held; None before it came. Whoever compares takes it from here.
    """

    def __init__(
        self,
        server: ListerWatcher,
        place: WatchScope,
        timing: Timing,
        emit: Callable[[ReflectorMessage], None],
        *,
        at_most: int | None = None,
        backlog: Backlog | None = None,
    ) -> None:
        self.place = place
        self.condition = ReflectorCondition(ReflectorState.STARTING, monotonic())
        self.restarts = 0
        self.relists = 0
        self.events = 0
        self.last_event: float | None = None
        self.first: tuple[LiveObject, ...] | None = None
        self._server = server
        self._timing = timing
        self._emit = emit
        self._backoff = Backoff(timing.min_backoff, timing.max_backoff)
        self._failures = 0
        self._stopped = threading.Event()
        self._settled = threading.Event()
        self._version: str | None = None
        self._by_get = False
        self._watch: EventStream | None = None
        self._at_most = at_most
        self._backlog = backlog or Backlog()
        self._why_polled = ""
        # It may hang in a read; it must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"feed {place}", daemon=True)

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it soon; nothing is told any more."""
        self._stopped.set()
        self._backlog.wake()
        watch = self._watch
        if watch is not None:
            watch.stop()

    def wait(self, seconds: float) -> bool:
        """Waits until the first list has come or has failed.

        Returns:
            Whether it has.
        """
        return self._settled.wait(seconds)

    def note(self) -> str | None:
        """What a reader should know of it: that it is listed from time to time. None where it is not."""
        if self.condition.state is not ReflectorState.POLLING:
            return None
        return f"{self.place}: {self._why_polled}, so they are listed every {self._timing.poll_interval:g} s"

    def take_first(self) -> tuple[LiveObject, ...] | None:
        """What the first list held, once; later calls give nothing. None while it has not come."""
        first = self.first
        if first:
            self.first = ()
        return first

    # -- the thread

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                if self._version is None:
                    self._list()
                self._follow()
            except ExpiredError:
                self.relists += 1
                if self._version is None:
                    self._lose(ScanError("it changes faster than it can be listed"))
                self._version = None
                self._pause(self._backoff.wait())
            except RequestError as error:
                self._answer(error)
            except ConnectError as error:
                self._lose(error)
                self._pause(self._backoff.wait())
            except Exception as error:  # noqa: BLE001
                # An aggregated API may answer with anything. A thread that ended here would leave its kind unseen.
                self._version = None
                self._lose(ScanError(f"an answer that cannot be used ({type(error).__name__})"))
                self._pause(self._backoff.wait())

    def _list(self) -> None:
        if self._by_get:
            objects, version = self._get(), ""
        else:
            listing = self._server.list_scope(self.place, at_most=self._at_most if self.first is None else None)
            objects, version = listing.objects, listing.resource_version
        if self.first is None:
            self.first = objects
            self._turn(ReflectorState.LIVE)
            self._settled.set()
        else:
            self._send(ListReceived(self, objects, datetime.now(UTC)))
        # Without a version (an aggregated API may give none) a watch would begin anywhere.
        self._version = version or None

    def _get(self) -> tuple[LiveObject, ...]:
        live = self._server.get(self.place.resource, self.place.namespace, self.place.name or "")
        return () if live is None else (live,)

    def _follow(self) -> None:
        """Watches until the watch ends, or lists from time to time where there is no watching."""
        if self._version is None or "watch" not in self.place.resource.verbs:
            self._poll("this account may only get them" if self._by_get else "they cannot be watched here")
            return
        began, said_something = monotonic(), False
        watch = self._watch = self._server.watch(
            self.place, self._version, seconds=self._timing.watch_timeout, silence=self._timing.idle_timeout
        )
        try:
            for number, event in enumerate(watch):
                if self._stopped.is_set():
                    return
                said_something = number > 0
                self._take(event)
        except RequestError as error:
            if error.status not in _REFUSED:
                raise
            self._poll("this account may not watch them")
            return
        if said_something or monotonic() - began > _TOO_SHORT:
            self._worked()
        else:
            self._pause(self._backoff.wait())
        self.restarts += 1

    def _take(self, event: Event) -> None:
        self._turn(ReflectorState.LIVE)
        self._version = event.resource_version
        if event.live is not None:
            now = datetime.now(UTC)
            self.events += 1
            self.last_event = now.timestamp()
            self._backlog.add(event.size, self._stopped)
            # Also when stopped meanwhile: what was counted in has to be taken, which removes it again.
            self._emit(EventReceived(self, event, now))
            self._worked()

    def _poll(self, why: str) -> None:
        """Lists until it is time to try a watch again."""
        self._why_polled = why
        self._turn(ReflectorState.POLLING)
        self._worked()
        until = monotonic() + self._timing.refused_retry
        while monotonic() < until or self._version is None:
            self._pause(self._timing.poll_interval)
            if self._stopped.is_set():
                return
            self._version = None
            self._list()

    def _answer(self, error: RequestError) -> None:
        """What an error of the server means for what comes next."""
        if error.status in _REFUSED and self.place.name is not None and not self._by_get:
            # An account may have the right to get and not the one to list.
            self._by_get = True
        elif error.status in _REFUSED or isinstance(error, TooManyObjectsError):
            self._version = None
            self._turn(ReflectorState.REFUSED, error)
            self._settled.set()
            self._pause(self._timing.refused_retry)
        else:
            self._lose(error)
            self._pause(self._backoff.wait())

    def _worked(self) -> None:
        self._failures = 0
        self._backoff.reset()

    def _lose(self, error: ScanError) -> None:
        self._failures += 1
        if self._failures >= _DOUBTED:
            self._version = None
        self.restarts += self.condition.state in {ReflectorState.LIVE, ReflectorState.POLLING}
        self._turn(ReflectorState.LOST, error)
        self._settled.set()

    def _turn(self, state: ReflectorState, error: ScanError | None = None) -> None:
        before = self.condition
        self.condition = ReflectorCondition(state, before.since if state is before.state else monotonic(), error)
        if state is not before.state:
            self._send(StateChanged(self, self._words(before.state), is_detail=state is not ReflectorState.POLLING))

    def _words(self, before: ReflectorState) -> str | None:
        match self.condition.state:
            case ReflectorState.LOST:
                return f"{self.place}: the watch is interrupted: {self.condition.error}"
            case ReflectorState.POLLING:
                return self.note()
            case ReflectorState.REFUSED:
                return f"{self.place}: not followed: {self.condition.error}"
            case _:
                return None if before is ReflectorState.STARTING else f"{self.place}: watched again"

    def _send(self, message: ReflectorMessage) -> None:
        if not self._stopped.is_set():
            self._emit(message)

    def _pause(self, seconds: float) -> None:
        self._stopped.wait(seconds)
