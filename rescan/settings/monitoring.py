"""Settings of metrics, alerts and dashboard, for the Prometheus Operator and Grafana."""

from collections.abc import Mapping
from dataclasses import field

from rescan.formats import LabelKey, LabelValue, PrometheusDuration, UrlPath
from rescan.settings.declaration import props


@props
class Monitoring:
    """What Prometheus scrapes, when it raises an alert, and what Grafana shows."""

    path: UrlPath = "/metrics"
    interval: PrometheusDuration = "30s"
    labels: Mapping[LabelKey, LabelValue] = field(default_factory=dict)
    """More labels on the monitors and rules, for a Prometheus that selects them by label."""
    dashboard_labels: Mapping[LabelKey, LabelValue] = field(default_factory=lambda: {"grafana_dashboard": "1"})
    """The labels by which Grafana's sidecar finds dashboards."""
