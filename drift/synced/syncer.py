"""Which Kustomization or Application syncs a live object, by its tracking label or annotation."""

from dataclasses import dataclass
from typing import Final

from drift.model import Json, Object

_FLUX_LABEL: Final = "kustomize.toolkit.fluxcd.io/"
_ARGOCD_ANNOTATION: Final = "argocd.argoproj.io/tracking-id"
#: Argo CD names an Application alone unless it lives outside of this namespace.
_ARGOCD_NAMESPACE: Final = "argocd"


@dataclass(frozen=True, slots=True)
class SyncedBy:
    """The Flux Kustomization or the Argo CD Application that syncs an object."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """For messages."""
        return f"{self.kind} {self.namespace}/{self.name}"


def synced_by(live: Object) -> SyncedBy | None:
    """The Kustomization or Application that a live object is marked with; None without such a mark."""
    name, namespace = (_text(live, "labels", f"{_FLUX_LABEL}{part}") for part in ("name", "namespace"))
    if name and namespace:
        return SyncedBy("kustomize.toolkit.fluxcd.io", "Kustomization", namespace, name)
    tracking = _text(live, "annotations", _ARGOCD_ANNOTATION)
    if ":" not in tracking:
        return None
    namespace, _, name = tracking.partition(":")[0].rpartition("_")
    return SyncedBy("argoproj.io", "Application", namespace or _ARGOCD_NAMESPACE, name)


def _text(live: Object, field: str, name: str) -> str:
    """A label or an annotation; "" if there is none, or if it is not a string."""
    value: Json = live
    for part in ("metadata", field, name):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
