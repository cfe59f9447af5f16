"""How pods are reached and what they reach: HTTPS from outside, and network policies that deny everything else."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan.constructs.base import Checked, object_meta
from rescan.constructs.scalars import int_or_string
from rescan.constructs.web import WebService
from rescan.formats import AtLeastOne, DnsLabel, GitUrl, LabelKey, LabelValue, ObjectName, Port, WebUrl
from rescan.settings import Ingress, NetworkPolicy
from rescan.settings.declaration import props

_PORTS = {"https": 443, "http": 80, "ssh": 22}
# Addresses from which any pod can get the node's cloud credentials.
_CLOUD_METADATA = {"0.0.0.0/0": "169.254.169.254/32", "::/0": "fd00:ec2::254/128"}
_FORM_OVERHEAD = 64 * 1024
"""Bytes that a form adds to the file in it."""
# The pods by which cert-manager proves to a certificate authority that it owns the host.
_SOLVER = {"acme.cert-manager.io/http01-solver": "true"}
_SOLVER_PORT = 8089


@props
class IngressRouteProps:
    """Which Service is reached from outside, and how."""

    name: ObjectName
    ingress: Ingress
    web: WebService
    largest_upload: AtLeastOne | None = None
    """Bytes. Without it, ingress-nginx refuses more than one mebibyte."""


class IngressRoute(Checked):
    """Routes a host to the Service. cert-manager sees the annotation and keeps the certificate in the Secret."""

    def __init__(self, scope: Construct, construct_id: str, props: IngressRouteProps) -> None:
        super().__init__(scope, construct_id, props)
        ingress, web = props.ingress, props.web
        port = k8s.ServiceBackendPort(number=web.props.service.port)
        backend = k8s.IngressBackend(service=k8s.IngressServiceBackend(name=web.service_name, port=port))
        everything = k8s.HttpIngressPath(path="/", path_type="Prefix", backend=backend)
        k8s.KubeIngress(
            self,
            "ingress",
            metadata=object_meta(props.name, _annotations(props)),
            spec=k8s.IngressSpec(
                ingress_class_name=ingress.class_name,
                tls=[k8s.IngressTls(hosts=[ingress.host], secret_name=ingress.tls_secret or f"{web.app}-tls")],
                rules=[k8s.IngressRule(host=ingress.host, http=k8s.HttpIngressRuleValue(paths=[everything]))],
            ),
        )


def _annotations(props: IngressRouteProps) -> dict[str, str]:
    annotations = {"cert-manager.io/cluster-issuer": props.ingress.cluster_issuer}
    if props.largest_upload is not None:
        annotations["nginx.ingress.kubernetes.io/proxy-body-size"] = str(props.largest_upload + _FORM_OVERHEAD)
    return {**annotations, **props.ingress.annotations}


@props
class Traffic:
    """What some pods serve and reach."""

    name: ObjectName
    """The name of their policy."""
    pods: Mapping[LabelKey, LabelValue]
    serves: Port | None = None
    """The port on which they are reached; None denies all requests."""
    public: bool = False
    """Whether they are reached from anywhere, not only from the namespace and those that the policy names."""
    reaches: tuple[WebUrl | GitUrl, ...] = ()
    """URLs; only host and port matter. The host `NAME.NAMESPACE.svc` is in that namespace, any other is anywhere."""
    reaches_ports: tuple[Port, ...] = ()
    """Ports of any address. Some network plugins leave out nodes."""
    reaches_everywhere: tuple[Port, ...] = ()
    """Ports of any address, nodes included."""
    reaches_database: bool = False


@props
class NetworkPoliciesProps:
    """The pods of a namespace, and who else may reach them."""

    policy: NetworkPolicy
    traffic: tuple[Traffic, ...]
    solves_challenges: bool = False
    """Whether cert-manager runs pods in the namespace that answer an ACME HTTP-01 challenge through the Ingress."""
    default_name: ObjectName = "default-deny"
    solver_name: ObjectName = "acme-solver"


class NetworkPolicies(Checked):
    """A policy that denies everything in the namespace, and one for each kind of pod that is in it."""

    def __init__(self, scope: Construct, construct_id: str, props: NetworkPoliciesProps) -> None:
        super().__init__(scope, construct_id, props)
        self._policy(props.default_name, {}, [], [])
        for traffic in props.traffic:
            self._policy(traffic.name, traffic.pods, _ingress(traffic, props.policy), _egress(traffic, props.policy))
        if props.solves_challenges:
            asked = k8s.NetworkPolicyIngressRule(from_=_outside(props.policy) or None, ports=[_port(_SOLVER_PORT)])
            self._policy(props.solver_name, _SOLVER, [asked], [])

    def _policy(
        self,
        name: str,
        pods: Mapping[str, str],
        ingress: Sequence[k8s.NetworkPolicyIngressRule],
        egress: Sequence[k8s.NetworkPolicyEgressRule],
    ) -> None:
        k8s.KubeNetworkPolicy(
            self,
            name,
            metadata=object_meta(name),
            spec=k8s.NetworkPolicySpec(
                pod_selector=k8s.LabelSelector(match_labels=dict(pods) or None),
                policy_types=["Ingress", "Egress"],
                ingress=ingress or None,
                egress=egress or None,
            ),
        )


def _ingress(traffic: Traffic, policy: NetworkPolicy) -> list[k8s.NetworkPolicyIngressRule]:
    if traffic.serves is None:
        return []
    ports = [_port(traffic.serves)]
    if traffic.public:
        return [k8s.NetworkPolicyIngressRule(ports=ports)]
    own = k8s.NetworkPolicyPeer(pod_selector=k8s.LabelSelector())
    return [k8s.NetworkPolicyIngressRule(from_=[own, *_outside(policy)], ports=ports)]


def _outside(policy: NetworkPolicy) -> list[k8s.NetworkPolicyPeer]:
    """Those outside the namespace who may reach its pods."""
    addresses = [k8s.NetworkPolicyPeer(ip_block=k8s.IpBlock(cidr=cidr)) for cidr in policy.from_cidrs]
    return [*(_in_namespace(name) for name in policy.from_namespaces), *addresses]


def _egress(traffic: Traffic, policy: NetworkPolicy) -> list[k8s.NetworkPolicyEgressRule]:
    everywhere, anywhere, inside = set(traffic.reaches_everywhere), set(traffic.reaches_ports), []
    for url in traffic.reaches:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
        labels = (parts.hostname or "").removesuffix(".cluster.local").split(".")
        if len(labels) == 3 and labels[2] == "svc":  # noqa: PLR2004  # NAME.NAMESPACE.svc
            # The port of a pod may be another than the Service's, and a policy sees the pod's.
            inside.append(k8s.NetworkPolicyEgressRule(to=[_in_namespace(labels[1])]))
        else:
            anywhere.add(port)
    database = _database(policy) if traffic.reaches_database else []
    nodes = [_everywhere(sorted(everywhere))] if everywhere else []
    outside = [_anywhere(sorted(anywhere - everywhere))] if anywhere - everywhere else []
    return [_dns(policy), *nodes, *outside, *inside, *database]


def _dns(policy: NetworkPolicy) -> k8s.NetworkPolicyEgressRule:
    peers = [_in_namespace(policy.dns_namespace)]
    if policy.dns_cidr:
        peers.append(k8s.NetworkPolicyPeer(ip_block=k8s.IpBlock(cidr=policy.dns_cidr)))
    return k8s.NetworkPolicyEgressRule(to=peers, ports=[_port(53, "UDP"), _port(53)])


def _everywhere(ports: Sequence[int]) -> k8s.NetworkPolicyEgressRule:
    """A rule without addresses: by default, Cilium matches no node by its address, and API servers run on nodes.

    Cloud metadata is served at port 80, which this must not allow.
    """
    return k8s.NetworkPolicyEgressRule(ports=[_port(number) for number in ports])


def _anywhere(ports: Sequence[int]) -> k8s.NetworkPolicyEgressRule:
    """Azure OpenAI, S3 and Git hosts have no fixed addresses, and a NetworkPolicy knows no host names."""
    blocks = [k8s.IpBlock(cidr=cidr, except_=[metadata]) for cidr, metadata in _CLOUD_METADATA.items()]
    peers = [k8s.NetworkPolicyPeer(ip_block=block) for block in blocks]
    return k8s.NetworkPolicyEgressRule(to=peers, ports=[_port(number) for number in ports])


def _database(policy: NetworkPolicy) -> list[k8s.NetworkPolicyEgressRule]:
    peers = []
    if policy.database_cidr:
        peers.append(k8s.NetworkPolicyPeer(ip_block=k8s.IpBlock(cidr=policy.database_cidr)))
    if policy.database_namespace:
        peers.append(_in_namespace(policy.database_namespace))
    return [k8s.NetworkPolicyEgressRule(to=peers, ports=[_port(policy.database_port)])] if peers else []


def _in_namespace(name: DnsLabel) -> k8s.NetworkPolicyPeer:
    labels = {"kubernetes.io/metadata.name": name}
    return k8s.NetworkPolicyPeer(namespace_selector=k8s.LabelSelector(match_labels=labels))


def _port(number: int, protocol: str = "TCP") -> k8s.NetworkPolicyPort:
    return k8s.NetworkPolicyPort(port=int_or_string(number), protocol=protocol)
