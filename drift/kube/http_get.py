"""Sends one GET request with a timeout and a size limit, and turns every failure into one clear error.

Messages contain no text from the server that could quote an object, and no credentials.
"""

import http.client
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import urllib3

from drift.errors import TOO_LARGE, ConnectError, RequestError, ScanError
from drift.kube.connection import Connection
from drift.kube.limits import Deadline, call_with_timeout, format_duration
from drift.objects import Object

_CONNECT_SECONDS: Final = 10.0
_CHUNK_BYTES: Final = 256 * 1024
_STREAM_CHUNK_BYTES: Final = 64 * 1024
#: The standard library's message when a proxy refuses a tunnel. The group is the status; the proxy's text is dropped.
_TUNNEL_REFUSED: Final = re.compile(r"Tunnel connection failed: (\d{3})")
#: The reasons that an API server gives. Only these are quoted.
#: https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#StatusReason
STATUS_REASONS: Final = (
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
#: Part of the API server's message when it refuses an ``Impersonate-*`` header.
_ANONYMOUS: Final = 'User "system:anonymous"'
_CANNOT_IMPERSONATE: Final = "cannot impersonate"
_HOST: Final = re.compile(r"[a-z0-9._:-]{1,253}")


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


def get(connection: Connection, target: str, accept: str, *, seconds: float, max_bytes: int) -> Response:
    """Sends one GET request. Redirects are not followed, so that credentials stay with their server.

    ``seconds`` is the timeout of the whole request, including the renewal of credentials. ``max_bytes`` limits the
    decompressed body.

    Raises:
        NoResponseError: There is no complete response.
        ConnectError: There are no credentials.
    """
    opened: list[urllib3.BaseHTTPResponse] = []

    def send() -> Response:
        response = _open(connection, target, accept, connect=min(_CONNECT_SECONDS, seconds), read=seconds)
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
    connection: Connection, target: str, accept: str, *, idle_seconds: float
) -> urllib3.BaseHTTPResponse | Response:
    """Sends one GET request whose response is read as it arrives.

    The timeout applies to the start of the response, and to each read from it.

    Returns:
        The open response if the status is 200, otherwise the start of the error response.

    Raises:
        TimeoutError: The response did not start in time.
        ConnectError: There are no credentials.
    """

    def send() -> urllib3.BaseHTTPResponse | Response:
        response = _open(connection, target, accept, connect=_CONNECT_SECONDS, read=idle_seconds)
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
        raise _failure(error, timeout_message) from None
    except ValueError:
        # The original message would quote the credentials.
        message = "the request cannot be sent: the address or the credentials contain characters that HTTP forbids"
        raise NoResponseError(message, FailureReason.UNSENT) from None


def _open(connection: Connection, target: str, accept: str, *, connect: float, read: float) -> urllib3.BaseHTTPResponse:
    headers = connection.credentials()
    headers["Accept"] = accept
    headers["User-Agent"] = "drift"
    pool: urllib3.PoolManager = connection.client.pool_manager
    return pool.request(
        "GET",
        connection.server + target,
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


def _failure(error: Exception, timeout_message: str) -> NoResponseError:
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
    # Other error messages can quote what was sent or received.
    return " ".join(str(getattr(error, "strerror", None) or type(error).__name__).split())


def _root_cause(error: BaseException) -> BaseException:
    """The innermost error: urllib3 wraps errors several times, in different attributes."""
    for inner in (getattr(error, "reason", None), error.__cause__, *error.args[:2]):
        if isinstance(inner, BaseException):
            return _root_cause(inner)
    return error


def credentials_refused(server: str) -> str:
    """The message for 401 Unauthorized."""
    return (
        f"{server}: the credentials were refused (401 Unauthorized): "
        "the token or certificate is expired or wrong; log in again or choose another --context"
    )


def no_response_error(connection: Connection, path: str, failure: NoResponseError) -> ScanError:
    """The error of a request without a complete response."""
    through = f" through the proxy {connection.proxy}" if connection.proxy is not None else ""
    server = f"{connection.server}{through}"
    if failure.reason is FailureReason.NO_PROXY:
        return ConnectError(f"{server}: {failure}; check HTTPS_PROXY, NO_PROXY and proxy-url")
    if failure.reason in {FailureReason.UNREACHABLE, FailureReason.UNTRUSTED, FailureReason.UNSENT}:
        return ConnectError(f"{server}: {failure}")
    message = f"GET {path}{through}: {failure}"
    if failure.reason is FailureReason.TOO_LARGE:
        return RequestError(message, status=HTTPStatus.OK, reason=TOO_LARGE)
    return RequestError(message, status=0, reason=failure.reason.name.title())


def response_error(connection: Connection, path: str, response: Response) -> ScanError:
    """The error of a response whose status is not 200."""
    if response.status == HTTPStatus.UNAUTHORIZED:
        return ConnectError(credentials_refused(connection.server))
    if HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST:
        return RequestError(
            f"GET {path}: {response.status} redirects to {_host(response.headers.get('Location', ''))}, "
            "where credentials are not sent; is this the address of an API server?",
            status=response.status,
            reason="Redirect",
        )
    status = _read_status(response.body)
    if response.status == HTTPStatus.FORBIDDEN and _ANONYMOUS in str(status.get("message")):
        return ConnectError(
            f"{connection.server}: the server refused a request without credentials (403 Forbidden): "
            "log in, or choose another --context"
        )
    user = connection.impersonated.user if response.status == HTTPStatus.FORBIDDEN else None
    if user is not None and _CANNOT_IMPERSONATE in str(status.get("message")):
        return ConnectError(
            f"{connection.server}: this account may not impersonate {user!r} as requested (403 Forbidden)"
        )
    # The server's message may quote any part of an object, so only its reason is shown.
    reason = status.get("reason") if status.get("reason") in STATUS_REASONS else None
    metadata = status.get("metadata")
    continue_token = metadata.get("continue") if isinstance(metadata, dict) else None
    return RequestError(
        f"GET {path}: {response.status} {reason or 'error'}" + (f" as {user!r}" if user is not None else ""),
        status=response.status,
        reason=reason or f"HTTP {response.status}",
        continue_token=continue_token if isinstance(continue_token, str) else None,
    )


def _host(location: str) -> str:
    """The host of a redirect, quoted only if it can be a host name."""
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        host = ""
    return repr(host) if _HOST.fullmatch(host) else "elsewhere"


def _read_status(body: bytes | bytearray) -> Object:
    """The ``Status`` object of an error response, or {} if there is none."""
    try:
        status: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return status if isinstance(status, dict) else {}
