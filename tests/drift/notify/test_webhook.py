"""Delivery retries within a total timeout, and never reveals the URL."""

import base64
import json
import logging
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from drift.errors import HistoryError
from drift.history.store import History
from drift.model import Status
from drift.notify.webhook import RetryPolicy, Webhook, deliver
from drift.report.formats import MessageFormat
from tests.drift.history.scans import SCOPE, at
from tests.drift.notify.receiver import Response, receiving, status
from tests.drift.report.reports import finding, item

#: Quick pauses; a loaded machine answers in time.
QUICK = RetryPolicy(attempt_seconds=60, total_seconds=180, pauses=(0.01, 0.01))
#: For receivers that never answer.
SHORT = RetryPolicy(attempt_seconds=0.3, total_seconds=2.0, pauses=(0.01, 0.01))


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


def test_a_user_and_password_are_sent_as_basic_authentication(logged: pytest.LogCaptureFixture) -> None:
    with receiving(status(200)) as receiver:
        assert Webhook(receiver.url.replace("://", "://bob:s3cr3t%40-☃@")).send({}, QUICK) is None
        assert Webhook(receiver.url).send({}, QUICK) is None

    expected = base64.b64encode("bob:s3cr3t@-☃".encode()).decode()
    assert receiver.headers[0]["Authorization"] == f"Basic {expected}"
    assert "Authorization" not in receiver.headers[1]
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


