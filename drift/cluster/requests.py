"""The one place from which requests are sent: GET only, raw bytes back, every failure as one clear error."""

import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import orjson
import urllib3

from drift.cluster.connection import Connection
from drift.errors import ConnectError, RequestError
from drift.model import Json

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds to connect, and between two bytes of an answer.
_TIMEOUTS: Final = (10, 60)
_UNAUTHORIZED: Final = 401
#: https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#StatusReason
_REASONS: Final = (
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


class Requests:
    """Sends GET requests over one connection and counts them.

    Attributes:
        count: Requests sent so far.
        received: Bytes received so far, after decompression.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.count = 0
        self.received = 0

    def get(self, path: str, parameters: "Mapping[str, str] | None" = None, accept: str = "application/json") -> Json:
        """The JSON that a path answers with.

        Args:
            path: From the server's root, for instance ``/api/v1/namespaces``.
            parameters: Of the query.
            accept: The media types that are welcome.

        Raises:
            ConnectError: No usable answer: unreachable, TLS, credentials.
            RequestError: The server answered with an error.
        """
        body = self.get_bytes(path, parameters, accept)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise RequestError(f"{path}: the answer is not JSON", status=_OK, reason="Malformed") from None

    def get_bytes(
        self, path: str, parameters: "Mapping[str, str] | None" = None, accept: str = "application/json"
    ) -> bytes:
        """As `get`, without parsing."""
        client = self._connection.client
        headers: dict[str, str] = {"Accept": accept, "User-Agent": "drift"}
        query: list[tuple[str, str]] = []
        client.update_params_for_auth(headers, query, ["BearerToken"], path, "GET", None)
        url = self._connection.server + path + (f"?{urlencode(parameters)}" if parameters else "")
        self.count += 1
        try:
            response = client.rest_client.pool_manager.request(
                "GET",
                url,
                headers=headers,
                timeout=urllib3.Timeout(connect=_TIMEOUTS[0], read=_TIMEOUTS[1]),
                retries=urllib3.Retry(connect=2, read=1, redirect=2, status=0, other=0, backoff_factor=0.2),
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ConnectError(f"{self._connection.server}: {_explain(error)}") from None
        self.received += len(response.data)
        if response.status == _OK:
            return bytes(response.data)
        raise self._error(path, response.status, response.data)

    def _error(self, path: str, status: int, body: bytes) -> ConnectError | RequestError:
        try:
            answer: Any = orjson.loads(body)
        except orjson.JSONDecodeError:
            answer = None
        answer = answer if isinstance(answer, dict) else {}
        # Of what the server says only its known words are passed on: the rest may quote any part of an object.
        reason = answer.get("reason") if answer.get("reason") in _REASONS else None
        if status == _UNAUTHORIZED:
            return ConnectError(
                f"{self._connection.server}: the credentials were refused (401 Unauthorized): "
                "the token or certificate is expired or wrong; log in again or choose another --context"
            )
        return RequestError(
            f"GET {path}: {status} {reason or 'error'}", status=status, reason=reason or f"HTTP {status}"
        )


def _explain(error: Exception) -> str:
    cause = _root_cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message}); check certificate-authority in the kubeconfig"
    if isinstance(cause, ConnectionRefusedError):
        return "the connection was refused; is the server running, and is this the right --context?"
    if isinstance(cause, urllib3.exceptions.NameResolutionError):
        return "the host name cannot be resolved; is this the right --context?"
    if isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError):
        return "no answer in time; is the server reachable from here?"
    return " ".join(str(cause).split()) or type(cause).__name__


def _root_cause(error: BaseException) -> BaseException:
    """The error at the bottom: urllib3 wraps it several times, each time in another attribute."""
    for below in (getattr(error, "reason", None), error.__cause__, *error.args[:1]):
        if isinstance(below, BaseException):
            return _root_cause(below)
    return error
