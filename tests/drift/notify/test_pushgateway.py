"""Pushes metrics to a Pushgateway, with retries and without revealing credentials."""

import base64
from collections.abc import Callable, Iterator

import pytest

from drift.cli import main
from drift.errors import UsageError
from drift.notify import pushgateway
from drift.notify.pushgateway import VARIABLE, parse_address, push
from tests.drift.conftest import Application
from tests.pushed import Receiver, receive
from tools.sandbox.syncers import Syncer


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receive() as received:
        yield received


def test_metrics_replace_their_group(receiver: Receiver) -> None:
    address = f"{receiver.url}/metrics/job/drift/environment/prod"

    assert push("drift_x 1\n", parse_address(address)) is None

    ((method, path, headers, body),) = receiver.requests
    assert (method, path, body) == ("PUT", "/metrics/job/drift/environment/prod", "drift_x 1\n")
    assert headers["Content-Type"] == "text/plain; version=0.0.4"


def test_the_default_group_is_the_job_drift(receiver: Receiver) -> None:
    push("", parse_address(f"{receiver.url}/"))

    assert receiver.requests[0][1] == "/metrics/job/drift"


def test_a_password_is_sent_as_basic_authentication_and_never_shown(receiver: Receiver) -> None:
    receiver.statuses = [401]
    address = parse_address(receiver.url.replace("http://", "http://me:se%2Fcret@"))

    complaint = push("", address)

    assert receiver.requests[0][2]["authorization"] == "Basic bWU6c2UvY3JldA=="
    assert complaint == f"the metrics were not pushed to {receiver.url}: it responded with status 401"
    assert "cret" not in repr(address)


def test_a_password_with_any_characters_is_sent_as_utf_8(receiver: Receiver) -> None:
    for password in ("%E2%82%AC%C3%A9", "\N{EURO SIGN}\N{LATIN SMALL LETTER E WITH ACUTE}"):
        assert push("", parse_address(receiver.url.replace("http://", f"http://u:{password}@"))) is None

        kind, _, credentials = receiver.requests[-1][2]["authorization"].partition(" ")
        assert (kind, base64.b64decode(credentials).decode()) == (
            "Basic",
            "u:\N{EURO SIGN}\N{LATIN SMALL LETTER E WITH ACUTE}",
        )


def test_bytes_that_are_no_text_are_sent_as_they_are(receiver: Receiver) -> None:
    assert push("", parse_address(receiver.url.replace("http://", "http://u:%FF@"))) is None
    # As Python reads such a byte from the environment.
    assert push("", parse_address(receiver.url.replace("http://", "http://u:\udcff@"))) is None

    assert {request[2]["authorization"] for request in receiver.requests} == {"Basic dTr/"}


def test_a_temporary_failure_is_retried(receiver: Receiver) -> None:
    receiver.statuses = [503, 200]

    assert push("", parse_address(receiver.url)) is None
    assert len(receiver.requests) == 2


def test_there_are_three_attempts(receiver: Receiver) -> None:
    receiver.statuses = [503]

    assert "it responded with status 503" in str(push("", parse_address(receiver.url)))
    assert len(receiver.requests) == 3


def test_a_server_that_asks_to_wait_is_not_waited_for(receiver: Receiver) -> None:
    receiver.statuses, receiver.retry_after = [503, 200, 429], "3600"

    assert push("", parse_address(receiver.url)) is None
    assert "it responded with status 429" in str(push("", parse_address(receiver.url)))


def test_all_attempts_together_have_a_limit(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushgateway, "_TIMEOUT", 600)
    monkeypatch.setattr(pushgateway, "_TOTAL_TIMEOUT", 0.1)
    receiver.is_answering.clear()

    complaint = push("", parse_address(receiver.url))

    assert complaint == f"the metrics were not pushed to {receiver.url}: no response within 0.1 s"


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.statuses = [307]

    assert "it responded with status 307" in str(push("", parse_address(receiver.url)))
    assert len(receiver.requests) == 1


def test_a_refused_connection_is_one_line() -> None:
    complaint = push("", parse_address("http://127.0.0.1:1"))

    assert complaint == "the metrics were not pushed to http://127.0.0.1:1: the connection failed"


@pytest.mark.parametrize(
    "address", ["", "pushgateway:9091", "ftp://a", "http://", "http://a:b", "http://a?b", "http://u:secret@[", "//a"]
)
def test_an_invalid_address_is_refused_but_not_quoted(address: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_address(address)

    assert VARIABLE in str(error.value)
    assert "secret" not in str(error.value)


def test_a_push_does_not_change_the_exit_status(
    application: Application, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, stderr: Callable[[], str]
) -> None:
    application.sync(Syncer.FLUX)
    monkeypatch.setenv(VARIABLE, receiver.url)

    assert application.report("--push-metrics").status == 0
    assert 'drift_verdict{verdict="in-sync"} 1\n' in receiver.requests[0][3]
    receiver.statuses = [500]
    assert application.report("--push-metrics").status == 0
    assert stderr() == f"drift: the metrics were not pushed to {receiver.url}: it responded with status 500\n"


def test_the_flag_without_an_address_is_an_early_usage_error(
    monkeypatch: pytest.MonkeyPatch, stderr: Callable[[], str]
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    assert main(["report", "/nonexistent", "--push-metrics"]) == 2
    assert stderr() == f"drift: --push-metrics: {VARIABLE} is not set; set it to the URL of a Pushgateway\n"
