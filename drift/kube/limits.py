"""How long a scan and its requests may take, and how large an answer may be: nothing is waited for without end."""

import math
import time
from dataclasses import dataclass
from typing import Final

#: As kubectl writes them, but for the units; what `drift report` does without flags.
REQUEST_SECONDS: Final = 60.0
SCAN_SECONDS: Final = 600.0
#: Far above what an API server answers with: 500 objects are rarely more than a few megabytes.
ANSWER_BYTES: Final = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a scan.

    Attributes:
        request_seconds: How long one attempt at a request may take, from the first byte sent to the last one received.
        scan_seconds: How long all of it may take; None for as long as it takes, which is for what never ends, a watch.
        answer_bytes: How large one answer may be, decompressed.
        spent_seconds: How much of `scan_seconds` is gone before the first request, for reading the manifests.
    """

    request_seconds: float = REQUEST_SECONDS
    scan_seconds: float | None = SCAN_SECONDS
    answer_bytes: int = ANSWER_BYTES
    spent_seconds: float = 0.0

    def deadline(self) -> "Deadline":
        """When the scan has to be done, if the requests begin now."""
        return Deadline(self.scan_seconds, self.spent_seconds)


class Deadline:
    """A point in time after which nothing more is asked.

    Attributes:
        seconds: How far away it was at the start of the scan; None for never.
    """

    def __init__(self, seconds: float | None, spent: float = 0.0) -> None:
        self.seconds = seconds
        self._end = math.inf if seconds is None else time.monotonic() + seconds - spent

    def remaining(self) -> float:
        """Seconds that are left, 0 when it has passed."""
        return max(0.0, self._end - time.monotonic())


def in_words(seconds: float) -> str:
    """A duration as it is written on the command line, for messages: ``90s``, ``10m``, ``0.5s``."""
    if seconds >= 60 and seconds % 60 == 0:  # noqa: PLR2004
        return f"{seconds / 60:.0f}m"
    return f"{seconds:.1f}".removesuffix(".0") + "s"
