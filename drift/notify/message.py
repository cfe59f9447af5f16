"""The content of a message, shared by all formats: the notifications of a scan, and one line on the whole scan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from drift.history.notifications import Notification, NotificationKind
from drift.model import SEVERITY_RANK, Finding, Report
from drift.report.view import CAUSE_TEXT, cause_and_managers, duration_between, key_name, short, summary


# Without slots, for the cached property.
@dataclass(frozen=True)
class Message:
    """The notifications of one scan.

    Attributes:
        report: The report. The message contains its counts, and who is behind its findings.
        scope: The name of the scope.
        notifications: New, worsened and resolved findings, the most severe first.
        report_url: Where people can read the report; None if that is not known.
    """

    report: Report
    scope: str
    notifications: tuple[Notification, ...]
    report_url: str | None = None

    @property
    def cluster(self) -> str:
        """The name of the cluster: its context or server."""
        cluster = self.report.cluster
        return short((cluster.context or cluster.server) if cluster else "a dump")

    @property
    def title(self) -> str:
        """``Drift in prod: 2 new, 1 resolved``."""
        counts = ", ".join(f"{len(group)} {kind}" for kind, group in self.groups())
        return f"Drift in {self.cluster}: {counts}"

    @property
    def state(self) -> str:
        """The result of the whole scan in one line."""
        return f"{short(self.scope)} is {summary(self.report)}"

    @cached_property
    def findings(self) -> Mapping[str, Finding]:
        """The findings of the report by their ids."""
        return {finding.id: finding for item in self.report.objects for finding in item.findings}

    def link(self, notification: Notification) -> str | None:
        """Returns the URL of a finding in the HTML report; None without a report, and for a resolved finding."""
        id_ = notification.episode.id
        return f"{self.report_url}#{id_}" if self.report_url is not None and id_ in self.findings else None

    def groups(self) -> Iterator[tuple[NotificationKind, Sequence[Notification]]]:
        """Yields the notifications by kind, without empty groups."""
        for kind in NotificationKind:
            group = [one for one in self.notifications if one.kind is kind]
            if group:
                yield kind, group


def message_of(
    report: Report, scope: str, notifications: Sequence[Notification], report_url: str | None = None
) -> Message:
    """Returns the message with these notifications, without stale ones."""
    current = [one for one in notifications if not one.is_stale]
    return Message(report, scope, tuple(sorted(current, key=_sort_key)), report_url)


def object_and_path(notification: Notification) -> tuple[str, str]:
    """Returns the object, and the path or the change of the whole object."""
    episode = notification.episode
    return short(key_name(episode.key)), short(episode.path or episode.change)


def explanation(message: Message, notification: Notification) -> str:
    """Returns who is behind a finding and when, in the cluster and in Git; how long it was open if it is resolved."""
    episode = notification.episode
    if notification.kind is NotificationKind.RESOLVED:
        return f"after {duration_between(episode.first_seen, episode.ended_at or episode.last_seen)}"
    finding = message.findings.get(episode.id)
    if finding is not None:
        return cause_and_managers(finding)
    # It has been resolved again while the delivery failed.
    managers = ", ".join(dict.fromkeys(short(actor.manager) for actor in episode.actors))
    return f"{CAUSE_TEXT[episode.cause]}: {managers}" if managers else CAUSE_TEXT[episode.cause]


def severity_text(notification: Notification) -> str:
    """Returns the severity; ``low to high`` if it worsened."""
    severity = notification.episode.severity
    if notification.kind is NotificationKind.WORSENED and notification.severity_before is not None:
        return f"{notification.severity_before} to {severity}"
    return str(severity)


def _sort_key(notification: Notification) -> tuple[int, str, str]:
    return (SEVERITY_RANK[notification.episode.severity], *object_and_path(notification))
