"""The controller that keeps the pods running, and how it replaces them."""

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan import names
from rescan.constructs.metadata import object_meta
from rescan.constructs.pod import pod_template
from rescan.constructs.scalars import int_or_string
from rescan.constructs.storage import claim_spec
from rescan.settings import Environment, Recreate, RollingUpdate, Sqlite, Workload


class RescanDeployment(Construct):
    """Interchangeable pods."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        workload = environment.workload
        k8s.KubeDeployment(
            self,
            "deployment",
            metadata=object_meta(environment, names.WORKLOAD),
            spec=k8s.DeploymentSpec(
                replicas=_replicas(workload),
                revision_history_limit=workload.revision_history,
                selector=k8s.LabelSelector(match_labels=names.SELECTOR),
                strategy=_strategy(workload.strategy),
                template=pod_template(environment),
            ),
        )


class RescanStatefulSet(Construct):
    """Pods with a stable name; with SQLite, each has a claim of its own."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        workload = environment.workload
        k8s.KubeStatefulSet(
            self,
            "stateful-set",
            metadata=object_meta(environment, names.WORKLOAD),
            spec=k8s.StatefulSetSpec(
                service_name=names.HEADLESS_SERVICE,
                replicas=_replicas(workload),
                revision_history_limit=workload.revision_history,
                selector=k8s.LabelSelector(match_labels=names.SELECTOR),
                update_strategy=k8s.StatefulSetUpdateStrategy(type="RollingUpdate"),
                template=pod_template(environment),
                volume_claim_templates=_claim_templates(environment),
            ),
        )


def _replicas(workload: Workload) -> int | None:
    # A number in Git would undo what the autoscaler does, at every sync.
    return None if workload.autoscaling else workload.replicas


def _strategy(strategy: RollingUpdate | Recreate) -> k8s.DeploymentStrategy:
    match strategy:
        case Recreate():
            return k8s.DeploymentStrategy(type="Recreate")
        case RollingUpdate():
            return k8s.DeploymentStrategy(
                type="RollingUpdate",
                rolling_update=k8s.RollingUpdateDeployment(
                    max_surge=int_or_string(strategy.max_surge),
                    max_unavailable=int_or_string(strategy.max_unavailable),
                ),
            )


def _claim_templates(environment: Environment) -> list[k8s.KubePersistentVolumeClaimProps] | None:
    if not isinstance(environment.configuration.database, Sqlite):
        return None
    return [
        k8s.KubePersistentVolumeClaimProps(
            metadata=k8s.ObjectMeta(name=names.DATA_VOLUME), spec=claim_spec(environment)
        )
    ]
