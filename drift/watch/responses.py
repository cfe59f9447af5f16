"""What the watch serves: its report in several formats, its health and its metrics.

Labels of metrics name kinds, never objects.
"""

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

from drift.model import Json, Report
from drift.report.formats import Format, Style, render
from drift.report.metrics import Labels, family, to_metrics
from drift.watch.reflector import Reflector, ReflectorState
from drift.watch.status import WatchStatus

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
_STATES: Final = {state: state.name.lower() for state in ReflectorState}


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
        #: The report, and its bodies by format; None is the page that keeps itself current.
        self._rendered: tuple[Report | None, dict[Format | None, bytes]] = (None, {})

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

    def _state(self) -> Json:
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
        return HttpResponse(HTTPStatus.OK, content_type, watch_metrics(self._status, open_metrics=open_metrics))

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
            if form not in bodies:
                bodies[form] = _encoded(self._live_page(report) if form is None else render(report, form, Style()))
            return bodies[form]

    def _live_page(self, report: Report) -> str:
        # The first page is a good moment to load the template engine; the start of the watch is not.
        from drift.report.html.page import to_html  # noqa: PLC0415

        return to_html(report, live=self._state())


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


def watch_metrics(status: WatchStatus, *, open_metrics: bool) -> str:
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
    return Counter((("kind", _kind(one)), ("state", _STATES[one.condition.state])) for one in reflectors)


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
