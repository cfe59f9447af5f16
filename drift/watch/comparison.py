"""The comparison of what is wanted with what is followed: all of it, or one object as it was at one moment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from drift.config.settings import Settings
from drift.gitops.revisions import SyncedRevisions
from drift.kube.live_object import LiveObject
from drift.kube.resources import Resource, Resources
from drift.model import ClusterInfo, Manifest, ManifestsInfo, ObjectKey, ObjectReport, Report, Unmanaged
from drift.policy.judgement import apply_policy
from drift.scanning import ComparisonCache, Options, scan_manifests
from drift.scanning.plan import ResourceMapper
from drift.sources.git_revision import Revisions
from drift.sources.load import LoadedManifests
from drift.watch.watched_cluster import ObjectChange, WatchedCluster

_APPLICATION: Final = ("argoproj.io", "Application")


@dataclass(frozen=True, slots=True)
class DesiredState:
    """What the cluster should be like, and how that is judged.

    Attributes:
        loaded: The manifests.
        info: Where they come from.
        settings: As in ``drift.yaml``, with what the command line says.
        namespace: Where objects live that name no namespace; None: as the cluster's configuration has it.
        synced_revision: The Git revision that was last synced; None: the one that Flux or Argo CD records.
    """

    loaded: LoadedManifests
    info: ManifestsInfo
    settings: Settings
    namespace: str | None = None
    synced_revision: str | None = None


class Comparison:
    """Compares one state of the manifests, again and again.

    Args:
        desired: The manifests.
        source: The cluster.

    Raises:
        UsageError: The revision that was last synced does not exist.
        ManifestError: A manifest of it cannot be read.
    """

    def __init__(self, desired: DesiredState, source: WatchedCluster) -> None:
        self._desired = desired
        self._source = source
        self._remembered = ComparisonCache()
        self._revisions = Revisions(desired.loaded.paths)
        settings = desired.settings
        self._options = Options(
            namespace=desired.namespace,
            appliers=settings.appliers,
            controllers=settings.controllers,
            unchecked=settings.unchecked,
            unmanaged=settings.unmanaged,
            synced=None if desired.synced_revision is None else self._revisions.load(desired.synced_revision),
            repository=self._revisions,
        )
        self._described = self._by_key()
        #: Manifests that have a say in what is found of others: what Argo CD leaves alone.
        self._judges = [item for item in desired.loaded.manifests if (item.group, item.kind) == _APPLICATION]

    @property
    def settings(self) -> Settings:
        """How what is found is judged."""
        return self._desired.settings

    def whole(self) -> Report:
        """Scans everything, as ``drift report`` does.

        Raises:
            ManifestError: Two manifests describe one object.
        """
        self._source.begin_scan(key.namespace for key in self._described if key.namespace is not None)
        report = scan_manifests(
            self._desired.loaded.manifests,
            self._source,
            info=self._desired.info,
            options=self._options,
            remembered=self._remembered,
        )
        self._source.end_scan()
        return self._judge(replace(report, notes=(*self._desired.loaded.unnamed, *report.notes)))

    def one(self, step: ObjectChange) -> ObjectReport | None:
        """Compares one object as it is right after a step, whatever has become of it since.

        Returns:
            What is to be said of it; None where no manifest describes it.
        """
        manifest = self._find(step)
        if manifest is None:
            return None
        options = replace(
            self._options,
            unmanaged=Unmanaged.OFF,
            infers_applier=False,
            inferred_applier=self._remembered.inferred_applier,
        )
        if step.after is None and options.synced is None and step.before is not None:
            # The object itself can say no more who keeps it in sync.
            options = replace(options, synced=self._synced_with(step, step.before))
        report = scan_manifests(
            [manifest, *(other for other in self._judges if other is not manifest)],
            _AtOneMoment(self._source, step),
            info=self._desired.info,
            options=options,
            remembered=self._remembered,
        )
        return next(item for item in self._judge(report).objects if item.source == manifest.source)

    def is_described(self, step: ObjectChange) -> bool:
        """Whether a manifest describes the object of a step."""
        return self._find(step) is not None

    def forget(self) -> None:
        """The cluster has other kinds or schemas than before."""
        self._remembered = ComparisonCache()
        self._described = self._by_key()

    def with_info(self, info: ManifestsInfo) -> None:
        """The manifests are the same, and Git says something else of them."""
        self._desired = replace(self._desired, info=info)

    def _judge(self, report: Report) -> Report:
        return apply_policy(report, self._desired.settings)

    def _synced_with(self, step: ObjectChange, live: LiveObject) -> tuple[Manifest, ...] | None:
        """What was last synced together with an object; None if that is not known."""
        by_key = ResourceMapper(self._source, self._options).by_key
        resource = step.place.resource
        key = ObjectKey(resource.group, resource.kind, step.namespace, step.name)
        found = SyncedRevisions(self._source, self._revisions, by_key).manifests(live.body, key)
        return None if found is None else tuple(found.values())

    def _by_key(self) -> Mapping[ObjectKey, Manifest]:
        return ResourceMapper(self._source, self._options).by_key(self._desired.loaded.manifests)

    def _find(self, step: ObjectChange) -> Manifest | None:
        """The manifest of an object, if it is in the version that the step speaks of."""
        resource = step.place.resource
        manifest = self._described.get(ObjectKey(resource.group, resource.kind, step.namespace, step.name))
        return manifest if manifest is not None and manifest.api_version == resource.api_version else None


class _AtOneMoment:
    """The cluster with one object as it was right after a step."""

    def __init__(self, source: WatchedCluster, step: ObjectChange) -> None:
        self._source = source
        self._step = step

    @property
    def info(self) -> ClusterInfo | None:
        return self._source.info

    @property
    def resources(self) -> Resources:
        return self._source.resources

    @property
    def default_namespace(self) -> str:
        return self._source.default_namespace

    @property
    def request_count(self) -> int | None:
        return self._source.request_count

    def schema(self, resource: Resource) -> Mapping[str, Any] | None:
        return self._source.schema(resource)

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None:
        step = self._step
        if (resource, namespace, name) == (step.place.resource, step.namespace, step.name):
            return step.after
        return self._source.get(resource, namespace, name)

    def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False, at_most: int | None = None
    ) -> Iterator[LiveObject]:
        return self._source.list(resource, namespace, metadata_only=metadata_only, at_most=at_most)
