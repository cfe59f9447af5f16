"""Every timeout, interval and backoff of the watch in one place, in seconds."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Timeouts and intervals in seconds.

    Attributes:
        watch_timeout: The ``timeoutSeconds`` of a watch request. The watch is restarted after that.
        idle_timeout: A watch without a byte for this long counts as broken. Servers send a bookmark each minute.
        stale_after: How long a watch may be interrupted before its objects become unchecked.
        poll_interval: Between two lists of a kind that can be listed but not watched.
        refused_retry: Before a refused request is sent again.
        first_list_timeout: How long a scan waits for the first lists of kinds that are new to it.
        min_backoff: Before the first retry. The backoff doubles with each further one.
        max_backoff: The longest backoff.
        debounce: Between a change and the scan that includes it, so that many changes cost one scan.
        rescan_interval: The longest time between two scans, even without a change.
        discovery_interval: Between two discoveries of the served kinds and schemas.
        files_interval: Between two checks of the manifest files.
        stuck_after: How long one step of the comparison may take before it counts as stuck.
        unused_after: A kind that no scan has asked for in this time is no longer watched.
    """

    watch_timeout: int = 300
    idle_timeout: float = 75
    stale_after: float = 30
    poll_interval: float = 10
    refused_retry: float = 60
    first_list_timeout: float = 20
    min_backoff: float = 0.25
    max_backoff: float = 10
    debounce: float = 0.15
    rescan_interval: float = 60
    discovery_interval: float = 30
    files_interval: float = 0.5
    stuck_after: float = 60
    unused_after: float = 600


def backoff(waits: int, timing: Timing) -> float:
    """Returns the seconds to wait after some earlier waits: from the upper half of a range that doubles each time."""
    # The exponent is bounded because 2.0 ** 1024 overflows.
    longest = min(timing.max_backoff, timing.min_backoff * 2.0 ** min(waits, 32))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - not for cryptography
