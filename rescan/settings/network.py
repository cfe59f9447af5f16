"""Settings of how the application is reached, and by whom."""

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


@dataclass(frozen=True, kw_only=True)
class Ingress:
    """HTTPS from outside. The certificate comes from cert-manager."""

    host: str
    class_name: str
    """The IngressClass of the controller that serves the host (`nginx`, say)."""
    cluster_issuer: str
    """The cert-manager ClusterIssuer that signs the certificate."""
    tls_secret: str = "rescan-tls"  # noqa: S105  # the name of a Secret, not one
    """The Secret that cert-manager keeps the certificate in."""


@dataclass(frozen=True, kw_only=True)
class NetworkPolicy:
    """Nothing may talk to the pods, or they to anything, except what the application needs."""

    from_namespaces: tuple[str, ...] = ()
    """The namespaces that may reach the application besides its own: the Ingress controller's, Prometheus's."""
    database_cidr: str | None = None
    """Where the PostgreSQL server is (`10.1.2.3/32`); needed with PostgreSQL."""
    database_port: int = 5432
