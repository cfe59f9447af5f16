"""Settings of how the application is reached, and by whom."""

from enum import StrEnum

from rescan.formats import Cidr, DnsLabel, IngressHost, ObjectName, Port
from rescan.settings.declaration import props


class ServiceType(StrEnum):
    """Who can reach the Service: the cluster, or everyone through a cloud load balancer."""

    CLUSTER_IP = "ClusterIP"
    LOAD_BALANCER = "LoadBalancer"


@props
class Service:
    """The stable address in front of the pods."""

    type: ServiceType = ServiceType.CLUSTER_IP
    port: Port = 3000
    target_port: Port = 3000


@props
class Ingress:
    """HTTPS from outside. The certificate comes from cert-manager."""

    host: IngressHost
    class_name: ObjectName
    """The IngressClass of the controller that serves the host (`nginx`, say)."""
    cluster_issuer: ObjectName
    """The cert-manager ClusterIssuer that signs the certificate."""
    tls_secret: ObjectName = "rescan-tls"  # noqa: S105  # the name of a Secret, not one
    """The Secret that cert-manager keeps the certificate in."""


@props
class NetworkPolicy:
    """Nothing may talk to the pods, or they to anything, except what the application needs."""

    from_namespaces: tuple[DnsLabel, ...] = ()
    """The namespaces that may reach the application besides its own: the Ingress controller's, Prometheus's."""
    database_cidr: Cidr | None = None
    """Where the PostgreSQL server is (`10.1.2.3/32`); needed with PostgreSQL."""
    database_port: Port = 5432
