"""The controller that keeps the pods running, and how it replaces them."""

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan.constructs import names
from rescan.constructs.metadata import object_meta
from rescan.constructs.pod import pod_template
from rescan.settings import Environment, Recreate, RollingUpdate


class RescanWorkload(Construct):
    """The Deployment of the pods."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        workload = environment.workload
        k8s.KubeDeployment(
            self,
            "deployment",
            metadata=object_meta(environment, names.WORKLOAD),
            spec=k8s.DeploymentSpec(
                replicas=workload.replicas,
                revision_history_limit=workload.revision_history,
                selector=k8s.LabelSelector(match_labels=names.SELECTOR),
                strategy=_strategy(workload.strategy),
                template=pod_template(environment),
            ),
        )


def _strategy(strategy: RollingUpdate | Recreate) -> k8s.DeploymentStrategy:
    match strategy:
        case Recreate():
            return k8s.DeploymentStrategy(type="Recreate")
        case RollingUpdate():
            return k8s.DeploymentStrategy(
                type="RollingUpdate",
                rolling_update=k8s.RollingUpdateDeployment(
                    max_surge=_int_or_string(strategy.max_surge),
                    max_unavailable=_int_or_string(strategy.max_unavailable),
                ),
            )


def _int_or_string(value: int | str) -> k8s.IntOrString:
    return k8s.IntOrString.from_number(value) if isinstance(value, int) else k8s.IntOrString.from_string(value)
