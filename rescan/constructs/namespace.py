"""The Namespace that holds everything else of an environment."""

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan.constructs.metadata import KEEP_WHEN_REMOVED_FROM_GIT, labels, sync_wave
from rescan.settings import Environment


class RescanNamespace(Construct):
    """A Namespace that admits only pods that keep the restricted Pod Security Standard."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        k8s.KubeNamespace(
            self,
            "namespace",
            metadata=k8s.ObjectMeta(
                name=environment.namespace,
                labels={**labels(environment), "pod-security.kubernetes.io/enforce": "restricted"},
                annotations={**KEEP_WHEN_REMOVED_FROM_GIT, **sync_wave(-2)},
            ),
        )
