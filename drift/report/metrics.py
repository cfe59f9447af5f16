"""Metrics in the text that Prometheus and OpenMetrics share, for the textfile collector of the node exporter.

Every family is a gauge with HELP and TYPE, and no name of an object is a label: the number of series is bounded by
the kinds and namespaces that there are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from drift import __version__
from drift.model import Finding, Lifecycle, ObjectReport, Report, Verdict
from drift.report.view import short

_Labels = tuple[tuple[str, str], ...]


def to_metrics(report: Report) -> str:
    """The report as gauges, ending in ``# EOF``."""
    several = bool(report.clusters)
    objects = Counter((("status", str(item.status)), *_where(item, several=several)) for item in report.objects)
    findings = Counter(_labels(item, finding, several=several) for item, finding in _findings(report, ignored=False))
    ignored = Counter(_where(item, several=several) for item, _ in _findings(report, ignored=True))
    verdicts: dict[_Labels, float] = {
        (("verdict", str(verdict)),): float(verdict is report.verdict) for verdict in Verdict
    }
    scanned = datetime.fromisoformat(report.generated_at).timestamp()
    text = (
        _family("drift_objects", "Objects by status, namespace and kind.", objects)
        + _family("drift_findings", "Differences that no rule ignores; those of a controller are no drift.", findings)
        + _family("drift_ignored_findings", "Differences that a rule sets aside.", ignored)
        + _family("drift_verdict", "1 for the verdict of the last scan, 0 for the others.", verdicts)
        + _family(
            "drift_last_scan_success",
            "Whether the last scan could look at everything, be there drift or not.",
            {(): float(report.verdict is not Verdict.INCOMPLETE)},
        )
        + _family("drift_last_scan_timestamp_seconds", "When the last scan ended, in Unix time.", {(): scanned})
        + _family(
            "drift_build_info", "The version that made these metrics; always 1.", {(("version", __version__),): 1.0}
        )
    )
    text += _history(report)
    if report.duration_seconds is not None:
        text += _family(
            "drift_last_scan_duration_seconds", "How long the last scan took.", {(): report.duration_seconds}
        )
    if report.api_requests is not None:
        text += _family("drift_last_scan_api_requests", "Requests that the last scan sent.", {(): report.api_requests})
    return f"{text}# EOF\n"


def _history(report: Report) -> str:
    """What only a history knows; nothing without one."""
    counting = [finding for _, finding in _findings(report, ignored=False) if finding.lifecycle is not None]
    if not report.past and not counting:
        return ""
    lifecycles: dict[_Labels, float] = {
        (("lifecycle", str(lifecycle)),): sum(finding.lifecycle is lifecycle for finding in counting)
        for lifecycle in Lifecycle
    }
    text = _family("drift_findings_by_lifecycle", "Drift by what the history says of it.", lifecycles) + _family(
        "drift_resolved_findings", "Drift of the scan before that is gone.", {(): len(report.resolved)}
    )
    seen = [datetime.fromisoformat(finding.first_seen).timestamp() for finding in counting if finding.first_seen]
    if seen:
        text += _family(
            "drift_oldest_finding_timestamp_seconds",
            "When the drift was seen first that has been open the longest, in Unix time.",
            {(): min(seen)},
        )
    return text


def _findings(report: Report, *, ignored: bool) -> Iterable[tuple[ObjectReport, Finding]]:
    return (
        (item, finding)
        for item in report.objects
        for finding in item.findings
        if (finding.ignored is not None) is ignored
    )


def _where(item: ObjectReport, *, several: bool) -> _Labels:
    # Cut before they are counted: a series that stands in the file twice makes all of it invalid.
    cluster = (("cluster", short(item.cluster or "")),) if several else ()
    return (*cluster, ("namespace", short(item.key.namespace or "")), ("kind", short(item.key.kind)))


def _labels(item: ObjectReport, finding: Finding, *, several: bool) -> _Labels:
    return (("cause", finding.cause), ("severity", finding.severity), *_where(item, several=several))


def _family(name: str, text: str, samples: Mapping[_Labels, float]) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
    for labels, value in sorted(samples.items()):
        written = ",".join(f'{label}="{_escape(word)}"' for label, word in labels)
        lines.append(f"{name}{{{written}}} {value:.15g}" if written else f"{name} {value:.15g}")
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
