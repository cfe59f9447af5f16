"""The message about the notifications of a scan, and the request body in the format and limits of its receiver."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, assert_never

from drift import __version__
from drift.history.notifications import Notification, NotificationKind
from drift.model import API_VERSION, SEVERITY_RANK, Finding, Report
from drift.objects import Json
from drift.report.formats import MessageFormat
from drift.report.json_report import to_document
from drift.report.view import CAUSE_TEXT, cause_and_managers, duration_between, key_name, short, summary, visible

#: Characters of a name.
_MAX_NAME: Final = 200
#: Characters of who is behind a finding, in the cluster and in Git.
_MAX_WHO: Final = 400
#: Characters of the line on the whole scan, and what stands for the end of a name that is cut.
_MAX_STATE: Final = 400
_CUT: Final = "..."
#: Notifications in one message to a program. The report has all findings.
_GENERIC_ITEMS: Final = 500
#: Notifications of each kind in one message to people, the worst ones.
_WORST: Final = 3
#: Limits of Slack in characters. A message has at most six of the fifty blocks that Slack allows.
_SLACK_HEADER: Final = 150
_SLACK_SECTION: Final = 3000
#: Room in a section for the line that counts what does not fit.
_SLACK_REST: Final = 100
#: Limit of the lines. Teams accepts 28 KB; the rest is for the frame and the lines that count what does not fit.
_TEAMS_BYTES: Final = 24_000


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
        return f"Drift in {self.cluster}: {self._counts}"

    @property
    def headline(self) -> str:
        """The title, as long as a header of Slack may be. The numbers matter more than the end of the name."""
        return _fitting("Drift in ", self.cluster, f": {self._counts}", _SLACK_HEADER)

    @property
    def state(self) -> str:
        """The result of the whole scan in one line. It matters more than the end of the scope's name."""
        return _fitting("", visible(self.scope), f" is {summary(self.report)}", _MAX_STATE)

    @property
    def _counts(self) -> str:
        return ", ".join(f"{len(group)} {kind}" for kind, group in self.groups())

    @cached_property
    def findings(self) -> Mapping[str, Finding]:
        """The findings of the report by their ids."""
        return {finding.id: finding for finding in self.report.findings}

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


def _fitting(before: str, name: str, after: str, limit: int) -> str:
    """Returns the three texts as one. If that is longer than the limit, the name is cut."""
    room = max(limit - len(before) - len(after), len(_CUT))
    shown = name if len(name) <= room else name[: room - len(_CUT)] + _CUT
    return f"{before}{shown}{after}"[:limit]


def message_of(
    report: Report, scope: str, notifications: Sequence[Notification], report_url: str | None = None
) -> Message:
    """Returns the message with these notifications, without stale ones."""
    current = [one for one in notifications if not one.is_stale]
    return Message(report, scope, tuple(sorted(current, key=_sort_key)), report_url)


def _object_and_path(notification: Notification) -> tuple[str, str]:
    """Returns the object, and the path or the change of the whole object."""
    episode = notification.episode
    return short(key_name(episode.key)), short(episode.path or episode.change)


def _who(message: Message, notification: Notification) -> str:
    """Returns who is behind a finding and when, or how long it was open if it is resolved."""
    episode = notification.episode
    if notification.kind is NotificationKind.RESOLVED:
        return f"after {duration_between(episode.first_seen, episode.ended_at or episode.last_seen)}"
    finding = message.findings.get(episode.id)
    if finding is not None:
        return cause_and_managers(finding)
    # It has been resolved again while the delivery failed.
    managers = ", ".join(dict.fromkeys(short(actor.manager) for actor in episode.actors))
    return f"{CAUSE_TEXT[episode.cause]}: {managers}" if managers else CAUSE_TEXT[episode.cause]


def _severity_text(notification: Notification) -> str:
    """Returns the severity; ``low to high`` if it worsened."""
    severity = notification.episode.severity
    if notification.kind is NotificationKind.WORSENED and notification.severity_before is not None:
        return f"{notification.severity_before} to {severity}"
    return str(severity)


def _sort_key(notification: Notification) -> tuple[int, str, str]:
    return (SEVERITY_RANK[notification.episode.severity], *_object_and_path(notification))


def request_body(message: Message, form: MessageFormat) -> Json:
    """Returns the JSON body of the request."""
    match form:
        case MessageFormat.JSON:
            return _generic(message)
        case MessageFormat.SLACK:
            return _slack(message)
        case MessageFormat.TEAMS:
            return _teams(message)
        case _:
            assert_never(form)


def _generic(message: Message) -> Json:
    """JSON for other programs: a document of ``drift/v1``."""
    report = message.report
    document = to_document(report)
    shown = message.notifications[:_GENERIC_ITEMS]
    return {
        "apiVersion": API_VERSION,
        "kind": "DriftNotification",
        "generatedAt": report.generated_at,
        "tool": {"name": "drift-reporter", "version": __version__},
        "title": message.title,
        "reportUrl": message.report_url,
        "cluster": document["cluster"],
        "scope": message.scope,
        "manifests": document["manifests"],
        "summary": document["summary"],
        **{str(kind): [_generic_item(one) for one in shown if one.kind is kind] for kind in NotificationKind},
        "leftOut": len(message.notifications) - len(shown),
    }


