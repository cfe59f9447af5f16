"""Finds the Argo CD Application of a live object, and the label by which Argo CD tracks objects.

`application.resourceTrackingMethod` in Argo CD's ConfigMap selects the tracking annotation (the default since 3.0), the
tracking label (the default before) or both. The key of the label is a setting, too, and charts and people also use the
default key, `app.kubernetes.io/instance`. So this module decides for each live object which of its labels Argo CD set.
Most objects are clear on their own. If one is not, the ConfigMap is read, once. If it cannot be read, the decision is
postponed until all objects are known.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from drift.errors import RequestError
from drift.gitops.tracking import ReservedMetadata, reserved_metadata
from drift.kube.live import LiveObject, LiveSource
from drift.kube.resources import Resources
from drift.managed_fields import ManagerName, manager_names
from drift.objects import Json, Object, as_object, at

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
_NAMESPACE: Final = "argocd"
_CONFIG_MAP: Final = "argocd-cm"
#: A label that only one object has proves nothing.
_MIN_OBJECTS: Final = 2
#: Argo CD does not set the tracking label on this kind.
NEVER_LABELLED: Final = "CustomResourceDefinition"


@dataclass(frozen=True, slots=True)
class ArgoCDTracking:
    """How Argo CD tracks a live object.

    Attributes:
        application: The Application as written in the annotation (``NAMESPACE_NAME`` outside Argo CD's namespace) or
            the label; None if the object has neither, because the label has a key that is not known yet.
        by_annotation: Whether the annotation names the Application.
        label: The key of the label that names the Application, or None.
    """

    application: str | None
    by_annotation: bool
    label: str | None

    @property
    def label_value(self) -> str | None:
        """The value that Argo CD writes into the label: the Application, truncated; None if it is unknown."""
        return None if self.application is None else label_value(self.application)


def label_value(application: str) -> str:
    """Returns the value of the tracking label for an Application, as written in the annotation."""
    return application[:_LONGEST_LABEL].rstrip("-_.")


def argocd_tracking(body: Object, keys: Sequence[str] = USUAL_LABELS) -> ArgoCDTracking | None:
    """Returns how Argo CD tracks a live object, or None if Argo CD never wrote it.

    Args:
        body: The live object, or at least its metadata with ``managedFields``.
        keys: The keys that the tracking label may have, most likely first.
    """
    metadata = as_object(body.get("metadata"))
    if not _has_written(manager_names(metadata.get("managedFields"))):
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


# Cached, because most objects of a kind have the same managers.
@lru_cache(maxsize=4096)
def _has_written(names: tuple[ManagerName, ...]) -> bool:
    """Whether Argo CD is among the field managers of an object."""
    return any(manager in MANAGERS for manager, _, _ in names)


@dataclass(frozen=True, slots=True)
class _Settings:
    """Tracking settings in Argo CD's ConfigMap.

    Attributes:
        both: Whether objects get the label and the annotation.
        key: The key of the label.
    """

    both: bool
    key: str


class TrackingLabels:
    """Decides which labels of live objects are Argo CD's tracking label.

    Attributes:
        keys: The keys that the label may have, most likely first; fewer as more becomes known.
    """

    def __init__(self, source: LiveSource, resources: Resources) -> None:
        """Sends no requests yet.

        Args:
            source: The cluster or dump.
            resources: The kinds that may be requested.
        """
        self.keys: Sequence[str] = USUAL_LABELS
        self._source = source
        self._resources = resources
        self._has_read_settings = False
        self._config: _Settings | None = None
        self._reserved: dict[tuple[str, str, bool], ReservedMetadata] = {}
        #: The number of objects without the annotation, and the labels that all of them have.
        self._unannotated = 0
        self._common_labels: frozenset[str] = frozenset()
        #: The labels that differ from Git on every postponed object.
        self._candidates: frozenset[str] | None = None
        #: By Application: the number of its objects with annotation and label, minus those with only the annotation.
        self._label_balance: Counter[str] = Counter()
        self._is_complete = False

    def reserved_for(self, manifest: Object, live: LiveObject) -> ReservedMetadata | None:
        """Returns the reserved metadata of a live object, or None if the decision is postponed.

        In that case, call it again after `complete`.

        Args:
            manifest: The desired object.
            live: The live object.
        """
        found = None if live.kind == NEVER_LABELLED else argocd_tracking(live.body, self.keys)
        if found is None:
            return reserved_metadata()
        labels, desired = _labels(live.body), _labels(manifest)
        if not self._is_complete:
            self._count_labels(found, labels)
        if found.by_annotation:
            return self._with_annotation(found, labels, desired)
        return self._without_annotation(live.body, labels, desired)

    def complete(self) -> None:
        """Infers the key of the label on postponed objects. Call it when `reserved_for` has seen all objects."""
        self._is_complete = True
        if INSTANCE_LABEL not in self._common_labels and self._unannotated >= _MIN_OBJECTS and self._candidates:
            keys = self._candidates & self._common_labels
            if len(keys) == 1:
                self.keys = tuple(keys)

    def _count_labels(self, found: ArgoCDTracking, labels: Mapping[str, Json]) -> None:
        if found.by_annotation:
            # A label that names another Application was edited by hand and says nothing about the tracking method.
            if found.label is not None or labels.keys().isdisjoint(self.keys):
                self._label_balance[str(found.application)] += 1 if found.label is not None else -1
            return
        self._common_labels = self._common_labels & labels.keys() if self._unannotated else frozenset(labels)
        self._unannotated += 1

    def _with_annotation(
        self, found: ArgoCDTracking, labels: Mapping[str, Json], desired: Mapping[str, Json]
    ) -> ReservedMetadata | None:
        """Decides whether Argo CD also set a label with the name of the Application, or only the annotation."""
        candidates = [
            name for name, value in labels.items() if value == found.label_value and desired.get(name) != value
        ]
        if not candidates:
            return reserved_metadata()
        config = self._settings()
        if config is not None:
            is_tracking = config.both and config.key in candidates
            return self._with_label(config.key, labels, overwrites=True) if is_tracking else reserved_metadata()
        key = found.label
        if key not in candidates or key in desired:
            return reserved_metadata()
        if not self._is_complete:
            return None
        is_tracking = self._label_balance[str(found.application)] > 0
        return self._with_label(key, labels, overwrites=False) if is_tracking else reserved_metadata()

    def _without_annotation(
        self, live: Object, labels: Mapping[str, Json], desired: Mapping[str, Json]
    ) -> ReservedMetadata | None:
        """Finds the tracking label, which Argo CD must have set because there is no annotation."""
        candidates = frozenset(name for name, value in labels.items() if desired.get(name) != value)
        key = next((key for key in self.keys if key in candidates), None)
        if key is not None:
            # If there are other candidates and Git sets this label too, the difference may be a change not synced yet.
            return self._with_label(key, labels, overwrites=len(candidates) == 1)
        if not candidates or any(key in labels and key != INSTANCE_LABEL for key in self.keys):
            return reserved_metadata()
        if self._settings() is not None:
            found = argocd_tracking(live, self.keys)
            key = None if found is None else found.label
            return reserved_metadata() if key not in candidates else self._with_label(str(key), labels, overwrites=True)
        if self._is_complete:
            return reserved_metadata()
        self._candidates = candidates if self._candidates is None else self._candidates & candidates
        return None

    def _with_label(self, key: str, labels: Mapping[str, Json], *, overwrites: bool) -> ReservedMetadata:
        # The same value for the same label, because ReservedMetadata is compared by identity.
        value = str(labels[key])
        if (key, value, overwrites) not in self._reserved:
            self._reserved[key, value, overwrites] = reserved_metadata().with_label(key, value, overwrites=overwrites)
        return self._reserved[key, value, overwrites]

    def _settings(self) -> _Settings | None:
        """Returns the settings in Argo CD's ConfigMap, or None if it is missing or may not be read. Reads it once."""
        if not self._has_read_settings:
            # Set first: after a ConnectError, there is no second attempt.
            self._has_read_settings = True
            self._config = self._read_settings()
            if self._config is not None:
                self.keys = (self._config.key,)
        return self._config

    def _read_settings(self) -> _Settings | None:
        resource = self._resources.preferred("", "ConfigMap")
        try:
            live = None if resource is None else self._source.get(resource, _NAMESPACE, _CONFIG_MAP)
        except RequestError:
            # Few accounts may read it, and the labels of the objects are nearly as good.
            return None
        data = None if live is None else live.body.get("data") or {}
        if not isinstance(data, dict):
            return None
        key = data.get("application.instanceLabelKey")
        return _Settings(
            both=data.get("application.resourceTrackingMethod") == "annotation+label",
            key=key if isinstance(key, str) and key else INSTANCE_LABEL,
        )


def _labels(body: Object) -> Object:
    return as_object(at(body, "metadata", "labels"))
