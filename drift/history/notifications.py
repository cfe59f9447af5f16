"""Notifications that wait for delivery: findings that are new, worsened or resolved. Pure functions."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from drift.history.episodes import SEVERITY_RANK, Episode, EpisodeState
from drift.model import Severity


class NotificationKind(StrEnum):
    """What happened to an episode."""

    NEW = "new"
    WORSENED = "worsened"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Notification:
    """One change of an episode.

    Attributes:
        entries: The rows in the history that it covers. They are deleted after delivery.
        episode_number: The number of the episode.
        kind: What happened.
        episode: The episode as it is now.
        severity_before: The severity before it worsened; None for other kinds.
    """

    entries: tuple[int, ...]
    episode_number: int
    kind: NotificationKind
    episode: Episode
    severity_before: Severity | None = None

    @property
    def is_stale(self) -> bool:
        """Whether it no longer matters: the finding is ignored by now, or as severe as before it worsened."""
        if self.episode.state is EpisodeState.IGNORED:
            return True
        before = self.severity_before
        return before is not None and SEVERITY_RANK[self.episode.severity] >= SEVERITY_RANK[before]


def combine_notifications(notifications: Iterable[Notification]) -> list[Notification]:
    """Returns one notification for each episode, in the order of their first ones.

    Resolved replaces everything else. New and then worsened is new. Worsened twice is worsened from the first severity.
    """
    combined: dict[int, Notification] = {}
    for one in notifications:
        known = combined.get(one.episode_number)
        if known is None:
            combined[one.episode_number] = one
        else:
            kept = one if one.kind is NotificationKind.RESOLVED else known
            combined[one.episode_number] = replace(kept, entries=(*known.entries, *one.entries))
    return list(combined.values())
