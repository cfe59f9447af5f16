"""The state of the watch, and the HTTP responses made from it: the report in several formats, health and metrics.

The comparing thread writes the state and any thread reads it. Every shared value is immutable and replaced as a whole.
Labels of metrics name kinds, never objects.
"""

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from time import monotonic
from typing import Final
from urllib.parse import parse_qs, urlsplit

from drift.model import Report
from drift.objects import Json
from drift.report.formats import Format, Style, render
from drift.report.metrics import Labels, family, to_metrics
from drift.watch.reflector import Reflector, ReflectorState, Timing
from drift.watch.watched_cluster import stale_reason
from drift.words import rfc3339

TEXT: Final = "text/plain; charset=utf-8"
_TYPES: Final[Mapping[str, str]] = {
    "json": "application/json; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "junit": "application/xml; charset=utf-8",
    "sarif": "application/sarif+json; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
}
#: Media types of the Accept header, and the formats that they select.
_ACCEPTED: Final[Mapping[str, str]] = {
    "text/html": "html",
    "application/json": "json",
    "text/plain": "text",
    "text/markdown": "markdown",
}
_SUFFIXES: Final[Mapping[str, str]] = {".json": "json", ".html": "html", ".txt": "text", ".md": "markdown"}
_OPEN_METRICS: Final = "application/openmetrics-text"
_FIRST_SCAN: Final = "the first scan is not done yet"
#: The page before the first scan. It loads itself again until there is a report.
_WAITING: Final = f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="1">
<title>drift watch</title>
<p>drift watch: {_FIRST_SCAN}.</p>
</html>
"""
_RETRY: Final[Mapping[str, str]] = {"Retry-After": "1"}
_END: Final = "# EOF\n"


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
        findings: The result of `_findings` for it.
        reflectors: The reflectors that it read from.
        changed_at: RFC 3339, the time of the first scan that found the same as this one.
    """

    report: Report
    findings: Report
    reflectors: tuple[Reflector, ...]
    changed_at: str


class WatchStatus:
    """The state of the watch."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._last_scan: _LastScan | None = None
        self._manifest_error: str | None = None
        self._scan_error: str | None = None
        #: Problems of other threads, by what they do.
        self._problems: dict[str, str] = {}
        self._busy_since: float | None = None
        self._counts = WatchCounts()
        #: What the last report was made of, and the report.
        self._made: tuple[tuple[_LastScan, list[str], str | None], Report] | None = None

    # -- for the comparing thread

    def set_report(
        self, report: Report, reflectors: tuple[Reflector, ...], requests: int = 0, *, is_scan: bool = True
    ) -> None:
        """Publishes a report, and how many requests were sent since the start of the watch.

        With ``is_scan`` false, it is the report of the last full scan, with the objects that have changed since.
        """
        last, findings = self._last_scan, _findings(report)
        is_same = last is not None and last.findings == findings
        changed_at = last.changed_at if last is not None and is_same else datetime.now(UTC).isoformat()
        self._last_scan = _LastScan(report, findings, reflectors, changed_at)
        self._counts = replace(self._counts, scans=self._counts.scans + is_scan, requests=requests)

    def set_manifest_error(self, error: str) -> None:
        """Sets why the manifests on disk cannot be compared."""
        self._manifest_error = error

    def set_reloaded(self) -> None:
        """Marks that the manifests on disk were reloaded."""
        self._manifest_error = None
        self._counts = replace(self._counts, reloads=self._counts.reloads + 1)

    def set_scan_error(self, error: str | None) -> None:
        """Sets why the last scan ended without a report; None if it did not."""
        self._scan_error = error

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

    def set_problem(self, part: str, problem: str | None) -> None:
        """Sets what is wrong with a part of the watch that only one thread serves; None if nothing is."""
        if problem is None:
            self._problems.pop(part, None)
        else:
            self._problems[part] = problem

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
        report, manifest_error, made = last.report, self._manifest_error, self._made
        errors = [error for error in self._errors_since_scan(last) if error not in report.errors]
        if manifest_error is None and not errors:
            return report
        # The same report as before, so that it is not rendered again for each request.
        if made is not None and made[0][0] is last and made[0][1:] == (errors, manifest_error):
            return made[1]
        notes = () if manifest_error is None else (manifest_error_note(manifest_error),)
        report = replace(report, notes=(*report.notes, *notes), errors=(*report.errors, *errors))
        self._made = ((last, errors, manifest_error), report)
        return report

    def problems(self) -> list[str]:
        """Returns why the last report is not complete and current; empty if it is."""
        last = self._last_scan
        if last is None:
            return [_FIRST_SCAN]
        problems = [*last.report.problems, *self._errors_since_scan(last)]
        if self._manifest_error is not None:
            problems.append(f"manifests: {self._manifest_error}")
        problems += [f"{part}: {problem}" for part, problem in sorted(self._problems.copy().items())]
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
        return rfc3339(datetime.fromtimestamp(max(times), UTC)) if times else None

    def _errors_since_scan(self, last: _LastScan) -> list[str]:
        reflectors = last.reflectors
        errors = [f"{one.place}: {reason}" for one in reflectors if (reason := stale_reason(one, self._timing))]
        if self._scan_error is not None:
            errors.append(f"the last scan failed: {self._scan_error}")
        errors += [
            f"{one.place}: not listed yet" for one in reflectors if one.condition.state is ReflectorState.STARTING
        ]
        busy_since = self._busy_since
        if busy_since is not None and monotonic() - busy_since > self._timing.stuck_after:
            errors.append(f"the comparison has been stuck for more than {self._timing.stuck_after:g} s")
        return errors


def _findings(report: Report) -> Report:
    """Returns a report without what differs from scan to scan, although it says the same."""
    objects = tuple(
        item if item.resource_version is None else replace(item, resource_version=None) for item in report.objects
    )
    return replace(report, generated_at="", duration_seconds=None, api_requests=None, objects=objects)


def manifest_error_note(error: str) -> str:
    """Returns the sentence that explains why an older version of the manifests is compared."""
    return f"the changed manifests cannot be read, so the last good ones are compared: {error}"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response.

    Attributes:
        status: The HTTP status.
        content_type: The media type.
        content: The body, as text or encoded.
        headers: Further headers.
    """

    status: HTTPStatus
    content_type: str
    content: str | bytes
    headers: Mapping[str, str] | None = None

    @property
    def body(self) -> bytes:
        """The encoded body."""
        return self.content if isinstance(self.content, bytes) else _encoded(self.content)


