"""The model of the history: scopes, the episodes during which findings were open, and what a scan changes in them.

Pure functions. Stored times are UTC text of a fixed length, so that text order is time order.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from drift.model import (
    SEVERITY_RANK,
    Actor,
    Cause,
    Change,
    Finding,
    ObjectReport,
    Report,
    Severity,
    Status,
    Unmanaged,
    Verdict,
)
from drift.objects import ObjectKey
from drift.words import rfc3339_ms

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
        renamed: What the name begins with, and what it began with in older releases; None if that is the same.
            It may contain a password.
    """

    cluster: str
    name: str
    renamed: tuple[str, str] | None = field(default=None, compare=False, repr=False)

    @property
    def former_name(self) -> str | None:
        """The name in older releases; None if it is the same."""
        if self.renamed is None:
            return None
        now, before = self.renamed
        return before + self.name.removeprefix(now)

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

    A later time of a manager replaces an earlier one, and an entry with a user replaces that of the same manager
    without one. If there are too many, the first and the latest ones are kept.
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
    """Converts an RFC 3339 time with a zone to the stored form, in UTC and with milliseconds.

    Raises:
        ValueError: The text is not a time.
    """
    return rfc3339_ms(datetime.fromisoformat(time))


def shown(time: str) -> str:
    """Converts a stored time to the form in reports, which omits zero milliseconds."""
    return time.replace(".000Z", "Z")


_WIDTH: Final = {Unmanaged.OFF: 0, Unmanaged.NAMESPACE: 1, Unmanaged.CLUSTER: 2}


@dataclass(frozen=True, slots=True)
class ScanCoverage:
    """What a scan looked at. It decides what the absence of an object means.

    Attributes:
        unmanaged: Where the scan looked for unmanaged objects.
        left_out: Returns whether the user excludes an object.
        covers: Returns whether the scan was meant to include an object. A scan may be one part of a larger one.
        kinds: Group and kind of what `Unmanaged.NAMESPACE` searches besides the kinds of the manifests; None for all.
    """

    unmanaged: Unmanaged = Unmanaged.NAMESPACE
    left_out: Callable[[ObjectKey], bool] = lambda _: False
    covers: Callable[[ObjectKey], bool] = lambda _: True
    kinds: Collection[tuple[str, str]] | None = None


DEFAULT_COVERAGE: Final = ScanCoverage()


@dataclass(frozen=True, slots=True)
class OpenEpisode:
    """An open episode in the history.

    Attributes:
        number: The number of the episode.
        episode: The episode.
        seen_with: The narrowest search for unmanaged objects that found it.
    """

    number: int
    episode: Episode
    seen_with: Unmanaged


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """A finding that counts as drift, with its object."""

    item: ObjectReport
    finding: Finding


@dataclass(frozen=True, slots=True)
class EpisodeChanges:
    """The changes that a scan makes to the episodes.

    Attributes:
        opened: Findings without an open episode.
        seen: Open episodes that continue, with their findings.
        worsened: Those of them whose severity rose.
        ended: Episodes that ended, and how.
    """

    opened: tuple[DriftFinding, ...]
    seen: tuple[tuple[OpenEpisode, DriftFinding], ...]
    worsened: tuple[OpenEpisode, ...]
    ended: tuple[tuple[OpenEpisode, EpisodeState], ...]


def episode_changes(report: Report, was_open: Iterable[OpenEpisode], coverage: ScanCoverage) -> EpisodeChanges:
    """Compares a scan with the episodes that were open before it."""
    drift = {found.finding.id: found for found in _drift_findings(report)}
    episodes = {one.episode.id: one for one in was_open}
    seen = tuple((episodes[id_], found) for id_, found in drift.items() if id_ in episodes)
    items = {item.key: item for item in report.objects}
    reported_ids = {finding.id for finding in report.findings}
    searches = _searches(report, coverage)
    is_complete = report.verdict is not Verdict.INCOMPLETE
    # The object of a finding may be in a manifest that cannot be read or rendered.
    may_resolve = report.knows_desired
    return EpisodeChanges(
        opened=tuple(found for id_, found in drift.items() if id_ not in episodes),
        seen=seen,
        worsened=tuple(
            one for one, now in seen if SEVERITY_RANK[now.finding.severity] < SEVERITY_RANK[one.episode.severity]
        ),
        ended=tuple(
            (one, state)
            for id_, one in episodes.items()
            if id_ not in drift
            and (state := _end_state(one, items, reported_ids, coverage, searches=searches, is_complete=is_complete))
            is not None
            and (may_resolve or state is not EpisodeState.RESOLVED)
        ),
    )


def _drift_findings(report: Report) -> Iterator[DriftFinding]:
    for item in report.objects:
        for finding in item.findings:
            if finding.is_drift:
                yield DriftFinding(item, finding)


def _end_state(
    was_open: OpenEpisode,
    items: Mapping[ObjectKey, ObjectReport],
    reported_ids: Collection[str],
    coverage: ScanCoverage,
    *,
    searches: Callable[[ObjectKey], bool],
    is_complete: bool,
) -> EpisodeState | None:
    """Returns how an episode ended whose finding is not drift in this scan; None if the scan cannot tell."""
    episode = was_open.episode
    if episode.id in reported_ids:
        return EpisodeState.IGNORED
    item = items.get(episode.key)
    if item is None:
        return _end_of_absent(was_open, coverage, searches, is_complete=is_complete)
    if item.status is Status.UNCHECKED:
        return EpisodeState.IGNORED if item.is_skipped else None
    return EpisodeState.RESOLVED


def _searches(report: Report, coverage: ScanCoverage) -> Callable[[ObjectKey], bool]:
    """Returns whether a scan searched the namespace and the kind of an unmanaged object, which depends on Git."""
    in_git = [item.key for item in report.objects if item.status is not Status.UNMANAGED]
    namespaces, kinds = {key.namespace for key in in_git}, {(key.group, key.kind) for key in in_git}
    # A shard searches the kinds of all shards.
    has_all_kinds = coverage.kinds is None or report.shard is not None
    kinds.update(coverage.kinds or ())

    def searches(key: ObjectKey) -> bool:
        if coverage.unmanaged is Unmanaged.CLUSTER:
            return True
        return key.namespace in namespaces and (has_all_kinds or (key.group, key.kind) in kinds)

    return searches


def _end_of_absent(
    was_open: OpenEpisode, coverage: ScanCoverage, searches: Callable[[ObjectKey], bool], *, is_complete: bool
) -> EpisodeState | None:
    """Returns how the episode of an object ended that is not in the report; None if the scan cannot tell."""
    episode = was_open.episode
    if not coverage.covers(episode.key):
        return None
    if coverage.left_out(episode.key):
        return EpisodeState.IGNORED
    if not is_complete:
        return None
    if episode.change is Change.UNMANAGED:
        if _WIDTH[coverage.unmanaged] < _WIDTH[was_open.seen_with]:
            return None
        # What Git has dropped is also searched by its name.
        if episode.cause is not Cause.PENDING_SYNC and not searches(episode.key):
            return EpisodeState.IGNORED
    # The object is neither in Git nor in the cluster.
    return EpisodeState.RESOLVED


def narrower_search(one: Unmanaged, other: Unmanaged) -> Unmanaged:
    """Returns the narrower of two searches for unmanaged objects."""
    return min(one, other, key=_WIDTH.__getitem__)
