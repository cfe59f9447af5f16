"""Sends JSON to a webhook, with retries and a total timeout, and keeps notifications until they are sent.

The URL of a webhook is a secret: everyone who has it can post. No message, error or log line contains any part of it.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Final
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Retry, Timeout, parse_url

from drift import __version__
from drift.history.episodes import Scope
from drift.history.store import History
from drift.kube.kubeconfig import basic_authentication, is_loopback
from drift.kube.limits import call_with_timeout
from drift.model import Report
from drift.notify.message import message_of, request_body
from drift.objects import Json
from drift.report.formats import MessageFormat

_RETRIED_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})
#: Loggers of urllib3 that would write the URL.
_LOGGERS: Final = ("urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry")
_PROBLEMS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (NameResolutionError, "its host name cannot be resolved"),
    (NewConnectionError, "the connection failed"),
    (ConnectTimeoutError, "no response in time"),
    (ReadTimeoutError, "no response in time"),
    (SSLError, "TLS verification failed"),
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Timeouts and pauses of a delivery.

    Attributes:
        attempt_seconds: Timeout of one attempt.
        total_seconds: Timeout of all attempts and pauses together.
        pauses: Minimum seconds before each retry. A ``Retry-After`` header may extend them.
    """

    attempt_seconds: float = 10.0
    total_seconds: float = 30.0
    pauses: tuple[float, ...] = (1.0, 2.0, 4.0)


_DEFAULT_POLICY: Final = RetryPolicy()


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook.

    Attributes:
        url: The URL, a secret. It must use https, or http on localhost. A user and a password in it are sent as basic
            authentication.
    """

    url: str = field(repr=False)

    def problem(self) -> str | None:
        """Returns why the URL is invalid, without quoting it; None if it is valid."""
        try:
            url = parse_url(self.url)
        except LocationParseError:
            return "is not a URL"
        if url.scheme == "https" and url.host:
            return None
        if url.scheme == "http" and url.host and is_loopback(url.host.strip("[]")):
            return None
        return "must be an https URL (http only for localhost)"

    def send(self, body: Json, retry_policy: RetryPolicy = _DEFAULT_POLICY) -> str | None:
        """Sends a message.

        Returns:
            Why the delivery failed, in a few words without the URL; None if it succeeded.
        """
        problem = self.problem()
        if problem is not None:
            return problem
        try:
            # A server that sends single bytes slowly never runs into a read timeout.
            return call_with_timeout(
                retry_policy.total_seconds,
                lambda: _post_with_retries(self.url, json.dumps(body).encode(), retry_policy),
            )
        except TimeoutError:
            return "no response in time"
        except Exception as error:  # noqa: BLE001
            # The message and traceback of an exception may contain the URL.
            return f"it failed ({type(error).__name__})"


def _post_with_retries(url: str, body: bytes, policy: RetryPolicy) -> str | None:
    end = monotonic() + policy.total_seconds
    with _no_logging(), urllib3.PoolManager(retries=False) as pool:
        problem, wait = _post(pool, url, body, policy)
        for pause in policy.pauses:
            if wait is None or monotonic() + max(wait, pause) >= end:
                break
            sleep(max(wait, pause))
            problem, wait = _post(pool, url, body, policy)
    return problem


def _post(pool: urllib3.PoolManager, url: str, body: bytes, policy: RetryPolicy) -> tuple[str | None, float | None]:
    """Returns why one attempt failed, or None, and the seconds to wait before a retry; None for no retry."""
    parts = urlsplit(url)
    try:
        response = pool.request(
            "POST",
            url,
            body=body,
            headers={
                "Content-Type": "application/json",
                "User-Agent": f"drift-reporter/{__version__}",
                **({"Authorization": basic_authentication(parts)} if parts.username else {}),
            },
            timeout=Timeout(total=policy.attempt_seconds),
            redirect=False,
            preload_content=False,
        )
    except HTTPError as error:
        known = (problem for kind, problem in _PROBLEMS if isinstance(error, kind))
        return next(known, "the connection was interrupted"), 0.0
    try:
        return _result(response.status, response.headers.get("Retry-After"))
    finally:
        # The body is not read, because it may be of any size.
        response.close()


def _result(status: int, retry_after: str | None) -> tuple[str | None, float | None]:
    if 200 <= status < 300:  # noqa: PLR2004
        return None, None
    if 300 <= status < 400:  # noqa: PLR2004
        return f"it responded with status {status}, and redirects are not followed", None
    return f"it responded with status {status}", _wait(retry_after) if status in _RETRIED_STATUSES else None


def _wait(retry_after: str | None) -> float:
    try:
        return Retry().parse_retry_after(retry_after) if retry_after else 0.0
    except InvalidHeader:
        return 0.0


@contextmanager
def _no_logging() -> Iterator[None]:
    def drop(_: logging.LogRecord) -> bool:
        return False

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(drop)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(drop)


def deliver(
    history: History,
    scope: Scope,
    report: Report,
    *,
    webhook: Webhook,
    form: MessageFormat,
    report_url: str | None = None,
    retry_policy: RetryPolicy = _DEFAULT_POLICY,
) -> str | None:
    """Sends the pending notifications of a scope, if there are any that no other run is sending.

    If the delivery fails, they stay in the history and are sent with the next ones.

    Returns:
        Why the delivery failed, in a few words without the URL; None if nothing is pending any more.

    Raises:
        HistoryError: The file cannot be used.
    """
    pending = history.claim_notifications(scope)
    message = message_of(report, scope.name, pending, report_url)
    if message.notifications:
        problem = webhook.send(request_body(message, form), retry_policy)
        if problem is not None:
            history.release(pending)
            return problem
    if pending:
        history.mark_delivered(pending)
    return None