class RequestRouter:
    """Makes the responses. Each report is rendered once for each format, and all clients share the result."""

    def __init__(self, status: WatchStatus) -> None:
        self._status = status
        self._lock = threading.Lock()
        #: The report, and its bodies by format; the page that keeps itself current by its revision.
        self._rendered: tuple[Report | None, dict[Format | str, bytes]] = (None, {})

    def respond(self, target: str, accept: str) -> HttpResponse:
        """Returns the response to one GET request."""
        parts = urlsplit(target)
        match parts.path:
            case "/":
                return self._page()
            case "/live.json":
                return HttpResponse(HTTPStatus.OK, _TYPES["json"], json.dumps(self._state()))
            case "/metrics":
                return self._metrics(accept)
            case "/healthz":
                return self._health()
            case path if path == "/report" or (path.startswith("/report.") and path[7:] in _SUFFIXES):
                return self._report(path[7:], parse_qs(parts.query).get("format", [""])[0], accept)
            case _:
                return HttpResponse(HTTPStatus.NOT_FOUND, TEXT, "not found; see / for what is served\n")

    def _page(self) -> HttpResponse:
        report = self._status.report()
        if report is None:
            return HttpResponse(HTTPStatus.SERVICE_UNAVAILABLE, _TYPES["html"], _WAITING, _RETRY)
        return HttpResponse(HTTPStatus.OK, _TYPES["html"], self._render(report, None))

    def _state(self) -> dict[str, Json]:
        """Returns what the page asks for, to show the times and to learn that it is outdated."""
        status, report = self._status, self._status.report()
        return {
            "revision": status.revision,
            "scanned": None if report is None else report.generated_at,
            "contact": status.last_contact,
            "current": not status.problems(),
        }

    def _metrics(self, accept: str) -> HttpResponse:
        open_metrics = _OPEN_METRICS in accept
        content_type = f"{_OPEN_METRICS}; version=1.0.0; charset=utf-8" if open_metrics else f"{TEXT}; version=0.0.4"
        return HttpResponse(HTTPStatus.OK, content_type, _watch_metrics(self._status, open_metrics=open_metrics))

    def _health(self) -> HttpResponse:
        problems = self._status.problems()
        if not problems:
            return HttpResponse(HTTPStatus.OK, TEXT, "ok\n")
        lines = "".join(f"{_one_line(problem)}\n" for problem in problems)
        return HttpResponse(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, lines)

    def _report(self, suffix: str, format_parameter: str, accept: str) -> HttpResponse:
        name = _SUFFIXES.get(suffix) or format_parameter or _accepted(accept)
        if name not in list(Format):
            formats = ", ".join(Format)
            return HttpResponse(HTTPStatus.NOT_ACCEPTABLE, TEXT, f"unknown format; use one of {formats}\n")
        report = self._status.report()
        if report is None:
            return HttpResponse(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, f"{_FIRST_SCAN}\n", _RETRY)
        form = Format(name)
        return HttpResponse(HTTPStatus.OK, _TYPES.get(form, TEXT), self._render(report, form), {"Vary": "Accept"})

    def _render(self, report: Report, form: Format | None) -> bytes:
        # Locked, so that concurrent requests render the report once.
        with self._lock:
            rendered_report, bodies = self._rendered
            if rendered_report is not report:
                bodies = {}
                self._rendered = (report, bodies)
            if form is None:
                # Problems of other threads change the revision, but not the report.
                state = self._state()
                name = str(state["revision"])
                if name not in bodies:
                    bodies[name] = _encoded(_live_page(report, state))
                return bodies[name]
            if form not in bodies:
                bodies[form] = _encoded(render(report, form, Style()))
            return bodies[form]


