"""Settings of the pods: image, controller, replicas, rollout, resources, probes and the identity they run as."""

from dataclasses import dataclass, field
from enum import StrEnum


class PullPolicy(StrEnum):
    """When the kubelet asks the registry for the image."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class Controller(StrEnum):
    """What keeps the pods running."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    """Pods with a stable name, and each with a volume claim of its own where the database needs one."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A container image; `reference` is what Kubernetes pulls."""

    repository: str = "rescan"
    registry: str | None = None
    tag: str | None = None
    digest: str | None = None
    """`sha256:` and 64 hexadecimal digits. It pins the image; a tag beside it is for people."""
    pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT

    @property
    def reference(self) -> str:
        """`registry/repository:tag@digest`, without the parts that are not set."""
        name = f"{self.registry}/{self.repository}" if self.registry else self.repository
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{name}{tag}{digest}"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a container asks for and may use at most, as Kubernetes quantities (`100m`, `128Mi`)."""

    cpu_request: str = "100m"
    cpu_limit: str = "200m"
    memory_request: str = "128Mi"
    memory_limit: str = "200Mi"
    ephemeral_storage_request: str | None = None
    ephemeral_storage_limit: str | None = None
    """Disk for logs, uploads and whatever else is written outside the data volume; None leaves it unbounded."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """An HTTP health check; all times are seconds."""

    path: str
    initial_delay: int = 0
    period: int = 10
    timeout: int = 1
    failure_threshold: int = 3


@dataclass(frozen=True, kw_only=True)
class RollingUpdate:
    """New pods start before old ones stop. Each bound is a number of pods or a percentage (`25%`)."""

    max_surge: int | str = 1
    max_unavailable: int | str = 0


@dataclass(frozen=True, kw_only=True)
class Recreate:
    """Old pods stop before new ones start: a short outage, never two writers on one SQLite file."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The numeric user and group of the container's process; its volumes belong to the group."""

    user: int = 1000
    group: int = 1000


@dataclass(frozen=True, kw_only=True)
class Autoscaling:
    """How many pods there are follows the load, so the workload itself names no number."""

    min_replicas: int = 2
    max_replicas: int = 3
    cpu_percent: int = 70
    """The share of the requested CPU, averaged over the pods, that the autoscaler steers to."""


@dataclass(frozen=True, kw_only=True)
class DisruptionBudget:
    """How many pods a node drain may take away at once: a number, or a percentage (`25%`)."""

    max_unavailable: int | str = 1


@dataclass(frozen=True, kw_only=True)
class TopologySpread:
    """Pods spread evenly over what these node labels name."""

    topology_keys: tuple[str, ...] = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    max_skew: int = 1
    required: bool = False
    """True leaves a pod pending rather than place it unevenly."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The pods of Rescan and the controller that keeps them running."""

    image: Image
    version: str = "v1.0.0"
    """The pods' `version` label."""
    controller: Controller = Controller.DEPLOYMENT
    replicas: int = 1
    strategy: RollingUpdate | Recreate = field(default_factory=RollingUpdate)
    """How a Deployment replaces its pods. A StatefulSet always stops a pod before it starts the next."""
    revision_history: int = 10
    container_port: int = 3000
    resources: Resources = field(default_factory=Resources)
    liveness: Probe = field(default_factory=lambda: Probe(path="/health", initial_delay=10))
    readiness: Probe = field(default_factory=lambda: Probe(path="/ready", initial_delay=5))
    identity: Identity = field(default_factory=Identity)
    read_only_root: bool = False
    """Let the process write to its volumes and /tmp alone."""
    autoscaling: Autoscaling | None = None
    disruption_budget: DisruptionBudget | None = None
    topology_spread: TopologySpread | None = None
