"""Which Kustomization or Application syncs a live object, by its tracking label or annotation."""

from dataclasses import dataclass
from typing import Final

from drift.gitops.argocd_labels import TRACKING_ID, argocd_tracking
from drift.model import Json, Object

_FLUX_LABEL: Final = "kustomize.toolkit.fluxcd.io/"
#: Argo CD names an Application alone unless it lives outside of this namespace.
_ARGOCD_NAMESPACE: Final = "argocd"


@dataclass(frozen=True, slots=True)
class GitOpsObject:
    """The Flux Kustomization or the Argo CD Application that syncs an object."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """For messages."""
        return f"{self.kind} {self.namespace}/{self.name}"


def gitops_object_of(live: Object) -> GitOpsObject | None:
    """The Kustomization or Application that a live object is marked with; None without such a mark."""
    name, namespace = (_text(live, "labels", f"{_FLUX_LABEL}{part}") for part in ("name", "namespace"))
    if name and namespace:
        return GitOpsObject("kustomize.toolkit.fluxcd.io", "Kustomization", namespace, name)
    application = _application(live)
    if application is None:
        return None
    namespace, _, name = application.rpartition("_")
    return GitOpsObject("argoproj.io", "Application", namespace or _ARGOCD_NAMESPACE, name)


def _application(live: Object) -> str | None:
    """The Argo CD Application that a live object is marked with, by the annotation or by a usual label."""
    tracking = _text(live, "annotations", TRACKING_ID)
    if ":" in tracking:
        return tracking.partition(":")[0]
    found = argocd_tracking(live)
    return None if found is None else found.application


def _text(live: Object, field: str, name: str) -> str:
    """A label or an annotation; "" if there is none, or if it is not a string."""
    value: Json = live
    for part in ("metadata", field, name):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
