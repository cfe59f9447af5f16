"""Metrics and alerts for the Prometheus Operator, and the dashboards' ConfigMaps for Grafana."""

from collections.abc import Mapping

from cdk8s import ApiObjectMetadata
from cdk8s_plus_27 import k8s

from imports.com.coreos.monitoring import (
    PrometheusRule,
    PrometheusRuleSpec,
    PrometheusRuleSpecGroups,
    PrometheusRuleSpecGroupsRules,
    ServiceMonitor,
    ServiceMonitorSpec,
    ServiceMonitorSpecEndpoints,
    ServiceMonitorSpecSelector,
)
from rescan.alerts import Alert
from rescan.constructs.base import Checked, FolderChart, object_meta
from rescan.constructs.pods import HTTP_PORT
from rescan.constructs.web import WebService
from rescan.formats import ObjectName
from rescan.settings import Monitoring
from rescan.settings.declaration import props


@props
class WebMonitorProps:
    """Which Service Prometheus scrapes."""

    name: ObjectName
    monitoring: Monitoring
    web: WebService


class WebMonitor(Checked):
    """A ServiceMonitor."""

    def __init__(self, scope: FolderChart, construct_id: str, props: WebMonitorProps) -> None:
        super().__init__(scope, construct_id, props)
        monitoring = props.monitoring
        endpoint = ServiceMonitorSpecEndpoints(port=HTTP_PORT, path=monitoring.path, interval=monitoring.interval)
        ServiceMonitor(
            self,
            "monitor",
            metadata=ApiObjectMetadata(name=props.name, labels=_labels(self, scope, monitoring.labels)),
            spec=ServiceMonitorSpec(
                selector=ServiceMonitorSpecSelector(match_labels=props.web.service_labels), endpoints=[endpoint]
            ),
        )


@props
class AlertsProps:
    """Alerts that belong together."""

    name: ObjectName
    monitoring: Monitoring
    alerts: tuple[Alert, ...]


class Alerts(Checked):
    """A PrometheusRule."""

    def __init__(self, scope: FolderChart, construct_id: str, props: AlertsProps) -> None:
        super().__init__(scope, construct_id, props)
        rules = [_rule(alert) for alert in props.alerts]
        PrometheusRule(
            self,
            "alerts",
            metadata=ApiObjectMetadata(name=props.name, labels=_labels(self, scope, props.monitoring.labels)),
            spec=PrometheusRuleSpec(groups=[PrometheusRuleSpecGroups(name=props.name, rules=rules)]),
        )


@props
class DashboardProps:
    """A dashboard as Grafana imports it."""

    name: ObjectName
    monitoring: Monitoring
    file: str
    """The key of the ConfigMap: `rescan.json`."""
    json: str


class Dashboard(Checked):
    """A ConfigMap that Grafana's sidecar finds by its labels."""

    def __init__(self, scope: FolderChart, construct_id: str, props: DashboardProps) -> None:
        super().__init__(scope, construct_id, props)
        labels = _labels(self, scope, props.monitoring.dashboard_labels)
        k8s.KubeConfigMap(
            self, "dashboard", metadata=object_meta(props.name, labels=labels), data={props.file: props.json}
        )


def _labels(construct: Checked, chart: FolderChart, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of an object. Those that all objects of the chart have are not for the settings to replace."""
    taken = sorted(chart.labels.keys() & labels.keys())
    construct.require(
        lambda: [f"{construct.node.path}: all objects have the label {key}; leave it out" for key in taken]
    )
    return dict(labels)


def _rule(alert: Alert) -> PrometheusRuleSpecGroupsRules:
    return PrometheusRuleSpecGroupsRules(
        alert=alert.name,
        expr=alert.query,
        for_=alert.lasting,
        labels={"severity": alert.severity},
        annotations={"summary": alert.summary, "description": alert.action},
    )
