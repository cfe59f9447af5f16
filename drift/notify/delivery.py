"""Delivers pending notifications to a webhook, and keeps them in the history until the delivery succeeds."""

from typing import Final

from drift.history.episodes import Scope
from drift.history.store import History
from drift.model import Report
from drift.notify.bodies import request_body
from drift.notify.message import message_of
from drift.notify.webhook import RetryPolicy, Webhook
from drift.report.formats import MessageFormat

_DEFAULT_POLICY: Final = RetryPolicy()


def deliver(
    history: History,
    scope: Scope,
    report: Report,
    *,
    webhook: Webhook,
    form: MessageFormat,
    report_url: str | None = None,
    retry_policy: RetryPolicy = _DEFAULT_POLICY,
) -> str | None:
    """Sends the pending notifications of a scope, if there are any.

    If the delivery fails, they stay in the history and are sent with the next ones.

    Returns:
        Why the delivery failed, in a few words without the URL; None if nothing is pending any more.

    Raises:
        HistoryError: The file cannot be used.
    """
    pending = history.pending_notifications(scope)
    message = message_of(report, scope.name, pending, report_url)
    if message.notifications:
        problem = webhook.send(request_body(message, form), retry_policy)
        if problem is not None:
            return problem
    if pending:
        history.mark_delivered(pending)
    return None
