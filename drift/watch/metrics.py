"""Metrics of the watch, added to those of its report. Labels name kinds, never objects."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from drift.report.metrics import Labels, family, to_metrics
from drift.watch.reflector import Reflector, ReflectorState
from drift.watch.status import WatchStatus

_END: Final = "# EOF\n"
_STATES: Final = {state: state.name.lower() for state in ReflectorState}


def watch_metrics(status: WatchStatus, *, open_metrics: bool) -> str:
    """Returns all metrics, ending in ``# EOF``.

    Args:
        status: The state of the watch.
        open_metrics: Whether to write OpenMetrics, which names counters differently from the Prometheus text format.
    """
    report, reflectors, counts = status.report(), status.reflectors, status.counts
    text = "" if report is None else to_metrics(report).removesuffix(_END)
    text += family("drift_watch_up", "Whether the report is complete and current.", {(): float(not status.problems())})
    text += family("drift_watch_feeds", "Watches by state and kind.", _by_state(reflectors))
    counters: tuple[tuple[str, str, Mapping[Labels, float]], ...] = (
        ("drift_watch_events", "Objects created, changed or deleted.", _sum(reflectors, "events")),
        ("drift_watch_restarts", "Watches restarted.", _sum(reflectors, "restarts")),
        ("drift_watch_relists", "Kinds listed again because the watch expired.", _sum(reflectors, "relists")),
        ("drift_watch_scans", "Full scans.", {(): counts.scans}),
        ("drift_watch_opened_findings", "Findings opened, including reverted ones.", {(): counts.opened}),
        ("drift_watch_resolved_findings", "Findings resolved.", {(): counts.resolved}),
        ("drift_watch_manifest_reloads", "Reloads of the manifests.", {(): counts.reloads}),
        ("drift_watch_api_requests", "Requests sent to the API server.", {(): counts.requests}),
    )
    for name, help_text, samples in counters:
        text += family(name, help_text, samples, counter="openmetrics" if open_metrics else "prometheus")
    last: Mapping[Labels, float] = {(("kind", kind),): time for kind, time in _last_events(reflectors).items()}
    if last:
        text += family("drift_watch_last_event_timestamp_seconds", "Unix time of the last event.", last)
    return text + _END


def _by_state(reflectors: Sequence[Reflector]) -> Mapping[Labels, float]:
    return Counter((("kind", _kind(one)), ("state", _STATES[one.condition.state])) for one in reflectors)


def _sum(reflectors: Sequence[Reflector], attribute: str) -> Mapping[Labels, float]:
    sums: Counter[Labels] = Counter()
    for reflector in reflectors:
        sums[(("kind", _kind(reflector)),)] += getattr(reflector, attribute)
    return sums


def _last_events(reflectors: Sequence[Reflector]) -> dict[str, float]:
    times: dict[str, float] = {}
    for reflector in reflectors:
        if reflector.last_event is not None:
            kind = _kind(reflector)
            times[kind] = max(times.get(kind, 0.0), reflector.last_event)
    return times


def _kind(reflector: Reflector) -> str:
    return reflector.place.resource.kind
