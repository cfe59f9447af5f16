"""What a scan changes in what was open: which findings are new, which go on, which are over. No input, no output."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from drift.history.episodes import EpisodeState
from drift.model import (
    Actor,
    Cause,
    Change,
    Finding,
    ObjectKey,
    ObjectReport,
    Report,
    Severity,
    Status,
    Unmanaged,
    Verdict,
)

_WIDTH: Final = {Unmanaged.OFF: 0, Unmanaged.NAMESPACE: 1, Unmanaged.CLUSTER: 2}
_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}


def _nothing(_: ObjectKey) -> bool:
    return False


def _everything(_: ObjectKey) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class ScanCoverage:
    """How far a scan looked, which decides what may be concluded from an object that it does not have.

    Attributes:
        unmanaged: Where it looked for objects that Git lacks.
        left_out: Whether the user has objects like this one left out.
        covers: Whether objects like this one were to be looked at in this scan, which may be a part of a larger one.
    """

    unmanaged: Unmanaged = Unmanaged.NAMESPACE
    left_out: Callable[[ObjectKey], bool] = _nothing
    covers: Callable[[ObjectKey], bool] = _everything


DEFAULT_COVERAGE: Final = ScanCoverage()


@dataclass(frozen=True, slots=True)
class OpenEpisode:
    """What has to be known of an open episode to compare it with a scan.

    Attributes:
        number: The episode's.
        id: The finding's fingerprint.
        key: Its object.
        change: As in the finding.
        cause: The episode's so far.
        severity: As it was last seen.
        actors: The episode's so far.
        seen_with: The narrowest search that has found it.
    """

    number: int
    id: str
    key: ObjectKey
    change: Change
    cause: Cause
    severity: Severity
    actors: tuple[Actor, ...]
    seen_with: Unmanaged


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """A finding that counts, with its object."""

    item: ObjectReport
    finding: Finding


@dataclass(frozen=True, slots=True)
class EpisodeChanges:
    """What a scan changes.

    Attributes:
        opened: Findings that were not open.
        seen: Findings that were, with their episodes.
        worsened: Those episodes whose severity has risen.
        ended: Episodes that are over, and how they ended.
    """

    opened: tuple[DriftFinding, ...]
    seen: tuple[tuple[OpenEpisode, DriftFinding], ...]
    worsened: tuple[OpenEpisode, ...]
    ended: tuple[tuple[OpenEpisode, EpisodeState], ...]


def compare(report: Report, was_open: Iterable[OpenEpisode], reach: ScanCoverage) -> EpisodeChanges:
    """What the scan says of what was open, and what it has beside that."""
    counted = drift_findings(report)
    episodes = {episode.id: episode for episode in was_open}
    seen = tuple((episodes[id_], found) for id_, found in counted.items() if id_ in episodes)
    items = {item.key: item for item in report.objects}
    named = {finding.id for item in report.objects for finding in item.findings}
    complete = report.verdict is not Verdict.INCOMPLETE
    return EpisodeChanges(
        opened=tuple(found for id_, found in counted.items() if id_ not in episodes),
        seen=seen,
        worsened=tuple(one for one, now in seen if _RANK[now.finding.severity] < _RANK[one.severity]),
        ended=tuple(
            (episode, state)
            for episode in episodes.values()
            if episode.id not in counted
            and (state := _end(episode, items, named, reach, complete=complete)) is not None
        ),
    )


def drift_findings(report: Report) -> Mapping[str, DriftFinding]:
    """The findings that are drift, by their fingerprints."""
    return {found.finding.id: found for found in _counting(report)}


def _counting(report: Report) -> Iterator[DriftFinding]:
    for item in report.objects:
        for finding in item.findings:
            if finding.is_drift:
                yield DriftFinding(item, finding)


def _end(
    episode: OpenEpisode,
    items: Mapping[ObjectKey, ObjectReport],
    named: Iterable[str],
    reach: ScanCoverage,
    *,
    complete: bool,
) -> EpisodeState | None:
    """How an episode ended whose finding does not count in this scan; None where that cannot be said."""
    if episode.id in named:
        return EpisodeState.IGNORED
    item = items.get(episode.key)
    if item is None:
        if not reach.covers(episode.key):
            return None
        if reach.left_out(episode.key):
            return EpisodeState.IGNORED
        # Neither in Git nor in the cluster, if the scan has looked where the finding was seen.
        looked = episode.change is not Change.UNMANAGED or _WIDTH[reach.unmanaged] >= _WIDTH[episode.seen_with]
        return EpisodeState.RESOLVED if complete and looked else None
    if item.status is Status.UNCHECKED:
        return EpisodeState.IGNORED if item.by_choice else None
    return EpisodeState.RESOLVED


def narrower_search(one: Unmanaged, other: Unmanaged) -> Unmanaged:
    """The narrower_search of two searches."""
    return min(one, other, key=_WIDTH.__getitem__)
