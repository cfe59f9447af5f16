"""Sample notifications of every kind."""

from drift.history.episodes import EpisodeState
from drift.history.notifications import Notification, NotificationKind
from drift.model import Actor, Change, Evidence, GitLine, Report, Severity, Status
from drift.notify.message import Message, message_of
from drift.objects import ObjectKey
from tests.drift.history.scans import episode
from tests.drift.report.reports import finding, item, report

_JANE = Actor("kubectl-edit", "Update", None, "2026-01-01T10:00:00Z", "jane@example.com", None, None, Evidence.EXACT)
_LINE = GitLine("c0ffee" * 6 + "c0ff", "Sam Doe", "2025-12-12T10:00:00Z", "scale up for launch")
SCAN = report(item("ConfigMap", "a", Status.DRIFTED, finding(1, path="data.x", actors=(_JANE,), git=_LINE)))


def notification(
    number: int, kind: NotificationKind = NotificationKind.NEW, before: Severity | None = None, **changes: object
) -> Notification:
    if kind is NotificationKind.RESOLVED:
        changes = {"ended_at": "2026-01-03T16:00:00Z", "state": EpisodeState.RESOLVED, **changes}
    return Notification((number,), number, kind, episode(number, **changes), before)


SERVICE = ObjectKey("", "Service", "shop", "web")
IMAGE = "spec.containers[name=web].image"
#: More new findings than a message to people names.
NOTIFICATIONS = (
    notification(1),
    *(notification(number, path=f"data.{number}", severity=Severity.LOW) for number in (5, 6, 7)),
    notification(2, severity=Severity.CRITICAL, path="", change=Change.MISSING, key=SERVICE, actors=()),
    notification(3, NotificationKind.WORSENED, Severity.LOW, severity=Severity.HIGH, path=IMAGE),
    notification(4, NotificationKind.RESOLVED),
)
URL = "https://ci.example.com/drift/report.html?a=1&b=2|3"
MESSAGE = message_of(SCAN, "shop/gitops:apps (namespace shop)", NOTIFICATIONS, URL)


def hostile(text: str, count: int = 1, scan: Report = SCAN) -> Message:
    key = ObjectKey(text, text, text, text)
    kinds = [(NotificationKind.NEW, None), (NotificationKind.WORSENED, Severity.LOW), (NotificationKind.RESOLVED, None)]
    items = [
        notification(number, kind, before, path=text, key=key) for kind, before in kinds for number in range(count)
    ]
    return message_of(scan, text, items, URL)
