"""The message as JSON for other programs."""

from typing import Final

from drift import __version__
from drift.history.notifications import Notification, NotificationKind
from drift.model import Json
from drift.notify.message import Message
from drift.report.json_report import to_document

#: Notifications in one message. The report has all findings.
_MAX_ITEMS: Final = 500


def to_generic(message: Message) -> Json:
    """Returns the message as a JSON document of ``drift/v1``."""
    report = message.report
    document = to_document(report)
    shown = message.notifications[:_MAX_ITEMS]
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
        **{str(kind): [_item(one) for one in shown if one.kind is kind] for kind in NotificationKind},
        "leftOut": len(message.notifications) - len(shown),
    }


def _item(notification: Notification) -> Json:
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
