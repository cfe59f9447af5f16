"""Slow clients do not block other clients, and do not hold memory for long."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest

from drift.model import Status
from drift.watch import http_server
from drift.watch.http_server import HttpServer
from drift.watch.status import WatchStatus
from drift.watch.timing import Timing
from tests.drift.report.reports import finding, item, report
from tests.drift.watch.conftest import Client, eventually

LARGE = 16 * 1024 * 1024
MANY = 4 * http_server._MAX_CLIENTS  # noqa: SLF001 - the tested limit


@pytest.fixture
def client() -> Iterator[Client]:
    status = WatchStatus(Timing())
    status.set_report(report(item("ConfigMap", "a", Status.DRIFTED, finding(1, path="data.a", live="x" * LARGE))), ())
    service = HttpServer(status, "127.0.0.1", 0)
    service.start()
    yield Client(service.url)
    service.stop()


@pytest.fixture
def connect(client: Client) -> Iterator[Callable[[bytes], socket.socket]]:
    """Connects and sends some bytes."""
    parts = urlsplit(client.url)
    with ExitStack() as stack:

        def connect(sent: bytes) -> socket.socket:
            made = stack.enter_context(closing(socket.create_connection((parts.hostname, parts.port), timeout=30)))
            made.sendall(sent)
            return made

        yield connect


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
    client: Client, connect: Callable[[bytes], socket.socket], sent: bytes
) -> None:
    slow = [connect(sent) for _ in range(MANY)]

    for _ in range(3):
        assert client.text("/healthz") == "ok\n"
        assert "drift_watch_up" in client.text("/metrics")
    eventually(lambda: _clients() <= http_server._MAX_CLIENTS)  # noqa: SLF001
    assert len(slow) == MANY


def test_a_slow_request_is_dropped_at_its_deadline(
    client: Client, connect: Callable[[bytes], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "_REQUEST_TIMEOUT", 0.5)
    slow = connect(b"GET /healthz HTTP/1.1\r\n")

    def is_dropped() -> bool:
        try:
            # Each byte arrives before the timeout of a single read.
            slow.sendall(b"X")
        except OSError:
            return True
        return False

    eventually(is_dropped)
    assert client.get("/").status == 200


def test_a_response_that_is_not_read_ends_at_its_deadline(
    connect: Callable[[bytes], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "_RESPONSE_TIMEOUT", 0.5)
    slow = connect(b"GET /report.json HTTP/1.0\r\nHost: localhost\r\n\r\n")
    received = len(slow.recv(1))

    eventually(lambda: _clients() == 0)

    # Buffered data still arrives, and then the stream ends early.
    try:
        while chunk := slow.recv(1024 * 1024):
            received += len(chunk)
    except ConnectionResetError:
        pass
    assert received < LARGE


def test_a_large_response_is_complete(client: Client) -> None:
    assert len(client.get("/report.json").data) > LARGE


def test_a_report_is_encoded_once_for_all_clients() -> None:
    status = WatchStatus(Timing())
    status.set_report(report(), ())
    router = http_server.RequestRouter(status)

    assert router.respond("/report.json", "").body is router.respond("/report.json", "").body


def _clients() -> int:
    """Returns the number of threads that serve a client."""
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())
