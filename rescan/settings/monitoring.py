"""Settings of metrics, alerts and dashboard, for the Prometheus Operator and Grafana."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """What Prometheus scrapes, when it raises an alert, and what Grafana shows."""

    path: str = "/metrics"
    interval: str = "30s"
    labels: Mapping[str, str] = field(default_factory=dict)
    """More labels on the monitors and rules, for a Prometheus that selects them by label."""
    dashboard_labels: Mapping[str, str] = field(default_factory=lambda: {"grafana_dashboard": "1"})
    """The labels by which Grafana's sidecar finds dashboards."""
