"""What a scan changes in what was open: which findings are new, which go on, which are over. No input, no output."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from drift.history.episodes import State
from drift.model import (
    SEVERITY_RANK,
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


def _nothing(_: ObjectKey) -> bool:
    return False


def _everything(_: ObjectKey) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a scan looked, which decides what may be concluded from an object that it does not have.

    Attributes:
        unmanaged: Where it looked for objects that Git lacks.
        left_out: Whether the user has objects like this one left out.
        covers: Whether objects like this one were to be looked at in this scan, which may be a part of a larger one.
    """

    unmanaged: Unmanaged = Unmanaged.NAMESPACE
    left_out: Callable[[ObjectKey], bool] = _nothing
    covers: Callable[[ObjectKey], bool] = _everything


USUAL_REACH: Final = Reach()


@dataclass(frozen=True, slots=True)
class Open:
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
class Counted:
    """A finding that counts, with its object."""

    item: ObjectReport
    finding: Finding


@dataclass(frozen=True, slots=True)
class Changes:
    """What a scan changes.

    Attributes:
        opened: Findings that were not open.
        seen: Findings that were, with their episodes.
        worsened: Those episodes whose severity has risen.
        ended: Episodes that are over, and how they ended.
    """

    opened: tuple[Counted, ...]
    seen: tuple[tuple[Open, Counted], ...]
    worsened: tuple[Open, ...]
    ended: tuple[tuple[Open, State], ...]


def compare(report: Report, was_open: Iterable[Open], reach: Reach) -> Changes:
    """What the scan says of what was open, and what it has beside that."""
    counted = counting_findings(report)
    episodes = {episode.id: episode for episode in was_open}
    seen = tuple((episodes[id_], found) for id_, found in counted.items() if id_ in episodes)
    items = {item.key: item for item in report.objects}
    named = {finding.id for item in report.objects for finding in item.findings}
    complete = report.verdict is not Verdict.INCOMPLETE
    return Changes(
        opened=tuple(found for id_, found in counted.items() if id_ not in episodes),
        seen=seen,
        worsened=tuple(one for one, now in seen if SEVERITY_RANK[now.finding.severity] < SEVERITY_RANK[one.severity]),
        ended=tuple(
            (episode, state)
            for episode in episodes.values()
            if episode.id not in counted
            and (state := _end(episode, items, named, reach, complete=complete)) is not None
        ),
    )


def counting_findings(report: Report) -> Mapping[str, Counted]:
    """The findings that are drift, by their fingerprints."""
    return {found.finding.id: found for found in _counting(report)}


def _counting(report: Report) -> Iterator[Counted]:
    for item in report.objects:
        for finding in item.findings:
            if finding.is_drift:
                yield Counted(item, finding)


def _end(
    episode: Open,
    items: Mapping[ObjectKey, ObjectReport],
    named: Iterable[str],
    reach: Reach,
    *,
    complete: bool,
) -> State | None:
    """How an episode ended whose finding does not count in this scan; None where that cannot be said."""
    if episode.id in named:
        return State.IGNORED
    item = items.get(episode.key)
    if item is None:
        if not reach.covers(episode.key):
            return None
        if reach.left_out(episode.key):
            return State.IGNORED
        # Neither in Git nor in the cluster, if the scan has looked where the finding was seen.
        looked = episode.change is not Change.UNMANAGED or _WIDTH[reach.unmanaged] >= _WIDTH[episode.seen_with]
        return State.RESOLVED if complete and looked else None
    if item.status is Status.UNCHECKED:
        return State.IGNORED if item.is_skipped else None
    return State.RESOLVED


def narrower(one: Unmanaged, other: Unmanaged) -> Unmanaged:
    """The narrower of two searches."""
    return min(one, other, key=_WIDTH.__getitem__)
