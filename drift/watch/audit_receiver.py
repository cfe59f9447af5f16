"""Receives the audit events that the API server sends to a webhook, as ``EventList`` in JSON.

https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/#webhook-backend
"""

import hmac
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import socket
from typing import Any, Final

from drift.errors import UsageError
from drift.watch.bounded_server import REQUEST_TIMEOUT, BoundedServer

#: The largest request. By default an API server sends 400 events at once, of at most 10 MiB.
_MAX_REQUEST: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, in files that may be renewed.

    Attributes:
        certificate: The file of the certificate, with those of its issuers, in PEM.
        key: The file of the private key, in PEM, not encrypted.
    """

    certificate: str
    key: str

    def load(self) -> ssl.SSLContext:
        """Returns a context for a server.

        Raises:
            UsageError: The files cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # Without a password here, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
        except OSError as error:
            # An SSLError is one, too.
            is_absent = isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError)
            reason = error.strerror if is_absent else "not a certificate and its private key in PEM, without a password"
            raise UsageError(
                f"--audit-tls-cert {self.certificate}, --audit-tls-key {self.key}: cannot be used: {reason}"
            ) from None
        return context

    def state(self) -> tuple[int, ...]:
        """Returns what changes when the files are renewed.

        Raises:
            OSError: A file is gone.
        """
        stats = [Path(file).stat() for file in (self.certificate, self.key)]
        return tuple(part for stat in stats for part in (stat.st_ino, stat.st_mtime_ns, stat.st_size))


class AuditReceiver:
    """The server of an audit webhook.

    Args:
        address: The address to listen on.
        port: The port; 0 chooses a free one.
        token: What a request must have as its bearer token.
        take: Called with the body of each request. Returns whether it has nothing but audit events.
        key_pair: For TLS; None for plain HTTP.

    Raises:
        UsageError: The address, the port or the certificate cannot be used.
    """

    def __init__(
        self, address: str, port: int, token: str, take: Callable[[bytes], bool], key_pair: KeyPair | None = None
    ) -> None:
        expected = f"Bearer {token}".encode()

        class Handler(BaseHTTPRequestHandler):
            server: _Server
            timeout = REQUEST_TIMEOUT

            def version_string(self) -> str:
                return "drift"

            def do_POST(self) -> None:
                given = self.headers.get("Authorization", "").encode("utf-8", "replace")
                length = self.headers.get("Content-Length", "")
                if not hmac.compare_digest(given, expected):
                    self._answer(HTTPStatus.UNAUTHORIZED)
                elif not length.isdecimal():
                    self._answer(HTTPStatus.LENGTH_REQUIRED)
                elif int(length) > _MAX_REQUEST:
                    self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                else:
                    body = self.rfile.read(int(length))
                    self.server.request_received(self.connection)
                    is_whole = len(body) == int(length)
                    self._answer(HTTPStatus.OK if is_whole and take(body) else HTTPStatus.BAD_REQUEST)

            def _answer(self, status: HTTPStatus) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Logs nothing: a request may hold anything."""

        try:
            self._server = _Server(address, port, Handler, key_pair)
        except OSError as error:
            place = f"--audit-listen {address} --audit-webhook {port}"
            raise UsageError(f"{place}: cannot listen there: {error.strerror or error}") from None
        #: The address that requests go to.
        self.url = f"{'http' if key_pair is None else 'https'}://{self._server.place}/"

    def start(self) -> None:
        """Serves in a thread."""
        self._server.start()

    def stop(self) -> None:
        """Stops serving."""
        self._server.stop()


class _Server(BoundedServer):
    def __init__(
        self, address: str, port: int, handler: type[BaseHTTPRequestHandler], key_pair: KeyPair | None
    ) -> None:
        self._key_pair = key_pair
        self._context = None if key_pair is None else key_pair.load()
        self._state = None if key_pair is None else key_pair.state()
        super().__init__(address, port, handler)

    def get_request(self) -> tuple[socket, Any]:
        """Accepts a connection. The handshake follows in the thread of the client, with its timeout."""
        connection, address = super().get_request()
        self._renew()
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def _renew(self) -> None:
        """Reads the certificate again if it was renewed. Keeps the old one while the files do not go together."""
        if self._key_pair is not None:
            with suppress(OSError, UsageError):
                state = self._key_pair.state()
                if state != self._state:
                    self._context, self._state = self._key_pair.load(), state