def _generic_item(notification: Notification) -> Json:
    episode = notification.episode
    return {
        "id": episode.id,
        "apiVersion": episode.api_version,
        "kind": episode.key.kind,
        "namespace": episode.key.namespace,
        "name": episode.key.name,
        "path": episode.path,
        "change": episode.change,
        "cause": episode.cause,
        "severity": episode.severity,
        "severityBefore": notification.severity_before,
        "managers": list(dict.fromkeys(actor.manager for actor in episode.actors)),
        "firstSeen": episode.first_seen,
        "resolvedAt": episode.ended_at,
    }


def _slack(message: Message) -> Json:
    """Blocks for an incoming webhook of Slack. Names are escaped, in code spans."""
    return {
        # For push notifications, and for clients that show no blocks.
        "text": _slack_escape(message.title),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": message.headline, "emoji": False}},
            _slack_section(_slack_code(message.state, _MAX_STATE)),
            *(_slack_section(_slack_group(message, kind, group)) for kind, group in message.groups()),
            *([_slack_section(_slack_link(message.report_url, "Open the report"))] if message.report_url else []),
        ],
    }


def _slack_group(message: Message, kind: NotificationKind, notifications: Sequence[Notification]) -> str:
    text = f"*{kind}*"
    for number, notification in enumerate(notifications):
        line = _slack_line(message, notification)
        if number == _WORST or len(text) + len(line) > _SLACK_SECTION - _SLACK_REST:
            return f"{text}\n...and {len(notifications) - number} more"
        text += line
    return text


def _slack_line(message: Message, notification: Notification) -> str:
    name, path = map(_slack_code, _object_and_path(notification))
    why = _slack_code(_who(message, notification), _MAX_WHO)
    url = message.link(notification)
    link = f" {_slack_link(url, 'show')}" if url else ""
    return f"\n• *{_severity_text(notification)}* {name} {path}: {why}{link}"


def _slack_section(text: str) -> Json:
    # Verbatim: Slack makes links and mentions only of what is marked up as such.
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _slack_link(url: str, text: str) -> str:
    return f"<{_slack_escape(url.replace('|', '%7C'))}|{text}>"


def _slack_code(text: str, limit: int = _MAX_NAME) -> str:
    """Returns a code span. Backticks cannot be escaped in it, so they are replaced."""
    return f"`{_slack_escape(text[:limit].replace('`', chr(39)))}`"


def _slack_escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(message: Message) -> Json:
    """An Adaptive Card for a workflow of Microsoft Teams. Names are text runs, which have no markup."""
    lines: list[Json] = [_teams_text(message.headline, weight="Bolder", size="Medium"), _teams_text(message.state)]
    groups = list(message.groups())
    room = _TEAMS_BYTES - _teams_size(lines)
    for position, (kind, notifications) in enumerate(groups):
        # Room that one group does not need is left for the next ones.
        shown = _teams_group(message, kind, notifications, room // (len(groups) - position))
        room -= _teams_size(shown)
        lines += shown
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": lines,
        **({"actions": [_open_url(message.report_url, "Open the report")]} if message.report_url else {}),
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _teams_group(
    message: Message, kind: NotificationKind, notifications: Sequence[Notification], room: int
) -> list[Json]:
    lines: list[Json] = [_teams_text(str(kind), weight="Bolder")]
    room -= _teams_size(lines)
    for number, notification in enumerate(notifications):
        line = _teams_line(message, notification)
        room -= _teams_size(line)
        if number == _WORST or room < 0:
            return [*lines, _teams_text(f"...and {len(notifications) - number} more")]
        lines.append(line)
    return lines


def _teams_line(message: Message, notification: Notification) -> Json:
    name, path = _object_and_path(notification)
    url = message.link(notification)
    link = {"selectAction": _open_url(url, "Show the finding")} if url else {}
    return _teams_runs(
        {"type": "TextRun", "text": f"{_severity_text(notification)} ", "weight": "Bolder"},
        {"type": "TextRun", "text": f"{name[:_MAX_NAME]} {path[:_MAX_NAME]}", "fontType": "Monospace", **link},
        {"type": "TextRun", "text": f" {_who(message, notification)[:_MAX_WHO]}", "isSubtle": True},
    )


def _open_url(url: str, title: str) -> Json:
    return {"type": "Action.OpenUrl", "title": title, "url": url}


def _teams_text(text: str, **style: str) -> Json:
    return _teams_runs({"type": "TextRun", "text": text[: 2 * _MAX_NAME], **style})


def _teams_runs(*runs: Json) -> Json:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _teams_size(value: Json) -> int:
    return len(json.dumps(value))
