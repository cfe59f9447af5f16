"""Sends a single GET request with a timeout and a size limit, and says why there is no response."""

import http.client
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

import urllib3

from drift.kube.limits import Deadline, call_with_timeout, format_duration

_CONNECT_SECONDS: Final = 10.0
_CHUNK_BYTES: Final = 256 * 1024
_STREAM_CHUNK_BYTES: Final = 64 * 1024
#: The standard library's message when a proxy refuses a tunnel. The group is the status; the proxy's text is dropped.
_TUNNEL_REFUSED: Final = re.compile(r"Tunnel connection failed: (\d{3})")

#: Returns the headers of a request, with the credentials. It may run a credential plugin.
Headers = Callable[[], Mapping[str, str]]


class FailureReason(Enum):
    """Why there is no response."""

    UNREACHABLE = auto()
    UNTRUSTED = auto()
    TIMEOUT = auto()
    BROKEN = auto()
    TOO_LARGE = auto()
    UNSENT = auto()
    NO_PROXY = auto()


class NoResponseError(Exception):
    """A request ended without a complete response.

    Attributes:
        reason: Why.
    """

    def __init__(self, message: str, reason: FailureReason) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP response.

    Attributes:
        status: The HTTP status.
        headers: Case-insensitive.
        body: Decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | bytearray


def get(pool: urllib3.PoolManager, url: str, headers: Headers, *, seconds: float, max_bytes: int) -> Response:
    """Sends one GET request. Redirects are not followed, so that credentials stay with their server.

    Args:
        pool: The connections.
        url: The full URL.
        headers: Called once; its time counts as part of the request.
        seconds: Timeout of the whole request.
        max_bytes: Maximum size of the decompressed body.

    Raises:
        NoResponseError: There is no complete response.
    """
    opened: list[urllib3.BaseHTTPResponse] = []

    def send() -> Response:
        response = _open(pool, url, headers(), connect=min(_CONNECT_SECONDS, seconds), read=seconds)
        opened.append(response)
        return Response(response.status, response.headers, _read(response, max_bytes))

    with failures_as_no_response(f"no complete response within {format_duration(seconds)} (--request-timeout)"):
        try:
            return call_with_timeout(seconds, send)
        except TimeoutError:
            for response in opened:
                interrupt(response)
            raise


def open_stream(
    pool: urllib3.PoolManager, url: str, headers: Headers, *, idle_seconds: float
) -> urllib3.BaseHTTPResponse | Response:
    """Sends one GET request whose response is read as it arrives.

    Args:
        pool: The connections.
        url: The full URL.
        headers: Called once; its time counts as part of the request.
        idle_seconds: Timeout for the response to start, and for each read from it.

    Returns:
        The open response if the status is 200, otherwise the start of the error response.

    Raises:
        TimeoutError: The response did not start in time.
    """

    def send() -> urllib3.BaseHTTPResponse | Response:
        response = _open(pool, url, headers(), connect=_CONNECT_SECONDS, read=idle_seconds)
        if response.status == HTTPStatus.OK:
            return response
        try:
            return Response(response.status, response.headers, response.read(_STREAM_CHUNK_BYTES))
        finally:
            response.close()

    return call_with_timeout(idle_seconds, send)


def read_chunks(response: urllib3.BaseHTTPResponse, deadline: Deadline) -> Iterator[bytes]:
    """The bytes of a stream as they arrive, until it ends or the deadline passes."""
    while deadline.remaining() and (chunk := response.read1(_STREAM_CHUNK_BYTES, decode_content=True)):
        yield chunk


def interrupt(response: urllib3.BaseHTTPResponse) -> None:
    """Stops reading a response, from any thread."""
    try:
        response.shutdown()
    except (RuntimeError, ValueError, OSError):
        # The response has just been read to its end.
        return


@contextmanager
def failures_as_no_response(timeout_message: str) -> Iterator[None]:
    """Raises `NoResponseError` for every way in which sending or reading can fail."""
    try:
        yield
    except TimeoutError:
        raise NoResponseError(timeout_message, FailureReason.TIMEOUT) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise _no_response(error, timeout_message) from None
    except ValueError:
        # The original message would quote the credentials.
        message = "the request cannot be sent: the address or the credentials contain characters that HTTP forbids"
        raise NoResponseError(message, FailureReason.UNSENT) from None


def _open(
    pool: urllib3.PoolManager, url: str, headers: Mapping[str, str], *, connect: float, read: float
) -> urllib3.BaseHTTPResponse:
    return pool.request(
        "GET",
        url,
        headers=headers,
        timeout=urllib3.Timeout(connect=connect, read=read),
        retries=False,
        redirect=False,
        preload_content=False,
    )


def _read(response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytearray:
    """The whole body. The limit applies to the decompressed size."""
    # One buffer that grows in place: joining a list of chunks would need twice the memory.
    body = bytearray()
    while chunk := response.read(_CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > max_bytes:
            response.close()
            # The error's traceback would keep the buffer alive.
            body.clear()
            raise NoResponseError(
                f"the response is larger than {max_bytes // 1024 // 1024} MiB", FailureReason.TOO_LARGE
            )
    response.release_conn()
    return body


def _no_response(error: Exception, timeout_message: str) -> NoResponseError:
    cause = _root_cause(error)
    if _is_proxy_error(error):
        return NoResponseError(_proxy_message(cause), FailureReason.NO_PROXY)
    unreachable = _unreachable_message(error, cause)
    if unreachable is not None:
        return NoResponseError(unreachable, FailureReason.UNREACHABLE)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NoResponseError(
            f"its certificate is not trusted ({cause.verify_message}); check certificate-authority in the kubeconfig",
            FailureReason.UNTRUSTED,
        )
    if isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError):
        return NoResponseError(timeout_message, FailureReason.TIMEOUT)
    return NoResponseError(f"the connection was lost ({_cause_message(cause)})", FailureReason.BROKEN)


def _unreachable_message(error: Exception, cause: BaseException) -> str | None:
    """Why there is no connection to the server, or None if there was one."""
    if isinstance(cause, ConnectionRefusedError):
        return "the connection was refused; is the server running, and is this the right --context?"
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "the host name cannot be resolved; is this the right --context?"
    if isinstance(error, urllib3.exceptions.LocationValueError):
        return "its address is not valid; check server in the kubeconfig"
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return "connecting timed out; is the server reachable from here?"
    return None


def _is_proxy_error(error: BaseException) -> bool:
    """Whether the proxy or its tunnel failed, rather than the server behind it."""
    return isinstance(error, urllib3.exceptions.ProxyError) or isinstance(
        getattr(error, "reason", None), urllib3.exceptions.ProxyError
    )


def _proxy_message(cause: BaseException) -> str:
    refused = _TUNNEL_REFUSED.search(str(cause))
    if refused:
        return f"the proxy refused the connection ({refused[1]})"
    if isinstance(cause, ConnectionRefusedError):
        return "the proxy does not answer (connection refused)"
    return f"the proxy cannot be used ({_cause_message(cause)})"


def _cause_message(error: BaseException) -> str:
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, OSError):
        return "the response is not HTTP"
    # Other texts of a library can quote what was sent or received.
    return " ".join(str(getattr(error, "strerror", None) or type(error).__name__).split())


def _root_cause(error: BaseException) -> BaseException:
    """The innermost error: urllib3 wraps errors several times, in different attributes."""
    for inner in (getattr(error, "reason", None), error.__cause__, *error.args[:2]):
        if isinstance(inner, BaseException):
            return _root_cause(inner)
    return error
