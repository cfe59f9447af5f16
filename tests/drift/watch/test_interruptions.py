"""When a reflector resumes its watch, when it lists again, and when its objects may be outdated, with a fake server."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from drift.errors import MALFORMED, RequestError
from drift.kube.list_watch import Event, ExpiredError, Listing, ListScope
from drift.kube.resources import Resource
from drift.watch import reflector as reflectors
from drift.watch.reflector import Reflector, Timing
from drift.watch.watched_cluster import stale_reason
from tests.drift.watch.conftest import eventually

if TYPE_CHECKING:
    from drift.kube.api_server import ApiServer

VERBS = frozenset({"get", "list", "watch"})
PLACE = ListScope(Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=VERBS), "shop")
TIMING = Timing(min_backoff=0.001, max_backoff=0.001)
ACCEPTED = Event("1", None)
BOOKMARK = Event("2", None)
CUT = RequestError("the connection was lost", status=0, reason="Broken")
SILENT = RequestError("no data for 75s", status=0, reason="Timeout")
UNREADABLE = RequestError("not an event", status=0, reason=MALFORMED)
FAILED = RequestError("500", status=500, reason="InternalError")


class FakeWatch:
    """Sends events, and ends with an error."""

    def __init__(self, events: Sequence[Event], error: Exception) -> None:
        self._events = events
        self._error = error

    def __iter__(self) -> Iterator[Event]:
        yield from self._events
        raise self._error

    def stop(self) -> None:
        """Does nothing: the watch ends by itself."""


class FakeServer:
    """Interrupts every watch in the same way, and records the requests."""

    def __init__(self, events: Sequence[Event], error: Exception) -> None:
        self.asked: list[str] = []
        #: Set while lists after the first one are answered.
        self.answers = threading.Event()
        self.answers.set()
        self._watch = FakeWatch(events, error)

    def list_scope(self, place: ListScope, *, at_most: int | None = None) -> Listing:
        del place, at_most
        self.asked.append("list")
        if len(self.asked) > 1:
            self.answers.wait()
        return Listing((), "1")

    def watch(self, place: ListScope, version: str, *, seconds: int, idle_seconds: float) -> FakeWatch:
        del place, seconds, idle_seconds
        self.asked.append(f"watch from {version}")
        return self._watch


@pytest.mark.parametrize(
    ("events", "error", "shortest", "is_resumed"),
    [
        ([ACCEPTED], CUT, -1, True),
        ([ACCEPTED, BOOKMARK], CUT, 600, True),
        ([ACCEPTED, BOOKMARK], FAILED, 600, True),
        ([ACCEPTED], CUT, 600, False),
        ([], CUT, -1, False),
        ([ACCEPTED], SILENT, -1, False),
        ([ACCEPTED], UNREADABLE, -1, False),
        ([ACCEPTED], FAILED, -1, False),
    ],
    ids=[
        "cut while idle",
        "cut after a bookmark",
        "failed after a bookmark",
        "cut at once",
        "cut before the response",
        "silent",
        "unreadable",
        "failed",
    ],
)
def test_a_watch_that_worked_is_resumed_however_often_it_is_cut(
    events: Sequence[Event], error: Exception, shortest: float, is_resumed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflectors, "_TOO_SHORT", shortest)
    server = FakeServer(events, error)
    reflector = Reflector(cast("ApiServer", server), PLACE, TIMING, lambda _: None)

    reflector.start()
    eventually(lambda: len(server.asked) > 20)
    reflector.stop()

    assert ("list" not in server.asked[1:]) is is_resumed


def test_objects_may_be_outdated_while_the_list_after_an_expired_watch_hangs() -> None:
    server = FakeServer([ACCEPTED], ExpiredError())
    server.answers.clear()
    reflector = Reflector(cast("ApiServer", server), PLACE, TIMING, lambda _: None)

    reflector.start()
    eventually(lambda: server.asked.count("list") == 2)
    reason = stale_reason(reflector, replace(TIMING, stale_after=0))
    reflector.stop()
    server.answers.set()

    assert reason == "the watch has been interrupted for more than 0 s: its resourceVersion has expired"


def test_objects_may_be_outdated_while_a_poll_hangs() -> None:
    server = FakeServer([], RequestError("403", status=403, reason="Forbidden"))
    timing = replace(TIMING, poll_interval=0.01, stale_after=0.01)
    reflector = Reflector(cast("ApiServer", server), PLACE, timing, lambda _: None)

    reflector.start()
    eventually(lambda: server.asked.count("list") > 5)
    polled_at = reflector.listed_at
    server.answers.clear()
    eventually(lambda: stale_reason(reflector, timing) == "the last list is older than 0.02 s")
    server.answers.set()
    eventually(lambda: reflector.listed_at > polled_at)
    current = stale_reason(reflector, replace(timing, stale_after=600))
    reflector.stop()

    assert current is None
