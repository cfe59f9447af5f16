"""The Grafana dashboards: what they show, and their JSON model. Changes when operators want to see something else."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rescan.alerts import Watched, WatchedDrift

_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT = 12, 8  # of Grafana's 24 columns, and in rows of 30 pixels


@dataclass(frozen=True, kw_only=True)
class _Panel:
    title: str
    query: str
    unit: str
    legend: str = "{{pod}}"


def dashboard_json(web: Watched, environment: str, cron_job: str | None) -> str:
    """The dashboard as Grafana imports it; the data source is chosen there. `cron_job` is the backup's, if any."""
    return _json(web.title, f"{web.container}-{environment}", environment, _panels(web, cron_job))


def drift_dashboard_json(drift: WatchedDrift) -> str:
    """The same for what the drift job found."""
    uid = f"{drift.cron_job}-{drift.environment}"
    return _json(f"Drift of {drift.title}", uid, drift.environment, _drift_panels(drift.labels))


def _json(title: str, uid: str, environment: str, panels: Sequence[_Panel]) -> str:
    return json.dumps(_model(title, uid, environment, panels), indent=2) + "\n"


def _panels(web: Watched, cron_job: str | None) -> list[_Panel]:
    namespace = f'namespace="{web.namespace}"'
    container = f'{namespace},container="{web.container}"'
    panels = [
        _Panel(
            title="Pods that answer",
            query=f'sum(up{{{namespace},service="{web.service}"}})',
            unit="short",
            legend="pods",
        ),
        _Panel(
            title="Restarts in the last hour",
            query=f"increase(kube_pod_container_status_restarts_total{{{container}}}[1h])",
            unit="short",
        ),
        _Panel(
            title="CPU",
            query=f"sum by (pod) (rate(container_cpu_usage_seconds_total{{{container}}}[5m]))",
            unit="cores",
        ),
        _Panel(
            title="Memory",
            query=f"max by (pod) (container_memory_working_set_bytes{{{container}}})",
            unit="bytes",
        ),
        _Panel(
            title="Volumes in use",
            query=(
                f"kubelet_volume_stats_used_bytes{{{namespace}}} / kubelet_volume_stats_capacity_bytes{{{namespace}}}"
            ),
            unit="percentunit",
            legend="{{persistentvolumeclaim}}",
        ),
    ]
    if cron_job:
        last = f'kube_cronjob_status_last_successful_time{{{namespace},cronjob="{cron_job}"}}'
        panels.append(
            _Panel(title="Time since the last backup", query=f"time() - {last}", unit="s", legend="{{cronjob}}")
        )
    return panels


def _drift_panels(pushed: str) -> list[_Panel]:
    def panel(title: str, query: str, legend: str, unit: str = "short") -> _Panel:
        return _Panel(title=title, query=query.replace("PUSHED", pushed), unit=unit, legend=legend)

    differences = 'sum by (%s) (drift_findings{PUSHED,cause!="controller"})'
    return [
        panel("Differences by cause", differences % "cause", "{{cause}}"),
        panel("Differences by severity", differences % "severity", "{{severity}}"),
        panel("Objects by status", "sum by (status) (drift_objects{PUSHED})", "{{status}}"),
        panel("Differences by kind", differences % "kind", "{{kind}}"),
        panel("Differences that rules ignore", "sum by (kind) (drift_ignored_findings{PUSHED})", "{{kind}}"),
        panel("Verdict (1 holds)", "max by (verdict) (drift_verdict{PUSHED})", "{{verdict}}"),
        panel("Time since the last scan", "time() - min(drift_last_scan_timestamp_seconds{PUSHED})", "age", "s"),
        panel("Time that a scan takes", "max(drift_last_scan_duration_seconds{PUSHED})", "duration", "s"),
    ]


def _model(title: str, uid: str, environment: str, panels: Sequence[_Panel]) -> dict[str, object]:
    return {
        "uid": uid,
        "title": f"{title} ({environment})",
        "tags": [title, environment],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": [_panel(panel, place) for place, panel in enumerate(panels)],
    }


def _panel(panel: _Panel, place: int) -> dict[str, object]:
    row, column = divmod(place, 24 // _WIDTH)
    return {
        "id": place + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": _DATASOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [{"refId": "A", "datasource": _DATASOURCE, "expr": panel.query, "legendFormat": panel.legend}],
    }
