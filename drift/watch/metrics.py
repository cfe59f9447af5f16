"""The metrics of the watching, beside those of its report; by kind at most, never by object."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from drift.report.metrics import Labels, family, to_metrics
from drift.watch.reflector import Reflector, ReflectorState
from drift.watch.status import WatchStatus

_END: Final = "# EOF\n"
_STATES: Final = {state: state.name.lower() for state in ReflectorState}


def watch_metrics(status: WatchStatus, *, open_metrics: bool) -> str:
    """All metrics, ending in ``# EOF``.

    Args:
        status: What is known.
        open_metrics: Whether as OpenMetrics, which names counters otherwise than the older text of Prometheus.
    """
    report, feeds, counts = status.report(), status.feeds, status.counts
    text = "" if report is None else to_metrics(report).removesuffix(_END)
    text += family("drift_watch_up", "Whether the report is complete and current.", {(): float(not status.troubles())})
    text += family("drift_watch_feeds", "Watches by state and kind.", _by_state(feeds))
    counters: tuple[tuple[str, str, Mapping[Labels, float]], ...] = (
        ("drift_watch_events", "Objects that were made, changed or deleted.", _sum(feeds, "events")),
        ("drift_watch_restarts", "Watches that were made anew.", _sum(feeds, "restarts")),
        ("drift_watch_relists", "Lists that were made anew as a watch could not go on.", _sum(feeds, "relists")),
        ("drift_watch_scans", "Scans of everything.", {(): counts.scans}),
        (
            "drift_watch_opened_findings",
            "Findings that opened, those that were reverted included.",
            {(): counts.opened},
        ),
        ("drift_watch_resolved_findings", "Findings that were resolved.", {(): counts.resolved}),
        ("drift_watch_manifest_reloads", "Times that the manifests were reloaded.", {(): counts.reloads}),
        ("drift_watch_api_requests", "Requests sent to the API server.", {(): counts.requests}),
    )
    for name, help_text, samples in counters:
        text += family(name, help_text, samples, counter="openmetrics" if open_metrics else "prometheus")
    last: Mapping[Labels, float] = {(("kind", kind),): time for kind, time in _last_events(feeds).items()}
    if last:
        text += family("drift_watch_last_event_timestamp_seconds", "When the last event came, in Unix time.", last)
    return text + _END


def _by_state(feeds: Sequence[Reflector]) -> Mapping[Labels, float]:
    return Counter((("kind", feed.place.resource.kind), ("state", _STATES[feed.condition.state])) for feed in feeds)


def _sum(feeds: Sequence[Reflector], what: str) -> Mapping[Labels, float]:
    sums: Counter[Labels] = Counter()
    for feed in feeds:
        sums[(("kind", feed.place.resource.kind),)] += getattr(feed, what)
    return sums


def _last_events(feeds: Sequence[Reflector]) -> dict[str, float]:
    times: dict[str, float] = {}
    for feed in feeds:
        if feed.last_event is not None:
            kind = feed.place.resource.kind
            times[kind] = max(times.get(kind, 0.0), feed.last_event)
    return times
