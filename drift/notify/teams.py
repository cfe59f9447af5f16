"""The message for a workflow of Microsoft Teams, as an Adaptive Card. Names are runs of text, in which no markup is."""

import json
from collections.abc import Sequence
from typing import Final

from drift.history.notifications import Notification, NotificationKind
from drift.model import Json
from drift.notify.message import Message, how, severity, what

#: Teams accepts 28 KB; what the lines leave is for the frame and for what is said to be left out.
_MOST_BYTES: Final = 24_000
_NAME: Final = 200


def to_teams(message: Message) -> Json:
    """The body of the request."""
    lines: list[Json] = [_text(message.title, weight="Bolder", size="Medium"), _text(message.state)]
    groups = list(message.groups())
    room = _MOST_BYTES - _size(lines)
    for position, (news, items) in enumerate(groups):
        # What one group does not need is there for the next ones.
        shown = _group(news, items, room // (len(groups) - position))
        room -= _size(shown)
        lines += shown
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": lines,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _group(news: NotificationKind, items: Sequence[Notification], room: int) -> list[Json]:
    lines: list[Json] = [_text(str(news), weight="Bolder")]
    room -= _size(lines)
    for number, item in enumerate(items):
        line = _line(item)
        room -= _size(line)
        if room < 0:
            return [*lines, _text(f"...and {len(items) - number} more")]
        lines.append(line)
    return lines


def _line(item: Notification) -> Json:
    name, path = what(item)
    return _runs(
        {"type": "TextRun", "text": f"{severity(item)} ", "weight": "Bolder"},
        {"type": "TextRun", "text": f"{name[:_NAME]} {path[:_NAME]}", "fontType": "Monospace"},
        {"type": "TextRun", "text": f" {how(item)[:_NAME]}", "isSubtle": True},
    )


def _text(text: str, **style: str) -> Json:
    return _runs({"type": "TextRun", "text": text[: 2 * _NAME], **style})


def _runs(*runs: Json) -> Json:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _size(value: Json) -> int:
    return len(json.dumps(value))
