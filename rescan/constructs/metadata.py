"""The metadata of every object: its name, its namespace and the labels people select by."""

from collections.abc import Mapping

from cdk8s import ApiObjectMetadata
from cdk8s_plus_27 import k8s

from rescan.constructs import names
from rescan.settings import Environment


def labels(environment: Environment) -> dict[str, str]:
    """The labels of an object itself; pods have their own."""
    return {"app": names.APP, "app.kubernetes.io/name": names.APP, "environment": environment.name}


def plus_metadata(
    environment: Environment, name: str, annotations: Mapping[str, str] | None = None
) -> ApiObjectMetadata:
    """Metadata of a namespaced object, for the classes of cdk8s-plus."""
    return ApiObjectMetadata(
        name=name, namespace=environment.namespace, labels=labels(environment), annotations=annotations
    )


def object_meta(environment: Environment, name: str, annotations: Mapping[str, str] | None = None) -> k8s.ObjectMeta:
    """Metadata of a namespaced object, for the typed API objects."""
    return k8s.ObjectMeta(
        name=name, namespace=environment.namespace, labels=labels(environment), annotations=annotations
    )
