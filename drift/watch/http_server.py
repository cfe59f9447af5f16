"""Serves the responses of the watch over HTTP, read-only, and drops clients that are too slow or too many.

There is no authentication: every client that can connect can read the report. On a loopback address, requests whose
Host is not local are refused, so that a website cannot read the report through a local browser (DNS rebinding).
"""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from drift.errors import UsageError
from drift.kube.kubeconfig import is_loopback
from drift.watch.responses import TEXT, HttpResponse, RequestRouter, WatchStatus

#: Seconds that a client has from the connection to the end of its request.
REQUEST_TIMEOUT: Final = 10.0
#: Seconds that a client has from the connection to the end of the response.
RESPONSE_TIMEOUT: Final = 60.0
#: Concurrent clients. If one more connects, the one that has been connected longest is dropped.
MAX_CLIENTS: Final = 32
#: Threads, including those of dropped clients, which may still render a report.
_MAX_THREADS: Final = 4 * MAX_CLIENTS
_SECURITY_HEADERS: Final = {
    # The report is one file with inline styles and scripts. It asks only this server whether it is current.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(slots=True)
class _Connection:
    """A connected client.

    Attributes:
        since: When it connected, on the monotonic clock.
        has_request: Whether its whole request has been received.
    """

    since: float
    has_request: bool = False

    def is_late(self, now: float) -> bool:
        return now - self.since > (RESPONSE_TIMEOUT if self.has_request else REQUEST_TIMEOUT)


class BoundedServer(ThreadingHTTPServer):
    """The server. It listens from the beginning, and serves in a thread of its own after `start`.

    Args:
        address: The address to listen on.
        port: The port; 0 chooses a free one.
        handler: Handles the requests of one connection.

    Raises:
        OSError: The address or port cannot be used.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        try:
            family, _, _, _, found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        except (OverflowError, UnicodeError) as error:
            raise OSError(str(error)) from None
        self.address_family = family
        self._lock = threading.Lock()
        #: In the order in which they connected.
        self._connections: dict[socket.socket, _Connection] = {}
        self._thread_count = 0
        super().__init__((str(found[0]), port), handler)

    @property
    def place(self) -> str:
        """The address and port, as in a URL."""
        host, port = self.server_address[:2]
        return f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"

    def start(self) -> None:
        """Starts to serve in a thread."""
        threading.Thread(target=self.serve_forever, args=(0.2,), name=type(self).__name__, daemon=True).start()

    def stop(self) -> None:
        """Stops the server without waiting for running responses."""
        self.shutdown()
        self.server_close()

    def server_bind(self) -> None:
        """Binds the socket."""
        # HTTPServer.server_bind would look up the name of the address in DNS.
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread for a client. If there are too many, the oldest connection is dropped."""
        with self._lock:
            while len(self._connections) >= MAX_CLIENTS:
                self._drop(next(iter(self._connections)))
            # The thread of a dropped client ends at its next read or write.
            has_room = self._thread_count < _MAX_THREADS
            if has_room:
                self._thread_count += 1
                self._connections[request] = _Connection(monotonic())
        if not has_room:
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            # The thread could not be started.
            self._forget(request)
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Handles a connection in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._forget(request)

    def request_received(self, request: socket.socket) -> None:
        """Marks that the whole request was received, so that the timeout of the response applies."""
        with self._lock:
            connection = self._connections.get(request)
            if connection is not None:
                connection.has_request = True

    def service_actions(self) -> None:
        """Drops clients that are too slow. socketserver calls it several times a second."""
        now = monotonic()
        with self._lock:
            for request in [one for one, connection in self._connections.items() if connection.is_late(now)]:
                self._drop(request)

    def _drop(self, request: socket.socket) -> None:
        del self._connections[request]
        # A blocked read or write in its thread now ends.
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def _forget(self, request: socket.socket) -> None:
        with self._lock:
            self._connections.pop(request, None)
            self._thread_count -= 1

    def handle_error(self, request: object, client_address: object) -> None:
        """Prints no traceback if a client disconnects."""


class HttpServer:
    """The HTTP server.

    Port 0 stands for any free one.

    Raises:
        UsageError: The address or port cannot be used.
    """

    def __init__(self, status: WatchStatus, address: str, port: int) -> None:
        try:
            self._server = _Server(address, port, RequestRouter(status))
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"--listen {address} --metrics-port {port}: cannot listen there: {reason}") from None

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://{self._server.place}"

    def start(self) -> None:
        """Starts to serve in a thread."""
        self._server.start()

    def stop(self) -> None:
        """Stops the server without waiting for running responses."""
        self._server.stop()


class _Server(BoundedServer):
    def __init__(self, address: str, port: int, router: RequestRouter) -> None:
        super().__init__(address, port, _Handler)
        self.router = router
        self.is_loopback = is_loopback(str(self.server_address[0]).partition("%")[0])


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = REQUEST_TIMEOUT
    protocol_version = "HTTP/1.0"

    def version_string(self) -> str:
        """Returns the Server header."""
        return "drift"

    def do_GET(self) -> None:
        self._send(self._respond(), with_body=True)

    def do_HEAD(self) -> None:
        self._send(self._respond(), with_body=False)

    def _respond(self) -> HttpResponse:
        if self.server.is_loopback and not is_local(self.headers.get("Host", "")):
            return HttpResponse(
                HTTPStatus.MISDIRECTED_REQUEST, TEXT, "use localhost in the URL, or listen on another address\n"
            )
        return self.server.router.respond(self.path, self.headers.get("Accept", ""))

    def _send(self, response: HttpResponse, *, with_body: bool) -> None:
        self.server.request_received(self.connection)
        self.connection.settimeout(RESPONSE_TIMEOUT)
        body = response.body
        self.send_response(response.status)
        headers = {"Content-Type": response.content_type, "Content-Length": str(len(body)), **_SECURITY_HEADERS}
        for name, value in {**headers, **(response.headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Responds to an invalid request."""
        del message, explain
        # http.server reports a method without a do_ function as not implemented.
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        headers = {"Allow": "GET, HEAD"} if status is HTTPStatus.METHOD_NOT_ALLOWED else {}
        self._send(HttpResponse(status, TEXT, f"{status.phrase}\n", headers), with_body=True)

    def log_message(self, *_: object) -> None:
        """Logs no requests: a dashboard sends one every few seconds."""


def is_local(host: str) -> bool:
    """Returns whether a Host header names localhost or a loopback address, with any port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return is_loopback(name)
