"""Lists and watches one kind, lists it again if the watch expires, and reports its state. Also has all timeouts.

A thread reads from the API server and sends messages to the one thread that compares. It sends only GET requests.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from time import monotonic
from typing import Final

from drift.errors import ConnectError, RequestError, ScanError, TooManyObjectsError
from drift.kube.api_server import ApiServer
from drift.kube.http_get import FailureReason
from drift.kube.list_watch import Event, ExpiredError, ListScope, Watch
from drift.kube.live import LiveObject

#: After this many failures in a row, the resourceVersion itself may be the cause, so everything is listed again.
_FAILURES_BEFORE_RELIST: Final = 3
#: Seconds. A watch that ends sooner without an event counts as a failure and is restarted after a backoff.
_TOO_SHORT: Final = 1.0
#: `RequestError.reason` if the connection was lost.
_CONNECTION_LOST: Final = FailureReason.BROKEN.name.title()
#: Bytes of events that wait, as the server sent them. Parsed, they take several times as much memory.
_MAX_BACKLOG: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Timing:
    """Timeouts and intervals in seconds.

    Attributes:
        watch_timeout: The least ``timeoutSeconds`` of a watch request, after which the watch is restarted. The most is
            twice as long.
        idle_timeout: A watch without a byte for this long counts as broken. Servers send a bookmark each minute.
        stale_after: How long a watch may be interrupted before its objects become unchecked.
        poll_interval: Between two lists of a kind that can be listed but not watched.
        refused_retry: Before a refused request is sent again.
        first_list_timeout: How long a scan waits for the first lists of kinds that are new to it.
        min_backoff: Before the first retry. The backoff doubles with each further one.
        max_backoff: The longest backoff.
        debounce: Between a change and the scan that includes it, so that many changes cost one scan.
        rescan_interval: The longest time between two scans, even without a change.
        discovery_interval: Between two discoveries of the served kinds and schemas.
        files_interval: Between two checks of the manifest files.
        stuck_after: How long one step of the comparison may take before it counts as stuck.
        unused_after: A kind that no scan has asked for in this time is no longer watched.
    """

    watch_timeout: int = 300
    idle_timeout: float = 75
    stale_after: float = 30
    poll_interval: float = 10
    refused_retry: float = 60
    first_list_timeout: float = 20
    min_backoff: float = 0.25
    max_backoff: float = 10
    debounce: float = 0.15
    rescan_interval: float = 60
    discovery_interval: float = 30
    files_interval: float = 0.5
    stuck_after: float = 60
    unused_after: float = 600


def backoff(waits: int, timing: Timing) -> float:
    """Returns the seconds to wait after this many waits: from the upper half of a range that doubles each time."""
    # The exponent is bounded because 2.0 ** 1024 overflows.
    longest = min(timing.max_backoff, timing.min_backoff * 2.0 ** min(waits, 32))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - not for cryptography


class ReflectorState(Enum):
    """The state of a reflector."""

    STARTING = auto()
    #: The watch is up, so the known objects are current.
    LIVE = auto()
    #: The objects are listed at intervals, because this account may not watch them.
    POLLING = auto()
    #: The watch is interrupted, so the known objects may be outdated.
    LOST = auto()
    #: This account may not list the objects, or there are too many.
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class ReflectorCondition:
    """The state of a reflector, since when, and why.

    Attributes:
        state: The state.
        since: Seconds on the monotonic clock. For `ReflectorState.LOST`: when the watch was first interrupted.
        error: What is wrong; None if nothing is.
    """

    state: ReflectorState
    since: float
    error: ScanError | None = None


@dataclass(frozen=True, slots=True)
class ListReceived:
    """A reflector has listed all objects again. ``at`` is when the list arrived."""

    reflector: "Reflector"
    objects: tuple[LiveObject, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class EventReceived:
    """An object was created, changed or deleted. ``at`` is when the event arrived."""

    reflector: "Reflector"
    event: Event
    at: datetime


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A reflector has changed its state.

    Attributes:
        reflector: The reflector.
        log_message: A sentence for the log; None if there is nothing to log.
        is_detail: Whether only a verbose log contains it.
    """

    reflector: "Reflector"
    log_message: str | None = None
    is_detail: bool = True


ReflectorMessage = ListReceived | EventReceived | StateChanged


