"""The result of one measurement."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Drifted(StrEnum):
    """The share of the fleet that was edited by hand."""

    NONE = "0 %"
    ONE_PERCENT = "1 %"
    ALL = "100 %"


@dataclass(frozen=True, slots=True)
class Result:
    """The medians of several runs of one tool on one fleet.

    Attributes:
        tool: The name of the tool.
        syncing: How the fleet was applied.
        objects: The number of objects.
        drifted: The share of them that was edited by hand.
        wall: Seconds from start to end.
        cpu: Seconds of processor time.
        memory: The peak memory of all processes of the tool, in bytes.
        requests: The number of requests in the API server's audit log.
        received: Bytes received from the API server, as encrypted.
        runs: The number of runs for time, and again for memory and traffic.
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
        """Returns the result as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Returns a result from the output of `as_json`."""
        return cls(**{**values, "drifted": Drifted(values["drifted"])})
