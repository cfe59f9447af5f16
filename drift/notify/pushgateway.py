"""Sends the metrics of a report to a Prometheus Pushgateway: for jobs that are gone before anybody could scrape them.

What cannot be sent is one line for standard error. The report has been made by then, and its exit status says what was
found, not whether somebody was told.
"""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

import urllib3
from urllib3.util import Retry, Timeout, make_headers

from drift.errors import UsageError

VARIABLE: Final = "DRIFT_PUSHGATEWAY_URL"
_DEFAULT_GROUP: Final = "/metrics/job/drift"
_SECONDS: Final = 10
_TRIES: Final = 3
_OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Pushgateway:
    """Where metrics are pushed to.

    Attributes:
        url: The address of the group of metrics that is replaced, without credentials.
        place: The scheme and the host, for messages.
        headers: What says who we are, where the address did; not shown.
    """

    url: str
    place: str
    headers: dict[str, str] = field(repr=False)


def parse_address(text: str | None) -> Pushgateway:
    """Reads an address such as ``http://pushgateway:9091/metrics/job/drift/environment/prod``.

    Args:
        text: The address; without ``/metrics/job/...`` in it, the metrics are those of the job ``drift``. A name and a
            password in it are sent as basic authentication.

    Raises:
        UsageError: It is missing, or no such address. It is not repeated, since it may hold a password.
    """
    if not text:
        raise UsageError(f"--push-metrics: {VARIABLE} is not set; set it to the address of a Pushgateway")
    try:
        parts = urlsplit(text)
        place = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        raise UsageError(f"--push-metrics: {VARIABLE} is no address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"--push-metrics: {VARIABLE} is no address such as http://pushgateway:9091")
    path = parts.path.rstrip("/")
    path += "" if "/metrics/job" in path else _DEFAULT_GROUP
    headers = {}
    if parts.username:
        headers = make_headers(basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
    host = parts.netloc.rpartition("@")[2]
    return Pushgateway(urlunsplit((parts.scheme, host, path, "", "")), place, headers)


def push(metrics: str, gateway: Pushgateway) -> str | None:
    """Replaces the group's metrics by those of a report.

    Args:
        metrics: What the format ``metrics`` makes.
        gateway: Where to.

    Returns:
        None, or one line on why they were not taken; nothing is raised.
    """
    # Redirects are refused: they would take the metrics to where nobody said.
    retries = Retry(_TRIES - 1, redirect=0, backoff_factor=0.5, allowed_methods=None, status_forcelist=(502, 503, 504))
    try:
        with urllib3.PoolManager() as pool:
            answer = pool.request(
                "PUT",
                gateway.url,
                body=metrics.encode(),
                headers={**gateway.headers, "Content-Type": "text/plain; version=0.0.4"},
                timeout=Timeout(total=_SECONDS),
                retries=retries.new(raise_on_status=False, raise_on_redirect=False),
                preload_content=False,
            )
            # Its body is not read: it may be of any size, and the status says enough.
            answer.close()
    except (urllib3.exceptions.HTTPError, UnicodeError, ValueError) as error:
        return _failed(gateway, _why(error))
    return None if answer.status in _OK else _failed(gateway, f"it answered with status {answer.status}")


def _failed(gateway: Pushgateway, why: str) -> str:
    return f"the metrics were not pushed to {gateway.place}: {why}"


def _why(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
    if isinstance(cause, urllib3.exceptions.NameResolutionError):
        return "its name cannot be resolved"
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return "no connection could be made"
    if isinstance(cause, urllib3.exceptions.TimeoutError):
        return f"no answer within {_SECONDS} s"
    # The error's own text can quote what was sent, and what the other side sent.
    return f"the request failed ({type(cause).__name__})"
