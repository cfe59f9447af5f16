"""A proxy in front of the sandbox's API server that injects faults."""

import contextlib
import http.client
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tools.sandbox.cluster import Cluster

#: As a count: for all requests.
FOREVER = 1_000_000
#: Longer than any client waits.
STALL_SECONDS = 30.0
DRIP_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API server."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Exchange:
    """One request, and ways to answer it."""

    handler: BaseHTTPRequestHandler
    upstream: Callable[[], Answer]
    stopped: threading.Event

    def send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Sends a whole answer."""
        given = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        self.head(status, given)
        self.handler.wfile.write(body)

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """Sends status and headers, but no body yet."""
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.flush()

    def pass_on(self, change: Callable[[Answer], Answer] = lambda answer: answer) -> None:
        """Sends the answer of the API server, changed if wanted."""
        answer = change(self.upstream())
        self.send(answer.status, answer.body, {"Content-Type": answer.headers.get("Content-Type", "")})

    def wait(self, seconds: float) -> None:
        """Waits, at most until the proxy stops."""
        self.stopped.wait(seconds)

    def cut(self) -> None:
        """Resets the connection; unread data is lost."""
        connection = self.handler.connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self.handler.close_connection = True
        with contextlib.suppress(OSError):
            self.handler.connection.shutdown(socket.SHUT_RDWR)
        self.handler.connection.close()


Fault = Callable[[Exchange], None]


@dataclass(slots=True)
class Rule:
    """A fault for ``times`` requests whose path and query match, from the ``nth`` one on."""

    pattern: re.Pattern[str]
    fault: Fault
    nth: int
    times: int
    seen: int = 0

    def applies(self, target: str) -> bool:
        """Counts a request if it matches, and returns whether it gets the fault."""
        if not self.pattern.search(target):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


@dataclass(slots=True)
class Proxy:
    """The running proxy.

    ``url`` is its address. ``asked`` has the paths and queries of all requests so far, ``tokens`` their credentials.
    """

    url: str
    _cluster: Cluster
    _stop: Callable[[], None]
    rules: list[Rule] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)

    def on(self, pattern: str, fault: Fault, *, nth: int = 1, times: int = 1) -> None:
        """Adds a fault for ``times`` matching requests, from the ``nth`` one on."""
        self.rules.append(Rule(re.compile(pattern), fault, nth, times))

    def forget(self) -> None:
        """Removes all faults and records."""
        self.rules.clear()
        self.asked.clear()
        self.tokens.clear()

    def vanish(self) -> None:
        """Stops listening: new connections are refused, and open ones end."""
        self._stop()

    def kubeconfig(self, folder: Path, token: str | None = None, user: Mapping[str, Any] | None = None) -> Path:
        """Writes a kubeconfig for the proxy: with this token or user, or for the administrator."""
        config = yaml.safe_load(self._cluster.kubeconfig_for(token).read_text())
        config["clusters"][0]["cluster"]["server"] = self.url
        if user is not None:
            config["users"][0]["user"] = dict(user)
        file = folder / f"proxy-{time.monotonic_ns()}.kubeconfig"
        file.write_text(yaml.safe_dump(config))
        return file


@contextmanager
def proxy(cluster: Cluster, *, tls: bool = False) -> Iterator[Proxy]:
    """Runs a proxy in front of a cluster. With TLS, it has the certificate of the API server.

    It passes credentials on unchanged, and buffers each answer.
    """
    stopped = threading.Event()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            running.asked.append(self.path)
            running.tokens.append(self.headers.get("Authorization"))
            with lock:
                # Every rule counts the request; the first one that applies wins.
                rule = next(iter([rule for rule in running.rules if rule.applies(self.path)]), None)
            exchange = Exchange(self, lambda: _ask(cluster, self.path, dict(self.headers)), stopped)
            if stopped.is_set():
                exchange.close()
            elif rule is None:
                exchange.pass_on()
            else:
                rule.fault(exchange)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Ignores closed connections, which are expected."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificates = cluster.folder / "certificates"
        context.load_cert_chain(certificates / "apiserver.crt", certificates / "apiserver.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()

    def stop() -> None:
        stopped.set()
        server.shutdown()
        server.server_close()

    running = Proxy(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}", cluster, stop)
    try:
        yield running
    finally:
        stop()


def _ask(cluster: Cluster, target: str, headers: Mapping[str, str]) -> Answer:
    context = ssl.create_default_context(cafile=str(cluster.folder / "certificates" / "apiserver.crt"))
    host = cluster.server.removeprefix("https://")
    with contextlib.closing(http.client.HTTPSConnection(host, timeout=30, context=context)) as connection:
        passed = {
            name: value for name, value in headers.items() if name not in {"Host", "Connection", "Accept-Encoding"}
        }
        connection.request("GET", target, headers=passed)
        response = connection.getresponse()
        return Answer(response.status, dict(response.headers), response.read())


# -- faults


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    """Answers with this status; underscores in header names become hyphens."""
    return lambda exchange: exchange.send(
        code, body, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def body(content: bytes, **headers: str) -> Fault:
    """Answers 200 with this body."""
    return status(200, content, **headers)


def reset(exchange: Exchange) -> None:
    """Resets the connection instead of answering."""
    exchange.cut()


def half(exchange: Exchange) -> None:
    """Sends half of the answer's body, and closes the connection."""
    answer = exchange.upstream()
    exchange.head(answer.status, {"Content-Type": "application/json", "Content-Length": str(len(answer.body))})
    exchange.handler.wfile.write(answer.body[: len(answer.body) // 2])
    exchange.close()


def stall(exchange: Exchange) -> None:
    """Never answers."""
    exchange.wait(STALL_SECONDS)
    exchange.close()


def stall_after_head(exchange: Exchange) -> None:
    """Sends the headers of an answer, and no body."""
    exchange.head(200, {"Content-Type": "application/json", "Content-Length": "1000"})
    stall(exchange)


def drip(exchange: Exchange) -> None:
    """Sends the body byte by byte, so slowly that it never ends."""
    exchange.head(200, {"Content-Type": "application/json", "Content-Length": "100000"})
    _drip(exchange)


def drip_head(exchange: Exchange) -> None:
    """Sends a header byte by byte."""
    exchange.handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    _drip(exchange)


def _drip(exchange: Exchange) -> None:
    end = time.monotonic() + STALL_SECONDS
    while time.monotonic() < end and not exchange.stopped.is_set():
        exchange.handler.wfile.write(b" ")
        exchange.handler.wfile.flush()
        exchange.wait(DRIP_SECONDS)


def endless(exchange: Exchange) -> None:
    """Sends an endless body as fast as the client reads it."""
    exchange.head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    while not exchange.stopped.is_set():
        exchange.handler.wfile.write(chunk)


def late(seconds: float) -> Fault:
    """Answers correctly, after a delay."""

    def fault(exchange: Exchange) -> None:
        exchange.wait(seconds)
        exchange.pass_on()

    return fault


def after(action: Callable[[], object]) -> Fault:
    """Calls a function, then passes the request on."""

    def fault(exchange: Exchange) -> None:
        action()
        exchange.pass_on()

    return fault


def changed(change: Callable[[Answer], Answer]) -> Fault:
    """Passes the request on, and changes the answer."""
    return lambda exchange: exchange.pass_on(change)
