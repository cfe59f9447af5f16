"""Metrics in the text format that Prometheus and OpenMetrics share, for the node exporter's textfile collector.

Every metric is a gauge with HELP and TYPE. Object names are not labels, so kinds and namespaces bound the number of
series.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from drift import __version__
from drift.model import Finding, Lifecycle, ObjectReport, Report, Verdict
from drift.report.view import short

#: The names and values of a sample's labels, in the order of the output.
Labels = tuple[tuple[str, str], ...]


def to_metrics(report: Report) -> str:
    """Returns the report as gauges, ending in ``# EOF``."""
    several = bool(report.clusters)
    objects = Counter((("status", str(item.status)), *_where(item, several=several)) for item in report.objects)
    findings = Counter(_labels(item, finding, several=several) for item, finding in _findings(report, ignored=False))
    ignored = Counter(_where(item, several=several) for item, _ in _findings(report, ignored=True))
    verdicts: dict[Labels, float] = {
        (("verdict", str(verdict)),): float(verdict is report.verdict) for verdict in Verdict
    }
    scanned = datetime.fromisoformat(report.generated_at).timestamp()
    text = (
        family("drift_objects", "Objects by status, namespace and kind.", objects)
        + family("drift_findings", "Findings that no rule ignores; the cause controller is not drift.", findings)
        + family("drift_ignored_findings", "Findings that a rule ignores.", ignored)
        + family("drift_verdict", "1 for the verdict of the last scan, 0 for the others.", verdicts)
        + family(
            "drift_last_scan_success",
            "1 if the last scan could check everything, whether it found drift or not.",
            {(): float(report.verdict is not Verdict.INCOMPLETE)},
        )
        + family("drift_last_scan_timestamp_seconds", "When the last scan ended, in Unix time.", {(): scanned})
        + family("drift_build_info", "The version of drift; always 1.", {(("version", __version__),): 1.0})
    )
    text += _history(report)
    if report.duration_seconds is not None:
        text += family(
            "drift_last_scan_duration_seconds", "How long the last scan took.", {(): report.duration_seconds}
        )
    if report.api_requests is not None:
        text += family(
            "drift_last_scan_api_requests",
            "Requests to the API server in the last scan.",
            {(): report.api_requests},
        )
    return f"{text}# EOF\n"


def _history(report: Report) -> str:
    """Returns the metrics that need a history, or "" without one."""
    counting = [finding for _, finding in _findings(report, ignored=False) if finding.lifecycle is not None]
    if not report.past and not counting:
        return ""
    lifecycles: dict[Labels, float] = {
        (("lifecycle", str(lifecycle)),): sum(finding.lifecycle is lifecycle for finding in counting)
        for lifecycle in Lifecycle
    }
    text = family("drift_findings_by_lifecycle", "Drift by lifecycle in the history.", lifecycles) + family(
        "drift_resolved_findings", "Drift of the previous scan that is gone.", {(): len(report.resolved)}
    )
    seen = [datetime.fromisoformat(finding.first_seen).timestamp() for finding in counting if finding.first_seen]
    if seen:
        text += family(
            "drift_oldest_finding_timestamp_seconds",
            "When the longest open drift was first seen, in Unix time.",
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


def _where(item: ObjectReport, *, several: bool) -> Labels:
    # Cut before counting: a series that is in the file twice makes the whole file invalid.
    cluster = (("cluster", short(item.cluster or "")),) if several else ()
    return (*cluster, ("namespace", short(item.key.namespace or "")), ("kind", short(item.key.kind)))


def _labels(item: ObjectReport, finding: Finding, *, several: bool) -> Labels:
    return (("cause", finding.cause), ("severity", finding.severity), *_where(item, several=several))


def family(
    name: str,
    text: str,
    samples: Mapping[Labels, float],
    *,
    counter: Literal["openmetrics", "prometheus"] | None = None,
) -> str:
    """Returns a metric family as text.

    Args:
        name: The name of the family; for a counter, without ``_total``.
        text: The help text, one sentence.
        samples: Values by labels.
        counter: The format, if the family is a counter: the two formats name its family differently.
    """
    sample_name = name if counter is None else f"{name}_total"
    family_name = sample_name if counter == "prometheus" else name
    lines = [f"# HELP {family_name} {text}", f"# TYPE {family_name} {'gauge' if counter is None else 'counter'}"]
    for labels, value in sorted(samples.items()):
        pairs = ",".join(f'{label}="{_escape(text)}"' for label, text in labels)
        lines.append(f"{sample_name}{{{pairs}}} {value:.15g}" if pairs else f"{sample_name} {value:.15g}")
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
