from collections.abc import Callable, Iterator

import pytest

from drift.cli import main
from drift.errors import UsageError
from drift.notify.pushgateway import VARIABLE, parse_address, push
from tests.drift.conftest import Application
from tests.pushed import Receiver, receive
from tools.sandbox.syncers import Syncer


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receive() as received:
        yield received


def test_metrics_replace_those_of_their_group(receiver: Receiver) -> None:
    address = f"{receiver.url}/metrics/job/drift/environment/prod"

    assert push("drift_x 1\n", parse_address(address)) is None

    ((method, path, headers, body),) = receiver.requests
    assert (method, path, body) == ("PUT", "/metrics/job/drift/environment/prod", "drift_x 1\n")
    assert headers["Content-Type"] == "text/plain; version=0.0.4"


def test_an_address_without_a_group_is_that_of_the_job_drift(receiver: Receiver) -> None:
    push("", parse_address(f"{receiver.url}/"))

    assert receiver.requests[0][1] == "/metrics/job/drift"


def test_a_password_in_the_address_is_sent_as_basic_authentication_and_shown_nowhere(receiver: Receiver) -> None:
    receiver.statuses = [401]
    address = parse_address(receiver.url.replace("http://", "http://me:se%2Fcret@"))

    complaint = push("", address)

    assert receiver.requests[0][2]["authorization"] == "Basic bWU6c2UvY3JldA=="
    assert complaint == f"the metrics were not pushed to {receiver.url}: it answered with status 401"
    assert "cret" not in repr(address)


def test_a_gateway_that_is_down_for_a_moment_is_asked_again(receiver: Receiver) -> None:
    receiver.statuses = [503, 200]

    assert push("", parse_address(receiver.url)) is None
    assert len(receiver.requests) == 2


def test_a_gateway_that_stays_down_is_asked_three_times(receiver: Receiver) -> None:
    receiver.statuses = [503]

    assert "it answered with status 503" in str(push("", parse_address(receiver.url)))
    assert len(receiver.requests) == 3


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.statuses = [307]

    assert "it answered with status 307" in str(push("", parse_address(receiver.url)))
    assert len(receiver.requests) == 1


def test_nobody_there_is_one_line() -> None:
    complaint = push("", parse_address("http://127.0.0.1:1"))

    assert complaint == "the metrics were not pushed to http://127.0.0.1:1: no connection could be made"


@pytest.mark.parametrize(
    "address", ["", "pushgateway:9091", "ftp://a", "http://", "http://a:b", "http://a?b", "http://u:secret@[", "//a"]
)
def test_what_is_no_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_address(address)

    assert VARIABLE in str(error.value)
    assert "secret" not in str(error.value)


def test_a_report_pushes_its_metrics_and_ends_as_it_would_without(
    application: Application, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, stderr: Callable[[], str]
) -> None:
    application.sync(Syncer.FLUX)
    monkeypatch.setenv(VARIABLE, receiver.url)

    assert application.report("--push-metrics").status == 0
    assert 'drift_verdict{verdict="in-sync"} 1\n' in receiver.requests[0][3]
    receiver.statuses = [500]
    assert application.report("--push-metrics").status == 0
    assert stderr() == f"drift: the metrics were not pushed to {receiver.url}: it answered with status 500\n"


def test_a_flag_without_an_address_is_a_usage_error_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, stderr: Callable[[], str]
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    assert main(["report", "/nonexistent", "--push-metrics"]) == 2
    assert stderr() == f"drift: --push-metrics: {VARIABLE} is not set; set it to the address of a Pushgateway\n"
