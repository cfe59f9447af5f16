"""The message for a workflow of Microsoft Teams, as an Adaptive Card. Names are text runs, which have no markup."""

import json
from collections.abc import Sequence
from typing import Final

from drift.history.notifications import Notification, NotificationKind
from drift.model import Json
from drift.notify.message import Message, explanation, object_and_path, severity_text

#: Limit of the lines. Teams accepts 28 KB; the rest is for the frame and the lines that count what does not fit.
_MAX_BYTES: Final = 24_000
_NAME: Final = 200


def to_teams(message: Message) -> Json:
    """Returns the body of the request."""
    lines: list[Json] = [_text(message.title, weight="Bolder", size="Medium"), _text(message.state)]
    groups = list(message.groups())
    room = _MAX_BYTES - _size(lines)
    for position, (kind, notifications) in enumerate(groups):
        # Room that one group does not need is left for the next ones.
        shown = _group(kind, notifications, room // (len(groups) - position))
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


def _group(kind: NotificationKind, notifications: Sequence[Notification], room: int) -> list[Json]:
    lines: list[Json] = [_text(str(kind), weight="Bolder")]
    room -= _size(lines)
    for number, notification in enumerate(notifications):
        line = _line(notification)
        room -= _size(line)
        if room < 0:
            return [*lines, _text(f"...and {len(notifications) - number} more")]
        lines.append(line)
    return lines


def _line(notification: Notification) -> Json:
    name, path = object_and_path(notification)
    return _runs(
        {"type": "TextRun", "text": f"{severity_text(notification)} ", "weight": "Bolder"},
        {"type": "TextRun", "text": f"{name[:_NAME]} {path[:_NAME]}", "fontType": "Monospace"},
        {"type": "TextRun", "text": f" {explanation(notification)[:_NAME]}", "isSubtle": True},
    )


def _text(text: str, **style: str) -> Json:
    return _runs({"type": "TextRun", "text": text[: 2 * _NAME], **style})


def _runs(*runs: Json) -> Json:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _size(value: Json) -> int:
    return len(json.dumps(value))
