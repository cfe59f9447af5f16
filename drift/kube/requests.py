"""Sends GET requests to an API server: renews credentials, retries, and turns every failure into one clear error.

All requests of the reporter go through here. They are read-only, so each may safely be sent twice.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import urlencode

import orjson
import urllib3

from drift.errors import MALFORMED, TEMPORARY, TOO_LARGE, ConnectError, DriftError, RequestError, ScanError, malformed
from drift.kube.connection import Connection
from drift.kube.http_get import (
    FailureReason,
    NoResponseError,
    Response,
    credentials_refused,
    failures_as_no_response,
    get,
    interrupt,
    no_response_error,
    open_stream,
    read_chunks,
    response_error,
)
from drift.kube.limits import Deadline, Limits, call_with_timeout, format_duration
from drift.objects import Object

_JSON: Final = "application/json"
#: Maximum number of JSON values in a response. A value of three bytes can take a hundred once it is parsed.
_MAX_VALUES: Final = 4_000_000
#: The first retry is immediate, because most failures are a single bad connection.
_BACKOFF: Final = urllib3.Retry(backoff_factor=0.2, backoff_jitter=0.2, backoff_max=10, status_forcelist=TEMPORARY)
_MAX_RETRIES: Final = 5
_MAX_RETRIES_BY_REASON: Final = {
    FailureReason.UNREACHABLE: _MAX_RETRIES,
    FailureReason.NO_PROXY: _MAX_RETRIES,
    FailureReason.TIMEOUT: 1,
    FailureReason.BROKEN: _MAX_RETRIES,
}
#: The longest wait in seconds that a server may ask for, if there is no deadline.
_MAX_WAIT: Final = 60.0
#: Retries while the server has never responded: the address or the context is probably wrong.
_MAX_FIRST_RETRIES: Final = 2
#: After this many requests in a row without a response, the scan gives up.
_MAX_UNANSWERED: Final = 3
_EXPIRED: Final = "the certificate of the exec plugin has expired"

_Result = TypeVar("_Result")


class AttemptError(Exception):
    """One attempt at a request failed.

    Attributes:
        error: The error of the request if there is no retry.
        summary: The failure in a few words.
        max_retries: How often the request may be retried.
        retry_after: The seconds that the server asks to wait first, or None.
    """

    def __init__(self, error: ScanError, summary: str, max_retries: int, retry_after: float | None = None) -> None:
        super().__init__(summary)
        self.error = error
        self.summary = summary
        self.max_retries = max_retries
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Stream:
    """A response that is read as it arrives.

    Attributes:
        chunks: The bytes as they arrive.
        interrupt: Stops reading, from any thread.
    """

    chunks: Iterator[bytes]
    interrupt: Callable[[], None]


class Requests:
    """Sends GET requests over one connection and counts them.

    Attributes:
        count: Requests sent so far, including retries.
        deadline: When to stop.
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
        deadline: Deadline | None = None,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Sends nothing yet.

        Args:
            connection: The server and the credentials, which are renewed when the server refuses them.
            limits: The timeout and the maximum size of a response.
            deadline: When to stop; by default, the limits count from now on.
            notify: Called with a sentence for each retry.
        """
        self._connection = connection
        self._limits = limits or Limits()
        self.deadline = deadline or self._limits.deadline()
        self._notify = notify
        self._renewing = threading.Lock()
        self._has_responded = False
        self._last_failed = False
        self._unanswered = 0
        self.count = 0

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._connection.server

    def get(self, path: str, parameters: Mapping[str, str] | None = None, accept: str = _JSON) -> Object:
        """Returns the JSON object at a path.

        Args:
            path: For example ``/api/v1/namespaces``.
            parameters: The query.
            accept: The ``Accept`` header.

        Raises:
            ConnectError: The server is unreachable or refuses the credentials, or the deadline has passed.
            RequestError: The server responded with an error, or with something unreadable.
        """
        body = self.get_bytes(path, parameters, accept)
        if sum(body.count(separator) for separator in (b",", b"{", b"[")) > _MAX_VALUES:
            raise RequestError(
                f"GET {path}: the response has more than {_MAX_VALUES} values", status=HTTPStatus.OK, reason=TOO_LARGE
            )
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise malformed(path, f"the response is not valid JSON ({error.msg})") from None
        if not isinstance(value, dict):
            raise malformed(path, "this is not the response of an API server")
        return value

    def get_bytes(
        self, path: str, parameters: Mapping[str, str] | None = None, accept: str = _JSON
    ) -> bytes | bytearray:
        """Like `get`, but returns the body unparsed."""
        if not path.startswith("/"):
            # Appended to the server's address, it could change the host.
            raise RequestError(f"{path!r} is not a path of an API server", status=0, reason=MALFORMED)
        target = path + (f"?{urlencode(parameters)}" if parameters else "")
        try:
            body = with_retries(
                lambda: self._attempt(path, target, accept),
                path,
                # Do not wait long again for a server that has just failed for good.
                max_retries=1 if self._last_failed else None,
                deadline=self.deadline,
                notify=self._notify,
            )
        except RequestError as error:
            self._last_failed = error.is_temporary
            self._unanswered = self._unanswered + 1 if error.status == 0 else 0
            if self._unanswered >= _MAX_UNANSWERED:
                raise ConnectError(
                    f"{self.server}: {error}; the {_MAX_UNANSWERED - 1} requests before it failed too"
                ) from None
            raise
        self._last_failed, self._unanswered = False, 0
        return body

    @contextmanager
    def stream(
        self, path: str, parameters: Mapping[str, str], accept: str, *, idle_seconds: float, seconds: float
    ) -> Iterator[Stream]:
        """Opens a response that is read as it arrives, such as a watch. It is not retried.

        Args:
            path: For example ``/api/v1/namespaces``.
            parameters: The query.
            accept: The ``Accept`` header.
            idle_seconds: The connection counts as broken after this many seconds without data.
            seconds: The response is read for at most this many seconds.

        Raises:
            ConnectError: The server is unreachable or refuses the credentials.
            RequestError: The server responded with an error, or the response broke off.
        """
        try:
            with failures_as_no_response(f"no data for {format_duration(idle_seconds)}"):
                response = self._open_stream(path, f"{path}?{urlencode(parameters)}", accept, idle_seconds)
                try:
                    yield Stream(read_chunks(response, Deadline(seconds)), partial(interrupt, response))
                finally:
                    # Not returned to the pool: the next request would read the rest of this response.
                    response.close()
        except NoResponseError as failure:
            raise self._no_response(path, failure) from None
        except AttemptError as failure:
            raise failure.error from None

    def _open_stream(self, path: str, target: str, accept: str, idle_seconds: float) -> urllib3.BaseHTTPResponse:
        connection = self._unexpired()
        self.count += 1
        response = open_stream(connection, target, accept, idle_seconds=idle_seconds)
        if isinstance(response, Response) and response.status == HTTPStatus.UNAUTHORIZED:
            self._renew_credentials(connection)
            connection = self._connection
            self.count += 1
            response = open_stream(connection, target, accept, idle_seconds=idle_seconds)
        if isinstance(response, Response):
            raise response_error(connection, path, response)
        return response

    def _attempt(self, path: str, target: str, accept: str) -> bytes | bytearray:
        connection = self._unexpired()
        response = self._send(path, target, accept)
        if response.status == HTTPStatus.UNAUTHORIZED:
            # Tokens are short-lived: a pod's token file is rewritten, a credential plugin issues a new one.
            self._renew_credentials(connection)
            response = self._send(path, target, accept)
        if response.status == HTTPStatus.OK:
            return response.body
        error = response_error(self._connection, path, response)
        raise AttemptError(error, str(response.status), retries_for(response), retry_after(response))

    def _send(self, path: str, target: str, accept: str) -> Response:
        seconds_left = self.deadline.remaining()
        if not seconds_left:
            raise AttemptError(self._deadline_error(), "no time is left", 0)
        connection = self._connection
        self.count += 1
        try:
            response = get(
                connection,
                target,
                accept,
                seconds=min(self._limits.request_seconds, seconds_left),
                max_bytes=self._limits.response_bytes,
            )
        except NoResponseError as failure:
            retries = retries_for(failure.reason)
            raise AttemptError(
                self._no_response(path, failure),
                str(failure),
                retries if self._has_responded else min(_MAX_FIRST_RETRIES, retries),
            ) from None
        except ConnectError as error:
            raise AttemptError(error, "no credentials", 0) from None
        self._has_responded = True
        return response

    def _unexpired(self) -> Connection:
        """Returns the connection, with a new certificate if it has expired: servers refuse it without a 401."""
        connection = self._connection
        if connection.has_expired():
            self._renew_credentials(connection, has_expired=True)
        return self._connection

    def _renew_credentials(self, refused: Connection, *, has_expired: bool = False) -> None:
        """Gets new credentials, unless another thread has just replaced the refused or expired ones."""
        with self._renewing:
            if self._connection is not refused:
                return
            seconds = min(self._limits.request_seconds, self.deadline.remaining())
            problem = f"{self.server}: {_EXPIRED}" if has_expired else credentials_refused(self.server)
            try:
                renewed = call_with_timeout(seconds, refused.renew)
            except TimeoutError:
                timed_out = ConnectError(f"{problem}; getting new ones timed out")
                error = timed_out if self.deadline.remaining() else self._deadline_error()
                raise AttemptError(error, "no credentials", 0) from None
            except DriftError as error:
                raise AttemptError(ConnectError(f"{problem}; getting new ones failed: {error}"), "401", 0) from None
            if renewed.server != refused.server:
                # The rest of the report would be about another cluster.
                why = f"the kubeconfig now names another server for this context, {renewed.server}"
                raise AttemptError(ConnectError(f"{problem}; {why}"), "401", 0)
            self._connection = renewed
            reason = f"{_EXPIRED}; continuing" if has_expired else "the credentials were refused (401); retrying"
            self._notify(f"{self.server}: {reason} with new ones")

    def _no_response(self, path: str, failure: NoResponseError) -> ScanError:
        return (
            no_response_error(self._connection, path, failure) if self.deadline.remaining() else self._deadline_error()
        )

    def _deadline_error(self) -> ConnectError:
        seconds = format_duration(self.deadline.seconds or 0)
        return ConnectError(f"the scan did not finish within {seconds}, so the rest was not read; raise --deadline")


def retries_for(outcome: FailureReason | Response) -> int:
    """How often a request with this outcome may be retried."""
    if isinstance(outcome, FailureReason):
        return _MAX_RETRIES_BY_REASON.get(outcome, 0)
    return _MAX_RETRIES if _BACKOFF.is_retry("GET", outcome.status) else 0


def retry_after(response: Response) -> float | None:
    """The seconds of the ``Retry-After`` header, which may be a date; None if it is missing or not valid."""
    value = response.headers.get("Retry-After")
    try:
        return None if value is None else _BACKOFF.parse_retry_after(value)
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None


def with_retries(
    attempt: Callable[[], _Result],
    path: str,
    *,
    max_retries: int | None,
    deadline: Deadline,
    notify: Callable[[str], None],
) -> _Result:
    """Calls a function until it succeeds or must not be retried.

    Args:
        attempt: Raises `AttemptError` on failure.
        path: For messages.
        max_retries: An additional limit to that of `AttemptError`, or None.
        deadline: There is no wait beyond it; without one, no wait of more than a minute.
        notify: Called with a sentence for each retry.

    Raises:
        ScanError: The error of the last attempt.
    """
    backoff = _BACKOFF
    while True:
        try:
            return attempt()
        except AttemptError as failure:
            retries = len(backoff.history)
            if retries >= failure.max_retries or (max_retries is not None and retries >= max_retries):
                raise failure.error from None
            backoff = backoff.increment("GET", path)
            wait = max(backoff.get_backoff_time(), failure.retry_after or 0)
            if deadline.seconds is None:
                # ``drift watch`` would wait for hours, if that is what a proxy says.
                wait = min(wait, _MAX_WAIT)
            if wait >= deadline.remaining():
                if failure.retry_after:
                    asked = f"the server asks to wait {format_duration(wait)}, longer than --deadline leaves"
                    failure.error.args = (f"{failure.error}; {asked}",)
                raise failure.error from None
            when = f"in {format_duration(wait)}" if wait else "now"
            notify(f"GET {path}: {failure.summary}; retrying {when} ({retries + 1} of {failure.max_retries})")
            time.sleep(wait)