class Backlog:
    """Counts the events between the reflectors and the comparison, and blocks the reflectors while there are too many.

    So a burst of edits does not fill the memory. While a reflector does not read, the API server buffers the rest or
    ends the watch; the reflector then resumes from its last resourceVersion. A single event may be larger than
    ``max_bytes``.
    """

    def __init__(self, max_bytes: int = _MAX_BACKLOG) -> None:
        self._max_bytes = max_bytes
        self._used = 0
        self._changed = threading.Condition()

    def add(self, size: int, stopped: threading.Event) -> None:
        """Blocks until there is room for an event or the reflector is stopped, then counts the event.

        Call `wake` after setting ``stopped``.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: not self._used or self._used + size <= self._max_bytes or stopped.is_set(),
            )
            self._used += size

    def remove(self, size: int) -> None:
        """Takes out an event that was compared."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()

    def wake(self) -> None:
        """Lets blocked reflectors notice that they are stopped."""
        with self._changed:
            self._changed.notify_all()


class Reflector:
    """Lists and watches a place until it is stopped.

    Args:
        server: The API server.
        place: What to watch.
        timing: Timeouts and intervals.
        emit: Takes the messages. Called from the reflector's thread.
        at_most: The largest number of objects to accept in the first list; None for any number.
        backlog: Blocks the reflector while too many events wait. The consumer of an `EventReceived` removes its size.

    Attributes:
        place: What it watches.
        condition: Its state.
        restarts: Watches restarted.
        relists: Lists repeated because the watch expired.
        events: Objects created, changed or deleted.
        last_event: Unix time of the last event; None before the first.
        last_contact: Unix time of the last list, event or bookmark; None before the first list.
        listed_at: When the last list arrived, or the reflector was made, on the monotonic clock.
        first: The objects of the first list; None before it arrives. The comparing thread takes it from here.
    """

    def __init__(
        self,
        server: ApiServer,
        place: ListScope,
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
        self.last_contact: float | None = None
        self.listed_at = monotonic()
        self.first: tuple[LiveObject, ...] | None = None
        self._server = server
        self._timing = timing
        self._emit = emit
        self._failures = 0
        #: Waits since the last success.
        self._waits = 0
        self._stopped = threading.Event()
        self._settled = threading.Event()
        self._resource_version: str | None = None
        self._uses_get = False
        self._watch: Watch | None = None
        self._at_most = at_most
        self._backlog = backlog or Backlog()
        self._polling_reason = ""
        # A daemon thread: it may hang in a read, which must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"reflector {place}", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread soon. It sends no more messages."""
        self._stopped.set()
        self._backlog.wake()
        watch = self._watch
        if watch is not None:
            watch.stop()

    def wait(self, seconds: float) -> bool:
        """Waits until the first list has arrived or failed.

        Returns:
            Whether it has.
        """
        return self._settled.wait(seconds)

    def note(self) -> str | None:
        """Returns a note for the report if the objects are polled, else None."""
        if self.condition.state is not ReflectorState.POLLING:
            return None
        return f"{self.place}: {self._polling_reason}, so they are listed every {self._timing.poll_interval:g} s"

    def take_first(self) -> tuple[LiveObject, ...] | None:
        """Returns the objects of the first list once, and nothing after that. None before the list arrives."""
        first = self.first
        if first:
            self.first = ()
        return first

    # -- the thread

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                if self._resource_version is None:
                    self._list()
                self._follow()
            except ExpiredError:
                self.relists += 1
                if self._resource_version is None:
                    self._fail(ScanError("it changes faster than it can be listed"))
                else:
                    # What changed since is unknown until the list arrives, which may take long.
                    self._set_state(ReflectorState.LOST, ScanError("its resourceVersion has expired"))
                self._resource_version = None
                self._back_off()
            except RequestError as error:
                self._handle_request_error(error)
            except ConnectError as error:
                self._fail(error)
                self._back_off()
            except Exception as error:  # noqa: BLE001
                # An aggregated API may send anything. If the thread ended here, its kind would no longer be watched.
                self._resource_version = None
                self._fail(ScanError(f"the response cannot be used ({type(error).__name__})"))
                self._back_off()

    def _list(self) -> None:
        if self._uses_get:
            objects, version = self._get(), ""
        else:
            listing = self._server.list_scope(self.place, at_most=self._at_most if self.first is None else None)
            objects, version = listing.objects, listing.resource_version
        self.last_contact, self.listed_at = datetime.now(UTC).timestamp(), monotonic()
        if self.first is None:
            self.first = objects
            self._set_state(ReflectorState.LIVE)
            self._settled.set()
        else:
            self._send(ListReceived(self, objects, datetime.now(UTC)))
        # A list of an aggregated API may lack a resourceVersion. A watch would then start at an arbitrary version.
        self._resource_version = version or None

    def _get(self) -> tuple[LiveObject, ...]:
        live = self._server.get(self.place.resource, self.place.namespace, self.place.name or "")
        return () if live is None else (live,)

    def _follow(self) -> None:
        """Watches until the watch ends, or polls if watching is not possible."""
        if self._resource_version is None or "watch" not in self.place.resource.verbs:
            self._poll("this account may only get them" if self._uses_get else "they cannot be watched here")
            return
        began, is_accepted, has_event = monotonic(), False, False
        watch = self._watch = self._server.watch(
            self.place,
            self._resource_version,
            # Watches that began together would otherwise end together, each time.
            seconds=round(self._timing.watch_timeout * random.uniform(1, 2)),  # noqa: S311 - not for cryptography
            idle_seconds=self._timing.idle_timeout,
        )
        try:
            for number, event in enumerate(watch):
                if self._stopped.is_set():
                    return
                is_accepted, has_event = True, number > 0
                self._take(event)
        except RequestError as error:
            if error.is_refused:
                self._poll("this account may not watch them")
                return
            # A load balancer cuts idle connections. The next watch misses nothing if it resumes, and a list would miss
            # what changes back meanwhile. Silence until the timeout is no success: a proxy may hold events back.
            is_cut = is_accepted and error.reason == _CONNECTION_LOST and monotonic() - began > _TOO_SHORT
            if has_event or is_cut:
                self._succeed()
            raise
        if has_event or monotonic() - began > _TOO_SHORT:
            self._succeed()
        else:
            self._back_off()
        self.restarts += 1

    def _take(self, event: Event) -> None:
        self._set_state(ReflectorState.LIVE)
        self._resource_version = event.resource_version
        now = datetime.now(UTC)
        self.last_contact = now.timestamp()
        if event.live is not None:
            self.events += 1
            self.last_event = now.timestamp()
            self._backlog.add(event.size, self._stopped)
            # Emitted even if stopped meanwhile: the consumer removes the event from the backlog.
            self._emit(EventReceived(self, event, now))
            self._succeed()

    def _poll(self, reason: str) -> None:
        """Lists at intervals until it is time to try a watch again."""
        self._polling_reason = reason
        self._set_state(ReflectorState.POLLING)
        self._succeed()
        until = monotonic() + self._timing.refused_retry
        while monotonic() < until or self._resource_version is None:
            self._pause(self._timing.poll_interval)
            if self._stopped.is_set():
                return
            self._resource_version = None
            self._list()

    def _handle_request_error(self, error: RequestError) -> None:
        """Decides what to do after an error of the API server, and waits."""
        if error.is_refused and self.place.name is not None and not self._uses_get:
            # An account may have the permission to get but not to list.
            self._uses_get = True
        elif error.is_refused or isinstance(error, TooManyObjectsError):
            self._resource_version = None
            self._set_state(ReflectorState.REFUSED, error)
            self._settled.set()
            self._pause(self._timing.refused_retry)
        else:
            self._fail(error)
            self._back_off()

    def _succeed(self) -> None:
        self._failures = self._waits = 0

    def _fail(self, error: ScanError) -> None:
        self._failures += 1
        if self._failures >= _FAILURES_BEFORE_RELIST:
            self._resource_version = None
        self.restarts += self.condition.state in {ReflectorState.LIVE, ReflectorState.POLLING}
        self._set_state(ReflectorState.LOST, error)
        self._settled.set()

    def _set_state(self, state: ReflectorState, error: ScanError | None = None) -> None:
        before = self.condition
        since = before.since if state is before.state else monotonic()
        self.condition = ReflectorCondition(state, since, error)
        if state is not before.state:
            message = self._log_message(before.state)
            self._send(StateChanged(self, message, is_detail=state is not ReflectorState.POLLING))

    def _log_message(self, before: ReflectorState) -> str | None:
        match self.condition.state:
            case ReflectorState.LOST:
                return f"{self.place}: the watch is interrupted: {self.condition.error}"
            case ReflectorState.POLLING:
                return self.note()
            case ReflectorState.REFUSED:
                return f"{self.place}: cannot be watched: {self.condition.error}"
            case _:
                return None if before is ReflectorState.STARTING else f"{self.place}: watched again"

    def _send(self, message: ReflectorMessage) -> None:
        if not self._stopped.is_set():
            self._emit(message)

    def _back_off(self) -> None:
        self._pause(backoff(self._waits, self._timing))
        self._waits += 1

    def _pause(self, seconds: float) -> None:
        self._stopped.wait(seconds)
