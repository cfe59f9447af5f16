"""Settings of the pods: image, replicas, rollout, resources, probes and the identity they run as."""

from dataclasses import dataclass, field
from enum import StrEnum


class PullPolicy(StrEnum):
    """When the kubelet asks the registry for the image."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


@dataclass(frozen=True, kw_only=True)
class Image:
    """A container image; `reference` is what Kubernetes pulls."""

    repository: str = "rescan"
    registry: str | None = None
    tag: str | None = "latest"
    digest: str | None = None
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
    """New pods start before old ones stop."""

    max_surge: int | str = 1
    max_unavailable: int | str = 0


@dataclass(frozen=True, kw_only=True)
class Recreate:
    """Old pods stop before new ones start: a short outage, never two writers on one SQLite file."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The numeric user and group of the container's process, which also own its volumes."""

    user: int = 1000
    group: int = 1000


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The pods of Rescan and the controller that keeps them running."""

    image: Image
    version: str = "v1.0.0"
    """The pods' `version` label."""
    replicas: int = 1
    strategy: RollingUpdate | Recreate = field(default_factory=RollingUpdate)
    revision_history: int = 10
    container_port: int = 3000
    resources: Resources = field(default_factory=Resources)
    liveness: Probe = field(default_factory=lambda: Probe(path="/health", initial_delay=10))
    readiness: Probe = field(default_factory=lambda: Probe(path="/ready", initial_delay=5))
    identity: Identity = field(default_factory=Identity)
