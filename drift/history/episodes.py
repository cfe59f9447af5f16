"""The model of the history: scopes, the episodes during which findings were open, and their times.

Stored times are UTC text of a fixed length, so that text order is time order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Self

from drift.model import Actor, Cause, Change, Finding, ObjectKey, Severity

#: Field managers that an episode keeps: the first one, which made the change, and the latest ones.
_MOST_ACTORS: Final = 20
#: Causes in the order of their evidence. A manual change stays manual when a GitOps controller takes over the field:
#: Flux does that in a separate request just before it reverts the change.
_EVIDENCE: Final = (Cause.UNKNOWN, Cause.PENDING_SYNC, Cause.MANUAL)


class EpisodeState(StrEnum):
    """Whether an episode is open, or how it ended."""

    OPEN = "open"
    RESOLVED = "resolved"
    REVERTED = "reverted"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Scope:
    """Identifies scans of the same manifests and cluster. A scan is compared only with earlier scans of its scope.

    Attributes:
        cluster: The URL of the server, as in the fingerprints; "" for dumps.
        name: Distinguishes scopes in one cluster. It is shown to users.
    """

    cluster: str
    name: str

    def __str__(self) -> str:
        """Returns ``name at cluster``."""
        return f"{self.name} at {self.cluster or 'a dump'}"


@dataclass(frozen=True, slots=True)
class Episode:
    """A period during which a finding counted as drift without a break. It contains names, never values.

    Attributes:
        scope: The scope of its scans.
        id: The finding's fingerprint.
        api_version: The version in which its object was compared.
        key: Its object.
        path: As in the finding.
        change: As in the finding.
        cause: The cause with the most evidence so far; see `merge_causes`.
        severity: The severity when it was last seen.
        actors: The actors seen while it was open; see `merge_actors`.
        first_seen: RFC 3339, UTC.
        last_seen: RFC 3339, UTC.
        ended_at: RFC 3339, UTC: when a scan or watch first saw that it ended; None while it is open.
        state: Whether and how it ended.
        reopened: Whether the finding had an earlier episode.
        start_known: Whether the finding began when it was first seen. False if it may be older: the first scan of the
            scope found it, or it existed before the watch could read the object. Means exclude such episodes.
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
        """Returns an episode of a finding. The attributes of the class describe the parameters."""
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
    """Returns the cause with more evidence: the one of the episode so far, or the one of the finding now."""
    return max(before, now, key=lambda cause: _EVIDENCE.index(cause) if cause in _EVIDENCE else -1)


def merge_actors(before: Iterable[Actor], now: Iterable[Actor]) -> tuple[Actor, ...]:
    """Returns the field managers of an episode, in the order in which they were first seen.

    A later time of a manager replaces an earlier one, and a manager whose user is known replaces itself without one. If
    there are too many, the first and the latest ones are kept.
    """
    actors: dict[tuple[str | None, ...], Actor] = {}
    for actor in (*before, *now):
        manager = (actor.manager, actor.operation, actor.subresource)
        if actor.evidence is not None:
            actors.pop((*manager, None), None)
        elif any(known[:3] == manager and other.evidence is not None for known, other in actors.items()):
            continue
        actors[*manager, actor.user if actor.evidence is not None else None] = actor
    joined = tuple(actors.values())
    return joined if len(joined) <= _MOST_ACTORS else (joined[0], *joined[1 - _MOST_ACTORS :])


def stored(time: str) -> str:
    """Converts an RFC 3339 time with a zone to the stored form, with milliseconds.

    Raises:
        ValueError: The text is not a time.
    """
    return rfc3339(datetime.fromisoformat(time))


def rfc3339(time: datetime) -> str:
    """Converts a time with a zone to RFC 3339 in UTC with milliseconds, the stored form."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(time: str) -> str:
    """Converts a stored time to the form in reports, which omits zero milliseconds."""
    return time.replace(".000Z", "Z")
