"""The Services in front of the pods."""

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan import names
from rescan.constructs.metadata import labels, object_meta
from rescan.constructs.scalars import int_or_string
from rescan.settings import Environment

SCRAPED = {"app": names.APP, "app.kubernetes.io/component": "web"}
"""The labels by which monitoring finds the one Service that it is to scrape."""


class RescanService(Construct):
    """The stable address of the pods that are ready."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        k8s.KubeService(
            self,
            "service",
            metadata=k8s.ObjectMeta(
                name=names.SERVICE, namespace=environment.namespace, labels={**labels(environment), **SCRAPED}
            ),
            spec=k8s.ServiceSpec(
                type=environment.service.type.value, selector=names.SELECTOR, ports=[_http_port(environment)]
            ),
        )


class RescanHeadlessService(Construct):
    """Gives each pod of a StatefulSet a DNS name of its own."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        k8s.KubeService(
            self,
            "service",
            metadata=object_meta(environment, names.HEADLESS_SERVICE),
            spec=k8s.ServiceSpec(cluster_ip="None", selector=names.SELECTOR, ports=[_http_port(environment)]),
        )


def _http_port(environment: Environment) -> k8s.ServicePort:
    return k8s.ServicePort(
        name=names.HTTP_PORT,
        port=environment.service.port,
        target_port=int_or_string(environment.service.target_port),
        protocol="TCP",
    )
