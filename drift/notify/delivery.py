"""Telling what is new: news out of the history, a message to the webhook, and once it was delivered, no more of it."""

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

_USUAL: Final = RetryPolicy()


def deliver(
    history: History,
    scope: Scope,
    report: Report,
    *,
    webhook: Webhook,
    form: MessageFormat,
    patience: RetryPolicy = _USUAL,
) -> str | None:
    """Sends what nobody was told yet, if there is anything.

    What could not be delivered stays in the history, to be sent with the next news.

    Args:
        history: Where the scan was recorded with ``for_notifications``.
        scope: The scan's.
        report: The scan.
        webhook: The receiver.
        form: What it understands.
        patience: When to give up.

    Returns:
        Why it could not be delivered, in a few words that do not name the receiver; None where nothing is left to say.

    Raises:
        HistoryError: The file cannot be used.
    """
    items = history.pending_notifications(scope)
    message = message_of(report, scope.name, items)
    if message.items:
        problem = webhook.send(request_body(message, form), patience)
        if problem is not None:
            return problem
    if items:
        history.mark_delivered(items)
    return None


def request_body(message: Message, form: MessageFormat) -> Json:
    """The body of the request."""
    match form:
        case MessageFormat.JSON:
            return to_generic(message)
        case MessageFormat.SLACK:
            return to_slack(message)
        case MessageFormat.TEAMS:
            return to_teams(message)
        case _:
            assert_never(form)
