"""Serves the responses of the watch over HTTP. It is read-only.

There is no authentication: every client that can connect can read the report. On a loopback address, requests whose
Host is not local are refused, so that a website cannot read the report through a local browser (DNS rebinding).
"""

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Final
from urllib.parse import urlsplit

from drift.errors import UsageError
from drift.kube.kubeconfig import is_loopback
from drift.watch.bounded_server import REQUEST_TIMEOUT, RESPONSE_TIMEOUT, BoundedServer
from drift.watch.responses import TEXT, HttpResponse, RequestRouter
from drift.watch.status import WatchStatus

_SECURITY: Final = {
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
        headers = {"Content-Type": response.content_type, "Content-Length": str(len(body)), **_SECURITY}
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
