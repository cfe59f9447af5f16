"""What lets several pods come, go and be spread: the autoscaler and the disruption budget."""

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan import names
from rescan.constructs.metadata import object_meta
from rescan.constructs.scalars import int_or_string
from rescan.settings import Autoscaling, DisruptionBudget, Environment


class RescanAutoscaler(Construct):
    """Follows the load with the number of pods."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment, scaling: Autoscaling) -> None:
        super().__init__(scope, construct_id)
        cpu = k8s.ResourceMetricSourceV2(
            name="cpu", target=k8s.MetricTargetV2(type="Utilization", average_utilization=scaling.cpu_percent)
        )
        k8s.KubeHorizontalPodAutoscalerV2(
            self,
            "autoscaler",
            metadata=object_meta(environment, names.WORKLOAD),
            spec=k8s.HorizontalPodAutoscalerSpecV2(
                scale_target_ref=k8s.CrossVersionObjectReferenceV2(
                    api_version="apps/v1", kind=environment.workload.controller.value, name=names.WORKLOAD
                ),
                min_replicas=scaling.min_replicas,
                max_replicas=scaling.max_replicas,
                metrics=[k8s.MetricSpecV2(type="Resource", resource=cpu)],
            ),
        )


class RescanDisruptionBudget(Construct):
    """Bounds how many pods a node drain takes away at once."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment, budget: DisruptionBudget) -> None:
        super().__init__(scope, construct_id)
        k8s.KubePodDisruptionBudget(
            self,
            "budget",
            metadata=object_meta(environment, names.WORKLOAD),
            spec=k8s.PodDisruptionBudgetSpec(
                max_unavailable=int_or_string(budget.max_unavailable),
                selector=k8s.LabelSelector(match_labels=names.SELECTOR),
            ),
        )
