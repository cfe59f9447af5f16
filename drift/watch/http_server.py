"""Serves what is known over HTTP: metrics, health, and the report in the form that is asked for. Nothing is changed.

There is no authentication: whoever reaches the address reads the report. On loopback, a page of another site must not
reach it through the browser of somebody who is there (DNS rebinding), so the name in the request has to be local.
"""

import ipaddress
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from drift.errors import UsageError
from drift.model import Report
from drift.report.formats import Format
from drift.report.render import Style, render
from drift.watch.metrics import watch_metrics
from drift.watch.status import WatchStatus

#: Seconds from the connection until the request has come.
_TO_ASK: Final = 10.0
#: Seconds from the connection until the client has the whole answer.
_TO_ANSWER: Final = 60.0
#: Clients that are answered at once; for one more, the one that has been connected longest is dropped.
_AT_ONCE: Final = 32
#: Threads of clients, those of dropped clients included. They are more only while a report is rendered.
_THREADS: Final = 4 * _AT_ONCE
_TEXT: Final = "text/plain; charset=utf-8"
_TYPES: Final[Mapping[str, str]] = {
    "json": "application/json; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "junit": "application/xml; charset=utf-8",
    "sarif": "application/sarif+json; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
}
#: What the client's Accept may ask for, and the format it gets.
_ACCEPTED: Final[Mapping[str, str]] = {
    "text/html": "html",
    "application/json": "json",
    "text/plain": "text",
    "text/markdown": "markdown",
}
_SUFFIXES: Final[Mapping[str, str]] = {".json": "json", ".html": "html", ".txt": "text", ".md": "markdown"}
_OPEN_METRICS: Final = "application/openmetrics-text"
_SECURITY: Final = {
    # The report is one file with its own style and script; nothing is fetched, sent or framed.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LINKS: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>drift watch</title>
<h1>drift watch</h1>
<ul>
<li>The report as <a href="/report.html">HTML</a>, as <a href="/report.json">JSON</a>,
as <a href="/report.txt">text</a></li>
<li><a href="/healthz">Health</a></li>
<li><a href="/metrics">Metrics</a></li>
</ul>
</html>
"""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What is sent back.

    Attributes:
        status: The HTTP status.
        kind: The media type.
        content: The body, as text or encoded.
        more: Further headers.
    """

    status: HTTPStatus
    kind: str
    content: str | bytes
    more: Mapping[str, str] | None = None

    @property
    def body(self) -> bytes:
        """The body, encoded."""
        return self.content if isinstance(self.content, bytes) else _encoded(self.content)


class RequestRouter:
    """Makes the answers. A report is rendered once for each format, and kept once in memory for all who ask for it."""

    def __init__(self, status: WatchStatus) -> None:
        self._status = status
        self._lock = threading.Lock()
        self._rendered: tuple[Report | None, dict[Format, bytes]] = (None, {})

    def answer(self, target: str, accept: str) -> HttpResponse:
        """The answer to one request.

        Args:
            target: Path and query.
            accept: The header; "" without one.
        """
        parts = urlsplit(target)
        match parts.path:
            case "/":
                return HttpResponse(HTTPStatus.OK, _TYPES["html"], _LINKS)
            case "/metrics":
                return self._metrics(accept)
            case "/healthz":
                return self._health()
            case path if path == "/report" or (path.startswith("/report.") and path[7:] in _SUFFIXES):
                return self._report(path[7:], parse_qs(parts.query).get("format", [""])[0], accept)
            case _:
                return HttpResponse(HTTPStatus.NOT_FOUND, _TEXT, "not found; / lists what there is\n")

    def _metrics(self, accept: str) -> HttpResponse:
        open_metrics = _OPEN_METRICS in accept
        kind = f"{_OPEN_METRICS}; version=1.0.0; charset=utf-8" if open_metrics else f"{_TEXT}; version=0.0.4"
        return HttpResponse(HTTPStatus.OK, kind, watch_metrics(self._status, open_metrics=open_metrics))

    def _health(self) -> HttpResponse:
        troubles = self._status.troubles()
        if not troubles:
            return HttpResponse(HTTPStatus.OK, _TEXT, "ok\n")
        lines = "".join(f"{_one_line(trouble)}\n" for trouble in troubles)
        return HttpResponse(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, lines)

    def _report(self, suffix: str, asked: str, accept: str) -> HttpResponse:
        name = _SUFFIXES.get(suffix) or asked or _accepted(accept)
        if name not in list(Format):
            formats = ", ".join(Format)
            return HttpResponse(HTTPStatus.NOT_ACCEPTABLE, _TEXT, f"there is no such format; there are {formats}\n")
        report = self._status.report()
        if report is None:
            more = {"Retry-After": "1"}
            return HttpResponse(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, "the first scan is not done yet\n", more)
        form = Format(name)
        return HttpResponse(HTTPStatus.OK, _TYPES.get(form, _TEXT), self._render(report, form), {"Vary": "Accept"})

    def _render(self, report: Report, form: Format) -> bytes:
        # Under the lock, so that ten who ask at once cost one rendering.
        with self._lock:
            of, texts = self._rendered
            if of is not report:
                texts = {}
                self._rendered = (report, texts)
            if form not in texts:
                texts[form] = _encoded(render(report, form, Style()))
            return texts[form]


def _accepted(accept: str) -> str:
    """The format for the first media type of the header that there is one for; JSON where it names none."""
    for part in accept.split(","):
        name = _ACCEPTED.get(part.partition(";")[0].strip().lower())
        if name is not None and name in list(Format):
            return name
    return "text" if "text/html" in accept else "json"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


class HttpServer:
    """The HTTP server.

    Args:
        status: What is known.
        address: An IP address, or a name for one, to listen on.
        port: 0 for any that is free.

    Raises:
        UsageError: Nothing can listen there.
    """

    def __init__(self, status: WatchStatus, address: str, port: int) -> None:
        try:
            family, _, _, _, found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
            self._server = _Server(family, (str(found[0]), port), RequestRouter(status))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise UsageError(f"--listen {address} --metrics-port {port}: cannot listen there: {why}") from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="http", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        host = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{host}:{port}"

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it; answers that are under way are not waited for."""
        self._server.shutdown()
        self._server.server_close()


@dataclass(slots=True)
class _Connection:
    """A client that is being answered.

    Attributes:
        began: When it connected, on the monotonic clock.
        has_asked: Whether its request has come completely.
    """

    began: float
    has_asked: bool = False

    def is_late(self, now: float) -> bool:
        return now - self.began > (_TO_ANSWER if self.has_asked else _TO_ASK)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, family: int, address: tuple[str, int], pages: RequestRouter) -> None:
        self.address_family = family
        self.pages = pages
        self.only_local = ipaddress.ip_address(address[0].partition("%")[0]).is_loopback
        self._lock = threading.Lock()
        #: The oldest first.
        self._connections: dict[socket.socket, _Connection] = {}
        self._running = 0
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks a name server for the name of the address.
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts to answer a client. If there are too many, the one that has been connected longest is dropped."""
        with self._lock:
            while len(self._connections) >= _AT_ONCE:
                self._drop(next(iter(self._connections)))
            # The threads of dropped clients end as soon as they read or write.
            has_room = self._running < _THREADS
            if has_room:
                self._running += 1
                self._connections[request] = _Connection(monotonic())
        if not has_room:
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            # No thread could be started.
            self._forget(request)
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._forget(request)

    def has_asked(self, request: socket.socket) -> None:
        """The request has come: from now on the client has the time for an answer."""
        with self._lock:
            connection = self._connections.get(request)
            if connection is not None:
                connection.has_asked = True

    def service_actions(self) -> None:
        """Drops the clients that are too slow; called several times a second."""
        now = monotonic()
        with self._lock:
            for request in [one for one, connection in self._connections.items() if connection.is_late(now)]:
                self._drop(request)

    def _drop(self, request: socket.socket) -> None:
        del self._connections[request]
        # Its thread gets an error, or the end of the stream, from whatever it waits for.
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def _forget(self, request: socket.socket) -> None:
        with self._lock:
            self._connections.pop(request, None)
            self._running -= 1

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is not worth a traceback."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _TO_ASK
    protocol_version = "HTTP/1.0"

    def version_string(self) -> str:
        """What the Server header says."""
        return "drift"

    def do_GET(self) -> None:
        self._send(self._answer(), with_body=True)

    def do_HEAD(self) -> None:
        self._send(self._answer(), with_body=False)

    def _answer(self) -> HttpResponse:
        if self.server.only_local and not is_local(self.headers.get("Host", "")):
            return HttpResponse(
                HTTPStatus.MISDIRECTED_REQUEST, _TEXT, "ask for localhost, or listen on another address\n"
            )
        return self.server.pages.answer(self.path, self.headers.get("Accept", ""))

    def _send(self, answer: HttpResponse, *, with_body: bool) -> None:
        self.server.has_asked(self.connection)
        self.connection.settimeout(_TO_ANSWER)
        body = answer.body
        self.send_response(answer.status)
        headers = {"Content-Type": answer.kind, "Content-Length": str(len(body)), **_SECURITY, **(answer.more or {})}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers what is no request that there is an answer to."""
        del message, explain
        # What http.server calls unsupported is any method without a function of ours.
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        more = {"Allow": "GET, HEAD"} if status is HTTPStatus.METHOD_NOT_ALLOWED else {}
        self._send(HttpResponse(status, _TEXT, f"{status.phrase}\n", more), with_body=True)

    def log_message(self, *_: object) -> None:
        """Requests are not logged: a dashboard asks every few seconds."""


def is_local(host: str) -> bool:
    """Whether the Host header of a request names this machine's loopback, with whatever port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