@pytest.mark.parametrize("when", ["300", "3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
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
        assert Webhook(receiver.url).send({}, SHORT) == "no response in time"
        end.set()


def test_a_server_that_responds_one_byte_at_a_time_times_out() -> None:
    end = threading.Event()

    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not end.wait(0.05):
            request.wfile.write(b"x")
            request.wfile.flush()

    with receiving(trickle) as receiver:
        assert Webhook(receiver.url).send({}, SHORT) == "no response in time"
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


PLANTED = "planted-secret-4711"
MANIFESTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop}
data: {key: git-value}
"""
LIVE = MANIFESTS.replace("git-value", "live-value")
Stderr = Callable[[], str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text(MANIFESTS)
    Path("live.yaml").write_text(LIVE)
    return tmp_path


def scan(live: str = "live.yaml", *flags: str, form: str = "json") -> int:
    return main(["report", "m.yaml", "--live", live, "--history", "h.db", "--notify", form, *flags])


@pytest.fixture
def to(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda url: monkeypatch.setenv("DRIFT_WEBHOOK_URL", url)


To = Callable[[str], None]


def changes(document: dict[str, Any]) -> list[str]:
    return [f"{kind} {it['path']}" for kind in ("new", "worsened", "resolved") for it in document[kind]]


def test_each_change_is_sent_once_and_nothing_without_changes(to: To) -> None:
    with receiving(status(200)) as receiver:
        to(receiver.url)
        assert (scan(), scan(), scan("m.yaml"), scan("m.yaml")) == (1, 1, 0, 0)

    assert [changes(document) for document in receiver.documents] == [["new data.key"], ["resolved data.key"]]


def test_a_message_links_to_the_report(to: To) -> None:
    with receiving(status(200)) as receiver:
        to(receiver.url)
        assert scan("live.yaml", "--report-url", "https://ci.example.com/1/report.html") == 1

    assert receiver.documents[0]["reportUrl"] == "https://ci.example.com/1/report.html"


@pytest.mark.parametrize(
    "url", ["report.html", "file:///report.html", "https://", "https://a/#b", "https://a/\n", "https://[a"]
)
def test_a_report_url_is_one_that_a_browser_can_open(url: str, stderr: Stderr) -> None:
    with pytest.raises(SystemExit, match="2"):
        scan("live.yaml", "--report-url", url)
    assert "is not an http or https URL without a fragment" in stderr()


def test_a_report_url_without_notifications_is_a_mistake(stderr: Stderr) -> None:
    assert main(["report", "m.yaml", "--live", "live.yaml", "--report-url", "https://a"]) == 2
    assert "--report-url is for notifications" in stderr()


def test_a_higher_severity_is_sent(to: To) -> None:
    with receiving(status(200)) as receiver:
        to(receiver.url)
        scan()
        Path("drift.yaml").write_text("severity: [{kind: ConfigMap, path: '**', severity: critical}]")
        scan()

    assert [changes(document) for document in receiver.documents] == [["new data.key"], ["worsened data.key"]]


def test_a_failed_delivery_is_repeated(to: To, stderr: Stderr) -> None:
    with receiving(status(403), status(200)) as receiver:
        to(receiver.url)
        assert scan() == 1
        assert stderr() == (
            "drift: notification not sent: the receiver in DRIFT_WEBHOOK_URL: it responded with status 403; the next "
            "run tries again\n"
        )
        assert scan() == 1
        assert stderr() == ""
        assert scan() == 1

    assert [changes(document) for document in receiver.documents] == [["new data.key"], ["new data.key"]]


def test_a_line_break_at_the_end_of_the_url_is_not_a_part_of_it(to: To) -> None:
    with receiving(status(200)) as receiver:
        to(f"{receiver.url}\n")
        assert scan() == 1

    assert receiver.paths == ["/services/s3cr3t-path?sig=s3cr3t-query"]


def test_what_was_sent_is_sent_again_if_the_history_cannot_be_written_after_that(
    to: To, monkeypatch: pytest.MonkeyPatch, stderr: Stderr
) -> None:
    def refuse(history: History, _: object) -> None:
        raise HistoryError(f"{history.file}: cannot be used: database or disk is full")

    with receiving(status(200)) as receiver, monkeypatch.context() as patched:
        patched.setattr(History, "mark_delivered", refuse)
        to(receiver.url)
        assert scan() == 1

    assert [changes(document) for document in receiver.documents] == [["new data.key"]]
    assert stderr() == (
        "drift: h.db: cannot be used: database or disk is full; the next run sends the notifications of this one, "
        "perhaps again\n"
    )


@pytest.mark.parametrize("url", ["http://example.com/s3cr3t", "s3cr3t", "http://[s3cr3t"])
def test_an_invalid_url_is_not_quoted_and_the_report_is_written(
    url: str, to: To, capsys: pytest.CaptureFixture[str]
) -> None:
    to(url)

    assert scan("live.yaml", "-v") == 1

    out, err = capsys.readouterr()
    assert "ConfigMap shop/a  drifted" in out
    assert len([line for line in err.splitlines() if "DRIFT_WEBHOOK_URL: " in line]) == 1
    assert "s3cr3t" not in out + err


def test_without_a_url_the_report_is_written_and_changes_are_sent_later(
    to: To, monkeypatch: pytest.MonkeyPatch, stderr: Stderr
) -> None:
    monkeypatch.delenv("DRIFT_WEBHOOK_URL", raising=False)
    assert scan() == 1
    assert "DRIFT_WEBHOOK_URL is not set" in stderr()

    with receiving(status(200)) as receiver:
        to(receiver.url)
        scan()

    assert [changes(document) for document in receiver.documents] == [["new data.key"]]


def test_nothing_is_sent_without_the_flag(to: To) -> None:
    with receiving(status(200)) as receiver:
        to(receiver.url)
        assert main(["report", "m.yaml", "--live", "live.yaml", "--history", "h.db"]) == 1

    assert receiver.bodies == []


def test_notify_needs_a_history(stderr: Stderr) -> None:
    assert main(["report", "m.yaml", "--live", "live.yaml", "--notify", "slack"]) == 2
    assert "--notify needs --history FILE" in stderr()


def test_nothing_is_sent_if_the_history_cannot_be_written(to: To) -> None:
    with receiving(status(200)) as receiver:
        to(receiver.url)
        status_ = main(["report", "m.yaml", "--live", "live.yaml", "--history", "no/h.db", "--notify", "json"])

    assert status_ == 2
    assert receiver.bodies == []


@pytest.mark.parametrize("form", MessageFormat)
def test_no_value_or_secret_is_sent(form: MessageFormat, to: To, capsys: pytest.CaptureFixture[str]) -> None:
    coded = base64.b64encode(PLANTED.encode()).decode()
    copy = json.dumps({"data": {"a": coded}, "env": PLANTED}).replace('"', '\\"')
    secret = f"""\
---
apiVersion: v1
kind: Secret
metadata:
  name: s
  namespace: shop
  annotations: {{"kubectl.kubernetes.io/last-applied-configuration": "{copy}"}}
data: {{a: {coded}}}
stringData: {{b: "{PLANTED}"}}
---
apiVersion: v1
kind: Pod
metadata: {{name: p, namespace: shop}}
spec: {{containers: [{{name: c, image: i, env: [{{name: PASSWORD, value: "{PLANTED}"}}]}}]}}
"""
    Path("m.yaml").write_text(MANIFESTS + secret)
    Path("live.yaml").write_text(LIVE + secret.replace(PLANTED, f"{PLANTED}-2").replace(coded, coded[:-4] + "MTIz"))

    with receiving(status(200)) as receiver:
        to(receiver.url)
        assert scan("live.yaml", "--quiet", "-v", form=form) == 1
        assert scan("m.yaml", "--quiet", form=form) == 0

    assert len(receiver.bodies) == 2
    for body in receiver.bodies:
        assert b"Secret" in body
        # A message to people names only the worst findings.
        assert b"PASSWORD" in body or form is not MessageFormat.JSON
        for hidden in (PLANTED, coded[:16], "git-value", "live-value"):
            assert hidden.encode() not in body
    assert "s3cr3t" not in "".join(capsys.readouterr())


def test_a_run_that_overlaps_sends_nothing_again(tmp_path: Path) -> None:
    scan = at(1, item("ConfigMap", "a", Status.DRIFTED, finding(1)))
    overlapping: list[str | None] = []

    def send(webhook: Webhook) -> str | None:
        history = History(tmp_path / "history.db", pytest.fail)
        history.record(scan, SCOPE, for_notifications=True)
        return deliver(history, SCOPE, scan, webhook=webhook, form=MessageFormat.JSON, retry_policy=QUICK)

    def slow(request: BaseHTTPRequestHandler) -> None:
        # Another run, before this one has its response.
        overlapping.append(send(Webhook(receiver.url)))
        status(200)(request)

    with receiving(slow, status(200)) as receiver:
        assert send(Webhook(receiver.url)) is None
        assert send(Webhook(receiver.url)) is None

    assert overlapping == [None]
    assert len(receiver.bodies) == 1
