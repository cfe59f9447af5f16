"""What a message says, whoever receives it: the news of a scan, and the state of things in one line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drift.history.notifications import Notification, NotificationKind
from drift.model import Report
from drift.report.view import CAUSE_TEXT, SEVERITY_RANK, duration_between, key_name, short, summary


@dataclass(frozen=True, slots=True)
class Message:
    """The news of one scan.

    Attributes:
        report: The scan; of its objects only the counts are told.
        scope: What was compared, in words.
        items: What is new, worsened and resolved, the worst first.
    """

    report: Report
    scope: str
    items: tuple[Notification, ...]

    @property
    def cluster(self) -> str:
        """What people call the cluster."""
        cluster = self.report.cluster
        return short((cluster.context or cluster.server) if cluster else "a dump")

    @property
    def title(self) -> str:
        """``Drift in prod: 2 new, 1 resolved``."""
        counts = [(len(items), news) for news, items in self.groups()]
        return f"Drift in {self.cluster}: {', '.join(f'{count} {news}' for count, news in counts)}"

    @property
    def state(self) -> str:
        """The whole scan in one line."""
        return f"{short(self.scope)} is {summary(self.report)}"

    def groups(self) -> Iterator[tuple[NotificationKind, Sequence[Notification]]]:
        """The items by their kind of news; no group is empty."""
        for news in NotificationKind:
            items = [item for item in self.items if item.news is news]
            if items:
                yield news, items


def message_of(report: Report, scope: str, items: Sequence[Notification]) -> Message:
    """The message that tells these items, without those that nobody needs to know any more."""
    current = [item for item in items if not item.is_stale]
    return Message(report, scope, tuple(sorted(current, key=_order)))


def what(item: Notification) -> tuple[str, str]:
    """The object, and the path or what is to be said of the object as a whole."""
    episode = item.episode
    return short(key_name(episode.key)), short(episode.path or episode.change)


def how(item: Notification) -> str:
    """Who did it, or how long it was open."""
    episode = item.episode
    if item.news is NotificationKind.RESOLVED:
        return f"after {duration_between(episode.first_seen, episode.ended_at or episode.last_seen)}"
    managers = ", ".join(dict.fromkeys(short(actor.manager) for actor in episode.actors))
    return f"{CAUSE_TEXT[episode.cause]}: {managers}" if managers else CAUSE_TEXT[episode.cause]


def severity(item: Notification) -> str:
    """The severity, and from which one it has risen."""
    if item.news is NotificationKind.WORSENED and item.severity_before is not None:
        return f"{item.severity_before} to {item.episode.severity}"
    return str(item.episode.severity)


def _order(item: Notification) -> tuple[int, str, str]:
    return (SEVERITY_RANK[item.episode.severity], *what(item))
