"""HTTPS from outside the cluster."""

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan import names
from rescan.constructs.metadata import object_meta
from rescan.settings import Environment, Ingress


class RescanIngress(Construct):
    """Routes a host to the Service. cert-manager sees the annotation and keeps the certificate in the Secret."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment, ingress: Ingress) -> None:
        super().__init__(scope, construct_id)
        service = k8s.IngressServiceBackend(
            name=names.SERVICE, port=k8s.ServiceBackendPort(number=environment.service.port)
        )
        everything = k8s.HttpIngressPath(path="/", path_type="Prefix", backend=k8s.IngressBackend(service=service))
        k8s.KubeIngress(
            self,
            "ingress",
            metadata=object_meta(
                environment, names.WORKLOAD, {"cert-manager.io/cluster-issuer": ingress.cluster_issuer}
            ),
            spec=k8s.IngressSpec(
                ingress_class_name=ingress.class_name,
                tls=[k8s.IngressTls(hosts=[ingress.host], secret_name=ingress.tls_secret)],
                rules=[
                    k8s.IngressRule(host=ingress.host, http=k8s.HttpIngressRuleValue(paths=[everything])),
                ],
            ),
        )
