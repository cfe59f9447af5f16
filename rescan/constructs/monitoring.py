"""Metrics and alerts for the Prometheus Operator, and the dashboards' ConfigMaps for Grafana."""

from collections.abc import Sequence

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
from rescan.alerts import Alert, alerts, drift_alerts
from rescan.constructs.metadata import labels
from rescan.constructs.service import SCRAPED
from rescan.dashboard import dashboard_json, drift_dashboard_json
from rescan.settings import DriftJob, Environment, Monitoring


class RescanMonitoring(Construct):
    """A ServiceMonitor, a PrometheusRule and a dashboard."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment, monitoring: Monitoring) -> None:
        super().__init__(scope, construct_id)
        ServiceMonitor(
            self,
            "monitor",
            metadata=_metadata(environment, monitoring, names.WORKLOAD),
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
            metadata=_metadata(environment, monitoring, names.WORKLOAD),
            spec=_rules(names.WORKLOAD, alerts(environment)),
        )
        k8s.KubeConfigMap(
            self,
            "dashboard",
            metadata=_dashboard_metadata(environment, monitoring, names.DASHBOARD),
            data={"rescan.json": dashboard_json(environment)},
        )


class RescanDriftMonitoring(Construct):
    """A PrometheusRule on the drift job and, where its metrics are pushed, a dashboard."""

    def __init__(
        self, scope: Construct, construct_id: str, environment: Environment, monitoring: Monitoring, job: DriftJob
    ) -> None:
        super().__init__(scope, construct_id)
        PrometheusRule(
            self,
            "alerts",
            metadata=_metadata(environment, monitoring, names.DRIFT),
            spec=_rules(names.DRIFT, drift_alerts(environment, job)),
        )
        if job.pushgateway_url:
            k8s.KubeConfigMap(
                self,
                "dashboard",
                metadata=_dashboard_metadata(environment, monitoring, names.DRIFT_DASHBOARD),
                data={"rescan-drift.json": drift_dashboard_json(environment)},
            )


def _metadata(environment: Environment, monitoring: Monitoring, name: str) -> ApiObjectMetadata:
    return ApiObjectMetadata(
        name=name, namespace=environment.namespace, labels={**monitoring.labels, **labels(environment)}
    )


def _dashboard_metadata(environment: Environment, monitoring: Monitoring, name: str) -> k8s.ObjectMeta:
    return k8s.ObjectMeta(
        name=name, namespace=environment.namespace, labels={**monitoring.dashboard_labels, **labels(environment)}
    )


def _rules(group: str, of: Sequence[Alert]) -> PrometheusRuleSpec:
    return PrometheusRuleSpec(groups=[PrometheusRuleSpecGroups(name=group, rules=[_rule(alert) for alert in of])])


def _rule(alert: Alert) -> PrometheusRuleSpecGroupsRules:
    return PrometheusRuleSpecGroupsRules(
        alert=alert.name,
        expr=alert.query,
        for_=alert.lasting,
        labels={"severity": alert.severity},
        annotations={"summary": alert.summary, "description": alert.action},
    )
