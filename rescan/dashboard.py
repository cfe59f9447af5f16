"""The Grafana dashboard: what it shows, and its JSON model. Changes when operators want to see something else."""

import json
from dataclasses import dataclass

from rescan import names
from rescan.settings import Environment

_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT = 12, 8  # of Grafana's 24 columns, and in rows of 30 pixels


@dataclass(frozen=True, kw_only=True)
class _Panel:
    title: str
    query: str
    unit: str
    legend: str = "{{pod}}"


def dashboard_json(environment: Environment) -> str:
    """The dashboard as Grafana imports it; the data source is chosen there."""
    return json.dumps(_model(environment), indent=2) + "\n"


def _panels(namespace: str) -> list[_Panel]:
    container = f'namespace="{namespace}",container="{names.APP}"'
    return [
        _Panel(
            title="Pods that answer",
            query=f'sum(up{{namespace="{namespace}",service="{names.SERVICE}"}})',
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
                f'kubelet_volume_stats_used_bytes{{namespace="{namespace}"}}'
                f' / kubelet_volume_stats_capacity_bytes{{namespace="{namespace}"}}'
            ),
            unit="percentunit",
            legend="{{persistentvolumeclaim}}",
        ),
        _Panel(
            title="Time since the last backup",
            query=(
                f'time() - kube_cronjob_status_last_successful_time{{namespace="{namespace}",cronjob="{names.BACKUP}"}}'
            ),
            unit="s",
            legend="{{cronjob}}",
        ),
    ]


def _model(environment: Environment) -> dict[str, object]:
    return {
        "uid": f"{names.APP}-{environment.name}",
        "title": f"Rescan ({environment.name})",
        "tags": [names.APP, environment.name],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": [_panel(panel, place) for place, panel in enumerate(_panels(environment.namespace))],
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
