"""What is answered over HTTP, and to whom it is not."""

import http.client
from collections.abc import Iterator

import pytest

from drift.watch.http_server import HttpServer, is_local
from drift.watch.status import WatchStatus
from drift.watch.timing import Timing
from tests.drift.report.reports import hostile
from tests.drift.watch.conftest import Client


@pytest.fixture
def status() -> WatchStatus:
    return WatchStatus(Timing())


@pytest.fixture
def client(status: WatchStatus) -> Iterator[Client]:
    service = HttpServer(status, "127.0.0.1", 0)
    service.start()
    yield Client(service.url)
    service.stop()


def test_before_the_first_scan_there_is_no_report_and_no_health(client: Client) -> None:
    assert client.get("/report").status == 503
    assert client.get("/healthz").status == 503
    assert "drift_watch_up 0" in client.text("/metrics")


def test_the_report_comes_in_the_form_that_is_asked_for(status: WatchStatus, client: Client) -> None:
    status.show(hostile("<script>\x1b[31m"), ())

    for path, accept, kind in (
        ("/report", "", "application/json"),
        ("/report", "application/json", "application/json"),
        ("/report", "text/plain;q=0.5, */*", "text/plain"),
        ("/report.json", "text/plain", "application/json"),
        ("/report", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("/report.html", "", "text/html"),
        ("/report.txt", "", "text/plain"),
        ("/report.md", "", "text/markdown"),
        ("/report?format=sarif", "", "application/sarif+json"),
    ):
        answer = client.get(path, Accept=accept)
        assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, kind), path
        assert answer.data
    assert client.get("/report?format=pdf").status == 406
    assert client.get("/report.pdf").status == client.get("/etc/passwd").status == 404


def test_every_answer_has_the_headers_that_keep_a_browser_from_harm(client: Client) -> None:
    for path in ("/", "/metrics", "/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_nothing_but_get_and_head_is_answered(client: Client) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "NONSENSE"):
        answer = client.get("/report", method=method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert client.get("/", method="HEAD").data == b""


def test_on_loopback_a_request_for_another_name_is_refused(client: Client) -> None:
    for host in ("rebound.example", "rebound.example:9480", "127.0.0.1.example", "", "[::1"):
        assert client.get("/report", Host=host).status == 421
    assert client.get("/", Host="localhost:9480").status == 200


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
def test_only_names_of_the_loopback_are_local(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_open_metrics_are_given_to_who_asks_for_them(status: WatchStatus, client: Client) -> None:
    status.show(hostile("<script>\x1b[31m"), ())

    older = client.get("/metrics")
    newer = client.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")

    assert older.headers["Content-Type"] == "text/plain; charset=utf-8; version=0.0.4"
    assert newer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert b"# TYPE drift_watch_scans counter\ndrift_watch_scans_total 0\n" in newer.data
    assert b"# TYPE drift_watch_scans_total counter\ndrift_watch_scans_total 0\n" in older.data
    assert newer.data.count(b"# EOF\n") == 1
    assert newer.data.endswith(b"# EOF\n")


def test_a_request_that_is_none_gets_no_traceback(client: Client) -> None:
    connection = http.client.HTTPConnection(client.url.removeprefix("http://"), timeout=10)
    connection.putrequest("GET", "/" + "x" * 70_000, skip_host=True)
    connection.endheaders()

    assert connection.getresponse().status == 414
    connection.close()


def test_manifests_that_cannot_be_read_are_a_trouble_and_a_note(status: WatchStatus, client: Client) -> None:
    status.show(hostile("<script>\x1b[31m"), ())
    status.manifests_are(broken="a.yaml:1:1: broken \x1b[31m")

    assert "a.yaml:1:1: broken" in client.text("/healthz")
    assert "\x1b" not in client.text("/healthz") + client.text("/report.txt")
