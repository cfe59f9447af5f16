"""What the watching last found, for whoever asks: the report, whether it can be relied on, and why not.

Written by the comparing thread, read by any; all that is shared is replaced as a whole.
"""

from dataclasses import dataclass, replace
from time import monotonic

from drift.model import Report
from drift.watch.reflector import Reflector, ReflectorState
from drift.watch.timing import Timing
from drift.watch.watched_cluster import lost_for_long


@dataclass(frozen=True, slots=True)
class WatchCounts:
    """What has been counted since the watching began.

    Attributes:
        scans: Scans of everything.
        opened: Findings that opened.
        resolved: Findings that were resolved.
        reloads: Times that the manifests were reloaded.
        requests: Requests sent to the API server.
    """

    scans: int = 0
    opened: int = 0
    resolved: int = 0
    reloads: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class LastScan:
    """The last scan.

    Attributes:
        report: As it was made.
        feeds: What it asked.
    """

    report: Report
    feeds: tuple[Reflector, ...]


class WatchStatus:
    """The state of the watching."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._found: LastScan | None = None
        self._broken: str | None = None
        self._failed: str | None = None
        self._busy: float | None = None
        self.counts = WatchCounts()

    # -- the comparing thread

    def show(self, report: Report, feeds: tuple[Reflector, ...]) -> None:
        """A scan is done."""
        self._found, self._failed = LastScan(report, feeds), None

    def fail(self, why: str) -> None:
        """A scan could not be made; what is shown is that of the one before."""
        self._failed = why

    def manifests_are(self, broken: str | None) -> None:
        """Why the manifests on disk are not those that are compared; None where they are."""
        self._broken = broken

    def work(self) -> None:
        """A step of the comparison begins."""
        self._busy = monotonic()

    def rest(self) -> None:
        """The step is done; nothing is to be done before the next message."""
        self._busy = None

    # -- anybody

    @property
    def feeds(self) -> tuple[Reflector, ...]:
        """What the last scan asked."""
        return () if self._found is None else self._found.feeds

    def report(self) -> Report | None:
        """The last report; incomplete, with the reasons, as soon as it cannot be relied on. None before the first."""
        found = self._found
        if found is None:
            return None
        report = found.report
        more = [why for why in self._out_of_sight(found) if why not in report.errors]
        if self._broken is not None:
            note = f"the manifests have changed and cannot be read, so those before are compared: {self._broken}"
            report = replace(report, notes=(*report.notes, note))
        return replace(report, errors=(*report.errors, *more)) if more else report

    def troubles(self) -> list[str]:
        """Why the last report is not all that there is to say; empty where it is."""
        found = self._found
        if found is None:
            return ["the first scan is not done yet"]
        troubles = [*found.report.errors, *self._out_of_sight(found)]
        if self._broken is not None:
            troubles.append(f"manifests: {self._broken}")
        return list(dict.fromkeys(troubles))

    def _out_of_sight(self, found: LastScan) -> list[str]:
        troubles = [f"{feed.place}: {why}" for feed in found.feeds if (why := lost_for_long(feed, self._timing))]
        troubles += [
            f"{feed.place}: not listed yet" for feed in found.feeds if feed.condition.state is ReflectorState.STARTING
        ]
        if self._failed is not None:
            troubles.append(self._failed)
        busy = self._busy
        if busy is not None and monotonic() - busy > self._timing.stuck_after:
            troubles.append(f"the comparison has not come to an end for more than {self._timing.stuck_after:g} s")
        return troubles
