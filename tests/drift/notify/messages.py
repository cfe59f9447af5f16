"""News of every kind."""

from drift.history.episodes import State
from drift.history.news import Item, News
from drift.model import Change, ObjectKey, Report, Severity, Status
from drift.notify.message import Message, message_of
from tests.drift.history.scans import episode
from tests.drift.report.reports import finding, item, report

SCAN = report(item("ConfigMap", "a", Status.DRIFTED, finding(1)))


def news(number: int, kind: News = News.NEW, before: Severity | None = None, **changes: object) -> Item:
    if kind is News.RESOLVED:
        changes = {"ended_at": "2026-01-03T16:00:00Z", "state": State.RESOLVED, **changes}
    return Item((number,), number, kind, episode(number, **changes), before)


SERVICE = ObjectKey("", "Service", "shop", "web")
IMAGE = "spec.containers[name=web].image"
ITEMS = (
    news(1),
    news(2, severity=Severity.CRITICAL, path="", change=Change.MISSING, key=SERVICE, actors=()),
    news(3, News.WORSENED, Severity.LOW, severity=Severity.HIGH, path=IMAGE),
    news(4, News.RESOLVED),
)
MESSAGE = message_of(SCAN, "shop/gitops:apps (namespace shop)", ITEMS)


def hostile(text: str, count: int = 1, scan: Report = SCAN) -> Message:
    key = ObjectKey(text, text, text, text)
    kinds = [(News.NEW, None), (News.WORSENED, Severity.LOW), (News.RESOLVED, None)]
    items = [news(number, kind, before, path=text, key=key) for kind, before in kinds for number in range(count)]
    return message_of(scan, text, items)
