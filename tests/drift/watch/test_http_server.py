"""Requests that are refused, and slow clients, which neither block others nor hold memory for long."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest

from drift.model import Status
from drift.watch import http_server
from drift.watch.http_server import HttpServer, is_local
from drift.watch.reflector import Timing
from drift.watch.responses import WatchStatus
from tests.drift.report.reports import finding, item, report
from tests.drift.watch.conftest import Client, eventually


def test_every_response_has_security_headers(client: Client) -> None:
    for path in ("/", "/metrics", "/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_only_get_and_head_are_allowed(client: Client) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "NONSENSE"):
        answer = client.get("/report", method=method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert client.get("/", method="HEAD").data == b""


def test_on_loopback_a_request_for_another_host_is_refused(client: Client) -> None:
    for host in ("rebound.example", "rebound.example:9480", "127.0.0.1.example", "", "[::1"):
        assert client.get("/report", Host=host).status == 421
    assert client.get("/live.json", Host="localhost:9480").status == 200


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1:80", True),
        ("[::1]:80", True),
        ("10.0.0.1", False),
        ("localhost.example", False),
    ],
)
def test_only_loopback_hosts_are_local(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_an_invalid_request_causes_no_traceback(client: Client) -> None:
    connection = http.client.HTTPConnection(client.url.removeprefix("http://"), timeout=180)
    connection.putrequest("GET", "/" + "x" * 70_000, skip_host=True)
    connection.endheaders()

    assert connection.getresponse().status == 414
    connection.close()


#: Bytes of one value.
LARGE = 16 * 1024 * 1024
MANY = 4 * http_server.MAX_CLIENTS


@pytest.fixture
def large() -> Iterator[Client]:
    status = WatchStatus(Timing())
    status.set_report(report(item("ConfigMap", "a", Status.DRIFTED, finding(1, path="data.a", live="x" * LARGE))), ())
    service = HttpServer(status, "127.0.0.1", 0)
    service.start()
    yield Client(service.url)
    service.stop()


@pytest.fixture
def connect(large: Client) -> Iterator[Callable[[bytes], socket.socket]]:
    """Connects and sends some bytes."""
    parts = urlsplit(large.url)
    with ExitStack() as stack:

        def connect(sent: bytes) -> socket.socket:
            made = stack.enter_context(closing(socket.create_connection((parts.hostname, parts.port), timeout=180)))
            made.sendall(sent)
            return made

        yield connect


@pytest.fixture
def clients(large: Client) -> Callable[[], int]:
    """The number of threads that serve a client of this server."""
    del large
    others = {*threading.enumerate()}
    return lambda: sum("process_request_thread" in one.name for one in threading.enumerate() if one not in others)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /report HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"GET /report.json HTTP/1.0\r\nHost: localhost\r\n\r\n",
    ],
    ids=["send nothing", "never end their request", "never read the response"],
)
def test_health_and_metrics_are_served_despite_many_clients_that(
    large: Client, connect: Callable[[bytes], socket.socket], clients: Callable[[], int], sent: bytes
) -> None:
    slow = [connect(sent) for _ in range(MANY)]

    for _ in range(3):
        assert large.text("/healthz") == "ok\n"
        assert "drift_watch_up" in large.text("/metrics")
    eventually(lambda: clients() <= http_server.MAX_CLIENTS)
    assert len(slow) == MANY


def test_a_slow_request_is_dropped_at_its_deadline(
    large: Client, connect: Callable[[bytes], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "REQUEST_TIMEOUT", 0.5)
    slow = connect(b"GET /healthz HTTP/1.1\r\n")

    def is_dropped() -> bool:
        try:
            # Each byte arrives before the timeout of a single read.
            slow.sendall(b"X")
        except OSError:
            return True
        return False

    eventually(is_dropped)
    monkeypatch.undo()
    assert large.get("/live.json").status == 200


def test_a_response_that_is_not_read_ends_at_its_deadline(
    connect: Callable[[bytes], socket.socket], clients: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "RESPONSE_TIMEOUT", 0.5)
    slow = connect(b"GET /report.json HTTP/1.0\r\nHost: localhost\r\n\r\n")
    received = len(slow.recv(1))

    eventually(lambda: clients() == 0)

    # Buffered data still arrives, and then the stream ends early.
    try:
        while chunk := slow.recv(1024 * 1024):
            received += len(chunk)
    except ConnectionResetError:
        pass
    assert received < LARGE


def test_a_large_response_is_complete(large: Client) -> None:
    assert len(large.get("/report.json").data) > LARGE
