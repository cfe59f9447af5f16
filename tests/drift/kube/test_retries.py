"""What is tried again, and how long is waited for it."""

from collections.abc import Callable
from email.utils import formatdate

import pytest

from drift.errors import ConnectError, RequestError
from drift.kube.attempt import Answer, FailureReason
from drift.kube.limits import Deadline
from drift.kube.retries import FailedError, is_retriable, retry_after, with_retries
from tests.drift.conftest import Application
from tests.drift.faulty import DRIFT, drift_of
from tools.sandbox.proxy import Proxy, status


def _answer(status_code: int, **headers: str) -> Answer:
    return Answer(status_code, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_what_passes_is_worth_trying_again(code: int) -> None:
    assert is_retriable(_answer(code)) == 5


@pytest.mark.parametrize(
    "what", [_answer(400), _answer(403), _answer(404), FailureReason.UNTRUSTED, FailureReason.TOO_LARGE]
)
def test_what_stays_is_not(what: Answer | FailureReason) -> None:
    assert is_retriable(what) == 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("7", 7), (" 7 ", 7), ("soon", None), ("", None), ("-1", None), (formatdate(0, usegmt=True), 0)],
)
def test_a_wait_that_is_asked_for_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(_answer(429, Retry_After=value)) == seconds


def test_a_wait_that_is_asked_for_is_waited_and_said(
    proxied: tuple[Application, Proxy], stderr: Callable[[], str]
) -> None:
    application, running = proxied
    running.on("/services/web$", status(429, Retry_After="1"))

    scanned = application.report("-v", "--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))

    assert drift_of(scanned.document) == DRIFT
    (line,) = (line for line in stderr().splitlines() if "GET" in line)
    assert line.endswith("/services/web: 429; trying again in 1s (1 of 5)")


def test_without_verbose_nothing_is_said(proxied: tuple[Application, Proxy], stderr: Callable[[], str]) -> None:
    application, running = proxied
    running.on("/services/web$", status(500))

    assert application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch)).status == 1
    assert stderr() == ""


def test_tries_are_bounded(proxied: tuple[Application, Proxy]) -> None:
    del proxied  # for its short pauses
    said: list[str] = []

    def fail() -> None:
        raise FailedError(RequestError("GET /x: 500", status=500, reason="HTTP 500"), "500", 5)

    with pytest.raises(RequestError, match="500"):
        with_retries(fail, "/x", patience=None, deadline=Deadline(None), tell=said.append)

    assert [line.partition("(")[2] for line in said] == [f"{number} of 5)" for number in range(1, 6)]


def test_nothing_is_waited_for_beyond_the_deadline() -> None:
    def fail() -> None:
        raise FailedError(ConnectError("gone"), "gone", 5, retry_after=60)

    with pytest.raises(ConnectError, match="asks to wait 1m, longer than --deadline leaves"):
        with_retries(fail, "/x", patience=None, deadline=Deadline(5), tell=pytest.fail)
