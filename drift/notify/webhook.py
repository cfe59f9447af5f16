"""Delivery over HTTP: with a few attempts, in a bounded time, and without a word on where to.

The URL of a webhook is a secret: whoever has it can post. No message, error or log line of ours holds any part of it.
"""

import ipaddress
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Final

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
from drift.model import Json

#: Statuses of a server that may do better a moment later.
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
_PAUSES: Final = (1.0, 2.0, 4.0)
_LOGGERS: Final = ("urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry")
_PROBLEMS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (NameResolutionError, "its host's name cannot be resolved"),
    (NewConnectionError, "no connection"),
    (ConnectTimeoutError, "no answer in time"),
    (ReadTimeoutError, "no answer in time"),
    (SSLError, "no connection that TLS would trust"),
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a receiver is waited for.

    Attributes:
        attempt_seconds: For one answer.
        total_seconds: For all attempts with the pauses between them.
        pauses: Seconds between the attempts, where the server names no time.
    """

    attempt_seconds: float = 10.0
    total_seconds: float = 30.0
    pauses: tuple[float, ...] = _PAUSES


_USUAL: Final = RetryPolicy()


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where messages are sent.

    Attributes:
        url: A secret; https, or http on this machine.
    """

    url: str = field(repr=False)

    def problem(self) -> str | None:
        """Why the URL cannot be used, without the URL; None where it can."""
        try:
            url = parse_url(self.url)
        except LocationParseError:
            return "is no URL"
        if url.scheme == "https" and url.host:
            return None
        if url.scheme == "http" and url.host and _is_loopback(url.host):
            return None
        return "has to be an https URL (http is for this machine alone)"

    def send(self, body: Json, patience: RetryPolicy = _USUAL) -> str | None:
        """Sends a message.

        Args:
            body: The JSON of the request.
            patience: When to give up.

        Returns:
            Why it could not be delivered, in a few words without the URL; None where it was.
        """
        problem = self.problem()
        if problem is not None:
            return problem
        delivery = _Delivery(self.url, json.dumps(body).encode(), patience)
        # A server that sends a byte now and then keeps any read alive, so the thread is left behind at the end.
        thread = threading.Thread(target=delivery.run, daemon=True, name="webhook")
        thread.start()
        thread.join(patience.total_seconds)
        return "no answer in time" if thread.is_alive() else delivery.problem


class _Delivery:
    def __init__(self, url: str, body: bytes, patience: RetryPolicy) -> None:
        self.problem: str | None = "no answer in time"
        self._url = url
        self._body = body
        self._patience = patience

    def run(self) -> None:
        try:
            with _silent():
                self.problem = self._deliver()
        except Exception as error:  # noqa: BLE001
            # Whatever a library raises may hold the URL: no traceback, and no message.
            self.problem = f"it failed ({type(error).__name__})"

    def _deliver(self) -> str | None:
        end = monotonic() + self._patience.total_seconds
        with urllib3.PoolManager(retries=False) as pool:
            problem, wait = self._attempt(pool)
            for pause in self._patience.pauses:
                if wait is None or monotonic() + max(wait, pause) >= end:
                    break
                sleep(max(wait, pause))
                problem, wait = self._attempt(pool)
        return problem

    def _attempt(self, pool: urllib3.PoolManager) -> tuple[str | None, float | None]:
        """One attempt: its problem, and how many seconds to wait before another; None where none would help."""
        seconds = self._patience.attempt_seconds
        try:
            response = pool.request(
                "POST",
                self._url,
                body=self._body,
                headers={"Content-Type": "application/json", "User-Agent": f"drift-reporter/{__version__}"},
                timeout=Timeout(total=seconds),
                redirect=False,
                preload_content=False,
            )
        except HTTPError as error:
            known = (words for kind, words in _PROBLEMS if isinstance(error, kind))
            return next(known, "the connection broke"), 0.0
        try:
            return _judge(response.status, response.headers.get("Retry-After"))
        finally:
            # What it says beside the status is of no use to us, and may have no end.
            response.close()


def _judge(status: int, retry_after: str | None) -> tuple[str | None, float | None]:
    if 200 <= status < 300:  # noqa: PLR2004
        return None, None
    if 300 <= status < 400:  # noqa: PLR2004
        return f"it answered {status}, and redirects are not followed", None
    return f"it answered {status}", _wait(retry_after) if status in _PASSING else None


def _wait(retry_after: str | None) -> float:
    try:
        return Retry().parse_retry_after(retry_after) if retry_after else 0.0
    except InvalidHeader:
        return 0.0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _silent() -> Iterator[None]:
    """Keeps urllib3 from logging, for what it logs has the URL in it."""

    def nothing(_: logging.LogRecord) -> bool:
        return False

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(nothing)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(nothing)