def _live_page(report: Report, state: Mapping[str, Json]) -> str:
    # The first page is a good moment to load the template engine; the start of the watch is not.
    from drift.report.html.page import to_html  # noqa: PLC0415

    return to_html(report, live=state)


def _accepted(accept: str) -> str:
    """Returns the format of the first media type that is supported; JSON if none is."""
    for part in accept.split(","):
        name = _ACCEPTED.get(part.partition(";")[0].strip().lower())
        if name is not None and name in list(Format):
            return name
    return "text" if "text/html" in accept else "json"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _watch_metrics(status: WatchStatus, *, open_metrics: bool) -> str:
    """Returns all metrics, ending in ``# EOF``.

    OpenMetrics names counters differently from the Prometheus text format.
    """
    report, reflectors, counts = status.report(), status.reflectors, status.counts
    text = "" if report is None else to_metrics(report).removesuffix(_END)
    text += family("drift_watch_up", "Whether the report is complete and current.", {(): float(not status.problems())})
    text += family("drift_watch_feeds", "Watches by state and kind.", _by_state(reflectors))
    counters: tuple[tuple[str, str, Mapping[Labels, float]], ...] = (
        ("drift_watch_events", "Objects created, changed or deleted.", _sum(reflectors, "events")),
        ("drift_watch_restarts", "Watches restarted.", _sum(reflectors, "restarts")),
        ("drift_watch_relists", "Kinds listed again because the watch expired.", _sum(reflectors, "relists")),
        ("drift_watch_scans", "Full scans.", {(): counts.scans}),
        ("drift_watch_opened_findings", "Findings opened, including reverted ones.", {(): counts.opened}),
        ("drift_watch_resolved_findings", "Findings resolved.", {(): counts.resolved}),
        ("drift_watch_manifest_reloads", "Reloads of the manifests.", {(): counts.reloads}),
        ("drift_watch_api_requests", "Requests sent to the API server.", {(): counts.requests}),
    )
    for name, help_text, samples in counters:
        text += family(name, help_text, samples, counter="openmetrics" if open_metrics else "prometheus")
    last: Mapping[Labels, float] = {(("kind", kind),): time for kind, time in _last_events(reflectors).items()}
    if last:
        text += family("drift_watch_last_event_timestamp_seconds", "Unix time of the last event.", last)
    return text + _END


def _by_state(reflectors: Sequence[Reflector]) -> Mapping[Labels, float]:
    return Counter((("kind", _kind(one)), ("state", one.condition.state.name.lower())) for one in reflectors)


def _sum(reflectors: Sequence[Reflector], attribute: str) -> Mapping[Labels, float]:
    sums: Counter[Labels] = Counter()
    for reflector in reflectors:
        sums[(("kind", _kind(reflector)),)] += getattr(reflector, attribute)
    return sums


def _last_events(reflectors: Sequence[Reflector]) -> dict[str, float]:
    times: dict[str, float] = {}
    for reflector in reflectors:
        if reflector.last_event is not None:
            kind = _kind(reflector)
            times[kind] = max(times.get(kind, 0.0), reflector.last_event)
    return times


def _kind(reflector: Reflector) -> str:
    return reflector.place.resource.kind
