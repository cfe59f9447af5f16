"""The one place from which requests are sent: GET only, raw bytes back, every failure as one clear error."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import orjson
import urllib3

from drift.errors import ConnectError, DriftError, RequestError, ScanError
from drift.kube.attempt import (
    CONNECT_SECONDS,
    UNSENDABLE,
    Answer,
    FailureReason,
    NoAnswerError,
    attempt,
    interrupt,
    no_answer,
)
from drift.kube.connection import Connection
from drift.kube.limits import Deadline, Limits, call_with_timeout, format_duration
from drift.kube.retries import PASSING, FailedError, is_retriable, retry_after, with_retries
from drift.model import Object

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The words for errors that API servers have.
#: https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#StatusReason
REASONS: Final = (
    "Unauthorized",
    "Forbidden",
    "NotFound",
    "AlreadyExists",
    "Conflict",
    "Gone",
    "Invalid",
    "ServerTimeout",
    "StoreReadError",
    "Timeout",
    "TooManyRequests",
    "BadRequest",
    "MethodNotAllowed",
    "NotAcceptable",
    "RequestEntityTooLarge",
    "UnsupportedMediaType",
    "InternalError",
    "Expired",
    "ServiceUnavailable",
)
_OK: Final = 200
#: Bytes of an answer that is read as it comes.
_CHUNK: Final = 65_536
#: How many values an answer may hold. Each takes up to a hundred bytes once it is parsed, and as few as three before.
_MOST_VALUES: Final = 4_000_000
_REDIRECTS: Final = range(300, 400)
_HOST: Final = re.compile(r"[a-z0-9._:-]{1,253}")
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
#: Of the message of an API server that refuses an ``Impersonate-User`` or ``Impersonate-Group``.
_REFUSED_TO_IMPERSONATE: Final = "cannot impersonate"
#: After so many requests in a row without an answer, the server is taken for gone.
_SILENCE: Final = 3

#: So often is a server tried again that has never answered yet.
_FIRST_TRIES: Final = 2

#: What `RequestError.reason` says of an answer that is not what an API server answers with.
MALFORMED: Final = "Malformed"
#: What it says of an answer that was not read to its end.
TOO_LARGE: Final = "TooLarge"


def ignore_message(_: str) -> None:
    """For those who do not want to hear of requests that are tried again."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that is read as it comes.

    Attributes:
        chunks: The bytes in pieces as they arrive; they end where the answer ends.
        interrupt: Ends whatever is being read, from any thread.
    """

    chunks: Iterator[bytes]
    interrupt: Callable[[], None]


class Requests:
    """Sends GET requests over one connection and counts them.

    Attributes:
        count: Requests sent so far, those that were tried again included.
        received: Bytes received so far, after decompression.
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
        deadline: Deadline | None = None,
        tell: Callable[[str], None] = ignore_message,
    ) -> None:
        """Nothing is sent yet.

        Args:
            connection: With the credentials; they are asked for anew when they are refused.
            limits: How long a request may take, and how large an answer may be.
            deadline: When to stop; None: as the limits say, from now on.
            tell: Hears of every request that is tried again, a sentence each.
        """
        self._connection = connection
        self._limits = limits or Limits()
        self._deadline = deadline or self._limits.deadline()
        self._tell = tell
        self._renewing = threading.Lock()
        self._answered = False
        self._failing = False
        self._unanswered = 0
        self.count = 0
        self.received = 0

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._connection.server

    def get(self, path: str, parameters: "Mapping[str, str] | None" = None, accept: str = "application/json") -> Object:
        """The JSON object that a path answers with.

        Args:
            path: From the server's root, for instance ``/api/v1/namespaces``.
            parameters: Of the query.
            accept: The media types that are welcome.

        Raises:
            ConnectError: No usable answer: unreachable, TLS, credentials, or no time is left.
            RequestError: The server answered with an error, or with what cannot be read.
        """
        body = self.get_bytes(path, parameters, accept)
        if sum(body.count(mark) for mark in (b",", b"{", b"[")) > _MOST_VALUES:
            raise RequestError(
                f"GET {path}: the answer holds more than {_MOST_VALUES} values", status=_OK, reason=TOO_LARGE
            )
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise RequestError(
                f"GET {path}: the answer cannot be read as JSON ({error.msg})", status=_OK, reason=MALFORMED
            ) from None
        if not isinstance(answer, dict):
            raise RequestError(
                f"GET {path}: the answer is not what an API server answers with", status=_OK, reason=MALFORMED
            )
        return answer

    def get_bytes(
        self, path: str, parameters: "Mapping[str, str] | None" = None, accept: str = "application/json"
    ) -> bytes | bytearray:
        """As `get`, without parsing."""
        if not path.startswith("/"):
            # After the server's address it could make another host of it.
            raise RequestError(f"{path!r} is no path of an API server", status=0, reason=MALFORMED)
        target = path + (f"?{urlencode(parameters)}" if parameters else "")
        try:
            body = with_retries(
                lambda: self._attempt(path, target, accept),
                path,
                # A server that has just failed for good is not waited for again and again.
                patience=1 if self._failing else None,
                deadline=self._deadline,
                tell=self._tell,
            )
        except RequestError as error:
            self._failing = error.status == 0 or error.status in PASSING
            self._unanswered = self._unanswered + 1 if error.status == 0 else 0
            if self._unanswered >= _SILENCE:
                raise ConnectError(f"{self.server}: {error}, as with {_SILENCE - 1} requests before") from None
            raise
        self._failing, self._unanswered = False, 0
        return body

    @contextmanager
    def stream(
        self, path: str, parameters: "Mapping[str, str]", accept: str, *, silence: float, seconds: float
    ) -> Iterator[Stream]:
        """An answer that is read as it comes, for instance a watch. It is asked for once: whoever reads it retries.

        Args:
            path: From the server's root.
            parameters: Of the query.
            accept: The media types that are welcome.
            silence: Seconds without a byte after which the connection counts as broken.
            seconds: How long the answer is read at most, however slowly it comes.

        Yields:
            The answer.

        Raises:
            ConnectError: There is no connection, or there are no credentials.
            RequestError: The server answered with an error, or the answer broke off.
        """
        try:
            response = self._open(path, f"{path}?{urlencode(parameters)}", accept, silence)
            try:
                yield Stream(_pieces(response, Deadline(seconds)), lambda: interrupt(response))
            finally:
                # Not handed back to the pool: what is left of the answer would be read by whoever comes next.
                response.close()
        except TimeoutError:
            raise self._no_answer(path, _silent(silence)) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            failure = no_answer(error, silence)
            raise self._no_answer(
                path, _silent(silence) if failure.lack is FailureReason.TOO_SLOW else failure
            ) from None
        except ValueError:
            # Its message would quote the credentials.
            raise self._no_answer(path, NoAnswerError(UNSENDABLE, FailureReason.UNSENT)) from None
        except FailedError as failure:
            raise failure.error from None

    def _open(self, path: str, target: str, accept: str, silence: float) -> urllib3.BaseHTTPResponse:
        for is_last in (False, True):
            connection = self._connection
            self.count += 1
            # The credentials may come from a plugin that never ends, and headers byte by byte.
            answer = call_with_timeout(silence, partial(self._ask, connection, target, accept, silence))
            if not isinstance(answer, Answer):
                return answer
            if is_last or answer.status != _UNAUTHORIZED:
                raise self._error(path, answer)
            self._renew(connection)
        raise AssertionError

    def _ask(
        self, connection: Connection, target: str, accept: str, silence: float
    ) -> urllib3.BaseHTTPResponse | Answer:
        """An answer that is still to be read, or what the server says is wrong."""
        response: urllib3.BaseHTTPResponse = connection.client.rest_client.pool_manager.request(
            "GET",
            self.server + target,
            headers=_headers(connection, accept),
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=silence),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        if response.status == _OK:
            return response
        try:
            return Answer(response.status, response.headers, response.read(_CHUNK))
        finally:
            response.close()

    def _attempt(self, path: str, target: str, accept: str) -> bytes | bytearray:
        connection = self._connection
        answer = self._send(path, target, accept)
        if answer.status == _UNAUTHORIZED:
            # Tokens are short-lived: that of a pod is replaced in its file, a plugin makes a new one.
            self._renew(connection)
            answer = self._send(path, target, accept)
        if answer.status == _OK:
            return answer.body
        error = self._error(path, answer)
        raise FailedError(error, str(answer.status), is_retriable(answer), retry_after(answer))

    def _send(self, path: str, target: str, accept: str) -> Answer:
        left = self._deadline.remaining()
        if not left:
            raise FailedError(ConnectError(self._too_late()), "no time is left", 0)
        connection = self._connection
        pool: urllib3.PoolManager = connection.client.rest_client.pool_manager
        self.count += 1
        try:
            answer = attempt(
                pool,
                self.server + target,
                lambda: _headers(connection, accept),
                seconds=min(self._limits.request_seconds, left),
                response_bytes=self._limits.response_bytes,
            )
        except NoAnswerError as failure:
            raise FailedError(self._no_answer(path, failure), str(failure), self._worth_again(failure.lack)) from None
        except ConnectError as error:
            raise FailedError(error, "no credentials", 0) from None
        self._answered = True
        self.received += len(answer.body)
        return answer

    def _worth_again(self, lack: FailureReason) -> int:
        # Where nobody ever answered, the address or the context is wrong rather than the moment.
        return is_retriable(lack) if self._answered else min(_FIRST_TRIES, is_retriable(lack))

    def _renew(self, refused: Connection) -> None:
        """Gets new credentials, unless another thread has just replaced those that were refused."""
        with self._renewing:
            if self._connection is refused:
                self._connect_again()

    def _connect_again(self) -> None:
        left = self._deadline.remaining()
        try:
            self._connection = call_with_timeout(min(self._limits.request_seconds, left), self._connection.renew)
        except TimeoutError:
            why = self._too_late() if not self._deadline.remaining() else f"{self._refused()}; new ones took too long"
            raise FailedError(ConnectError(why), "no credentials", 0) from None
        except DriftError as error:
            raise FailedError(ConnectError(f"{self._refused()}; new ones cannot be had: {error}"), "401", 0) from None
        self._tell(f"{self.server}: the credentials were refused (401); trying again with new ones")

    def _no_answer(self, path: str, failure: NoAnswerError) -> ScanError:
        if not self._deadline.remaining():
            return ConnectError(self._too_late())
        proxy = self._connection.proxy
        through = f" through the proxy {proxy}" if proxy is not None else ""
        if failure.lack is FailureReason.NO_PROXY:
            return ConnectError(f"{self.server}{through}: {failure}; check HTTPS_PROXY, NO_PROXY and proxy-url")
        if failure.lack in {FailureReason.UNREACHABLE, FailureReason.UNTRUSTED, FailureReason.UNSENT}:
            return ConnectError(f"{self.server}{through}: {failure}")
        reason = TOO_LARGE if failure.lack is FailureReason.TOO_LARGE else failure.lack.name.title().replace("_", "")
        return RequestError(
            f"GET {path}{through}: {failure}",
            status=_OK if failure.lack is FailureReason.TOO_LARGE else 0,
            reason=reason,
        )

    def _too_late(self) -> str:
        return (
            f"the scan was not done within {format_duration(self._deadline.seconds or 0)}, so the rest was not read; "
            "give it more time with --deadline"
        )

    def _refused(self) -> str:
        return (
            f"{self.server}: the credentials were refused (401 Unauthorized): "
            "the token or certificate is expired or wrong; log in again or choose another --context"
        )

    def _error(self, path: str, answer: Answer) -> ScanError:
        if answer.status == _UNAUTHORIZED:
            return ConnectError(self._refused())
        if answer.status in _REDIRECTS:
            host = _host(answer.headers.get("Location", ""))
            return RequestError(
                f"GET {path}: {answer.status} redirects to {host}, where credentials are not sent; "
                "is this the address of an API server?",
                status=answer.status,
                reason="Redirect",
            )
        status = _status_object(answer.body)
        # Of what the server says only its known words are passed on: the rest may quote any part of an object.
        reason = status.get("reason") if status.get("reason") in REASONS else None
        impersonated = self._connection.impersonated.user
        if answer.status == _FORBIDDEN and impersonated is not None:
            if _REFUSED_TO_IMPERSONATE in str(status.get("message")):
                return ConnectError(
                    f"{self.server}: this account may not impersonate {impersonated!r} as asked (403 Forbidden)"
                )
            return RequestError(
                f"GET {path}: {answer.status} {reason or 'error'} as {impersonated!r}",
                status=answer.status,
                reason=reason or f"HTTP {answer.status}",
            )
        metadata = status.get("metadata")
        continue_token = metadata.get("continue") if isinstance(metadata, dict) else None
        return RequestError(
            f"GET {path}: {answer.status} {reason or 'error'}",
            status=answer.status,
            reason=reason or f"HTTP {answer.status}",
            continue_token=continue_token if isinstance(continue_token, str) else None,
        )


def _headers(connection: Connection, accept: str) -> "Mapping[str, str]":
    headers = connection.credentials()
    headers["Accept"] = accept
    headers["User-Agent"] = "drift"
    return headers


def _pieces(response: urllib3.BaseHTTPResponse, until: Deadline) -> Iterator[bytes]:
    """The bytes of an answer as they arrive."""
    while until.remaining() and (piece := response.read1(_CHUNK, decode_content=True)):
        yield piece


def _silent(seconds: float) -> NoAnswerError:
    return NoAnswerError(f"nothing came for {format_duration(seconds)}", FailureReason.TOO_SLOW)


def _host(location: str) -> str:
    """Where a redirect leads, for messages; only what can be the name of a host is quoted."""
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        host = ""
    return repr(host) if _HOST.fullmatch(host) else "elsewhere"


def _status_object(body: bytes | bytearray) -> Object:
    """The ``Status`` that an API server answers with where something is wrong; {} where it is none."""
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}
