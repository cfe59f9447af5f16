"""Network policies: deny everything, then allow what the application, its backup and the drift job need."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan import names
from rescan.constructs.metadata import object_meta
from rescan.constructs.scalars import int_or_string
from rescan.settings import DriftJob, Environment, NetworkPolicy, PostgreSql, ServiceType

# Addresses from which any pod can get the node's cloud credentials.
_CLOUD_METADATA = "169.254.169.254/32"
_HTTPS_PORT, _HTTP_PORT, _SSH_PORT = 443, 80, 22


class RescanNetworkPolicies(Construct):
    """A policy that denies everything in the namespace, and one for each kind of pod that is in it."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment, policy: NetworkPolicy) -> None:
        super().__init__(scope, construct_id)
        self._environment = environment
        database = _database(environment, policy)
        self._policy(names.DEFAULT_DENY, {}, [], [])
        self._policy(
            names.WORKLOAD,
            names.SELECTOR,
            [_requests(environment, policy)],
            [_dns(), _anywhere(_HTTPS_PORT), *database],
        )
        if environment.backup:
            storage = _anywhere(_port_of(environment.backup.endpoint_url))
            self._policy(names.BACKUP, names.BACKUP_SELECTOR, [], [_dns(), storage, *database])
        if environment.drift:
            self._policy(names.DRIFT, names.DRIFT_SELECTOR, [], _reporting(environment, environment.drift))

    def _policy(
        self,
        name: str,
        pods: dict[str, str],
        ingress: Sequence[k8s.NetworkPolicyIngressRule],
        egress: Sequence[k8s.NetworkPolicyEgressRule],
    ) -> None:
        k8s.KubeNetworkPolicy(
            self,
            name,
            metadata=object_meta(self._environment, name),
            spec=k8s.NetworkPolicySpec(
                pod_selector=k8s.LabelSelector(match_labels=pods or None),
                policy_types=["Ingress", "Egress"],
                ingress=ingress or None,
                egress=egress or None,
            ),
        )


def _requests(environment: Environment, policy: NetworkPolicy) -> k8s.NetworkPolicyIngressRule:
    ports = [_port(environment.workload.container_port)]
    if environment.service.type is ServiceType.LOAD_BALANCER:
        return k8s.NetworkPolicyIngressRule(ports=ports)
    peers = [k8s.NetworkPolicyPeer(pod_selector=k8s.LabelSelector())]
    peers += [k8s.NetworkPolicyPeer(namespace_selector=_namespace(name)) for name in policy.from_namespaces]
    return k8s.NetworkPolicyIngressRule(from_=peers, ports=ports)


def _dns() -> k8s.NetworkPolicyEgressRule:
    return k8s.NetworkPolicyEgressRule(
        to=[k8s.NetworkPolicyPeer(namespace_selector=_namespace("kube-system"))],
        ports=[_port(53, "UDP"), _port(53)],
    )


def _anywhere(*ports: int) -> k8s.NetworkPolicyEgressRule:
    """Azure OpenAI, S3 and Git hosts have no fixed addresses, and a NetworkPolicy knows no host names."""
    everywhere = k8s.IpBlock(cidr="0.0.0.0/0", except_=[_CLOUD_METADATA])
    return k8s.NetworkPolicyEgressRule(
        to=[k8s.NetworkPolicyPeer(ip_block=everywhere)], ports=[_port(number) for number in ports]
    )


def _reporting(environment: Environment, job: DriftJob) -> list[k8s.NetworkPolicyEgressRule]:
    """The API server, which is reached through a Service or by its own port, the Git host, and the Pushgateway."""
    git = urlsplit(environment.gitops.repository_url)
    ports = {_HTTPS_PORT, job.api_server_port, git.port or (_SSH_PORT if git.scheme == "ssh" else _HTTPS_PORT)}
    if job.pushgateway_url:
        gateway = urlsplit(job.pushgateway_url)
        ports.add(gateway.port or (_HTTPS_PORT if gateway.scheme == "https" else _HTTP_PORT))
    return [_dns(), _anywhere(*sorted(ports))]


def _port_of(url: str | None) -> int:
    return (urlsplit(url).port if url else None) or _HTTPS_PORT


def _database(environment: Environment, policy: NetworkPolicy) -> list[k8s.NetworkPolicyEgressRule]:
    if not isinstance(environment.configuration.database, PostgreSql) or policy.database_cidr is None:
        return []
    server = k8s.NetworkPolicyPeer(ip_block=k8s.IpBlock(cidr=policy.database_cidr))
    return [k8s.NetworkPolicyEgressRule(to=[server], ports=[_port(policy.database_port)])]


def _namespace(name: str) -> k8s.LabelSelector:
    return k8s.LabelSelector(match_labels={"kubernetes.io/metadata.name": name})


def _port(number: int, protocol: str = "TCP") -> k8s.NetworkPolicyPort:
    return k8s.NetworkPolicyPort(port=int_or_string(number), protocol=protocol)
