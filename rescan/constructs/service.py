"""The Service in front of the pods."""

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan.constructs import names
from rescan.constructs.metadata import object_meta
from rescan.settings import Environment


class RescanService(Construct):
    """The stable address of the pods that are ready."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        service = environment.service
        k8s.KubeService(
            self,
            "service",
            metadata=object_meta(environment, names.SERVICE),
            spec=k8s.ServiceSpec(
                type=service.type.value,
                selector=names.SELECTOR,
                ports=[
                    k8s.ServicePort(
                        name=names.HTTP_PORT,
                        port=service.port,
                        target_port=k8s.IntOrString.from_number(service.target_port),
                        protocol="TCP",
                    )
                ],
            ),
        )
