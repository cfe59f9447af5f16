"""What a history is made of: scopes, and the episodes in which a finding was open."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from drift.model import Actor, Cause, Change, Finding, ObjectKey, Severity

#: Field managers that an episode names: the first one, which made the change, and the latest ones.
_MOST_ACTORS: Final = 20
#: Causes by how much evidence they need. Evidence of a change by hand does not go away when a GitOps controller takes
#: the field over, which Flux does in a request of its own just before it reverts the change.
_EVIDENCE: Final = (Cause.UNKNOWN, Cause.PENDING_SYNC, Cause.MANUAL)


class EpisodeState(StrEnum):
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
        cause: The one with the most evidence so far; see `merge_causes`.
        severity: As it was last seen.
        actors: All that were seen while it was open; see `merge_actors`.
        first_seen: RFC 3339, UTC.
        last_seen: RFC 3339, UTC.
        ended_at: RFC 3339, UTC: when it was first seen to be over; None while it is open.
        state: Whether and how it ended.
        reopened: Whether an earlier episode of the finding had ended.
        start_known: Whether the finding began when it was first seen. False if it may be much older: it was there at
            the first scan of the scope, or before the watch could see the object. Such episodes are in no mean.
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
    state: EpisodeState
    reopened: bool
    start_known: bool = True

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
        state: EpisodeState = EpisodeState.OPEN,
        reopened: bool = False,
        start_known: bool = True,
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
            start_known=start_known,
        )


def merge_causes(before: Cause, now: Cause) -> Cause:
    """The cause of an episode that goes on.

    Args:
        before: The cause so far.
        now: The cause of the finding as it is now.
    """
    return max(before, now, key=lambda cause: _EVIDENCE.index(cause) if cause in _EVIDENCE else -1)


def merge_actors(before: Iterable[Actor], now: Iterable[Actor]) -> tuple[Actor, ...]:
    """The field managers of an episode that goes on, in the order in which they came.

    A later time of a manager replaces an earlier one. If there are too many, the first and the latest ones are kept.
    """
    actors = {(actor.manager, actor.operation, actor.subresource): actor for actor in before}
    actors.update({(actor.manager, actor.operation, actor.subresource): actor for actor in now})
    joined = tuple(actors.values())
    return joined if len(joined) <= _MOST_ACTORS else (joined[0], *joined[1 - _MOST_ACTORS :])
