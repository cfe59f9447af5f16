"""One attempt at a request, bounded in time and size: an answer, or why there is none."""

import http.client
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import urllib3

from drift.kube.limits import call_with_timeout, format_duration

#: How long it may take to reach a server.
CONNECT_SECONDS: Final = 10.0
_CHUNK: Final = 256 * 1024
UNSENDABLE: Final = (
    "the request cannot be sent: the address or the credentials hold characters that HTTP does not allow"
)

#: What the standard library says of a proxy that opens no tunnel; the status, without the proxy's own words.
_TUNNEL: Final = re.compile(r"Tunnel connection failed: (\d{3})")


class FailureReason(Enum):
    """Why there is no answer."""

    UNREACHABLE = auto()
    UNTRUSTED = auto()
    TOO_SLOW = auto()
    BROKEN = auto()
    TOO_LARGE = auto()
    UNSENT = auto()
    NO_PROXY = auto()


class NoAnswerError(Exception):
    """An attempt ended without a whole answer.

    Attributes:
        lack: Of what kind that is.
    """

    def __init__(self, message: str, lack: FailureReason) -> None:
        super().__init__(message)
        self.lack = lack


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        status: The HTTP status.
        headers: By name, in any case.
        body: All of it, decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | bytearray


def attempt(
    pool: urllib3.PoolManager,
    url: str,
    headers: Callable[[], Mapping[str, str]],
    *,
    seconds: float,
    response_bytes: int,
) -> Answer:
    """Sends one GET request and reads the answer. Redirects are not followed: credentials stay with their server.

    Args:
        pool: What sends it.
        url: Where to.
        headers: Gives them, with the credentials; that it may run a plugin counts as part of the request.
        seconds: How long it may take as a whole.
        response_bytes: How large the answer may be, decompressed.

    Raises:
        NoAnswerError: There is no whole answer.
    """
    sent: list[urllib3.BaseHTTPResponse] = []

    def send() -> Answer:
        response = pool.request(
            "GET",
            url,
            headers=headers(),
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        sent.append(response)
        return Answer(response.status, response.headers, _read(response, response_bytes))

    try:
        return call_with_timeout(seconds, send)
    except TimeoutError:
        for response in sent:
            # What is still read is of no use to anybody any more.
            interrupt(response)
        raise NoAnswerError(_too_slow(seconds), FailureReason.TOO_SLOW) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise no_answer(error, seconds) from None
    except ValueError:
        # Its message would quote the credentials.
        raise NoAnswerError(UNSENDABLE, FailureReason.UNSENT) from None


def _read(response: urllib3.BaseHTTPResponse, limit: int) -> bytearray:
    """The whole body. What a small answer unpacks to is counted, not how small it came."""
    # One buffer that grows in place: pieces and the whole at the same time would need twice the memory.
    body = bytearray()
    while part := response.read(_CHUNK, decode_content=True):
        body += part
        if len(body) > limit:
            response.close()
            # The traceback of the error would keep it for as long as the error lives.
            body.clear()
            raise NoAnswerError(f"the answer is larger than {limit // 1024 // 1024} MiB", FailureReason.TOO_LARGE)
    response.release_conn()
    return body


def interrupt(response: urllib3.BaseHTTPResponse) -> None:
    """Ends what is being read of an answer, from any thread."""
    try:
        response.shutdown()
    except (RuntimeError, ValueError, OSError):
        # It was read to its end just now.
        return


def no_answer(error: Exception, seconds: float) -> NoAnswerError:
    """What a failure of the client means."""
    cause = _root_cause(error)
    if _is_of_proxy(error):
        return NoAnswerError(_why_no_proxy(cause), FailureReason.NO_PROXY)
    unreachable = _why_unreachable(error, cause)
    if unreachable is not None:
        return NoAnswerError(unreachable, FailureReason.UNREACHABLE)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NoAnswerError(
            f"its certificate is not trusted ({cause.verify_message}); check certificate-authority in the kubeconfig",
            FailureReason.UNTRUSTED,
        )
    if isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError):
        return NoAnswerError(_too_slow(seconds), FailureReason.TOO_SLOW)
    return NoAnswerError(f"the connection broke off ({_text(cause)})", FailureReason.BROKEN)


def _why_unreachable(error: Exception, cause: BaseException) -> str | None:
    """A clause on a server to which there is no connection; None where there was one."""
    if isinstance(cause, ConnectionRefusedError):
        return "the connection was refused; is the server running, and is this the right --context?"
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "the host name cannot be resolved; is this the right --context?"
    if isinstance(error, urllib3.exceptions.LocationValueError):
        return "its address cannot be used; look at server in the kubeconfig"
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return "no answer in time; is the server reachable from here?"
    return None


def _is_of_proxy(error: BaseException) -> bool:
    """Whether the way to the proxy failed, or its own tunnel, rather than what is behind it."""
    return isinstance(error, urllib3.exceptions.ProxyError) or isinstance(
        getattr(error, "reason", None), urllib3.exceptions.ProxyError
    )


def _why_no_proxy(cause: BaseException) -> str:
    refused = _TUNNEL.search(str(cause))
    if refused:
        return f"the proxy refused the connection ({refused[1]})"
    if isinstance(cause, ConnectionRefusedError):
        return "the proxy does not answer (connection refused)"
    return f"the proxy cannot be used ({_text(cause)})"


def _too_slow(seconds: float) -> str:
    return f"no whole answer within {format_duration(seconds)} (--request-timeout)"


def _text(error: BaseException) -> str:
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, OSError):
        return "the answer is not HTTP"
    # A library's own words can quote what was sent or received.
    return " ".join(str(getattr(error, "strerror", None) or type(error).__name__).split())


def _root_cause(error: BaseException) -> BaseException:
    """The error at the bottom: urllib3 wraps it several times, each time in another attribute."""
    for below in (getattr(error, "reason", None), error.__cause__, *error.args[:2]):
        if isinstance(below, BaseException):
            return _root_cause(below)
    return error
