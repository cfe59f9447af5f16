"""Compares the manifests with the watched cluster: everything at once, or one object as it was after one event."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from drift.api import scan_options, with_sources
from drift.audit.users import Syncers
from drift.config.settings import Settings
from drift.gitops.opt_outs import read_ignore_differences
from drift.gitops.revisions import Repository, SyncedRevisions
from drift.kube.live import LiveObject
from drift.model import ManifestsInfo, ObjectReport, Report, Unmanaged
from drift.objects import Manifest, ObjectKey
from drift.policy.rules import apply_policy
from drift.scanning import ComparisonCache, IfBehind, scan_manifests
from drift.scanning.inference import Inferred
from drift.scanning.plan import ResourceMapper
from drift.sources.model import Desired
from drift.watch.audit import AuditWindow
from drift.watch.watched_cluster import ObjectChange, WatchedCluster

#: Seconds between two questions to Git about the checkout.
_GIT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class DesiredState:
    """The manifests, and the settings to compare them with.

    Attributes:
        sources: The manifests, by source.
        info: Their paths and Git commit.
        settings: From ``drift.yaml`` and the command line.
        namespace: The namespace of objects that name none; None for the default of the kubeconfig.
        synced_revision: The Git revision that was last synced; None for the one that Flux or Argo CD records.
    """

    sources: Desired
    info: ManifestsInfo
    settings: Settings
    namespace: str | None = None
    synced_revision: str | None = None


class Comparison:
    """Compares one version of the manifests with the cluster, any number of times.

    Args:
        desired: The manifests and settings.
        cluster: The cluster.
        audit: The audit events, if any.
        inferred: What a scan of an earlier version inferred. Events use it until the first scan ends.

    Raises:
        UsageError: The revision that was last synced does not exist.
        ManifestError: A manifest of that revision cannot be read.
    """

    def __init__(
        self,
        desired: DesiredState,
        cluster: WatchedCluster,
        audit: AuditWindow | None = None,
        inferred: Inferred | None = None,
    ) -> None:
        self._desired = desired
        self._cluster = cluster
        self._audit = audit
        self._cache = ComparisonCache(inferred)
        sources = desired.sources
        self._options = scan_options(sources, desired.settings, desired.namespace, desired.synced_revision)
        self._repository = None if self._options.repository is None else _Checkout(self._options.repository)
        #: One object is compared as in a scan of everything, which knows what all manifests and objects say about it.
        self._change_options = replace(
            self._options,
            unmanaged=Unmanaged.OFF,
            infers=False,
            ignore_differences=(*self._options.ignore_differences, *read_ignore_differences(sources.manifests)[0]),
        )
        self._manifests_by_key = self._by_key()
        self._namespaces = self._read_namespaces()

    @property
    def settings(self) -> Settings:
        """The settings of the comparison."""
        return self._desired.settings

    @property
    def inferred(self) -> Inferred | None:
        """What the last scan inferred."""
        return self._cache.inferred

    def compare_all(self, handle_events: Callable[[], object]) -> Report:
        """Scans everything, like ``drift report``.

        Args:
            handle_events: Called a few hundred times a second. It may call `compare_change`.
        """
        self._cluster.begin_scan(self._namespaces)
        report = scan_manifests(
            self._desired.sources.manifests,
            self._cluster,
            info=self._desired.info,
            options=replace(
                self._options,
                repository=self._repository,
                # Files are served as they are: when the checkout is updated, they are read again.
                if_behind=IfBehind.NOTE,
                observe=lambda _: handle_events(),
            ),
            cache=self._cache,
        )
        self._cluster.end_scan()
        handle_events()
        report = self._with_users(with_sources(report, self._desired.sources), is_whole=True)
        handle_events()
        return self._with_policy(report)

    def compare_change(self, change: ObjectChange) -> ObjectReport | None:
        """Compares one object as it was right after a change, even if it has changed again since.

        Returns:
            The result, or None if no manifest that a scan compares defines the object.
        """
        manifest = self._find(change)
        if manifest is None:
            return None
        options = self._change_options
        if change.after is None and options.synced is None and change.before is not None:
            # The object is deleted, so only its last version shows which revision it was synced from.
            options = replace(options, synced=self._synced_manifests(change, change.before))
        report = scan_manifests(
            [manifest],
            self._cluster.right_after(change),
            info=self._desired.info,
            options=options,
            cache=self._cache,
        )
        key = change.key
        report = self._with_users(report, is_whole=False)
        # While the served kinds change, the object may have another key.
        return next((item for item in self._with_policy(report).objects if item.key == key), None)

    def has_manifest(self, change: ObjectChange) -> bool:
        """Returns whether a manifest that a scan compares defines the changed object."""
        return self._find(change) is not None

    def clear_cache(self) -> None:
        """Drops what depends on the served kinds and schemas. Call it after they changed."""
        self._cache = ComparisonCache(self.inferred)
        self._manifests_by_key = self._by_key()
        self._namespaces = self._read_namespaces()

    def set_manifests_info(self, info: ManifestsInfo) -> None:
        """Replaces the Git commit of the manifests, whose content is unchanged."""
        self._desired = replace(self._desired, info=info)
        if self._repository is not None:
            self._repository.forget()

    def _with_users(self, report: Report, *, is_whole: bool) -> Report:
        if self._audit is None:
            return report
        syncers = Syncers.of(report, self._desired.settings, self._desired.synced_revision)
        return self._audit.join(report, self._cluster.resources, syncers, is_whole=is_whole)

    def _with_policy(self, report: Report) -> Report:
        return apply_policy(report, self._desired.settings)

    def _synced_manifests(self, change: ObjectChange, live: LiveObject) -> tuple[Manifest, ...] | None:
        """Returns the manifests of the revision that the object was last synced from, or None if it is unknown."""
        if self._options.repository is None:
            return None
        by_key = ResourceMapper(self._cluster, self._options).by_key
        revisions = SyncedRevisions(
            self._cluster,
            self._options.repository,
            by_key,
            known=self._options.gitops_objects,
            tracking=None if self.inferred is None else self.inferred.tracking,
        )
        found = revisions.manifests(live.body, change.key)
        return None if found is None else tuple(found.values())

    def _by_key(self) -> Mapping[ObjectKey, Manifest]:
        """Returns the manifests that a scan compares. Of an object that is defined twice, it may compare neither."""
        return ResourceMapper(self._cluster, self._options).resolve(self._desired.sources.manifests).compared

    def _read_namespaces(self) -> frozenset[str] | None:
        """Returns the namespaces in which a scan reads objects; None for all."""
        options = self._options
        if options.unmanaged is Unmanaged.CLUSTER:
            return None
        mapper = ResourceMapper(self._cluster, options)
        # A scan looks for what Git has dropped, also in namespaces without manifests.
        synced = (key for base in options.bases.values() for key in mapper.by_key(base))
        keys = (*self._manifests_by_key, *options.applied, *synced)
        return frozenset(key.namespace for key in keys if key.namespace is not None)

    def _find(self, change: ObjectChange) -> Manifest | None:
        """Returns the manifest of the changed object if it has the API version that is watched."""
        manifest = self._manifests_by_key.get(change.key)
        return manifest if manifest is not None and manifest.api_version == change.place.resource.api_version else None


class _Checkout:
    """A repository that asks Git only now and then how far its checkout is behind: a watch may scan twice a second."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._behind: dict[str | None, int] = {}
        self._asked_at = monotonic()

    @property
    def origins(self) -> frozenset[str]:
        """As `Repository.origins`."""
        return self._repository.origins

    def load(self, commit: str) -> Sequence[Manifest]:
        """As `Repository.load`."""
        return self._repository.load(commit)

    def commit(self, revision: str) -> str:
        """As `Repository.commit`."""
        return self._repository.commit(revision)

    def may_be_behind(self) -> bool:
        """As `Repository.may_be_behind`, of a few seconds ago."""
        return bool(self._remembered(None, lambda: int(self._repository.may_be_behind())))

    def commits_behind(self, commit: str) -> int:
        """As `Repository.commits_behind`, of a few seconds ago."""
        return self._remembered(commit, lambda: self._repository.commits_behind(commit))

    def forget(self) -> None:
        """Asks again at the next scan."""
        self._behind, self._asked_at = {}, monotonic()

    def _remembered(self, commit: str | None, ask: Callable[[], int]) -> int:
        if monotonic() - self._asked_at > _GIT_SECONDS:
            self.forget()
        if commit not in self._behind:
            self._behind[commit] = ask()
        return self._behind[commit]
