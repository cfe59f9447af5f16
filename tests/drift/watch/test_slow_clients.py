"""Clients that are slow on purpose lock out no other client and hold no memory for long."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest

from drift.model import Status
from drift.watch import http_server as serving
from drift.watch.http_server import HttpServer
from drift.watch.status import WatchStatus
from drift.watch.timing import Timing
from tests.drift.report.reports import finding, item, report
from tests.drift.watch.conftest import Client, eventually

LARGE = 16 * 1024 * 1024
MANY = 4 * serving._AT_ONCE  # noqa: SLF001 - the bound that is tested


@pytest.fixture
def client() -> Iterator[Client]:
    status = WatchStatus(Timing())
    status.show(report(item("ConfigMap", "a", Status.DRIFTED, finding(1, path="data.a", live="x" * LARGE))), ())
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
    ids=["say nothing", "never end their request", "never read the answer"],
)
def test_health_and_metrics_are_answered_beside_many_clients_that(
    client: Client, connect: Callable[[bytes], socket.socket], sent: bytes
) -> None:
    slow = [connect(sent) for _ in range(MANY)]

    for _ in range(3):
        assert client.text("/healthz") == "ok\n"
        assert "drift_watch_up" in client.text("/metrics")
    eventually(lambda: _clients() <= serving._AT_ONCE)  # noqa: SLF001
    assert len(slow) == MANY


def test_a_request_that_trickles_in_is_dropped_at_its_deadline(
    client: Client, connect: Callable[[bytes], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_TO_ASK", 0.5)
    slow = connect(b"GET /healthz HTTP/1.1\r\n")

    def is_dropped() -> bool:
        try:
            # Each byte is in time for a timeout of one read.
            slow.sendall(b"X")
        except OSError:
            return True
        return False

    eventually(is_dropped)
    assert client.get("/").status == 200


def test_an_answer_that_is_not_read_ends_at_its_deadline(
    connect: Callable[[bytes], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_TO_ANSWER", 0.5)
    slow = connect(b"GET /report.json HTTP/1.0\r\nHost: localhost\r\n\r\n")
    received = len(slow.recv(1))

    eventually(lambda: _clients() == 0)

    # What was on its way is there, and then the stream ends too early.
    try:
        while chunk := slow.recv(1024 * 1024):
            received += len(chunk)
    except ConnectionResetError:
        pass
    assert received < LARGE


def test_a_large_answer_that_is_read_comes_whole(client: Client) -> None:
    assert len(client.get("/report.json").data) > LARGE


def test_a_report_is_encoded_once_for_all_who_read_it() -> None:
    status = WatchStatus(Timing())
    status.show(report(), ())
    pages = serving.RequestRouter(status)

    assert pages.answer("/report.json", "").body is pages.answer("/report.json", "").body


def _clients() -> int:
    """Threads that answer a client now."""
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())
