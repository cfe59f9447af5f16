"""The message for an incoming webhook of Slack, as blocks within Slack's limits. Names stand in code, escaped."""

from collections.abc import Sequence
from typing import Final

from drift.history.notifications import Notification, NotificationKind
from drift.model import Json
from drift.notify.message import Message, how, severity, what

#: Characters of a header and of a section that Slack accepts. There are five blocks at most, of the fifty allowed.
_HEADER: Final = 150
_SECTION: Final = 3000
_REST: Final = 100
_NAME: Final = 200


def to_slack(message: Message) -> Json:
    """The body of the request."""
    return {
        # For notifications, and for clients that show no blocks.
        "text": _escape(message.title),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": message.title[:_HEADER], "emoji": False}},
            *(_section(_group(news, items)) for news, items in message.groups()),
            _section(_code(message.state)),
        ],
    }


def _group(news: NotificationKind, items: Sequence[Notification]) -> str:
    text = f"*{news}*"
    for number, item in enumerate(items):
        line = _line(item)
        if len(text) + len(line) > _SECTION - _REST:
            return f"{text}\n...and {len(items) - number} more"
        text += line
    return text


def _line(item: Notification) -> str:
    name, path = what(item)
    return f"\n• *{severity(item)}* {_code(name)} {_code(path)}: {_code(how(item))}"


def _section(text: str) -> Json:
    # Verbatim: Slack makes no links and no mentions of what looks like one.
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _code(text: str) -> str:
    """Code within a line. Nothing can be escaped in it but what Slack takes for control characters."""
    return f"`{_escape(text[:_NAME].replace('`', chr(39)))}`"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
