"""The volume claim for the data that must outlive every pod."""

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan import names
from rescan.constructs.metadata import KEEP_WHEN_REMOVED_FROM_GIT, object_meta
from rescan.constructs.scalars import quantity
from rescan.settings import Environment


class RescanStorage(Construct):
    """The claim for the SQLite file. It does not belong to the workload, so it survives pods and rollouts."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        k8s.KubePersistentVolumeClaim(
            self,
            "claim",
            metadata=object_meta(environment, names.VOLUME_CLAIM, KEEP_WHEN_REMOVED_FROM_GIT),
            spec=claim_spec(environment),
        )


def claim_spec(environment: Environment) -> k8s.PersistentVolumeClaimSpec:
    """What is asked of the cluster's storage."""
    storage = environment.storage
    return k8s.PersistentVolumeClaimSpec(
        access_modes=[storage.access_mode.value],
        resources=k8s.ResourceRequirements(requests={"storage": quantity(storage.size)}),
        storage_class_name=storage.storage_class,
    )
