"""NotificationKind of every kind."""

from drift.history.episodes import EpisodeState
from drift.history.notifications import Notification, NotificationKind
from drift.model import Change, ObjectKey, Report, Severity, Status
from drift.notify.message import Message, message_of
from tests.drift.history.scans import episode
from tests.drift.report.reports import finding, item, report

SCAN = report(item("ConfigMap", "a", Status.DRIFTED, finding(1)))


def news(
    number: int, kind: NotificationKind = NotificationKind.NEW, before: Severity | None = None, **changes: object
) -> Notification:
    if kind is NotificationKind.RESOLVED:
        changes = {"ended_at": "2026-01-03T16:00:00Z", "state": EpisodeState.RESOLVED, **changes}
    return Notification((number,), number, kind, episode(number, **changes), before)


SERVICE = ObjectKey("", "Service", "shop", "web")
IMAGE = "spec.containers[name=web].image"
ITEMS = (
    news(1),
    news(2, severity=Severity.CRITICAL, path="", change=Change.MISSING, key=SERVICE, actors=()),
    news(3, NotificationKind.WORSENED, Severity.LOW, severity=Severity.HIGH, path=IMAGE),
    news(4, NotificationKind.RESOLVED),
)
MESSAGE = message_of(SCAN, "shop/gitops:apps (namespace shop)", ITEMS)


def hostile(text: str, count: int = 1, scan: Report = SCAN) -> Message:
    key = ObjectKey(text, text, text, text)
    kinds = [(NotificationKind.NEW, None), (NotificationKind.WORSENED, Severity.LOW), (NotificationKind.RESOLVED, None)]
    items = [news(number, kind, before, path=text, key=key) for kind, before in kinds for number in range(count)]
    return message_of(scan, text, items)
