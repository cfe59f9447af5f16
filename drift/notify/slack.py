"""The message for an incoming webhook of Slack, as blocks within Slack's limits. Names are escaped, in code spans."""

from collections.abc import Sequence
from typing import Final

from drift.history.notifications import Notification, NotificationKind
from drift.model import Json
from drift.notify.message import Message, explanation, object_and_path, severity_text

#: Limits of Slack in characters. A message has at most five of the fifty blocks that Slack allows.
_HEADER: Final = 150
_SECTION: Final = 3000
#: Room in a section for the line that counts what does not fit.
_REST: Final = 100
_NAME: Final = 200


def to_slack(message: Message) -> Json:
    """Returns the body of the request."""
    return {
        # For push notifications, and for clients that show no blocks.
        "text": _escape(message.title),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": message.title[:_HEADER], "emoji": False}},
            *(_section(_group(kind, group)) for kind, group in message.groups()),
            _section(_code(message.state)),
        ],
    }


def _group(kind: NotificationKind, notifications: Sequence[Notification]) -> str:
    text = f"*{kind}*"
    for number, notification in enumerate(notifications):
        line = _line(notification)
        if len(text) + len(line) > _SECTION - _REST:
            return f"{text}\n...and {len(notifications) - number} more"
        text += line
    return text


def _line(notification: Notification) -> str:
    name, path = object_and_path(notification)
    return f"\n• *{severity_text(notification)}* {_code(name)} {_code(path)}: {_code(explanation(notification))}"


def _section(text: str) -> Json:
    # Verbatim: Slack turns no text into links or mentions.
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _code(text: str) -> str:
    """Returns a code span. Backticks cannot be escaped in it, so they are replaced."""
    return f"`{_escape(text[:_NAME].replace('`', chr(39)))}`"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
