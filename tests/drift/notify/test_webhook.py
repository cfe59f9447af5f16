"""Delivery retries within a total timeout, and never reveals the URL."""

import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from drift.notify.webhook import RetryPolicy, Webhook
from tests.drift.notify.receiver import Response, receiving, status

QUICK = RetryPolicy(attempt_seconds=0.3, total_seconds=2.0, pauses=(0.01, 0.01))


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.mark.parametrize("code", [200, 202, 204])
def test_a_message_arrives_as_json(code: int, logged: pytest.LogCaptureFixture) -> None:
    with receiving(status(code)) as receiver:
        assert Webhook(receiver.url).send({"text": "\N{SNOWMAN}"}, QUICK) is None

    assert receiver.documents == [{"text": "\N{SNOWMAN}"}]
    assert receiver.headers[0]["Content-Type"] == "application/json"
    assert receiver.headers[0]["User-Agent"].startswith("drift-reporter/")
    assert "s3cr3t" not in logged.text


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_temporary_failure_is_retried(code: int) -> None:
    with receiving(status(code), status(code), status(200)) as receiver:
        assert Webhook(receiver.url).send({}, QUICK) is None

    assert len(receiver.bodies) == 3


def test_retries_are_limited() -> None:
    with receiving(status(503)) as receiver:
        assert Webhook(receiver.url).send({}, QUICK) == "it responded with status 503"

    assert len(receiver.bodies) == 3


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 501])
def test_a_refusal_is_not_retried(code: int) -> None:
    with receiving(status(code)) as receiver:
        assert Webhook(receiver.url).send({}, QUICK) == f"it responded with status {code}"

    assert len(receiver.bodies) == 1


def test_retry_after_is_respected() -> None:
    with receiving(status(429, Retry_After="1"), status(200)) as receiver:
        assert Webhook(receiver.url).send({}, QUICK) is None


@pytest.mark.parametrize("when", ["3", "3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_retry_after_beyond_the_timeout_is_not_waited_for(when: str) -> None:
    with receiving(status(429, Retry_After=when)) as receiver:
        assert Webhook(receiver.url).send({}, QUICK) == "it responded with status 429"

    assert len(receiver.bodies) == 1


def test_an_invalid_retry_after_is_ignored() -> None:
    with receiving(status(503, Retry_After="soon"), status(200)) as receiver:
        assert Webhook(receiver.url).send({}, QUICK) is None


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(code: int, logged: pytest.LogCaptureFixture) -> None:
    with receiving(status(200)) as elsewhere, receiving(status(code, Location=elsewhere.url)) as receiver:
        problem = Webhook(receiver.url).send({}, QUICK)

    assert problem == f"it responded with status {code}, and redirects are not followed"
    assert elsewhere.bodies == []
    assert "s3cr3t" not in logged.text


def test_a_server_that_does_not_respond_times_out() -> None:
    end = threading.Event()

    def stall(_: BaseHTTPRequestHandler) -> None:
        end.wait(20)

    with receiving(stall) as receiver:
        assert Webhook(receiver.url).send({}, QUICK) == "no response in time"
        end.set()


def test_a_server_that_responds_one_byte_at_a_time_times_out() -> None:
    end = threading.Event()

    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not end.wait(0.05):
            request.wfile.write(b"x")
            request.wfile.flush()

    with receiving(trickle) as receiver:
        assert Webhook(receiver.url).send({}, QUICK) == "no response in time"
        end.set()


def test_an_endless_response_is_not_read() -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                request.wfile.write(b"x" * 65536)
        except OSError:
            request.close_connection = True

    with receiving(endless) as receiver:
        assert Webhook(receiver.url).send({}, QUICK) is None


def _garbage(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"no HTTP at all\r\n\r\n")
    request.close_connection = True


def _broken_headers(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 500 x\r\n: nameless\r\nbroken header\r\n\r\n")
    request.close_connection = True


def _hang_up(request: BaseHTTPRequestHandler) -> None:
    request.connection.shutdown(socket.SHUT_RDWR)
    request.close_connection = True


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (_garbage, "the connection was interrupted"),
        (_hang_up, "the connection was interrupted"),
        (_broken_headers, "it responded with status 500"),
    ],
)
def test_an_error_does_not_contain_the_url(
    answer: Response, problem: str, logged: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with receiving(answer) as receiver:
        assert Webhook(receiver.url).send({}, QUICK) == problem

    assert "s3cr3t" not in logged.text
    assert "s3cr3t" not in "".join(capfd.readouterr())


def test_a_refused_connection_does_not_log_the_url(logged: pytest.LogCaptureFixture) -> None:
    with receiving(status(200)) as receiver:
        url = receiver.url

    assert Webhook(url).send({}, QUICK) == "the connection failed"
    assert "s3cr3t" not in logged.text


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/s3cr3t",
        "http://127.0.0.1.example.com/s3cr3t",
        "http://10.0.0.1/s3cr3t",
        "ftp://127.0.0.1/s3cr3t",
        "file:///s3cr3t",
        "/s3cr3t",
        "https:///s3cr3t",
        "http://[::1/s3cr3t",
        "s3cr3t",
        "",
    ],
)
def test_plain_http_is_allowed_only_for_localhost(url: str) -> None:
    problem = Webhook(url).send({}, QUICK)

    assert problem in {"is not a URL", "must be an https URL (http only for localhost)"}


@pytest.mark.parametrize(
    "url", ["https://example.com/x", "http://127.0.0.1:8/x", "http://[::1]:8/x", "http://localhost/x"]
)
def test_valid_urls(url: str) -> None:
    assert Webhook(url).problem() is None


def test_repr_does_not_contain_the_url() -> None:
    assert "s3cr3t" not in repr(Webhook("https://example.com/s3cr3t"))
