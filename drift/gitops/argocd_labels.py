"""Which Application of Argo CD a live object belongs to, by Argo CD's tracking annotation or its tracking label.

Argo CD marks objects by the method that `application.resourceTrackingMethod` of its ConfigMap names: an annotation (the
default since 3.0), a label (the default before), or both. The label's key is a setting, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from drift.model import Json, Object

#: Names an Application and the object that it belongs to, as in ``shop:apps/Deployment:shop/web``.
TRACKING_ID: Final = "argocd.argoproj.io/tracking-id"
#: Argo CD's own default for the key of the tracking label. Charts and people use it, too.
INSTANCE_LABEL: Final = "app.kubernetes.io/instance"
#: Keys of the tracking label: one that Argo CD's documentation suggests, that of versions up to 0.10, and the default.
USUAL_LABELS: Final = ("argocd.argoproj.io/instance", "applications.argoproj.io/app-name", INSTANCE_LABEL)
#: The field managers of Argo CD.
MANAGERS: Final = frozenset({"argocd-controller", "argocd-application-controller"})

#: Argo CD cuts longer names of Applications for the label where the annotation has them in full.
_LONGEST_LABEL: Final = 63


@dataclass(frozen=True, slots=True)
class ArgoCDTracking:
    """How Argo CD tracks a live object.

    Attributes:
        application: The Application, as in the annotation (``NAMESPACE_NAME`` outside of Argo CD's namespace) or as in
            a label; None where the object has neither, so that another label has to name it.
        by_annotation: Whether the annotation names it.
        label: The key of the label that names it; None where there is none.
    """

    application: str | None
    by_annotation: bool
    label: str | None

    @property
    def in_label(self) -> str | None:
        """The Application as a label names it beside the annotation."""
        return None if self.application is None else self.application[:_LONGEST_LABEL].rstrip("-_.")


def argocd_tracking(body: Object, keys: Sequence[str] = USUAL_LABELS) -> ArgoCDTracking | None:
    """How Argo CD tracks a live object; None for an object that Argo CD has not written.

    Args:
        body: At least the metadata of the object, with its ``managedFields``.
        keys: The keys that the tracking label may have, the likeliest first.
    """
    metadata = _mapping(body.get("metadata"))
    entries = metadata.get("managedFields")
    if not isinstance(entries, list) or not any(_mapping(entry).get("manager") in MANAGERS for entry in entries):
        return None
    annotation = _mapping(metadata.get("annotations")).get(TRACKING_ID)
    labels = _mapping(metadata.get("labels"))
    if isinstance(annotation, str) and ":" in annotation:
        found = ArgoCDTracking(annotation.partition(":")[0], by_annotation=True, label=None)
        label = next((key for key in keys if labels.get(key) == found.in_label), None)
        return replace(found, label=label)
    for key in keys:
        name = labels.get(key)
        if isinstance(name, str) and name:
            return ArgoCDTracking(name, by_annotation=False, label=key)
    return ArgoCDTracking(None, by_annotation=False, label=None)


def _mapping(value: Json) -> Object:
    return value if isinstance(value, dict) else {}
