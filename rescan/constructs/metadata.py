"""The metadata of every object: name, namespace, the labels people select by, and how a syncer treats it."""

from collections.abc import Mapping

from cdk8s import ApiObjectMetadata
from cdk8s_plus_27 import k8s

from rescan import names
from rescan.settings import Environment

KEEP_WHEN_REMOVED_FROM_GIT = {
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}
"""For objects that hold data: a mistake in Git must not delete what Git cannot bring back."""


def sync_wave(wave: int) -> dict[str, str]:
    """When Argo CD applies the object: wave after wave, each healthy before the next; the rest is in wave 0."""
    return {"argocd.argoproj.io/sync-wave": str(wave)}


def labels(environment: Environment) -> dict[str, str]:
    """The labels of an object itself; pods have their own."""
    return {"app": names.APP, "app.kubernetes.io/name": names.APP, "environment": environment.name}


def plus_metadata(
    environment: Environment, name: str, annotations: Mapping[str, str] | None = None
) -> ApiObjectMetadata:
    """Metadata of a namespaced object, for cdk8s-plus and for custom resources."""
    return ApiObjectMetadata(
        name=name, namespace=environment.namespace, labels=labels(environment), annotations=annotations
    )


def object_meta(environment: Environment, name: str, annotations: Mapping[str, str] | None = None) -> k8s.ObjectMeta:
    """Metadata of a namespaced object, for the typed API objects."""
    return k8s.ObjectMeta(
        name=name, namespace=environment.namespace, labels=labels(environment), annotations=annotations
    )
