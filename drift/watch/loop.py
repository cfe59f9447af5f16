"""The loop: takes in what feeds and files tell, compares, keeps the books, and shows the result.

One thread does all of it, so each message meets the state that those before it have left.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final, Protocol

from drift.errors import DriftError, ScanError
from drift.kube.api_server import ApiServer
from drift.kube.live_object import LiveObject
from drift.model import Object, ObjectKey, ObjectReport, Report
from drift.watch.comparison import Comparison, DesiredState
from drift.watch.manifest_files import GitInfoChanged, ManifestsReloaded, ManifestsUnreadable
from drift.watch.open_findings import FindingChange, OpenFindings, Transition
from drift.watch.recording import Recorder
from drift.watch.reflector import EventReceived, ListReceived, StateChanged
from drift.watch.status import WatchStatus
from drift.watch.timing import Timing
from drift.watch.watched_cluster import ObjectChange, WatchedCluster
from drift.watch.writers import writers

#: Seconds of messages that are taken in before the report is looked to.
_BATCH: Final = 0.5
#: Seconds between two looks at whether all watches are up.
_TICK: Final = 0.5
#: A scan may take this part of the time at most.
_SHARE: Final = 0.5
#: Seconds between two scans that the history counts as one more, where the manifests stay the same.
_COUNTED: Final = 3600.0
#: What of an object's metadata changes without anybody having changed the object.
_RESTLESS: Final = frozenset({"resourceVersion", "generation", "managedFields"})


class Output(Protocol):
    """Where the watching says what it sees."""

    def findings_changed(self, changes: Sequence[FindingChange]) -> None:
        """Something opened or closed."""

    def log(self, words: str, *, is_detail: bool = False) -> None:
        """Something that is to be known of the watching itself."""


class _Discovered:
    """The server has other kinds or schemas than before."""


class _Stop:
    """The end."""


_Message = (
    EventReceived
    | ListReceived
    | StateChanged
    | ManifestsReloaded
    | ManifestsUnreadable
    | GitInfoChanged
    | _Discovered
    | _Stop
)


class Watcher:
    """Keeps a report current until it is stopped.

    Args:
        server: The API server.
        desired: The manifests.
        output: Where to say what is seen.
        recorder: Where to record it; None to forget it.
        timing: How long things may take.

    Attributes:
        status: What is known at any time.
    """

    def __init__(
        self,
        server: ApiServer,
        desired: DesiredState,
        *,
        output: Output,
        recorder: Recorder | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._timing = timing or Timing()
        self.status = WatchStatus(self._timing)
        self._output = output
        self._recorder = recorder
        self._messages: SimpleQueue[_Message] = SimpleQueue()
        self._source = WatchedCluster(server, self._timing, self.enqueue)
        self._comparison = Comparison(desired, self._source)
        self._ledger = OpenFindings()
        self._items: dict[ObjectKey, ObjectReport] = {}
        self._news: list[FindingChange] = []
        self._said: set[str] = set()
        self._troubles: tuple[str, ...] = ()
        self._stopped = threading.Event()
        #: When something happened that the report does not have yet: on the monotonic clock, and by date.
        self._dirty: tuple[float, datetime] | None = None
        self._scanned = self._took = 0.0
        self._counted: float | None = None

    def enqueue(self, message: _Message) -> None:
        """Takes a message, from any thread and from signal handlers too."""
        self._messages.put(message)

    def stop(self) -> None:
        """Ends `run` soon; from any thread and from signal handlers too. What has happened until now is recorded."""
        self._stopped.set()
        self.enqueue(_Stop())

    def run(self) -> None:
        """Watches until it is stopped.

        Raises:
            DriftError: The first scan could not be made.
        """
        threading.Thread(target=self._discover, name="discovery", daemon=True).start()
        try:
            self._scan()
            while not self._stopped.is_set():
                self.status.rest()
                self._take_in(self._next(self._until_due()))
                self._look_after()
                if self._is_due():
                    self._scan()
            self._finish()
        finally:
            self._source.stop()

    # -- messages

    def _next(self, seconds: float) -> _Message | None:
        try:
            return self._messages.get(timeout=seconds) if seconds > 0 else self._messages.get_nowait()
        except Empty:
            return None

    def _take_in(self, message: _Message | None) -> None:
        self.status.work()
        began = monotonic()
        while message is not None:
            self._handle(message)
            if monotonic() - began > _BATCH:
                break
            message = self._next(0)
        self._publish_news()

    def _finish(self) -> None:
        """Takes in what came before the end, and makes the last report if it is not current."""
        self._take_in(self._next(0))
        if self._dirty is not None:
            self._scan()

    def _handle(self, message: _Message) -> None:
        match message:
            case EventReceived():
                try:
                    step = self._source.take_event(message.feed, message.event)
                    self._steps([] if step is None else [step], message.at)
                finally:
                    self._source.backlog.remove(message.event.size)
            case ListReceived():
                self._steps(self._source.take(message.feed, message.objects), message.at)
            case StateChanged():
                self._touch(datetime.now(UTC))
                if message.words is not None:
                    self._output.log(message.words, is_detail=message.is_detail)
            case ManifestsReloaded():
                self._reload(message.desired)
            case ManifestsUnreadable():
                self._break(message.why)
            case GitInfoChanged():
                self._comparison.with_info(message.info)
                self._touch(datetime.now(UTC))
            case _Discovered():
                self._comparison.forget()
                self._touch(datetime.now(UTC))
            case _Stop():
                pass

    def _steps(self, steps: Iterable[ObjectChange], at: datetime) -> None:
        for step in steps:
            if self._comparison.is_described(step):
                self._compare(step, at)
            elif step.place.name is not None or _essence(step.before) != _essence(step.after):
                # What was asked for by name is what others depend on: the revision that a syncer records.
                self._touch(at)

    def _compare(self, step: ObjectChange, at: datetime) -> None:
        """Compares one object as it was right then: what is reverted a moment later was there all the same."""
        item = self._comparison.one(step)
        if item is None or item == self._items.get(item.key):
            return
        self._items[item.key] = item
        self._news += self._ledger.take_step(item, at, writers(step.before, step.after))
        self._touch(at)

    def _reload(self, desired: DesiredState) -> None:
        before = self._comparison
        try:
            self._comparison = Comparison(desired, self._source)
            self._counted = None
            self._scan()
        except DriftError as error:
            self._comparison = before
            self._break(str(error))
            self._touch(datetime.now(UTC))
            return
        self.status.manifests_are(broken=None)
        self.status.counts = replace(self.status.counts, reloads=self.status.counts.reloads + 1)
        self._output.log("reloaded the manifests")

    def _break(self, why: str) -> None:
        self.status.manifests_are(broken=why)
        self._output.log(f"the manifests have changed and cannot be read, so those before are compared: {why}")

    # -- scans

    def _touch(self, at: datetime) -> None:
        if self._dirty is None:
            self._dirty = (monotonic(), at)

    def _due(self) -> float:
        """When the next scan is due, on the monotonic clock."""
        regular = self._scanned + self._timing.rescan_interval
        if self._dirty is None:
            return regular
        not_before = self._scanned + self._took * (1 - _SHARE) / _SHARE
        return min(regular, max(self._dirty[0] + self._timing.debounce, not_before))

    def _until_due(self) -> float:
        return min(max(self._due() - monotonic(), 0.001), _TICK)

    def _is_due(self) -> bool:
        return not self._stopped.is_set() and monotonic() >= self._due()

    def _scan(self) -> None:
        """Scans everything and shows it.

        Raises:
            ManifestError: Two manifests describe one object.
        """
        self.status.work()
        # What it finds was there when it began; events that come meanwhile are later than that.
        began, dirty, at = monotonic(), self._dirty, datetime.now(UTC)
        self._dirty = None
        try:
            report = self._comparison.whole()
        finally:
            self._scanned = monotonic()
            self._took = self._scanned - began
        at = at if dirty is None else min(at, dirty[1])
        self._items = {item.key: item for item in report.objects}
        self._news += self._ledger.take_report(report, at)
        self._publish_news()
        self._show(self._recorded(report))

    def _recorded(self, report: Report) -> Report:
        if self._recorder is None:
            return report
        is_one_more = self._counted is None or monotonic() - self._counted > _COUNTED
        if is_one_more:
            self._counted = monotonic()
        return self._recorder.record(
            report, self._comparison.settings, open_now=self._ledger.open, count_as_scan=is_one_more
        )

    def _show(self, report: Report) -> None:
        feeds = self._source.in_use()
        notes = [note for feed in feeds if (note := feed.note()) is not None]
        self.status.show(replace(report, notes=(*report.notes, *notes)), feeds)
        counts = self.status.counts
        self.status.counts = replace(counts, scans=counts.scans + 1, requests=self._source.requests_sent)

    # -- the watching itself

    def _look_after(self) -> None:
        """Scans anew and says so when something has gone out of sight, or has come back."""
        troubles = tuple(self.status.troubles())
        if troubles == self._troubles:
            return
        self._troubles = troubles
        self._touch(datetime.now(UTC))
        for trouble in troubles:
            if trouble not in self._said:
                self._output.log(f"incomplete: {trouble}")
        if self._said and not troubles:
            self._output.log("complete again")
        self._said = set(troubles)

    def _publish_news(self) -> None:
        if self._news:
            news, self._news = self._news, []
            counts = self.status.counts
            resolved = sum(one.transition is Transition.RESOLVED for one in news)
            opened = sum(one.transition is Transition.OPENED for one in news)
            self.status.counts = replace(counts, opened=counts.opened + opened, resolved=counts.resolved + resolved)
            if self._recorder is not None:
                self._recorder.follow(news)
            self._output.findings_changed(news)

    def _discover(self) -> None:
        """A thread: looks from time to time which kinds and schemas the server has."""
        while not self._stopped.wait(self._timing.discovery_interval):
            try:
                changed = self._source.discover_again()
            except ScanError:
                # The feeds are in the same trouble, and say so.
                pass
            else:
                if changed:
                    self.enqueue(_Discovered())


def _essence(live: LiveObject | None) -> Object | None:
    """What of an object that no manifest describes may matter to the report."""
    if live is None:
        return None
    body = {name: value for name, value in live.body.items() if name != "status"}
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        body["metadata"] = {name: value for name, value in metadata.items() if name not in _RESTLESS}
    return body
