"""The main loop: takes messages of reflectors and manifest files, compares, and publishes the report.

One thread does all of this, so that messages are handled in order and the state needs no locks.
"""

import gc
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final, Protocol

from drift.errors import DriftError, ScanError
from drift.kube.api_server import ApiServer
from drift.kube.live import LiveObject
from drift.model import ObjectReport, Report
from drift.objects import Object, ObjectKey
from drift.watch.audit import AuditWindow, EventsArrived
from drift.watch.comparison import Comparison, DesiredState
from drift.watch.findings import FindingChange, OpenFindings, Recorder, Transition, writers
from drift.watch.manifest_files import GitInfoChanged, ManifestsReloaded, ManifestsUnreadable
from drift.watch.reflector import EventReceived, ListReceived, StateChanged, Timing
from drift.watch.responses import WatchStatus, manifest_error_note
from drift.watch.watched_cluster import ObjectChange, WatchedCluster
from drift.words import rfc3339

#: Seconds of handling messages after which the loop checks whether a scan is due.
_BATCH_SECONDS: Final = 0.5
#: Seconds between two checks of the status.
_TICK: Final = 0.5
#: The least seconds between two reports if only single objects have changed.
_PUBLISH_INTERVAL: Final = 0.1
#: Seconds between a scan that failed and the next one.
_RETRY_SECONDS: Final = 5.0
#: The largest share of the time that scans may take.
_SCAN_SHARE: Final = 0.5
#: Seconds between two scans that the history counts, if the manifests do not change.
_RECORD_INTERVAL: Final = 3600.0
#: Metadata that changes with every write, even if the content of the object stays the same.
_VOLATILE_METADATA: Final = frozenset({"resourceVersion", "generation", "managedFields"})


class Output(Protocol):
    """Where the watch writes what it finds."""

    def findings_changed(self, changes: Sequence[FindingChange]) -> None:
        """Writes what opened and closed."""

    def log(self, message: str, *, is_detail: bool = False) -> None:
        """Writes a message about the watch itself."""


class _DiscoveryChanged:
    """The server serves other kinds or schemas than before."""


class _Stop:
    """The watch is to end."""


_Message = (
    EventReceived
    | ListReceived
    | StateChanged
    | ManifestsReloaded
    | ManifestsUnreadable
    | GitInfoChanged
    | EventsArrived
    | _DiscoveryChanged
    | _Stop
)


