"""Fields whose values are allocated or generated for one object: addresses, ports, bindings, selectors.

If Git does not set such a field, no value in it is a difference, whichever manager owns it. For instance, the user who
created an object owns all of these fields even if an applier took the object over later.
"""

from typing import Final

_CORE: Final = "io.k8s.api.core.v1."
_CSR: Final = "io.k8s.api.certificates.v1.CertificateSigningRequestSpec"

#: Schema type and field.
ALLOCATED: Final = frozenset(
    {
        (_CORE + "ServicePort", "nodePort"),
        (_CORE + "ServiceSpec", "clusterIP"),
        (_CORE + "ServiceSpec", "clusterIPs"),
        (_CORE + "ServiceSpec", "healthCheckNodePort"),
        (_CORE + "ServiceSpec", "ipFamilies"),
        (_CORE + "ServiceSpec", "ipFamilyPolicy"),
        (_CORE + "PersistentVolumeClaimSpec", "storageClassName"),
        (_CORE + "PersistentVolumeClaimSpec", "volumeName"),
        (_CORE + "PersistentVolumeSpec", "claimRef"),
        # In the reference to the claim that a volume is bound to.
        (_CORE + "ObjectReference", "resourceVersion"),
        (_CORE + "ObjectReference", "uid"),
        (_CORE + "PodSpec", "priority"),
        # Derived from the Job's UID.
        ("io.k8s.api.batch.v1.JobSpec", "selector"),
        # The user that requested the certificate.
        (_CSR, "extra"),
        (_CSR, "groups"),
        (_CSR, "uid"),
        (_CSR, "username"),
    }
)

#: The allocated fields that the server sets only on the object itself, such as the priority that admission derives from
#: the priority class. In a template, a manager has set them.
NOT_IN_TEMPLATES: Final = frozenset(
    {
        (_CORE + "PodSpec", "priority"),
        (_CORE + "PersistentVolumeClaimSpec", "storageClassName"),
        (_CORE + "PersistentVolumeClaimSpec", "volumeName"),
    }
)

#: Fields that the ``scale`` subresource sets. If such a field had no owner before, the API server records none. A value
#: other than the default was then set by an unknown manager.
SCALED: Final = frozenset(
    {
        ("io.k8s.api.apps.v1.DeploymentSpec", "replicas"),
        ("io.k8s.api.apps.v1.ReplicaSetSpec", "replicas"),
        ("io.k8s.api.apps.v1.StatefulSetSpec", "replicas"),
        (_CORE + "ReplicationControllerSpec", "replicas"),
    }
)
