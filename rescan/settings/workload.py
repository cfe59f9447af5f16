"""Settings of the pods: image, controller, replicas, rollout, resources, probes and the identity they run as."""

from collections.abc import Mapping
from dataclasses import field

from rescan.formats import (
    AtLeastOne,
    AtLeastZero,
    Cpu,
    ImageDigest,
    ImageRegistry,
    ImageRepository,
    ImageTag,
    LabelKey,
    LabelValue,
    ObjectName,
    Percent,
    Seconds,
    Size,
    Surge,
    Unavailable,
    UnprivilegedPort,
    UrlPath,
    Version,
)
from rescan.settings.declaration import Choice, props


class PullPolicy(Choice):
    """When the kubelet asks the registry for the image."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class Controller(Choice):
    """What keeps the pods running."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    """Pods with a stable name, and each with a volume claim of its own where the database needs one."""


@props
class Image:
    """A container image; `reference` is what Kubernetes pulls."""

    repository: ImageRepository = "rescan"
    registry: ImageRegistry | None = None
    tag: ImageTag | None = None
    digest: ImageDigest | None = None
    """`sha256:` and 64 hexadecimal digits. It pins the image; a tag beside it is for people."""
    pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT

    @property
    def reference(self) -> str:
        """`registry/repository:tag@digest`, without the parts that are not set."""
        name = f"{self.registry}/{self.repository}" if self.registry else self.repository
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{name}{tag}{digest}"


@props
class Resources:
    """What a container asks for and may use at most, as Kubernetes quantities (`100m`, `128Mi`)."""

    cpu_request: Cpu = "100m"
    cpu_limit: Cpu = "200m"
    memory_request: Size = "128Mi"
    memory_limit: Size = "200Mi"
    ephemeral_storage_request: Size | None = None
    ephemeral_storage_limit: Size | None = None
    """Disk for logs, uploads and whatever else is written outside the data volume; None leaves it unbounded."""


@props
class Probe:
    """An HTTP health check; all times are seconds."""

    path: UrlPath
    initial_delay: AtLeastZero = 0
    period: AtLeastOne = 10
    timeout: AtLeastOne = 1
    failure_threshold: AtLeastOne = 3


class TaintEffect(Choice):
    """What a taint does to pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


@props
class Toleration:
    """A taint of nodes that the pods tolerate; without a value, whatever its value is."""

    key: LabelKey
    value: LabelValue | None = None
    effect: TaintEffect | None = None
    """None tolerates all effects."""


@props
class Pods:
    """What all pods of an environment have in common: the Secrets to pull with, and the nodes they may run on."""

    pull_secrets: tuple[ObjectName, ...] = ()
    """Existing Secrets of type kubernetes.io/dockerconfigjson."""
    node_selector: Mapping[LabelKey, LabelValue] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


@props
class RollingUpdate:
    """New pods start before old ones stop. Each bound is a number of pods or a percentage (`25%`)."""

    max_surge: Surge = 1
    max_unavailable: Unavailable = 0


@props
class Recreate:
    """Old pods stop before new ones start: a short outage, never two writers on one SQLite file."""


@props
class Identity:
    """The numeric user and group of the container's process; its volumes belong to the group."""

    user: AtLeastOne = 1000
    group: AtLeastOne = 1000


@props
class Autoscaling:
    """How many pods there are follows the load, so the workload itself names no number."""

    min_replicas: AtLeastOne = 2
    max_replicas: AtLeastOne = 3
    cpu_percent: Percent = 70
    """The share of the requested CPU, averaged over the pods, that the autoscaler steers to."""


@props
class DisruptionBudget:
    """How many pods a node drain may take away at once: a number, or a percentage (`25%`)."""

    max_unavailable: Unavailable = 1


@props
class TopologySpread:
    """Pods spread evenly over what these node labels name."""

    topology_keys: tuple[LabelKey, ...] = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    max_skew: AtLeastOne = 1
    required: bool = False
    """True leaves a pod pending rather than place it unevenly."""


@props
class Workload:
    """The pods of Rescan and the controller that keeps them running."""

    image: Image
    version: Version = "v1.0.0"
    """The pods' `version` label."""
    controller: Controller = Controller.DEPLOYMENT
    replicas: AtLeastOne = 1
    strategy: RollingUpdate | Recreate = field(default_factory=RollingUpdate)
    """How a Deployment replaces its pods. A StatefulSet always stops a pod before it starts the next."""
    revision_history: AtLeastZero = 10
    container_port: UnprivilegedPort = 3000
    resources: Resources = field(default_factory=Resources)
    liveness: Probe = field(default_factory=lambda: Probe(path="/health", initial_delay=10))
    readiness: Probe = field(default_factory=lambda: Probe(path="/ready", initial_delay=5))
    startup: Probe | None = field(default_factory=lambda: Probe(path="/health", period=5, failure_threshold=30))
    """The other probes begin when this one has succeeded. None starts them at once."""
    drain: AtLeastZero = 5
    """Seconds that a pod keeps serving after it is to stop, until every load balancer has noticed; needs `sleep`."""
    grace_period: Seconds = 30
    """Seconds from the order to stop until the process is killed, `drain` included."""
    identity: Identity = field(default_factory=Identity)
    read_only_root: bool = False
    """Let the process write to its volumes and /tmp alone."""
    autoscaling: Autoscaling | None = None
    disruption_budget: DisruptionBudget | None = None
    topology_spread: TopologySpread | None = None
