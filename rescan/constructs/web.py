"""A web application: pods behind a Service, what keeps them running, and what scales them."""

from collections.abc import Sequence

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan.constructs.base import Checked, object_meta
from rescan.constructs.pods import HTTP_PORT, TEMPORARY_PATH, TEMPORARY_VOLUME, container, empty_volume, pod_spec, probe
from rescan.constructs.scalars import int_or_string
from rescan.constructs.storage import SqliteStorage
from rescan.formats import DnsLabel, LabelValue, ServiceName, Size, UrlPath
from rescan.settings import (
    Autoscaling,
    Controller,
    DisruptionBudget,
    Pods,
    Recreate,
    RollingUpdate,
    Service,
    ServiceType,
    TopologySpread,
    Workload,
)
from rescan.settings.declaration import props

_SCRAPED = "app.kubernetes.io/component"


@props
class Scratch:
    """A directory that begins empty with each pod, and may hold `limit` bytes before the pod is evicted."""

    name: DnsLabel
    path: UrlPath
    limit: Size


@props
class WebServiceProps:
    """A web application. A name that is not given follows from `name`."""

    name: DnsLabel
    """The name of the Deployment or StatefulSet."""
    workload: Workload
    app: LabelValue | None = None
    """The `app` label, by which the Service and the workload select the pods, and the name of the container."""
    service_name: ServiceName | None = None
    headless_service_name: ServiceName | None = None
    """The Service that gives each pod of a StatefulSet a DNS name of its own."""
    service: Service
    pods: Pods = Pods()
    env: tuple[k8s.EnvVar, ...] = ()
    storage: SqliteStorage | None = None
    """With a SQLite file there is one pod."""
    scratch: tuple[Scratch, ...] = ()
    temporary_limit: Size = "64Mi"
    """The most that /tmp may hold, which is a volume where the container's root is read-only."""


