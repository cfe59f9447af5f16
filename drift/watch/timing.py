"""How long things may take: every wait of the watching, in seconds, in one place."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds.

    Attributes:
        watch: How long the server is asked to keep a watch up; it ends and is made anew after that.
        silence: Without a byte of a watch for so long, the connection counts as broken. Servers send a bookmark each
            minute.
        lost: How long a kind may be out of sight before nothing is claimed of its objects any more.
        poll: Between two lists where a kind may be listed and not watched.
        refused: Before the server is asked again for what it has refused.
        first: How long a scan waits for the first lists of the kinds that are new to it.
        retry: Before the first new try after a failure; doubled with each one that follows.
        most: Between two tries at most.
        settle: Between a change and the scan that takes it in, so that many changes are one scan.
        rescan: Between two scans at most, be there changes or not.
        discovery: Between two looks at which kinds and schemas the server has.
        files: Between two looks at the manifests.
        stuck: How long one step of the comparison may take before it counts as hanging.
        unused: After so long a kind that no scan asked for is followed no more.
    """

    watch: int = 300
    silence: float = 75
    lost: float = 30
    poll: float = 10
    refused: float = 60
    first: float = 20
    retry: float = 0.25
    most: float = 10
    settle: float = 0.15
    rescan: float = 60
    discovery: float = 30
    files: float = 0.5
    stuck: float = 60
    unused: float = 600


class Backoff:
    """Waits that double up to a bound, each drawn from its upper half so that many clients do not come back at once.

    Args:
        first: Seconds of the first wait at most.
        most: Seconds of any wait at most.
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
