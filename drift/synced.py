"""What was last synced: the manifests at the revision that Flux or Argo CD records for the objects they sync.

Asked for only where an object differs, so that a cluster in sync costs no request for it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from drift.cluster.live import LiveObject
from drift.cluster.resources import Resource, Resources
from drift.errors import DriftError, RequestError
from drift.model import Json, Manifest, Object, ObjectKey
from drift.ownership.argocd import TRACKING_ID, tracked

#: Reads the manifests at a Git revision, by what they are known by.
LoadByKey = Callable[[str], Mapping[ObjectKey, Manifest]]
#: Reads the manifests at a Git revision.
LoadRevision = Callable[[str], Sequence[Manifest]]

_FLUX_LABEL: Final = "kustomize.toolkit.fluxcd.io/"
#: Argo CD names an Application alone unless it lives outside of this namespace.
_ARGOCD_NAMESPACE: Final = "argocd"


class _Source(Protocol):
    @property
    def resources(self) -> Resources: ...

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None: ...


@dataclass(frozen=True, slots=True)
class SyncedBy:
    """The object of a syncer that keeps another object in sync: a Flux Kustomization or an Argo CD Application."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """For messages."""
        return f"{self.kind} {self.namespace}/{self.name}"


def synced_by(live: Object) -> SyncedBy | None:
    """Which syncer's object a live object is marked with; None where it bears no mark."""
    name, namespace = (_text(live, "labels", f"{_FLUX_LABEL}{part}") for part in ("name", "namespace"))
    if name and namespace:
        return SyncedBy("kustomize.toolkit.fluxcd.io", "Kustomization", namespace, name)
    application = _application(live)
    if application is None:
        return None
    namespace, _, name = application.rpartition("_")
    return SyncedBy("argoproj.io", "Application", namespace or _ARGOCD_NAMESPACE, name)


def _application(live: Object) -> str | None:
    """The Argo CD Application that a live object is marked with, by the annotation or by a usual label."""
    tracking = _text(live, "annotations", TRACKING_ID)
    if ":" in tracking:
        return tracking.partition(":")[0]
    found = tracked(live)
    return None if found is None else found.application


def _text(live: Object, field: str, name: str) -> str:
    """A label or an annotation; "" where there is none, or none that is a text."""
    value: Json = live
    for part in ("metadata", field, name):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


class SyncedRevisions:
    """Finds and reads what was last synced, once per syncer's object.

    Attributes:
        notes: Why it is not known, one sentence per syncer's object.
    """

    def __init__(self, source: _Source, load: LoadByKey, resources: Resources | None = None) -> None:
        """Nothing is read yet.

        Args:
            source: The live side.
            load: Reads the manifests at a Git revision.
            resources: The kinds that may be asked for; None for all that the source has.
        """
        self._source = source
        self._resources = resources or source.resources
        self._load = load
        self._manifests: dict[SyncedBy, Mapping[ObjectKey, Manifest] | None] = {}
        self._by_revision: dict[str, Mapping[ObjectKey, Manifest]] = {}
        self.notes: list[str] = []

    def manifests(self, live: Object) -> Mapping[ObjectKey, Manifest] | None:
        """The manifests that were last synced together with a live object; None where that is not known."""
        syncer = synced_by(live)
        return None if syncer is None else self._of(syncer)

    def common(self, syncers: Iterable[SyncedBy]) -> Mapping[ObjectKey, Manifest] | None:
        """The manifests that several syncers' objects synced last, as far as they tell; None if they differ."""
        known = [found for syncer in sorted(syncers, key=str) if (found := self._of(syncer)) is not None]
        return known[0] if known and all(found is known[0] for found in known) else None

    def _of(self, syncer: SyncedBy) -> Mapping[ObjectKey, Manifest] | None:
        if syncer not in self._manifests:
            self._manifests[syncer] = self._read(syncer)
        return self._manifests[syncer]

    def _read(self, syncer: SyncedBy) -> Mapping[ObjectKey, Manifest] | None:
        resource = self._resources.preferred(syncer.group, syncer.kind)
        if resource is None:
            return None
        try:
            live = self._source.get(resource, syncer.namespace, syncer.name)
        except RequestError as error:
            self.notes.append(f"the revision that {syncer} synced last cannot be read: {error}")
            return None
        revision = None if live is None else recorded_revision(live.body)
        if revision is None:
            return None
        try:
            if revision not in self._by_revision:
                self._by_revision[revision] = self._load(revision)
        except DriftError as error:
            self.notes.append(f"what {syncer} synced last is not known: {error}")
            return None
        return self._by_revision[revision]


def recorded_revision(syncer: Object) -> str | None:
    """The Git commit that a Kustomization or an Application says it synced last; None where it says none."""
    for path in _WHERE_RECORDED:
        value: Json = syncer
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, str) and value:
            # Flux writes "main@sha1:<commit>", in older versions "main/<commit>"; Argo CD the commit alone.
            return value.rpartition(":")[2].rpartition("/")[2]
    return None


_WHERE_RECORDED: Final = (("status", "lastAppliedRevision"), ("status", "sync", "revision"))
