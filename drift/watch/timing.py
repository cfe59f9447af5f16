"""How long things may take: every wait of the watching, in seconds, in one place."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds.

    Attributes:
        watch_timeout: How long the server is asked to keep a watch up; it ends and is made anew after that.
        idle_timeout: A watch without a byte for this long counts as broken. Servers send a bookmark each
            minute.
        stale_after: How long a kind may be out of sight before nothing is claimed of its objects any more.
        poll_interval: Between two lists where a kind may be listed and not watched.
        refused_retry: Before the server is asked again for what it has refused.
        first_list_timeout: How long a scan waits for the first lists of the kinds that are new to it.
        min_backoff: Before the first new try after a failure; doubled with each one that follows.
        max_backoff: Between two tries at most.
        debounce: Between a change and the scan that takes it in, so that many changes are one scan.
        rescan_interval: Between two scans at most, be there changes or not.
        discovery_interval: Between two looks at which kinds and schemas the server has.
        files_interval: Between two looks at the manifests.
        stuck_after: How long one step of the comparison may take before it counts as hanging.
        unused_after: After so long a kind that no scan asked for is followed no more.
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


class Backoff:
    """Waits that double up to a bound, each drawn from its upper half so that many clients do not come back at once.

    Args:
        first_list_timeout: Seconds of the first wait at most.
        max_backoff: Seconds of any wait at most.
        draw: A random number from 0 to 1.
    """

    def __init__(self, first: float, most: float, draw: Callable[[], float] = random.random) -> None:
        self._first = first
        self._most = most
        self._draw = draw
        self._failures = 0

    def reset(self) -> None:
        """What failed has worked."""
        self._failures = 0

    def wait(self) -> float:
        """Seconds to wait before the next try."""
        # The exponent is bounded too: nobody needs 2 to the power of a week of failures.
        longest = min(self._most, self._first * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return longest * (1 + self._draw()) / 2
