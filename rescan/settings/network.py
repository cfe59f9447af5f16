"""Settings of how the application is reached, and by whom."""

from collections.abc import Mapping
from dataclasses import field

from rescan.formats import AnnotationKey, Cidr, DnsLabel, IngressHost, ObjectName, Port, Text
from rescan.settings.declaration import Choice, props


class ServiceType(Choice):
    """Who can reach the Service: the cluster, or everyone through a cloud load balancer."""

    CLUSTER_IP = "ClusterIP"
    LOAD_BALANCER = "LoadBalancer"


@props
class Service:
    """The stable address in front of the pods."""

    type: ServiceType = ServiceType.CLUSTER_IP
    port: Port = 3000
    target_port: Port = 3000
    annotations: Mapping[AnnotationKey, Text] = field(default_factory=dict)
    """For the cloud's load balancer, for example."""


@props
class Ingress:
    """HTTPS from outside. The certificate comes from cert-manager."""

    host: IngressHost
    class_name: ObjectName
    """The IngressClass of the controller that serves the host (`nginx`, say)."""
    cluster_issuer: ObjectName
    """The cert-manager ClusterIssuer that signs the certificate."""
    tls_secret: ObjectName | None = None
    """The Secret that cert-manager keeps the certificate in; None names it after the application."""
    annotations: Mapping[AnnotationKey, Text] = field(default_factory=dict)
    """For the Ingress controller. The limit of uploads is set for ingress-nginx already."""


@props
class NetworkPolicy:
    """Nothing may talk to the pods, or they to anything, except what the application needs."""

    from_namespaces: tuple[DnsLabel, ...] = ()
    """The namespaces that may reach the application besides its own: the Ingress controller's, Prometheus's."""
    from_cidrs: tuple[Cidr, ...] = ()
    """The addresses that may reach the application. The load balancer of a cloud that serves an Ingress (EKS, GKE, AKS)
    sends requests from the addresses of its network, not from a pod (`10.0.0.0/16`). Prometheus is a pod: name its
    namespace."""
    database_cidr: Cidr | None = None
    """Where a PostgreSQL server outside the cluster is (`10.1.2.3/32`)."""
    database_namespace: DnsLabel | None = None
    """Where a PostgreSQL server in the cluster is; with PostgreSQL, this or `database_cidr` is needed."""
    database_port: Port = 5432
    dns_namespace: DnsLabel = "kube-system"
    dns_cidr: Cidr | None = None
    """The address of NodeLocal DNSCache (`169.254.20.10/32`), where the cluster has one."""
