"""Compares a scan with the open episodes: which are new, which continue and which ended. Pure functions."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from drift.history.episodes import Episode, EpisodeState
from drift.model import (
    SEVERITY_RANK,
    Change,
    Finding,
    ObjectKey,
    ObjectReport,
    Report,
    Status,
    Unmanaged,
    Verdict,
)

_WIDTH: Final = {Unmanaged.OFF: 0, Unmanaged.NAMESPACE: 1, Unmanaged.CLUSTER: 2}


def _nothing(_: ObjectKey) -> bool:
    return False


def _everything(_: ObjectKey) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class ScanCoverage:
    """What a scan looked at. It decides what the absence of an object means.

    Attributes:
        unmanaged: Where the scan looked for unmanaged objects.
        left_out: Returns whether the user excludes an object.
        covers: Returns whether the scan was meant to include an object. A scan may be one part of a larger one.
    """

    unmanaged: Unmanaged = Unmanaged.NAMESPACE
    left_out: Callable[[ObjectKey], bool] = _nothing
    covers: Callable[[ObjectKey], bool] = _everything


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
    reported_ids = {finding.id for item in report.objects for finding in item.findings}
    is_complete = report.verdict is not Verdict.INCOMPLETE
    # A manifest that cannot be read or rendered may describe what another one seems to have resolved.
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
            and (state := _end_state(one, items, reported_ids, coverage, is_complete=is_complete)) is not None
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
    is_complete: bool,
) -> EpisodeState | None:
    """Returns how an episode ended whose finding is no drift in this scan, or None if the scan cannot tell."""
    episode = was_open.episode
    if episode.id in reported_ids:
        return EpisodeState.IGNORED
    item = items.get(episode.key)
    if item is None:
        if not coverage.covers(episode.key):
            return None
        if coverage.left_out(episode.key):
            return EpisodeState.IGNORED
        # The object is neither in Git nor in the cluster, if the scan searched where the finding was seen.
        searched = episode.change is not Change.UNMANAGED or _WIDTH[coverage.unmanaged] >= _WIDTH[was_open.seen_with]
        return EpisodeState.RESOLVED if is_complete and searched else None
    if item.status is Status.UNCHECKED:
        return EpisodeState.IGNORED if item.is_skipped else None
    return EpisodeState.RESOLVED


def narrower_search(one: Unmanaged, other: Unmanaged) -> Unmanaged:
    """Returns the narrower of two searches for unmanaged objects."""
    return min(one, other, key=_WIDTH.__getitem__)
