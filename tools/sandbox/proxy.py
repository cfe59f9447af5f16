"""A proxy in front of the sandbox's API server that does to some requests what networks and servers do."""

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

#: Once, or as often as it is asked.
FOREVER = 1_000_000
#: Nobody waits that long.
STALL_SECONDS = 30.0
DRIP_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Exchange:
    """One request that came, and the ways to answer it."""

    handler: BaseHTTPRequestHandler
    upstream: Callable[[], Answer]
    stopped: threading.Event

    def send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Answer as a server does."""
        given = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        self.head(status, given)
        self.handler.wfile.write(body)

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """Send a status and headers, and no body yet."""
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.flush()

    def pass_on(self, change: Callable[[Answer], Answer] = lambda answer: answer) -> None:
        """Answer what the API server answers, changed or as it is."""
        answer = change(self.upstream())
        self.send(answer.status, answer.body, {"Content-Type": answer.headers.get("Content-Type", "")})

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than the proxy runs."""
        self.stopped.wait(seconds)

    def cut(self) -> None:
        """Reset the connection: what the client has not read yet is lost."""
        connection = self.handler.connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """End the connection."""
        self.handler.close_connection = True
        with contextlib.suppress(OSError):
            self.handler.connection.shutdown(socket.SHUT_RDWR)
        self.handler.connection.close()


Fault = Callable[[Exchange], None]


@dataclass(slots=True)
class Rule:
    """A fault for some of the requests whose path and query match: the nth of them, and as many as said after it."""

    pattern: re.Pattern[str]
    fault: Fault
    nth: int
    times: int
    seen: int = 0

    def applies(self, target: str) -> bool:
        """Count a request that matches; whether it is one that gets the fault."""
        if not self.pattern.search(target):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


@dataclass(slots=True)
class Proxy:
    """The running proxy.

    ``url`` is its address, ``asked`` the paths and queries of all requests so far, ``tokens`` the credentials that
    they came with.
    """

    url: str
    _cluster: Cluster
    _stop: Callable[[], None]
    rules: list[Rule] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)

    def on(self, pattern: str, fault: Fault, *, nth: int = 1, times: int = 1) -> None:
        """Do this to the nth request that matches, and to as many as ``times`` says from then on."""
        self.rules.append(Rule(re.compile(pattern), fault, nth, times))

    def forget(self) -> None:
        """Behave again, and remember nothing."""
        self.rules.clear()
        self.asked.clear()
        self.tokens.clear()

    def vanish(self) -> None:
        """Stop listening: connections are refused from now on, and those that are open end."""
        self._stop()

    def kubeconfig(self, folder: Path, token: str | None = None, user: Mapping[str, Any] | None = None) -> Path:
        """Write a kubeconfig that leads here: of the administrator, or with a token, or with a user of its own."""
        config = yaml.safe_load(self._cluster.kubeconfig_for(token).read_text())
        config["clusters"][0]["cluster"]["server"] = self.url
        if user is not None:
            config["users"][0]["user"] = dict(user)
        file = folder / f"proxy-{time.monotonic_ns()}.kubeconfig"
        file.write_text(yaml.safe_dump(config))
        return file


@contextmanager
def proxy(cluster: Cluster, *, tls: bool = False) -> Iterator[Proxy]:
    """Run a proxy in front of a cluster; with TLS, it shows the API server's own certificate.

    Credentials are passed on as they come, and answers come back as a whole, without their transfer coding.
    """
    stopped = threading.Event()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            running.asked.append(self.path)
            running.tokens.append(self.headers.get("Authorization"))
            with lock:
                # All of them count, the first of those that apply is followed.
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
            """A client that went away, or a connection that was cut on purpose."""

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
    """Answer with this status; underscores in the names of headers stand for hyphens."""
    return lambda exchange: exchange.send(
        code, body, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def body(content: bytes, **headers: str) -> Fault:
    """Answer with this body, as if all were well."""
    return status(200, content, **headers)


def reset(exchange: Exchange) -> None:
    """Cut the connection instead of answering."""
    exchange.cut()


def half(exchange: Exchange) -> None:
    """Send half of the answer's body, and close."""
    answer = exchange.upstream()
    exchange.head(answer.status, {"Content-Type": "application/json", "Content-Length": str(len(answer.body))})
    exchange.handler.wfile.write(answer.body[: len(answer.body) // 2])
    exchange.close()


def stall(exchange: Exchange) -> None:
    """Never answer."""
    exchange.wait(STALL_SECONDS)
    exchange.close()


def stall_after_head(exchange: Exchange) -> None:
    """Send the headers of an answer, and nothing after them."""
    exchange.head(200, {"Content-Type": "application/json", "Content-Length": "1000"})
    stall(exchange)


def drip(exchange: Exchange) -> None:
    """Send the body byte by byte: each comes in time, all of them never do."""
    exchange.head(200, {"Content-Type": "application/json", "Content-Length": "100000"})
    _drip(exchange)


def drip_head(exchange: Exchange) -> None:
    """Send a header byte by byte."""
    exchange.handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    _drip(exchange)


def _drip(exchange: Exchange) -> None:
    end = time.monotonic() + STALL_SECONDS
    while time.monotonic() < end and not exchange.stopped.is_set():
        exchange.handler.wfile.write(b" ")
        exchange.handler.wfile.flush()
        exchange.wait(DRIP_SECONDS)


def endless(exchange: Exchange) -> None:
    """Send a body without end, as fast as it is read."""
    exchange.head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    while not exchange.stopped.is_set():
        exchange.handler.wfile.write(chunk)


def late(seconds: float) -> Fault:
    """Answer properly, after a while."""

    def fault(exchange: Exchange) -> None:
        exchange.wait(seconds)
        exchange.pass_on()

    return fault


def after(action: Callable[[], object]) -> Fault:
    """Do something first, then pass the request on."""

    def fault(exchange: Exchange) -> None:
        action()
        exchange.pass_on()

    return fault


def changed(change: Callable[[Answer], Answer]) -> Fault:
    """Pass the request on, and change the answer."""
    return lambda exchange: exchange.pass_on(change)
