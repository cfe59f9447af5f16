"""The shared state of the watch: the last report, and the problems that make it incomplete or outdated.

The comparing thread writes it and any thread reads it. Every shared value is immutable and replaced as a whole.
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from time import monotonic

from drift.model import Report
from drift.watch.reflector import Reflector, ReflectorState
from drift.watch.timing import Timing
from drift.watch.watched_cluster import stale_reason


@dataclass(frozen=True, slots=True)
class WatchCounts:
    """Counters since the start of the watch.

    Attributes:
        scans: Full scans.
        opened: Findings that opened.
        resolved: Findings that were resolved.
        reloads: Reloads of the manifests.
        requests: Requests sent to the API server.
    """

    scans: int = 0
    opened: int = 0
    resolved: int = 0
    reloads: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class _LastScan:
    """The last full scan.

    Attributes:
        report: Its report.
        reflectors: The reflectors that it read from.
        changed_at: RFC 3339, the time of the first scan that found the same as this one.
    """

    report: Report
    reflectors: tuple[Reflector, ...]
    changed_at: str


class WatchStatus:
    """The state of the watch."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._last_scan: _LastScan | None = None
        self._manifest_error: str | None = None
        self._busy_since: float | None = None
        self._counts = WatchCounts()

    # -- for the comparing thread

    def set_report(
        self, report: Report, reflectors: tuple[Reflector, ...], requests: int = 0, *, is_scan: bool = True
    ) -> None:
        """Publishes a report, and how many requests were sent since the start of the watch.

        With ``is_scan`` false, it is the report of the last full scan, with the objects that have changed since.
        """
        last = self._last_scan
        is_same = last is not None and _findings(last.report) == _findings(report)
        changed_at = last.changed_at if last is not None and is_same else datetime.now(UTC).isoformat()
        self._last_scan = _LastScan(report, reflectors, changed_at)
        self._counts = replace(self._counts, scans=self._counts.scans + is_scan, requests=requests)

    def set_manifest_error(self, error: str) -> None:
        """Sets why the manifests on disk cannot be compared."""
        self._manifest_error = error

    def set_reloaded(self) -> None:
        """Marks that the manifests on disk were reloaded."""
        self._manifest_error = None
        self._counts = replace(self._counts, reloads=self._counts.reloads + 1)

    def add_findings(self, *, opened: int, resolved: int) -> None:
        """Counts findings that opened and were resolved."""
        counts = self._counts
        self._counts = replace(counts, opened=counts.opened + opened, resolved=counts.resolved + resolved)

    def set_busy(self) -> None:
        """Marks the start of a step of the comparison."""
        self._busy_since = monotonic()

    def set_idle(self) -> None:
        """Marks the end of a step; the thread waits for the next message."""
        self._busy_since = None

    # -- for any thread

    @property
    def counts(self) -> WatchCounts:
        """Counters since the start."""
        return self._counts

    @property
    def reflectors(self) -> tuple[Reflector, ...]:
        """The reflectors that the last scan read from."""
        return () if self._last_scan is None else self._last_scan.reflectors

    def report(self) -> Report | None:
        """Returns the last report, or None before the first scan.

        Problems that came up since the scan are added to its errors, which makes the report incomplete.
        """
        last = self._last_scan
        if last is None:
            return None
        report = last.report
        errors = [error for error in self._errors_since_scan(last) if error not in report.errors]
        if self._manifest_error is not None:
            report = replace(report, notes=(*report.notes, manifest_error_note(self._manifest_error)))
        return replace(report, errors=(*report.errors, *errors)) if errors else report

    def problems(self) -> list[str]:
        """Returns why the last report is not complete and current; empty if it is."""
        last = self._last_scan
        if last is None:
            return ["the first scan is not done yet"]
        problems = [*last.report.problems, *self._errors_since_scan(last)]
        if self._manifest_error is not None:
            problems.append(f"manifests: {self._manifest_error}")
        return list(dict.fromkeys(problems))

    @property
    def revision(self) -> str:
        """Identifies what the report says: another scan with the same findings and problems has the same revision."""
        changed_at = "" if self._last_scan is None else self._last_scan.changed_at
        return sha256(json.dumps([changed_at, self.problems()]).encode()).hexdigest()[:16]

    @property
    def last_contact(self) -> str | None:
        """RFC 3339, when the API server last sent anything; None before the first scan."""
        times = [one.last_contact for one in self.reflectors if one.last_contact is not None]
        return datetime.fromtimestamp(max(times), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if times else None

    def _errors_since_scan(self, last: _LastScan) -> list[str]:
        reflectors = last.reflectors
        errors = [f"{one.place}: {reason}" for one in reflectors if (reason := stale_reason(one, self._timing))]
        errors += [
            f"{one.place}: not listed yet" for one in reflectors if one.condition.state is ReflectorState.STARTING
        ]
        busy_since = self._busy_since
        if busy_since is not None and monotonic() - busy_since > self._timing.stuck_after:
            errors.append(f"the comparison has been stuck for more than {self._timing.stuck_after:g} s")
        return errors


def _findings(report: Report) -> Report:
    """Returns a report without what differs from scan to scan."""
    return replace(report, generated_at="", duration_seconds=None, api_requests=None)


def manifest_error_note(error: str) -> str:
    """Returns the sentence that explains why an older version of the manifests is compared."""
    return f"the changed manifests cannot be read, so the last good ones are compared: {error}"
