"""Hooks of Argo CD and Helm: objects that run during a sync and that the applier neither compares nor prunes."""

from typing import Final

from drift.model import Object

_ARGOCD_HOOK: Final = "argocd.argoproj.io/hook"
_HELM_HOOK: Final = "helm.sh/hook"
#: Helm 2 installed custom resource definitions with this value. Current appliers do not treat it as a hook.
_NO_HOOK: Final = "crd-install"


def hook_of(body: Object) -> str | None:
    """Returns the annotation that makes an object a hook, as ``NAME: VALUE``, or None if it is not a hook."""
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict):
        return None
    for name in (_ARGOCD_HOOK, _HELM_HOOK):
        value = annotations.get(name)
        if isinstance(value, str) and value != _NO_HOOK:
            return f"{name}: {value}"
    return None
