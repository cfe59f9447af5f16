"""Finds the Argo CD Application of a live object in its tracking annotation or tracking label.

`application.resourceTrackingMethod` in Argo CD's ConfigMap selects the annotation (the default since 3.0), the label
(the default before) or both. The key of the label is a setting too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from drift.model import Object, as_object

#: Holds the Application and the object, for example ``shop:apps/Deployment:shop/web``.
TRACKING_ID: Final = "argocd.argoproj.io/tracking-id"
#: Argo CD's default key of the tracking label. Charts and people use this label too.
INSTANCE_LABEL: Final = "app.kubernetes.io/instance"
#: Keys of the tracking label: the one that Argo CD's documentation suggests, that of versions up to 0.10, the default.
USUAL_LABELS: Final = ("argocd.argoproj.io/instance", "applications.argoproj.io/app-name", INSTANCE_LABEL)
#: The field managers of Argo CD.
MANAGERS: Final = ("argocd-controller", "argocd-application-controller")

#: Argo CD truncates longer names of Applications in the label, but not in the annotation.
_LONGEST_LABEL: Final = 63


@dataclass(frozen=True, slots=True)
class ArgoCDTracking:
    """How Argo CD tracks a live object.

    Attributes:
        application: The Application as written in the annotation (``NAMESPACE_NAME`` outside Argo CD's namespace) or
            the label; None if the object has neither, which means that the label has another key.
        by_annotation: Whether the annotation names it.
        label: The key of the label that names it, or None.
    """

    application: str | None
    by_annotation: bool
    label: str | None

    @property
    def label_value(self) -> str | None:
        """The value of the label if it names the same Application as the annotation."""
        return None if self.application is None else self.application[:_LONGEST_LABEL].rstrip("-_.")


def argocd_tracking(body: Object, keys: Sequence[str] = USUAL_LABELS) -> ArgoCDTracking | None:
    """Returns how Argo CD tracks a live object, or None if Argo CD never wrote it.

    Args:
        body: The live object, or at least its metadata with ``managedFields``.
        keys: The keys that the tracking label may have, most likely first.
    """
    metadata = as_object(body.get("metadata"))
    entries = metadata.get("managedFields")
    if not isinstance(entries, list) or not any(as_object(entry).get("manager") in MANAGERS for entry in entries):
        return None
    annotation = as_object(metadata.get("annotations")).get(TRACKING_ID)
    labels = as_object(metadata.get("labels"))
    if isinstance(annotation, str) and ":" in annotation:
        found = ArgoCDTracking(annotation.partition(":")[0], by_annotation=True, label=None)
        label = next((key for key in keys if labels.get(key) == found.label_value), None)
        return replace(found, label=label)
    for key in keys:
        name = labels.get(key)
        if isinstance(name, str) and name:
            return ArgoCDTracking(name, by_annotation=False, label=key)
    return ArgoCDTracking(None, by_annotation=False, label=None)
