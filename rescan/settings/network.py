"""Settings of how the application is reached."""

from dataclasses import dataclass
from enum import StrEnum


class ServiceType(StrEnum):
    """Who can reach the Service: the cluster, or everyone through a cloud load balancer."""

    CLUSTER_IP = "ClusterIP"
    LOAD_BALANCER = "LoadBalancer"


@dataclass(frozen=True, kw_only=True)
class Service:
    """The stable address in front of the pods."""

    type: ServiceType = ServiceType.CLUSTER_IP
    port: int = 3000
    target_port: int = 3000
