"""Which failures are retried, how often, and after how long."""

from collections.abc import Callable
from email.utils import formatdate

import pytest

from drift.errors import ConnectError, RequestError
from drift.kube.http_get import FailureReason, Response
from drift.kube.limits import Deadline
from drift.kube.requests import AttemptError, retries_for, retry_after, with_retries
from tests.drift.conftest import Application
from tests.drift.faulty import DRIFT, drift_of
from tools.sandbox.proxy import Proxy, status


def _response(status_code: int, **headers: str) -> Response:
    return Response(status_code, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_temporary_failures_are_retried(code: int) -> None:
    assert retries_for(_response(code)) == 5


@pytest.mark.parametrize(
    "outcome", [_response(400), _response(403), _response(404), FailureReason.UNTRUSTED, FailureReason.TOO_LARGE]
)
def test_permanent_failures_are_not_retried(outcome: Response | FailureReason) -> None:
    assert retries_for(outcome) == 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("7", 7), (" 7 ", 7), ("soon", None), ("", None), ("-1", None), (formatdate(0, usegmt=True), 0)],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(_response(429, Retry_After=value)) == seconds


def test_retry_after_is_respected_and_reported(proxied: tuple[Application, Proxy], stderr: Callable[[], str]) -> None:
    application, running = proxied
    running.on("/services/web$", status(429, Retry_After="1"))

    scanned = application.report("-v", "--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))

    assert drift_of(scanned.document) == DRIFT
    (line,) = (line for line in stderr().splitlines() if "GET" in line)
    assert line.endswith("/services/web: 429; retrying in 1s (1 of 5)")


def test_retries_are_silent_without_verbose(proxied: tuple[Application, Proxy], stderr: Callable[[], str]) -> None:
    application, running = proxied
    running.on("/services/web$", status(500))

    assert application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch)).status == 1
    assert stderr() == ""


def test_the_number_of_retries_is_limited(proxied: tuple[Application, Proxy]) -> None:
    del proxied  # shortens the backoff
    messages: list[str] = []

    def fail() -> None:
        raise AttemptError(RequestError("GET /x: 500", status=500, reason="HTTP 500"), "500", 5)

    with pytest.raises(RequestError, match="500"):
        with_retries(fail, "/x", max_retries=None, deadline=Deadline(None), notify=messages.append)

    assert [message.partition("(")[2] for message in messages] == [f"{number} of 5)" for number in range(1, 6)]


def test_there_is_no_wait_beyond_the_deadline() -> None:
    def fail() -> None:
        raise AttemptError(ConnectError("gone"), "gone", 5, retry_after=60)

    with pytest.raises(ConnectError, match="asks to wait 1m, longer than --deadline leaves"):
        with_retries(fail, "/x", max_retries=None, deadline=Deadline(5), notify=pytest.fail)