class WebService(Checked):
    """A Deployment or StatefulSet with its Service and, if asked for, an autoscaler and a disruption budget."""

    def __init__(self, scope: Construct, construct_id: str, props: WebServiceProps) -> None:
        super().__init__(scope, construct_id, props)
        self.props = props
        self.name = props.name
        self.app = props.app or props.name
        self.service_name = props.service_name or props.name
        self.selector = {"app": self.app}
        # A workload's selector cannot be changed, so nothing is added to it.
        self.service_labels = {"app": self.app, _SCRAPED: "web"}
        self._add_workload()
        self._add_service(self.service_name, props.service.type.value, labels=self.service_labels)
        if props.workload.autoscaling:
            self._add_autoscaler(props.workload.autoscaling)
        if props.workload.disruption_budget:
            self._add_disruption_budget(props.workload.disruption_budget)
        self.require(self._mistakes)

    @property
    def kind(self) -> str:
        """`Deployment` or `StatefulSet`."""
        return self.props.workload.controller.value

    @property
    def port(self) -> int:
        """The port of the container."""
        return self.props.workload.container_port

    @property
    def is_public(self) -> bool:
        """Whether a cloud load balancer sends traffic from anywhere."""
        return self.props.service.type is ServiceType.LOAD_BALANCER

    def _mistakes(self) -> Sequence[str]:
        workload, storage, path = self.props.workload, self.props.storage, self.node.path
        lines = []
        if self.props.service.target_port != workload.container_port:
            lines.append(f"{path}: service.target_port is not workload.container_port, {workload.container_port}")
        scaled = workload.autoscaling.max_replicas if workload.autoscaling else workload.replicas
        if storage and scaled > 1:
            lines.append(f"{path}: workload.replicas is {scaled}; SQLite allows one writer, so set it to 1")
        stateful_set = self.name if workload.controller is Controller.STATEFUL_SET else None
        if storage and storage.props.stateful_set != stateful_set:
            lines.append(f"{path}: the storage has stateful_set={storage.props.stateful_set}; set it to {stateful_set}")
        return lines

    def _add_workload(self) -> None:
        workload = self.props.workload
        metadata = object_meta(self.name)
        selector = k8s.LabelSelector(match_labels=self.selector)
        # A number in Git would undo what the autoscaler does, at every sync.
        replicas = None if workload.autoscaling else workload.replicas
        match workload.controller:
            case Controller.DEPLOYMENT:
                k8s.KubeDeployment(
                    self,
                    "deployment",
                    metadata=metadata,
                    spec=k8s.DeploymentSpec(
                        replicas=replicas,
                        revision_history_limit=workload.revision_history,
                        selector=selector,
                        strategy=_strategy(workload.strategy),
                        template=self._template(),
                    ),
                )
            case Controller.STATEFUL_SET:
                headless = self.props.headless_service_name or f"{self.service_name}-headless"
                template = self.props.storage and self.props.storage.claim_template
                k8s.KubeStatefulSet(
                    self,
                    "stateful-set",
                    metadata=metadata,
                    spec=k8s.StatefulSetSpec(
                        service_name=headless,
                        replicas=replicas,
                        revision_history_limit=workload.revision_history,
                        selector=selector,
                        update_strategy=k8s.StatefulSetUpdateStrategy(type="RollingUpdate"),
                        template=self._template(),
                        volume_claim_templates=[template] if template else None,
                    ),
                )
                self._add_service(headless, None, cluster_ip="None")

    def _template(self) -> k8s.PodTemplateSpec:
        workload = self.props.workload
        storage, scratch = self.props.storage, list(self.props.scratch)
        if workload.read_only_root:
            limit = self.props.temporary_limit
            scratch.append(Scratch(name=TEMPORARY_VOLUME, path=TEMPORARY_PATH, limit=limit))
        spread = workload.topology_spread
        mounts = [k8s.VolumeMount(name=volume.name, mount_path=volume.path) for volume in scratch]
        volumes = [empty_volume(volume.name, volume.limit) for volume in scratch]
        if storage:
            mounts.insert(0, storage.mount)
            # A StatefulSet adds the volume of its own claim by itself.
            volumes = volumes if storage.claim_template else [storage.volume, *volumes]
        return k8s.PodTemplateSpec(
            metadata=k8s.ObjectMeta(labels={**self.selector, "version": workload.version}),
            spec=pod_spec(
                self.props.pods,
                workload.identity,
                termination_grace_period_seconds=workload.grace_period,
                topology_spread_constraints=self._spread(spread) if spread else None,
                containers=[self._container(mounts)],
                volumes=volumes or None,
            ),
        )

    def _container(self, mounts: list[k8s.VolumeMount]) -> k8s.Container:
        workload = self.props.workload
        return container(
            self.app,
            workload.image,
            workload.resources,
            read_only_root=workload.read_only_root,
            ports=[k8s.ContainerPort(name=HTTP_PORT, container_port=workload.container_port, protocol="TCP")],
            env=list(self.props.env) or None,
            startup_probe=probe(workload.startup) if workload.startup else None,
            liveness_probe=probe(workload.liveness),
            readiness_probe=probe(workload.readiness),
            lifecycle=_drain(workload.drain) if workload.drain else None,
            volume_mounts=mounts or None,
        )

    def _spread(self, spread: TopologySpread) -> list[k8s.TopologySpreadConstraint]:
        return [
            k8s.TopologySpreadConstraint(
                max_skew=spread.max_skew,
                topology_key=key,
                when_unsatisfiable="DoNotSchedule" if spread.required else "ScheduleAnyway",
                label_selector=k8s.LabelSelector(match_labels=self.selector),
            )
            for key in spread.topology_keys
        ]

    def _add_service(
        self, name: str, kind: str | None, *, labels: dict[str, str] | None = None, cluster_ip: str | None = None
    ) -> None:
        service = self.props.service
        port = k8s.ServicePort(
            name=HTTP_PORT, port=service.port, target_port=int_or_string(service.target_port), protocol="TCP"
        )
        k8s.KubeService(
            self,
            name,
            metadata=object_meta(name, dict(service.annotations) if kind else None, labels),
            spec=k8s.ServiceSpec(type=kind, cluster_ip=cluster_ip, selector=self.selector, ports=[port]),
        )

    def _add_autoscaler(self, scaling: Autoscaling) -> None:
        cpu = k8s.ResourceMetricSourceV2(
            name="cpu", target=k8s.MetricTargetV2(type="Utilization", average_utilization=scaling.cpu_percent)
        )
        k8s.KubeHorizontalPodAutoscalerV2(
            self,
            "autoscaler",
            metadata=object_meta(self.name),
            spec=k8s.HorizontalPodAutoscalerSpecV2(
                scale_target_ref=k8s.CrossVersionObjectReferenceV2(
                    api_version="apps/v1", kind=self.kind, name=self.name
                ),
                min_replicas=scaling.min_replicas,
                max_replicas=scaling.max_replicas,
                metrics=[k8s.MetricSpecV2(type="Resource", resource=cpu)],
            ),
        )

    def _add_disruption_budget(self, budget: DisruptionBudget) -> None:
        k8s.KubePodDisruptionBudget(
            self,
            "disruption-budget",
            metadata=object_meta(self.name),
            spec=k8s.PodDisruptionBudgetSpec(
                max_unavailable=int_or_string(budget.max_unavailable),
                selector=k8s.LabelSelector(match_labels=self.selector),
            ),
        )


def _drain(seconds: int) -> k8s.Lifecycle:
    """Endpoints are removed while the pod stops: it keeps serving until load balancers have noticed.

    A command, because the `sleep` action needs Kubernetes 1.30.
    """
    return k8s.Lifecycle(pre_stop=k8s.LifecycleHandler(exec=k8s.ExecAction(command=["sleep", str(seconds)])))


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
