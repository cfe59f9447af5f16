"""The volume of a SQLite file, which must outlive every pod."""

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan.constructs.base import KEEP_WHEN_REMOVED_FROM_GIT, Checked, object_meta
from rescan.constructs.scalars import quantity
from rescan.formats import ObjectName, UrlPath
from rescan.settings import AccessMode, Storage
from rescan.settings.declaration import props

_VOLUME = "data"


@props
class SqliteStorageProps:
    """A volume, and where in the pods the file on it is."""

    name: ObjectName
    """The name of the claim. The claim of a StatefulSet has another one, which Kubernetes makes."""
    storage: Storage
    path: UrlPath
    """Where the volume is mounted: `/app/data`."""
    file: UrlPath
    """The SQLite file on it: `/app/data/rescan.db`."""
    stateful_set: ObjectName | None = None
    """The StatefulSet that makes the claim from a template; None makes a claim that does not belong to a workload."""


class SqliteStorage(Checked):
    """The claim for a SQLite file. It survives pods and rollouts."""

    def __init__(self, scope: Construct, construct_id: str, props: SqliteStorageProps) -> None:
        super().__init__(scope, construct_id, props)
        self.props = props
        # Kubernetes calls it by its template, the StatefulSet and the pod; SQLite has one pod.
        self.claim_name = f"{_VOLUME}-{props.stateful_set}-0" if props.stateful_set else props.name
        self.mount = k8s.VolumeMount(name=_VOLUME, mount_path=props.path)
        claim = k8s.PersistentVolumeClaimVolumeSource(claim_name=self.claim_name)
        self.volume = k8s.Volume(name=_VOLUME, persistent_volume_claim=claim)
        spec = _claim_spec(props.storage)
        self.claim_template: k8s.KubePersistentVolumeClaimProps | None = None
        if props.stateful_set:
            self.claim_template = k8s.KubePersistentVolumeClaimProps(metadata=k8s.ObjectMeta(name=_VOLUME), spec=spec)
        else:
            k8s.KubePersistentVolumeClaim(
                self, "claim", metadata=object_meta(props.name, KEEP_WHEN_REMOVED_FROM_GIT), spec=spec
            )
        self.require(lambda: _one_node(self.node.path, props.storage))


def _one_node(path: str, storage: Storage) -> list[str]:
    if storage.access_mode is AccessMode.READ_WRITE_ONCE:
        return []
    return [f"{path}: storage.access_mode is {storage.access_mode.value}; locks of SQLite hold within one node only"]


def _claim_spec(storage: Storage) -> k8s.PersistentVolumeClaimSpec:
    return k8s.PersistentVolumeClaimSpec(
        access_modes=[storage.access_mode.value],
        resources=k8s.ResourceRequirements(requests={"storage": quantity(storage.size)}),
        storage_class_name=storage.storage_class,
    )
