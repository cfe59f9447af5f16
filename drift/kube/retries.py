"""Which failures are tried again, how often and after how long; everything that is sent may safely be sent twice."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

import urllib3

from drift.errors import ScanError
from drift.kube.attempt import Answer, FailureReason
from drift.kube.limits import Deadline, format_duration

#: What an API server, or what stands in front of one, answers for a while: too busy, starting, restarting.
PASSING: Final = frozenset({429, 500, 502, 503, 504})
#: The first try again is made at once: mostly it was one bad connection.
_POLICY: Final = urllib3.Retry(backoff_factor=0.2, backoff_jitter=0.2, backoff_max=10, status_forcelist=PASSING)
_MOST: Final = 5
_AGAIN: Final = {
    FailureReason.UNREACHABLE: _MOST,
    FailureReason.NO_PROXY: _MOST,
    FailureReason.TOO_SLOW: 1,
    FailureReason.BROKEN: _MOST,
}

_Result = TypeVar("_Result")


class FailedError(Exception):
    """One attempt failed.

    Attributes:
        error: What the request ends with if it is not tried again.
        why: The same in a few words.
        again: How often it is worth trying again.
        retry_after: Seconds that the server asks to wait first; None where it does not.
    """

    def __init__(self, error: ScanError, why: str, again: int, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.error = error
        self.why = why
        self.again = again
        self.retry_after = retry_after


def is_retriable(what: FailureReason | Answer) -> int:
    """How often a request is worth trying again that ended so."""
    if isinstance(what, FailureReason):
        return _AGAIN.get(what, 0)
    return _MOST if _POLICY.is_retry("GET", what.status) else 0


def retry_after(answer: Answer) -> float | None:
    """The seconds of a ``Retry-After`` header, be it written as seconds or as a date; None without a usable one."""
    value = answer.headers.get("Retry-After")
    try:
        return None if value is None else _POLICY.parse_retry_after(value)
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None


def with_retries(
    attempt: Callable[[], _Result], path: str, *, patience: int | None, deadline: Deadline, tell: Callable[[str], None]
) -> _Result:
    """Does something until it succeeds or is no more worth trying.

    Args:
        attempt: Raises `FailedError`.
        path: What is asked for, for messages.
        patience: How often to try again at most, whatever it is worth; None for no such bound.
        deadline: Nothing is waited for beyond it.
        tell: Hears of every try.

    Raises:
        ScanError: What the last failure says.
    """
    policy = _POLICY
    while True:
        try:
            return attempt()
        except FailedError as failure:
            tried = len(policy.history)
            if tried >= failure.again or (patience is not None and tried >= patience):
                raise failure.error from None
            policy = policy.increment("GET", path)
            wait = max(policy.get_backoff_time(), failure.retry_after or 0)
            if wait >= deadline.remaining():
                if failure.retry_after:
                    asked = f"the server asks to wait {format_duration(wait)}, longer than --deadline leaves"
                    failure.error.args = (f"{failure.error}; {asked}",)
                raise failure.error from None
            when = f"in {format_duration(wait)}" if wait else "at once"
            tell(f"GET {path}: {failure.why}; trying again {when} ({tried + 1} of {failure.again})")
            time.sleep(wait)
