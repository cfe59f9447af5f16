"""The errors of requests: one line each, without text from the server that could quote an object."""

import re
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from drift.errors import ConnectError, RequestError, ScanError
from drift.kube.connection import Connection
from drift.kube.http_get import FailureReason, NoResponseError, Response
from drift.model import Object

#: `RequestError.reason` of a response that does not come from an API server.
MALFORMED: Final = "Malformed"
#: `RequestError.reason` of a response that is too large to be read.
TOO_LARGE: Final = "TooLarge"
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
_CANNOT_IMPERSONATE: Final = "cannot impersonate"
_HOST: Final = re.compile(r"[a-z0-9._:-]{1,253}")
_NO_SERVER: Final = frozenset({FailureReason.UNREACHABLE, FailureReason.UNTRUSTED, FailureReason.UNSENT})


def malformed(path: str, problem: str) -> RequestError:
    """The error of a response with status 200 that cannot be used."""
    return RequestError(f"GET {path}: {problem}", status=HTTPStatus.OK, reason=MALFORMED)


def not_an_api_server(path: str) -> RequestError:
    """The error of a response from something that is not an API server."""
    return malformed(path, "this is not the response of an API server; is this the right --context?")


def credentials_refused(server: str) -> str:
    """The message for 401 Unauthorized."""
    return (
        f"{server}: the credentials were refused (401 Unauthorized): "
        "the token or certificate is expired or wrong; log in again or choose another --context"
    )


def no_response(connection: Connection, path: str, failure: NoResponseError) -> ScanError:
    """The error of a request without a complete response."""
    through = f" through the proxy {connection.proxy}" if connection.proxy is not None else ""
    server = f"{connection.server}{through}"
    if failure.reason is FailureReason.NO_PROXY:
        return ConnectError(f"{server}: {failure}; check HTTPS_PROXY, NO_PROXY and proxy-url")
    if failure.reason in _NO_SERVER:
        return ConnectError(f"{server}: {failure}")
    message = f"GET {path}{through}: {failure}"
    if failure.reason is FailureReason.TOO_LARGE:
        return RequestError(message, status=HTTPStatus.OK, reason=TOO_LARGE)
    return RequestError(message, status=0, reason=failure.reason.name.title())


def error_response(connection: Connection, path: str, response: Response) -> ScanError:
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
