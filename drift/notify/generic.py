"""The message as JSON for programs of any kind."""

from typing import Final

from drift import __version__
from drift.history.notifications import Notification, NotificationKind
from drift.model import Json
from drift.notify.message import Message
from drift.report.json_report import to_document

#: Items of one message. Who needs more reads the report.
_MOST: Final = 500


def to_generic(message: Message) -> Json:
    """The message as a JSON document of ``drift/v1``."""
    report = message.report
    document = to_document(report)
    shown = message.items[:_MOST]
    return {
        "apiVersion": "drift/v1",
        "kind": "DriftNotification",
        "generatedAt": report.generated_at,
        "tool": {"name": "drift-reporter", "version": __version__},
        "title": message.title,
        "cluster": document["cluster"],
        "scope": message.scope,
        "manifests": document["manifests"],
        "summary": document["summary"],
        **{str(news): [_item(item) for item in shown if item.news is news] for news in NotificationKind},
        "leftOut": len(message.items) - len(shown),
    }


def _item(item: Notification) -> Json:
    episode = item.episode
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
        "severityBefore": item.severity_before,
        "managers": list(dict.fromkeys(actor.manager for actor in episode.actors)),
        "firstSeen": episode.first_seen,
        "resolvedAt": episode.ended_at,
    }
