"""Finds the Argo CD Application of a live object, and the label by which Argo CD tracks objects.

`application.resourceTrackingMethod` in Argo CD's ConfigMap selects the tracking annotation (the default since 3.0), the
tracking label (the default before) or both. The key of the label is a setting, too, and charts and people also use the
default key, `app.kubernetes.io/instance`. So this module decides for each live object which of its labels Argo CD set.
Most objects are clear on their own. If one is not, the ConfigMap is read, once, in each namespace where an Argo CD
runs. If it cannot be read, the decision is postponed until all objects are known.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Final

from drift.errors import RequestError
from drift.gitops.tracking import ReservedMetadata, reserved_metadata
from drift.kube.live import LiveObject, LiveSource
from drift.kube.resources import Resources
from drift.managed_fields import ManagerName, manager_names
from drift.objects import Json, Object, as_object, at, text_at

#: Holds the Application and the object, for example ``shop:apps/Deployment:shop/web``.
TRACKING_ID: Final = "argocd.argoproj.io/tracking-id"
#: Argo CD's default key of the tracking label. Charts and people use this label too.
INSTANCE_LABEL: Final = "app.kubernetes.io/instance"
#: Keys of the tracking label: the one that Argo CD's documentation suggests, that of versions up to 0.10, the default.
USUAL_LABELS: Final = ("argocd.argoproj.io/instance", "applications.argoproj.io/app-name", INSTANCE_LABEL)
#: Where Argo CD usually runs.
ARGOCD_NAMESPACE: Final = "argocd"
#: The field managers of Argo CD.
MANAGERS: Final = ("argocd-controller", "argocd-application-controller")

_APPLICATION: Final = ("argoproj.io", "Application")
#: Argo CD truncates longer names of Applications in the label, but not in the annotation.
_LONGEST_LABEL: Final = 63
_CONFIG_MAP: Final = "argocd-cm"
#: Namespaces with Applications that are looked up, two requests each.
_MAX_NAMESPACES: Final = 5
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
    """Tracking settings in the ConfigMap of an Argo CD.

    Attributes:
        both: Whether objects get the label and the annotation.
        key: The key of the label.
    """

    both: bool
    key: str


def label_keys(source: LiveSource, resources: Resources, namespaces: Iterable[str]) -> Sequence[str] | None:
    """Returns the keys of the tracking label according to Argo CD's ConfigMaps; None if none can be read.

    Args:
        source: The cluster or dump.
        resources: The kinds that may be requested.
        namespaces: The namespaces in which an Argo CD may run.
    """
    return _keys(_read_settings(source, resources, namespaces)) or None


def _keys(settings: Iterable[_Settings]) -> tuple[str, ...]:
    # The default key last, because charts use it, too.
    return tuple(sorted({one.key for one in settings}, key=lambda key: (key == INSTANCE_LABEL, key)))


def _read_settings(source: LiveSource, resources: Resources, namespaces: Iterable[str]) -> list[_Settings]:
    return [
        _settings_in(as_object(config.body.get("data")))
        for namespace in dict.fromkeys(namespaces)
        if (config := _get(source, resources, ("", "ConfigMap"), namespace, _CONFIG_MAP)) is not None
    ]


def _settings_in(data: Object) -> _Settings:
    return _Settings(
        both=data.get("application.resourceTrackingMethod") == "annotation+label",
        key=text_at(data, "application.instanceLabelKey") or INSTANCE_LABEL,
    )


def _get(
    source: LiveSource, resources: Resources, kind: tuple[str, str], namespace: str, name: str
) -> LiveObject | None:
    """Returns an object; None if it is missing, or if the account may not read it."""
    resource = resources.preferred(*kind)
    try:
        return None if resource is None else source.get(resource, namespace, name)
    except RequestError:
        # Few accounts may read the ConfigMap, and the labels of the objects are nearly as good.
        return None


class TrackingLabels:
    """Decides which labels of live objects are Argo CD's tracking label.

    Attributes:
        keys: The keys that the label may have, most likely first; fewer as more becomes known.
    """

    def __init__(
        self, source: LiveSource, resources: Resources, applications: Collection[tuple[str, str]] = ()
    ) -> None:
        """Sends no requests yet.

        Args:
            source: The cluster or dump.
            resources: The kinds that may be requested.
            applications: The namespaces and names of the Applications that apply the objects, if known.
        """
        self.keys: Sequence[str] = USUAL_LABELS
        self._source = source
        self._resources = resources
        self._applications = applications
        self._has_read_settings = False
        self._config: Sequence[_Settings] = ()
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
        return self._without_annotation(labels, desired)

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
        if config:
            set_key = next((one.key for one in config if one.both and one.key in candidates), None)
            return reserved_metadata() if set_key is None else self._with_label(set_key, labels, overwrites=True)
        key = found.label
        if key not in candidates or key in desired:
            return reserved_metadata()
        if not self._is_complete:
            return None
        is_tracking = self._label_balance[str(found.application)] > 0
        return self._with_label(key, labels, overwrites=False) if is_tracking else reserved_metadata()

    def _without_annotation(self, labels: Mapping[str, Json], desired: Mapping[str, Json]) -> ReservedMetadata | None:
        """Finds the tracking label, which Argo CD must have set because there is no annotation."""
        candidates = frozenset(name for name, value in labels.items() if desired.get(name) != value)
        key = next((key for key in self.keys if key in candidates), None)
        if key in desired and len(candidates) > 1:
            # The difference of this label may be a change in Git that was not synced yet.
            self._settings()
            key = next((key for key in self.keys if key in candidates), None)
        if key is not None:
            return self._with_label(key, labels, overwrites=len(candidates) == 1)
        if not candidates or any(key in labels and key != INSTANCE_LABEL for key in self.keys):
            return reserved_metadata()
        if self._settings():
            key = next((key for key in self.keys if key in candidates), None)
            return reserved_metadata() if key is None else self._with_label(key, labels, overwrites=True)
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

    def known_keys(self) -> Sequence[str] | None:
        """Returns the keys that the label has according to Argo CD's ConfigMaps; None if none can be read."""
        # It does not narrow `keys`: what is reported must not depend on which object has been compared first.
        return _keys(self._read_once()) or None

    def _settings(self) -> Sequence[_Settings]:
        """Returns the settings of each Argo CD whose ConfigMap can be read, whose keys are then the only ones."""
        found = self._read_once()
        if found:
            self.keys = _keys(found)
        return found

    def _read_once(self) -> Sequence[_Settings]:
        if not self._has_read_settings:
            # Set first: after a ConnectError, there is no second attempt.
            self._has_read_settings = True
            read = self._source, self._resources
            self._config = _read_settings(*read, self._namespaces()) or _read_settings(*read, [ARGOCD_NAMESPACE])
        return self._config

    def _namespaces(self) -> Iterator[str]:
        """Yields the namespaces of the Argo CDs that apply the Applications."""
        # One of each namespace: those in the namespaces of teams usually have the same Argo CD.
        one_of_each = dict(sorted(self._applications or self._listed(), reverse=True))
        for namespace, name in islice(sorted(one_of_each.items()), _MAX_NAMESPACES):
            live = _get(self._source, self._resources, _APPLICATION, namespace, name)
            yield text_at(None if live is None else live.body, "status", "controllerNamespace") or namespace

    def _listed(self) -> Collection[tuple[str, str]]:
        """Returns the namespaces and names of all Applications; none if the account may not list them."""
        resource = self._resources.preferred(*_APPLICATION)
        if resource is None:
            return ()
        try:
            return [(live.namespace or "", live.name) for live in self._source.list(resource, None, metadata_only=True)]
        except RequestError:
            return ()


def _labels(body: Object) -> Object:
    return as_object(at(body, "metadata", "labels"))
