"""Delivers pending notifications to a webhook, and keeps them in the history until the delivery succeeds."""

from typing import Final, assert_never

from drift.history.episodes import Scope
from drift.history.store import History
from drift.model import Json, Report
from drift.notify.formats import MessageFormat
from drift.notify.generic import to_generic
from drift.notify.message import Message, message_of
from drift.notify.slack import to_slack
from drift.notify.teams import to_teams
from drift.notify.webhook import RetryPolicy, Webhook

_DEFAULT_POLICY: Final = RetryPolicy()


def deliver(
    history: History,
    scope: Scope,
    report: Report,
    *,
    webhook: Webhook,
    form: MessageFormat,
    retry_policy: RetryPolicy = _DEFAULT_POLICY,
) -> str | None:
    """Sends the pending notifications of a scope, if there are any.

    If the delivery fails, they stay in the history and are sent with the next ones.

    Args:
        history: The history, where the scan was recorded with ``for_notifications``.
        scope: The scope of the scan.
        report: The report of the scan.
        webhook: The receiver.
        form: The format of the message.
        retry_policy: Timeouts and pauses.

    Returns:
        Why the delivery failed, in a few words without the URL; None if nothing is pending any more.

    Raises:
        HistoryError: The file cannot be used.
    """
    pending = history.pending_notifications(scope)
    message = message_of(report, scope.name, pending)
    if message.notifications:
        problem = webhook.send(request_body(message, form), retry_policy)
        if problem is not None:
            return problem
    if pending:
        history.mark_delivered(pending)
    return None


def request_body(message: Message, form: MessageFormat) -> Json:
    """Returns the JSON body of the request."""
    match form:
        case MessageFormat.JSON:
            return to_generic(message)
        case MessageFormat.SLACK:
            return to_slack(message)
        case MessageFormat.TEAMS:
            return to_teams(message)
        case _:
            assert_never(form)
