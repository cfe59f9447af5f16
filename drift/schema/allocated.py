"""Fields whose values are made for one object alone: allocated addresses and ports, bindings, generated selectors.

Git need not name them, and where it does not, no value of theirs is a difference, whoever its recorded owner is: of an
object that was created by hand and taken over later, its creator owns them all.
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
        # Of the claim that a volume was bound to.
        (_CORE + "ObjectReference", "resourceVersion"),
        (_CORE + "ObjectReference", "uid"),
        (_CORE + "PodSpec", "priority"),
        # By the Job controller's own selector, which follows the Job's uid.
        ("io.k8s.api.batch.v1.JobSpec", "selector"),
        # Who asked for the certificate.
        (_CSR, "extra"),
        (_CSR, "groups"),
        (_CSR, "uid"),
        (_CSR, "username"),
    }
)

#: Of these, what only the object itself is given (by admission from its priority class, or the default storage class):
#: in a template it is somebody's.
NOT_IN_TEMPLATES: Final = frozenset(
    {
        (_CORE + "PodSpec", "priority"),
        (_CORE + "PersistentVolumeClaimSpec", "storageClassName"),
        (_CORE + "PersistentVolumeClaimSpec", "volumeName"),
    }
)

#: Fields that the ``scale`` subresource sets without leaving an owner where there was none before: a value that is not
#: the default was set by somebody, whom the API server has no record of.
SCALED: Final = frozenset(
    {
        ("io.k8s.api.apps.v1.DeploymentSpec", "replicas"),
        ("io.k8s.api.apps.v1.ReplicaSetSpec", "replicas"),
        ("io.k8s.api.apps.v1.StatefulSetSpec", "replicas"),
        (_CORE + "ReplicationControllerSpec", "replicas"),
    }
)