class Watcher:
    """Keeps a report current until it is stopped.

    Attributes:
        status: The last report and its problems, for any thread.
    """

    def __init__(
        self,
        server: ApiServer,
        desired: DesiredState,
        *,
        output: Output,
        recorder: Recorder | None = None,
        timing: Timing | None = None,
        audit: AuditWindow | None = None,
    ) -> None:
        self._timing = timing or Timing()
        self.status = WatchStatus(self._timing)
        self._output = output
        self._recorder = recorder
        self._messages: SimpleQueue[_Message] = SimpleQueue()
        self._cluster = WatchedCluster(server, self._timing, self.enqueue)
        self._audit = audit
        self._comparison = Comparison(desired, self._cluster, audit)
        self._open_findings = OpenFindings()
        self._items: dict[ObjectKey, ObjectReport] = {}
        #: The last report, and the objects that events have changed since its scan began and since it was published.
        self._report: Report | None = None
        self._newer_than_scan: dict[ObjectKey, ObjectReport] = {}
        self._unpublished: dict[ObjectKey, ObjectReport] = {}
        #: Whether one of the unpublished objects says something new.
        self._has_news = False
        self._published_at = 0.0
        #: A message that was taken from the queue and waits until the scan has ended.
        self._postponed: _Message | None = None
        self._finding_changes: list[FindingChange] = []
        self._problems: tuple[str, ...] = ()
        self._stopped = threading.Event()
        #: The first request for a scan since the last one: on the monotonic clock, and by date.
        self._first_request: tuple[float, datetime] | None = None
        self._scanned_at = self._scan_seconds = 0.0
        self._has_failed = False
        self._recorded_at: float | None = None
        #: Whether the manifests and first lists are exempt from garbage collection.
        self._is_frozen = False

    def enqueue(self, message: _Message) -> None:
        """Adds a message. Call it from any thread, or from a signal handler."""
        self._messages.put(message)

    def stop(self) -> None:
        """Ends `run` soon, after recording what has happened so far. Call it from any thread, or a signal handler."""
        self._stopped.set()
        self.enqueue(_Stop())

    def run(self) -> None:
        """Watches until it is stopped.

        Raises:
            DriftError: The first scan failed.
        """
        threading.Thread(target=self._discover, name="discovery", daemon=True).start()
        try:
            self._scan()
            while not self._stopped.is_set():
                self._check_status()
                if self._is_due():
                    self._scan_again()
                else:
                    self._freeze_once()
                    self.status.set_idle()
                    self._handle_messages(self._next(self._seconds_to_wait()))
            self._finish()
        finally:
            self._cluster.stop()

    # -- messages

    def _next(self, seconds: float) -> _Message | None:
        message, self._postponed = self._postponed, None
        if message is not None:
            return message
        try:
            return self._messages.get(timeout=seconds) if seconds > 0 else self._messages.get_nowait()
        except Empty:
            return None

    def _handle_messages(self, message: _Message | None) -> None:
        self.status.set_busy()
        began = monotonic()
        while message is not None:
            self._handle(message)
            if monotonic() - began > _BATCH_SECONDS:
                break
            message = self._next(0)
        self._publish_findings()
        self._publish_objects()

    def _handle_events(self) -> None:
        """Handles the events that have arrived, up to the first other message, which may need another scan."""
        if self._report is None:
            # What the first scan finds may be of any age.
            return
        while isinstance(message := self._next(0), EventReceived):
            self._handle(message)
        self._postponed = message
        self._publish_findings()
        self._publish_objects()

    def _finish(self) -> None:
        """Handles the messages that arrived before the end, and scans again if anything changed."""
        self._handle_messages(self._next(0))
        if self._first_request is not None:
            self._scan_again()
        if self._recorder is not None:
            # What could not be written before.
            self._recorder.record_changes(())

    def _handle(self, message: _Message) -> None:
        match message:
            case EventReceived():
                try:
                    change = self._cluster.take_event(message.reflector, message.event)
                    self._handle_object_changes([] if change is None else [change], message.at)
                finally:
                    self._cluster.backlog.remove(message.event.size)
            case ListReceived():
                self._handle_object_changes(self._cluster.take_list(message.reflector, message.objects), message.at)
            case StateChanged():
                self._request_scan()
                if message.log_message is not None:
                    self._output.log(message.log_message, is_detail=message.is_detail)
            case ManifestsReloaded():
                self._reload(message.desired)
            case ManifestsUnreadable():
                self._set_manifest_error(message.error)
            case GitInfoChanged():
                self._comparison.set_manifests_info(message.info)
                self._request_scan()
            case EventsArrived():
                self._handle_audit_events(message)
            case _DiscoveryChanged():
                self._comparison.clear_cache()
                self._request_scan()

    def _handle_audit_events(self, message: EventsArrived) -> None:
        """Scans again if the events may name the users behind a finding."""
        if any(key.name in message.names and item.findings for key, item in self._items.items()):
            self._request_scan()

    def _handle_object_changes(self, changes: Iterable[ObjectChange], at: datetime) -> None:
        for change in changes:
            if self._comparison.has_manifest(change):
                self._compare(change, at)
            elif change.place.name is not None or _content(change.before) != _content(change.after):
                # An object that was read by its name affects others: a Flux source records the synced revision.
                self._request_scan(at)

    def _compare(self, change: ObjectChange, at: datetime) -> None:
        """Compares an object as it was right after a change, so that an edit reverted a moment later is not missed."""
        try:
            item = self._comparison.compare_change(change)
        except ScanError:
            # The scan reports the problem, or finds the change.
            self._request_scan(at)
            return
        known = None if item is None else self._items.get(item.key)
        if item is None or item == known:
            return
        self._items[item.key] = self._newer_than_scan[item.key] = self._unpublished[item.key] = item
        # Controllers write the status of some objects each second. A new version alone can wait for the next report.
        if known is not None and replace(item, resource_version=known.resource_version) == known:
            return
        self._has_news = True
        self._finding_changes += self._open_findings.update_object(item, at, writers(change.before, change.after))
        self._request_scan(at)

    def _reload(self, desired: DesiredState) -> None:
        before = self._comparison
        try:
            self._comparison = Comparison(desired, self._cluster, self._audit, before.inferred)
            self._recorded_at = None
            self._is_frozen = False
            self._scan_again()
        except DriftError as error:
            self._comparison = before
            self._set_manifest_error(str(error))
            self._request_scan()
            return
        self.status.set_reloaded()
        self._output.log("reloaded the manifests")

    def _set_manifest_error(self, error: str) -> None:
        self.status.set_manifest_error(error)
        self._output.log(manifest_error_note(error))

    # -- scans

    def _request_scan(self, at: datetime | None = None) -> None:
        """Makes a scan due, for a change at a time; None for now."""
        if self._first_request is None:
            self._first_request = (monotonic(), at or datetime.now(UTC))

    def _due(self) -> float:
        """Returns when the next scan is due, on the monotonic clock."""
        if self._has_failed:
            return self._scanned_at + _RETRY_SECONDS
        regular = self._scanned_at + self._timing.rescan_interval
        if self._first_request is None:
            return regular
        earliest = self._scanned_at + self._scan_seconds * (1 - _SCAN_SHARE) / _SCAN_SHARE
        return min(regular, max(self._first_request[0] + self._timing.debounce, earliest))

    def _seconds_to_wait(self) -> float:
        """Returns how long to wait for a message: not beyond the next scan, report or check of the status."""
        now = monotonic()
        until_published = self._published_at + _PUBLISH_INTERVAL - now if self._has_news else _TICK
        return min(max(min(self._due() - now, until_published), 0.001), _TICK)

    def _is_due(self) -> bool:
        return not self._stopped.is_set() and monotonic() >= self._due()

    def _scan_again(self) -> None:
        """Scans everything. If that fails, the last report stays, but is incomplete, and another scan follows."""
        try:
            self._scan()
        except ScanError as error:
            self.status.set_scan_error(str(error))
            self._has_failed = True

    def _scan(self) -> None:
        """Scans everything and publishes the report. Takes time, so events are handled meanwhile."""
        self.status.set_busy()
        # The findings existed when the scan began. Events that arrive during the scan are later.
        began, first_request, at = monotonic(), self._first_request, datetime.now(UTC)
        self._first_request = None
        self._newer_than_scan = {}
        try:
            report = self._comparison.compare_all(self._handle_events)
        except ScanError:
            # The next scan includes the changes that requested this one.
            self._first_request = first_request or self._first_request
            raise
        finally:
            self._scanned_at = monotonic()
            self._scan_seconds = self._scanned_at - began
        self.status.set_scan_error(None)
        self._has_failed = False
        at = at if first_request is None else min(at, first_request[1])
        # The scan may have read these objects before they changed.
        self._report = report = _with_objects(report, self._newer_than_scan)
        self._items = {item.key: item for item in report.objects}
        self._finding_changes += self._open_findings.update_all(report, at)
        self._publish_findings()
        self._publish_report(report, is_scan=True)

    def _publish_objects(self) -> None:
        """Publishes the objects that events have changed. The next scan finds what else the changes affect."""
        if self._report is None or not self._has_news or monotonic() - self._published_at < _PUBLISH_INTERVAL:
            return
        now = rfc3339(datetime.now(UTC))
        self._report = replace(_with_objects(self._report, self._unpublished), generated_at=now)
        self._publish_report(self._report, is_scan=False)

    def _record(self, report: Report, *, is_scan: bool) -> Report:
        if self._recorder is None:
            return report
        count_as_scan = is_scan and (self._recorded_at is None or monotonic() - self._recorded_at > _RECORD_INTERVAL)
        if count_as_scan:
            self._recorded_at = monotonic()
        return self._recorder.record(
            report, self._comparison.settings, open_now=self._open_findings.open, count_as_scan=count_as_scan
        )

    def _publish_report(self, report: Report, *, is_scan: bool) -> None:
        report = self._record(report, is_scan=is_scan)
        reflectors = self._cluster.in_use()
        notes = [note for reflector in reflectors if (note := reflector.note()) is not None]
        report = replace(report, notes=(*report.notes, *notes))
        self.status.set_report(report, reflectors, self._cluster.requests_sent, is_scan=is_scan)
        self._unpublished, self._has_news = {}, False
        self._published_at = monotonic()

    # -- the watch itself

    def _check_status(self) -> None:
        """Logs the problems and requests a scan whenever the problems change."""
        problems, known = tuple(self.status.problems()), self._problems
        if problems == known:
            return
        self._problems = problems
        self._request_scan()
        for problem in problems:
            if problem not in known:
                self._output.log(f"incomplete: {problem}")
        if known and not problems:
            self._output.log("complete again")

    def _freeze_once(self) -> None:
        """Exempts the manifests and first lists from garbage collection, which would stop all threads each time.

        This itself takes up to seconds, so the log lines that explain the published report come first.
        """
        if not self._is_frozen:
            self._is_frozen = True
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def _publish_findings(self) -> None:
        if self._finding_changes:
            changes, self._finding_changes = self._finding_changes, []
            transitions = Counter(change.transition for change in changes)
            self.status.add_findings(opened=transitions[Transition.OPENED], resolved=transitions[Transition.RESOLVED])
            if self._recorder is not None:
                self._recorder.record_changes(changes)
            self._output.findings_changed(changes)

    def _discover(self) -> None:
        """Runs discovery at intervals, in a thread."""
        while not self._stopped.wait(self._timing.discovery_interval):
            try:
                changed = self._cluster.discover_again()
            except ScanError:
                # The reflectors have the same problem and report it.
                pass
            except Exception as error:  # noqa: BLE001
                # The server may send anything. If the thread ended here, new kinds and schemas would never be noticed.
                self.status.set_problem("discovery", f"the response cannot be used ({type(error).__name__})")
            else:
                self.status.set_problem("discovery", None)
                if changed:
                    self.enqueue(_DiscoveryChanged())


def _with_objects(report: Report, items: Mapping[ObjectKey, ObjectReport]) -> Report:
    """Returns a report with some of its objects replaced."""
    return replace(report, objects=tuple(items.get(item.key, item) for item in report.objects)) if items else report


def _content(live: LiveObject | None) -> Object | None:
    """Returns the part of an object that may affect the report, if no manifest defines the object."""
    if live is None:
        return None
    body = {name: value for name, value in live.body.items() if name != "status"}
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        body["metadata"] = {name: value for name, value in metadata.items() if name not in _VOLATILE_METADATA}
    return body
