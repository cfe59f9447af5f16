"""What one measurement says."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Drifted(StrEnum):
    """How much of the fleet was edited by hand."""

    NONE = "0 %"
    ONE_PERCENT = "1 %"
    ALL = "100 %"


@dataclass(frozen=True, slots=True)
class Result:
    """What one tool took over one fleet: medians of several runs, and of so many others for what is not time.

    Attributes:
        tool: Its name.
        syncing: How the fleet was synced.
        objects: How many there are.
        drifted: How many of them were edited by hand.
        wall: Seconds.
        cpu: Seconds of processor time.
        memory: Bytes that its processes together had at most.
        requests: To the API server, as its audit log has them.
        received: Bytes from the API server, encrypted.
        runs: How many there were.
    """

    tool: str
    syncing: str
    objects: int
    drifted: Drifted
    wall: float
    cpu: float
    memory: int
    requests: int
    received: int
    runs: int

    def as_json(self) -> dict[str, Any]:
        """For a line of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """What `as_json` made."""
        return cls(**{**values, "drifted": Drifted(values["drifted"])})
