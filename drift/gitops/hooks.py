"""Hooks: objects that a sync or a release runs, that no syncer compares or prunes, and that may stay or be gone."""

from typing import Final

from drift.model import Object

_ARGOCD_HOOK: Final = "argocd.argoproj.io/hook"
_HELM_HOOK: Final = "helm.sh/hook"
#: Helm 2's way to install definitions first; such an object is no hook to any syncer of today.
_NO_HOOK: Final = "crd-install"


def hook_of(body: Object) -> str | None:
    """The annotation that makes an object a hook, as ``NAME: VALUE``; None for an object that is none."""
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict):
        return None
    for name in (_ARGOCD_HOOK, _HELM_HOOK):
        value = annotations.get(name)
        if isinstance(value, str) and value != _NO_HOOK:
            return f"{name}: {value}"
    return None
