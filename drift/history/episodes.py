"""What a history is made of: scopes, and the episodes in which a finding was open."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from drift.model import Actor, Cause, Change, Finding, ObjectKey, Severity


class State(StrEnum):
    """Whether an episode is over, and how it ended."""

    OPEN = "open"
    RESOLVED = "resolved"
    REVERTED = "reverted"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Scope:
    """What is compared with what. Scans of one scope follow each other; scans of two know nothing of each other.

    Attributes:
        cluster: The server's URL, as in the fingerprints; "" for dumps.
        name: What else tells it apart; for people too.
    """

    cluster: str
    name: str

    def __str__(self) -> str:
        """``name at cluster``."""
        return f"{self.name} at {self.cluster or 'a dump'}"


@dataclass(frozen=True, slots=True)
class Episode:
    """The time in which one finding counted without a break, as far as scans tell. Holds names, never values.

    Attributes:
        scope: Where it was found.
        id: The finding's fingerprint.
        api_version: The version in which its object was compared.
        key: Its object.
        path: As in the finding.
        change: As in the finding.
        cause: As it was last seen.
        severity: As it was last seen.
        actors: As they were last seen.
        first_seen: RFC 3339, UTC.
        last_seen: RFC 3339, UTC.
        ended_at: RFC 3339, UTC: when it was first seen to be over; None while it is open.
        state: Whether and how it ended.
        reopened: Whether an earlier episode of the finding had ended.
    """

    scope: Scope
    id: str
    api_version: str
    key: ObjectKey
    path: str
    change: Change
    cause: Cause
    severity: Severity
    actors: tuple[Actor, ...]
    first_seen: str
    last_seen: str
    ended_at: str | None
    state: State
    reopened: bool

    @classmethod
    def of_finding(
        cls,
        finding: Finding,
        *,
        scope: Scope,
        api_version: str,
        key: ObjectKey,
        first_seen: str,
        last_seen: str,
        ended_at: str | None = None,
        state: State = State.OPEN,
        reopened: bool = False,
    ) -> Self:
        """The time in which a finding counted, with what is known of it now; see the attributes."""
        return cls(
            scope=scope,
            id=finding.id,
            api_version=api_version,
            key=key,
            path=finding.path,
            change=finding.change,
            cause=finding.cause,
            severity=finding.severity,
            actors=finding.actors,
            first_seen=first_seen,
            last_seen=last_seen,
            ended_at=ended_at,
            state=state,
            reopened=reopened,
        )
