"""Settings of the volumes: the data that lasts and the uploads that do not."""

from rescan.formats import ObjectName, Size
from rescan.settings.declaration import Choice, props


class AccessMode(Choice):
    """How many nodes may mount a volume at once."""

    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_ONLY_MANY = "ReadOnlyMany"
    READ_WRITE_MANY = "ReadWriteMany"


@props
class StorageClass:
    """A storage class that the cluster offers, with the access modes its volumes can have."""

    name: ObjectName
    access_modes: tuple[AccessMode, ...] = (AccessMode.READ_WRITE_ONCE,)


@props
class Storage:
    """The volumes of the pods; sizes are Kubernetes quantities (`1Gi`)."""

    size: Size = "1Gi"
    access_mode: AccessMode = AccessMode.READ_WRITE_ONCE
    storage_class: ObjectName | None = None
    """None takes the cluster's default class."""
    offered: tuple[StorageClass, ...] = ()
    """The classes that the cluster offers. Where any is listed, `storage_class` must be one of them."""
    uploads_limit: Size = "512Mi"
    """The most that uploads may take before the kubelet evicts the pod; they are gone after a restart."""
    temporary_limit: Size = "64Mi"
    """The same for /tmp, which is a volume where the container's root is read-only."""
