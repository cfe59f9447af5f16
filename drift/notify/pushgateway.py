"""Pushes the metrics of a report to a Prometheus Pushgateway, for jobs that end before Prometheus can scrape them.

A failed push is one line on standard error. It does not change the exit status, which describes the findings.
"""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import urllib3
from urllib3.util import Retry, Timeout

from drift.errors import UsageError
from drift.kube.kubeconfig import basic_authentication
from drift.kube.limits import call_with_timeout

VARIABLE: Final = "DRIFT_PUSHGATEWAY_URL"
_DEFAULT_GROUP: Final = "/metrics/job/drift"
#: Seconds of one attempt, and of all together.
_TIMEOUT: Final = 10
_TOTAL_TIMEOUT: Final = 30
_ATTEMPTS: Final = 3
_OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Pushgateway:
    """A Pushgateway.

    Attributes:
        url: The URL of the metrics group that a push replaces, without credentials.
        host: The scheme, host and port, for messages.
        headers: The ``Authorization`` header if the address contains credentials. Hidden in ``repr``.
    """

    url: str
    host: str
    headers: dict[str, str] = field(repr=False)


def parse_address(text: str | None) -> Pushgateway:
    """Parses an address such as ``http://pushgateway:9091/metrics/job/drift/environment/prod``.

    Without ``/metrics/job/...``, the job is ``drift``. A user name and password are sent as basic authentication.

    Raises:
        UsageError: The address is missing or invalid. The message does not quote it: it may contain a password.
    """
    if not text:
        raise UsageError(f"--push-metrics: {VARIABLE} is not set; set it to the URL of a Pushgateway")
    try:
        parts = urlsplit(text)
        gateway = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        raise UsageError(f"--push-metrics: {VARIABLE} is not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"--push-metrics: {VARIABLE} must be a URL such as http://pushgateway:9091")
    path = parts.path.rstrip("/")
    path += "" if "/metrics/job" in path else _DEFAULT_GROUP
    headers = {"authorization": basic_authentication(parts)} if parts.username else {}
    host = parts.netloc.rpartition("@")[2]
    return Pushgateway(urlunsplit((parts.scheme, host, path, "", "")), gateway, headers)


def push(metrics: str, gateway: Pushgateway) -> str | None:
    """Replaces the metrics of the group.

    Returns:
        One line on why the push failed, or None. It raises nothing.
    """
    try:
        # A server that sends single bytes slowly never runs into a read timeout.
        status = call_with_timeout(_TOTAL_TIMEOUT, lambda: _put(metrics.encode("utf-8", "backslashreplace"), gateway))
    except TimeoutError:
        return _failed(gateway, f"no response within {_TOTAL_TIMEOUT} s")
    except (urllib3.exceptions.HTTPError, UnicodeError, ValueError) as error:
        return _failed(gateway, _reason(error))
    return None if status in _OK else _failed(gateway, f"it responded with status {status}")


def _put(body: bytes, gateway: Pushgateway) -> int:
    """Sends the metrics, and returns the status of the last response."""
    # Redirects are refused: they would send the metrics to another address than the configured one. A wait that the
    # server asks for may be of hours.
    retries = Retry(
        _ATTEMPTS - 1,
        redirect=0,
        backoff_factor=0.5,
        allowed_methods=None,
        status_forcelist=(502, 503, 504),
        raise_on_status=False,
        raise_on_redirect=False,
        respect_retry_after_header=False,
    )
    with urllib3.PoolManager() as pool:
        response = pool.request(
            "PUT",
            gateway.url,
            body=body,
            headers={**gateway.headers, "Content-Type": "text/plain; version=0.0.4"},
            timeout=Timeout(total=_TIMEOUT),
            retries=retries,
            preload_content=False,
        )
        # The body is not read, because it may be of any size.
        response.close()
    return response.status


def _failed(gateway: Pushgateway, reason: str) -> str:
    return f"the metrics were not pushed to {gateway.host}: {reason}"


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
    if isinstance(cause, urllib3.exceptions.NameResolutionError):
        return "its host name cannot be resolved"
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return "the connection failed"
    if isinstance(cause, urllib3.exceptions.TimeoutError):
        return f"no response within {_TIMEOUT} s"
    # The text of the error may quote the request or the response.
    return f"the request failed ({type(cause).__name__})"
