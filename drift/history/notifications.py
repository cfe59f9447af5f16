"""What is to be told of a history: what is new, worsened or resolved since somebody was told. No input, no output."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from drift.history.episodes import Episode, EpisodeState
from drift.model import Severity

_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}


class NotificationKind(StrEnum):
    """What happened to an episode."""

    NEW = "new"
    WORSENED = "worsened"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing that is to be told.

    Attributes:
        numbers: Of the entries in the history that it stands for, to be taken out when it was told.
        number: The episode's.
        news: What happened.
        episode: As it is now.
        severity_before: What it has worsened from; None for other news.
    """

    numbers: tuple[int, ...]
    number: int
    news: NotificationKind
    episode: Episode
    severity_before: Severity | None = None

    @property
    def is_stale(self) -> bool:
        """Whether nobody needs to know any more: it is ignored by now, or no worse than it was."""
        if self.episode.state is EpisodeState.IGNORED:
            return True
        before = self.severity_before
        return before is not None and _RANK[self.episode.severity] >= _RANK[before]


def combine_notifications(items: Iterable[Notification]) -> list[Notification]:
    """One item for each episode, the newest news of it; in the order in which they happened first.

    What is new and has worsened before anybody was told is new; what has worsened twice has worsened from the start.
    """
    found: dict[int, Notification] = {}
    for item in items:
        known = found.get(item.number)
        if known is None:
            found[item.number] = item
        else:
            kept = item if item.news is NotificationKind.RESOLVED else known
            found[item.number] = replace(kept, numbers=(*known.numbers, *item.numbers))
    return list(found.values())
