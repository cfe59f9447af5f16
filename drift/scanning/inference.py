"""What a scan infers from all live objects: their applier, their trackers, and the key of Argo CD's tracking label."""

from collections.abc import Sequence
from dataclasses import dataclass

from drift.errors import ConnectError
from drift.gitops.argocd_tracking import TrackingLabels
from drift.gitops.managers import Election, Managers, state_entries
from drift.gitops.tracked_by import Trackers
from drift.gitops.tracking import ReservedMetadata, reserved_metadata
from drift.kube.live import LiveObject, LiveSource
from drift.kube.resources import Resources
from drift.managed_fields import manager_names, read_entries
from drift.objects import Manifest, at
from drift.scanning.options import Options
from drift.scanning.plan import Pair, PlannedKind
from drift.scanning.read import Unread
from drift.scanning.unmanaged import UnmanagedSearch


@dataclass(frozen=True, slots=True)
class Inferred:
    """What a scan of all manifests inferred.

    Attributes:
        applier: The inferred applier, or None.
        tracking: Knows which labels Argo CD tracks objects by.
        trackers: The trackers of the live objects.
    """

    applier: str | None
    tracking: TrackingLabels
    trackers: Trackers


class Inference:
    """Learns from one pair after the other. Most pairs can be compared at once; others must wait for all pairs.

    Args:
        source: The cluster or dump.
        resources: The kinds that the scan may read.
        options: The options of the scan.
        managers: The field managers that the user names.
        earlier: What an earlier scan of all manifests inferred, if this is a scan of only some of them.

    Attributes:
        tracking: Knows which labels Argo CD tracks objects by.
        trackers: The trackers of the live objects.
    """

    def __init__(
        self,
        source: LiveSource,
        resources: Resources,
        options: Options,
        managers: Managers,
        earlier: Inferred | None = None,
    ) -> None:
        applications = [(one.namespace, one.name) for one in options.gitops_objects if one.kind == "Application"]
        self.tracking = TrackingLabels(source, resources, applications) if earlier is None else earlier.tracking
        self.trackers = Trackers(self.tracking) if earlier is None else earlier.trackers
        self._election = Election(managers)
        self._infers_applier = options.infers
        self._knows_trackers = earlier is not None

    def add_trackers(self, pair: Pair, reserved: ReservedMetadata) -> None:
        """Learns the trackers of a pair, unless an earlier scan knows them."""
        if not self._knows_trackers:
            self.trackers.add(pair.key, pair.live.body, reserved, pair.manifest.origins)

    def reserved_now(self, pair: Pair) -> ReservedMetadata | None:
        """Learns from a pair. Returns its reserved metadata, or None if its comparison must wait for all pairs."""
        reserved = self.tracking.reserved_for(pair.desired, pair.live)
        return None if reserved is None or self._needs_vote(pair.live) else reserved

    def learn_from_other_shard(self, manifest: Manifest, live: LiveObject) -> None:
        """Learns from a pair that another shard reports on."""
        self.trackers.add_from_other_shard(live.body, manifest.origins)
        self._vote(manifest, live)

    def needs_other_shards(self, postponed: Sequence[Pair]) -> bool:
        """Whether the applier of the postponed pairs depends on objects of other shards."""
        return bool(postponed) and not self._election.has_known_applier

    def finish(self, postponed: Sequence[Pair]) -> str | None:
        """Learns from the postponed pairs, after all others are known. Returns the inferred applier, or None."""
        for pair in postponed:
            self._vote(pair.manifest, pair.live)
        self.tracking.complete()
        return self._election.winner()

    def reserved(self, pair: Pair) -> ReservedMetadata:
        """Returns the reserved metadata of a postponed pair, after `finish`."""
        return self.tracking.reserved_for(pair.desired, pair.live) or reserved_metadata()

    def _needs_vote(self, live: LiveObject) -> bool:
        if not self._infers_applier:
            return False
        managed_fields = at(live.body, "metadata", "managedFields")
        names = manager_names(managed_fields)
        return self._election.needs_vote(names, state_entries(names, managed_fields))

    def _vote(self, manifest: Manifest, live: LiveObject) -> None:
        if self._needs_vote(live):
            self._election.vote(read_entries(live.body["metadata"]["managedFields"]), manifest.body, live.body)


class OtherShards:
    """Reads the objects of other shards, at most once, and only if the report of this shard depends on them.

    Args:
        kinds: The manifests of the other shards.
        search: Reads live objects.
        inference: Learns from the objects.

    Attributes:
        errors: Why the objects could not be read, in one sentence.
    """

    def __init__(self, kinds: Sequence[PlannedKind], search: UnmanagedSearch, inference: Inference) -> None:
        self.errors: list[str] = []
        self._kinds = kinds
        self._search = search
        self._inference = inference
        self._is_read = False

    def read_once(self, *, metadata_only: bool = True) -> None:
        """Reads the objects, unless that was done before.

        Args:
            metadata_only: Whether metadata is enough. It is for trackers, but not for the applier.
        """
        if self._is_read:
            return
        self._is_read = True
        try:
            for kind in self._kinds:
                self._read(kind, metadata_only=metadata_only)
        except ConnectError as error:
            self.errors.append(f"could not find out who applies the objects of other shards: {error}")

    def _read(self, kind: PlannedKind, *, metadata_only: bool) -> None:
        reader = self._search.reader
        read = reader.list if self._search.searches(kind.resource) else reader.get_or_list
        for live in read(kind.resource, kind.namespaces, metadata_only=metadata_only):
            # If an object cannot be read, its own shard reports that.
            if isinstance(live, Unread):
                continue
            manifest = kind.namespaces.get(live.namespace, {}).get(live.name)
            if manifest is not None:
                self._inference.learn_from_other_shard(manifest, live)
