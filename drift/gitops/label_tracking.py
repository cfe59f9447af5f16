"""Which label Argo CD tracks objects by: read from its ConfigMap, or inferred from what it wrote to the cluster.

Its default key, `app.kubernetes.io/instance`, is one that charts and people use as well, and the key is a setting. So
it is decided for each live object which of its labels are marks. Most objects tell that alone. Where one does not, the
ConfigMap is read, once; where it cannot be read, the object waits until all others are known.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from drift.errors import RequestError
from drift.gitops.argocd_labels import INSTANCE_LABEL, USUAL_LABELS, ArgoCDTracking, argocd_tracking
from drift.gitops.tracking import ReservedMetadata, reserved_metadata
from drift.kube.live_object import LiveObject
from drift.kube.live_source import LiveSource
from drift.kube.resources import Resources
from drift.model import Json, Object

_NAMESPACE: Final = "argocd"
_CONFIG_MAP: Final = "argocd-cm"
#: A label that one object alone has tells nothing.
_ENOUGH: Final = 2
#: Argo CD gives these no tracking label.
_NEVER_LABELLED: Final = "CustomResourceDefinition"


@dataclass(frozen=True, slots=True)
class _Settings:
    """What Argo CD's ConfigMap says.

    Attributes:
        both: Whether objects get the label beside the annotation.
        key: Of the label.
    """

    both: bool
    key: str


class TrackingLabels:
    """Decides which labels of a live object are Argo CD's.

    Attributes:
        keys: The keys that the label may have, as far as is known by now, the likeliest first.
    """

    def __init__(self, source: LiveSource, resources: Resources) -> None:
        """Nothing is read yet.

        Args:
            source: The live side.
            resources: The kinds that may be asked for.
        """
        self.keys: Sequence[str] = USUAL_LABELS
        self._source = source
        self._resources = resources
        self._asked = False
        self._said: _Settings | None = None
        self._marks: dict[tuple[str, str, bool], ReservedMetadata] = {}
        #: Of the objects without the annotation: how many there are, and the labels that all of them have.
        self._count = 0
        self._common: frozenset[str] = frozenset()
        #: Of those that wait: the labels that are not as in Git on each.
        self._candidates: frozenset[str] | None = None
        #: By Application, of the objects with the annotation: how many more have its label than lack it.
        self._labelled: Counter[str] = Counter()
        self._settled = False

    def reserved_for(self, manifest: Object, live: LiveObject) -> ReservedMetadata | None:
        """The marks of one live object.

        Args:
            manifest: The desired object.
            live: The live object.

        Returns:
            The marks; None where they depend on objects that are still to come: ask again after `settle`.
        """
        found = None if live.kind == _NEVER_LABELLED else argocd_tracking(live.body, self.keys)
        if found is None:
            return reserved_metadata()
        labels, wanted = _labels(live.body), _labels(manifest)
        if not self._settled:
            self._learn(found, labels)
        if found.by_annotation:
            return self._beside_annotation(found, labels, wanted)
        return self._alone(live.body, labels, wanted)

    def settle(self) -> None:
        """All objects are known: infers the key of the label that those that wait must have."""
        self._settled = True
        if INSTANCE_LABEL not in self._common and self._count >= _ENOUGH and self._candidates:
            keys = self._candidates & self._common
            if len(keys) == 1:
                self.keys = tuple(keys)

    def _learn(self, found: ArgoCDTracking, labels: Mapping[str, Json]) -> None:
        if found.by_annotation:
            # One that names another Application was edited by hand, and tells nothing of the method.
            if found.label is not None or labels.keys().isdisjoint(self.keys):
                self._labelled[str(found.application)] += 1 if found.label is not None else -1
            return
        self._common = self._common & labels.keys() if self._count else frozenset(labels)
        self._count += 1

    def _beside_annotation(
        self, found: ArgoCDTracking, labels: Mapping[str, Json], wanted: Mapping[str, Json]
    ) -> ReservedMetadata | None:
        """With the method annotation+label; with annotation alone, the label is one that Git had."""
        own = [name for name, value in labels.items() if value == found.in_label and wanted.get(name) != value]
        if not own:
            return reserved_metadata()
        said = self._settings()
        if said is not None:
            is_mark = said.both and said.key in own
            return self._with(said.key, labels, overwrites=True) if is_mark else reserved_metadata()
        key = found.label
        if key not in own or key in wanted:
            return reserved_metadata()
        if not self._settled:
            return None
        is_mark = self._labelled[str(found.application)] > 0
        return self._with(key, labels, overwrites=False) if is_mark else reserved_metadata()

    def _alone(self, live: Object, labels: Mapping[str, Json], wanted: Mapping[str, Json]) -> ReservedMetadata | None:
        """Without the annotation, one of the labels has to be the one by which the object is tracked."""
        candidates = frozenset(name for name, value in labels.items() if wanted.get(name) != value)
        key = next((key for key in self.keys if key in candidates), None)
        if key is not None:
            # Beside other candidates, one that Git names too may be a change that was not synced yet.
            return self._with(key, labels, overwrites=len(candidates) == 1)
        if not candidates or self._settled or any(key in labels and key != INSTANCE_LABEL for key in self.keys):
            return reserved_metadata()
        if self._settings() is not None:
            found = argocd_tracking(live, self.keys)
            key = None if found is None else found.label
            return reserved_metadata() if key not in candidates else self._with(str(key), labels, overwrites=True)
        self._candidates = candidates if self._candidates is None else self._candidates & candidates
        return None

    def _with(self, key: str, labels: Mapping[str, Json], *, overwrites: bool) -> ReservedMetadata:
        value = str(labels[key])
        if (key, value, overwrites) not in self._marks:
            self._marks[key, value, overwrites] = reserved_metadata().with_label(key, value, overwrites=overwrites)
        return self._marks[key, value, overwrites]

    def _settings(self) -> _Settings | None:
        """What Argo CD's ConfigMap says, read once; None where there is none that this account may read."""
        if not self._asked:
            self._asked = True
            self._said = self._read_settings()
            if self._said is not None:
                self.keys = (self._said.key,)
        return self._said

    def _read_settings(self) -> _Settings | None:
        resource = self._resources.preferred("", "ConfigMap")
        try:
            live = None if resource is None else self._source.get(resource, _NAMESPACE, _CONFIG_MAP)
        except RequestError:
            # Few jobs may read it, and the objects themselves say nearly as much.
            return None
        data = None if live is None else live.body.get("data") or {}
        if not isinstance(data, dict):
            return None
        key = data.get("application.instanceLabelKey")
        return _Settings(
            both=data.get("application.resourceTrackingMethod") == "annotation+label",
            key=key if isinstance(key, str) and key else INSTANCE_LABEL,
        )


def _labels(body: Object) -> Mapping[str, Json]:
    metadata = body.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return labels if isinstance(labels, dict) else {}
