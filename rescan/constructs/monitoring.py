"""Metrics and alerts for the Prometheus Operator, and the dashboard's ConfigMap for Grafana."""

from cdk8s import ApiObjectMetadata
from cdk8s_plus_27 import k8s
from constructs import Construct

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
from rescan import names
from rescan.alerts import Alert, alerts
from rescan.constructs.metadata import labels
from rescan.constructs.service import SCRAPED
from rescan.dashboard import dashboard_json
from rescan.settings import Environment, Monitoring


class RescanMonitoring(Construct):
    """A ServiceMonitor, a PrometheusRule and a dashboard."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment, monitoring: Monitoring) -> None:
        super().__init__(scope, construct_id)
        metadata = ApiObjectMetadata(
            name=names.WORKLOAD,
            namespace=environment.namespace,
            labels={**monitoring.labels, **labels(environment)},
        )
        ServiceMonitor(
            self,
            "monitor",
            metadata=metadata,
            spec=ServiceMonitorSpec(
                selector=ServiceMonitorSpecSelector(match_labels=SCRAPED),
                endpoints=[
                    ServiceMonitorSpecEndpoints(
                        port=names.HTTP_PORT, path=monitoring.path, interval=monitoring.interval
                    )
                ],
            ),
        )
        PrometheusRule(
            self,
            "alerts",
            metadata=metadata,
            spec=PrometheusRuleSpec(
                groups=[
                    PrometheusRuleSpecGroups(name=names.WORKLOAD, rules=[_rule(alert) for alert in alerts(environment)])
                ]
            ),
        )
        k8s.KubeConfigMap(
            self,
            "dashboard",
            metadata=k8s.ObjectMeta(
                name=names.DASHBOARD,
                namespace=environment.namespace,
                labels={**monitoring.dashboard_labels, **labels(environment)},
            ),
            data={"rescan.json": dashboard_json(environment)},
        )


def _rule(alert: Alert) -> PrometheusRuleSpecGroupsRules:
    return PrometheusRuleSpecGroupsRules(
        alert=alert.name,
        expr=alert.query,
        for_=alert.lasting,
        labels={"severity": alert.severity},
        annotations={"summary": alert.summary, "description": alert.action},
    )
