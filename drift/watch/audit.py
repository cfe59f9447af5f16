"""Names the users behind the findings of a watch, from the latest audit events."""

import io
import threading
from collections import deque
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from drift.audit.events import AuditEvent, ReadTally, Wanted, read_stream
from drift.audit.join import AuditJoin, AuditOptions, join_log
from drift.audit.users import Syncers
from drift.kube.resources import Resources
from drift.model import Evidence, Finding, Report

#: Events that are kept, and how many of the latest keep their bodies, for how many seconds.
_MAX_EVENTS: Final = 20_000
_MAX_BODIES: Final = 200
_BODY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class EventsArrived:
    """Audit events have arrived.

    Attributes:
        names: The names of the objects that were written.
        has_unreadable: Whether something arrived that is no audit event.
    """

    names: frozenset[str]
    has_unreadable: bool = False


class AuditWindow:
    """The latest writes to the API server, for any thread. Bodies, without values of Secrets, are kept for a minute.

    Args:
        options: The log that exists when the watch begins, and what to show of users.
    """

    def __init__(self, options: AuditOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._events: deque[AuditEvent] = deque(maxlen=_MAX_EVENTS)
        self._recent: deque[tuple[float, AuditEvent]] = deque()
        self._is_first = True
        #: By finding: as it was without users, and with them.
        self._named: dict[str, tuple[Finding, Finding]] = {}

    def add(self, data: bytes) -> EventsArrived:
        """Takes in lines of a log or the body of a request."""
        tally = ReadTally()
        events = list(read_stream(io.BytesIO(data), "", Wanted(everything=True), tally))
        with self._lock:
            now = monotonic()
            self._recent += [(now, event) for event in events if event.subresource != "status"]
            self._forget_bodies(now)
        names = frozenset(event.name for event in events if event.name is not None)
        return EventsArrived(names, has_unreadable=tally.unreadable > 0)

    def _forget_bodies(self, now: float) -> None:
        while self._recent and (len(self._recent) > _MAX_BODIES or now - self._recent[0][0] > _BODY_SECONDS):
            self._events.append(replace(self._recent.popleft()[1], request=None, response=None))

    def join(self, report: Report, resources: Resources, syncers: Syncers, *, is_whole: bool) -> Report:
        """Returns a report with the users of its findings.

        Args:
            report: The result of a scan, or of one object.
            resources: The kinds that the cluster serves.
            syncers: Tells syncs of Git from other writes.
            is_whole: Whether the report has all findings. Of others, nothing is remembered then.
        """
        if self._is_first and is_whole and self._options.paths:
            self._is_first = False
            joined = join_log(report, self._options, resources, syncers)
        else:
            join = AuditJoin(report, resources, syncers, self._options.pseudonyms)
            with self._lock:
                self._forget_bodies(monotonic())
                events = [*self._events, *(event for _, event in self._recent)]
            for event in events:
                join.add(event)
            joined = join.apply(report)
        return self._remember(report, joined, is_whole=is_whole)

    def _remember(self, report: Report, joined: Report, *, is_whole: bool) -> Report:
        """Returns the report with what was known before of findings that stayed as they were."""
        named: dict[str, tuple[Finding, Finding]] = {}
        plain = {finding.id: finding for item in report.objects for finding in item.findings}

        def best(finding: Finding) -> Finding:
            bare = plain[finding.id]
            before = self._named.get(finding.id)
            if before is not None and before[0] == bare and _rank(before[1]) <= _rank(finding):
                finding = before[1]
            if _rank(finding) < _NOT_NAMED:
                named[finding.id] = (bare, finding)
            return finding

        objects = tuple(
            replace(item, findings=tuple(map(best, item.findings))) if item.findings else item
            for item in joined.objects
        )
        self._named = named if is_whole else {**self._named, **named}
        return replace(joined, objects=objects)


_RANKS: Final = {evidence: rank for rank, evidence in enumerate(Evidence)}
_NOT_NAMED: Final = len(_RANKS)


def _rank(finding: Finding) -> int:
    """Returns 0 for the best evidence that a finding has."""
    return min((_RANKS[actor.evidence] for actor in finding.actors if actor.evidence), default=_NOT_NAMED)
