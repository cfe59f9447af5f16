"""Compares each manifest with its live object and makes the object's report."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from drift.compare.objects import ObjectComparison, compare_object
from drift.compare.ownership import NO_BASE_NOTE
from drift.compare.proof import InSyncProof
from drift.gitops.ignore_differences import apply_ignore_differences, read_ignore_differences
from drift.gitops.label_tracking import TrackingLabels
from drift.gitops.managers import Election, ManagerName, Managers
from drift.gitops.opt_outs import apply_opt_outs
from drift.gitops.owners import TrackingOwners
from drift.gitops.revisions import SyncedRevisions
from drift.gitops.tracking import ReservedMetadata, reserved_metadata
from drift.kube.live_object import LiveObject
from drift.kube.live_source import LiveSource
from drift.kube.resources import Resource, Resources
from drift.managed_fields import ManagedFieldsError, manager_names, read_entries
from drift.model import Manifest, Object, ObjectKey, ObjectReport, Status
from drift.policy.autoscaling import concerns_replicas, judge_replicas
from drift.policy.findings import deletion_findings, object_findings
from drift.scanning.autoscalers import Autoscalers
from drift.scanning.cache import NoCache
from drift.scanning.options import Options
from drift.scanning.types import Types
from drift.schema.facts import known_facts

_NOTHING: Object = {"metadata": {}}


def _managers_of(live: LiveObject) -> tuple[ManagerName, ...]:
    metadata = live.body.get("metadata")
    return manager_names(metadata.get("managedFields")) if isinstance(metadata, dict) else ()


class PairComparer:
    """Compares pairs, and gathers on the way what they tell of the whole.

    Attributes:
        owners: The GitOps owners of the live objects.
        tracking: Which labels are Argo CD's.
        without_owners: How many live objects had no ``managedFields``.
        with_owners: How many of those that were compared had some.
    """

    def __init__(
        self,
        source: LiveSource,
        options: Options,
        manifests: Sequence[Manifest],
        types: Types,
        resources: Resources,
        *,
        synced: Mapping[ObjectKey, Manifest] | None,
        recorded: SyncedRevisions | None,
        cache: NoCache,
    ) -> None:
        """Nothing is compared yet.

        Args:
            source: The live side.
            options: What the user said about the scan.
            manifests: All of them; Argo CD's Applications among them say what it ignores.
            types: The types of the kinds.
            resources: The kinds that may be asked for.
            synced: What was last synced, as the user says; None where they do not.
            recorded: What was last synced, as syncers record it; None to do without.
            cache: What earlier scans found.
        """
        self.tracking = TrackingLabels(source, resources)
        self.owners = TrackingOwners(self.tracking)
        self.without_owners = 0
        self.with_owners = 0
        self._argocd, notes = read_ignore_differences(manifests)
        self._notes = notes
        self._options = options
        self._types = types
        self._synced = synced
        self._recorded = recorded
        self._cache = cache
        self._cluster_id = source.info.server if source.info else ""
        self._managers = Managers(options.appliers, options.controllers, options.inferred_applier)
        self._proofs: dict[ReservedMetadata, InSyncProof] = {}
        self._election = Election(self._managers)
        self._postponed: list[tuple[Manifest, LiveObject, ObjectKey, Resource]] = []
        self._unexplained: Counter[str] = Counter()
        self._autoscalers = Autoscalers(source, resources)

    @property
    def notes(self) -> Sequence[str]:
        """What the reader should know of the scan as a whole, one sentence each."""
        return (*self._notes, *self._applier_notes(), *self._autoscalers.notes)

    def _applier_notes(self) -> Iterator[str]:
        inferred = self._managers.inferred
        if inferred is not None and self._options.infers_applier:
            yield (
                f"no known GitOps applier has written these objects; {inferred} counts as the applier, because it owns "
                "most of their fields (--applier NAME names another one)"
            )
        for manager, count in sorted(self._unexplained.items()):
            fields = "one field" if count == 1 else f"{count} fields"
            yield (
                f"{manager} set {fields} that Git does not have: {NO_BASE_NOTE}; "
                "--synced-revision REV, the Git revision that was last installed, tells these apart"
            )

    def compare(self, manifest: Manifest, live: LiveObject, key: ObjectKey, resource: Resource) -> ObjectReport | None:
        """What is to be said of one pair; None if it depends on other pairs (`postponed`).

        Args:
            manifest: The desired object.
            live: The live object, in the manifest's version.
            key: What both are known by.
            resource: Their kind.
        """
        reserved = self.tracking.reserved_for(manifest.body, live)
        if reserved is None or self._has_vote(live):
            self._postponed.append((manifest, live, key, resource))
            return None
        return self._guarded(manifest, live, key, resource, reserved)

    @property
    def needs_all_objects(self) -> bool:
        """Whether the applier of postponed pairs depends on objects that belong to other shards."""
        return bool(self._postponed) and not self._election.has_known_applier

    def learn_elsewhere(self, manifest: Manifest, live: LiveObject) -> None:
        """Takes note of a pair that belongs to another shard: its tracking labels, and its vote for the applier."""
        self.owners.add_from_other_shard(live.body)
        if self._has_vote(live):
            self._vote(manifest, live)

    def postponed(self) -> Iterator[ObjectReport]:
        """Infers the applier and Argo CD's tracking label, and compares the pairs that waited for them."""
        for manifest, live, _, _ in self._postponed:
            if self._has_vote(live):
                self._vote(manifest, live)
        self.tracking.settle()
        inferred = self._election.winner()
        if self._options.infers_applier:
            self._cache.inferred_applier = inferred
        if inferred is not None:
            self._managers = replace(self._managers, inferred=inferred)
            self._proofs = {}
        for manifest, live, key, resource in self._postponed:
            reserved = self.tracking.reserved_for(manifest.body, live) or reserved_metadata()
            yield self._guarded(manifest, live, key, resource, reserved)

    def _has_vote(self, live: LiveObject) -> bool:
        return self._options.infers_applier and self._election.needs_vote(_managers_of(live))

    def _proof(self, reserved: ReservedMetadata) -> InSyncProof:
        if reserved not in self._proofs:
            self._proofs[reserved] = InSyncProof(known_facts(), reserved, self._managers)
        return self._proofs[reserved]

    def _vote(self, manifest: Manifest, live: LiveObject) -> None:
        try:
            entries = read_entries(live.body["metadata"]["managedFields"])
        except ManagedFieldsError:
            return
        self._election.vote(entries, manifest.body, live.body)

    def _guarded(
        self, manifest: Manifest, live: LiveObject, key: ObjectKey, resource: Resource, reserved: ReservedMetadata
    ) -> ObjectReport:
        try:
            return self._compare(manifest, live, key, resource, reserved)
        except RecursionError:
            # One malicious object must not prevent the report of all others.
            why = "nested too deeply to compare"
            return ObjectReport(manifest.api_version, key, manifest.source, Status.UNCHECKED, why)

    def _compare(
        self, manifest: Manifest, live: LiveObject, key: ObjectKey, resource: Resource, reserved: ReservedMetadata
    ) -> ObjectReport:
        self.owners.add(key, live.body, reserved)
        known = self._cache.find(manifest, live)
        if known is not None:
            return known
        base = self._base(self._synced, key)
        schema = self._types.type(resource)
        if not self._options.explain and self._proof(reserved).holds(
            manifest.body, live.body, base, live.last_applied, schema
        ):
            self.with_owners += 1
            in_sync = ObjectReport(manifest.api_version, key, manifest.source, Status.IN_SYNC)
            return self._cache.keep(manifest, live, in_sync)
        compared = self._compare_with(manifest, live, resource, base, reserved)
        if self._recorded is not None and (compared.differences or compared.has_webhook_changes):
            if self._synced is None:
                recorded = self._base(self._recorded.manifests(live.body, key), key)
                base = base if recorded is None else recorded
                compared = (
                    compared if recorded is None else self._compare_with(manifest, live, resource, base, reserved)
                )
            if compared.has_webhook_changes and self._recorded.contradicts(live.body, key):
                compared = self._compare_with(manifest, live, resource, base, reserved, out_of_sync=True)
        self.without_owners += compared.lacks_owners
        self.with_owners += not compared.lacks_owners
        self._unexplained.update(
            actor.manager for judged in compared.differences if judged.note == NO_BASE_NOTE for actor in judged.actors
        )
        findings = object_findings(compared, key, self._cluster_id)
        findings = (*findings, *deletion_findings(live.body, key, self._cluster_id))
        if concerns_replicas(findings):
            findings = judge_replicas(key, findings, self._autoscalers.in_namespace(key.namespace))
        findings = apply_ignore_differences(key, apply_opt_outs(findings, manifest.body, live.body), self._argocd)
        drifted = any(finding.is_drift for finding in findings)
        report = ObjectReport(
            api_version=manifest.api_version,
            key=key,
            source=manifest.source,
            status=Status.DRIFTED if drifted else Status.IN_SYNC,
            reason="; ".join(compared.remarks) or None,
            findings=findings,
            decisions=compared.decisions,
        )
        if compared.differences or compared.has_webhook_changes or compared.lacks_owners:
            # What others say counts too: the revision that was synced, an autoscaler.
            return report
        return self._cache.keep(manifest, live, report)

    @staticmethod
    def _base(synced: Mapping[ObjectKey, Manifest] | None, key: ObjectKey) -> Object | None:
        """What was last synced of an object; None where that is not known."""
        if synced is None:
            return None
        known = synced.get(key)
        # An object that is new in Git had nothing synced, which is a base like any other.
        return _NOTHING if known is None else known.body

    def _compare_with(
        self,
        manifest: Manifest,
        live: LiveObject,
        resource: Resource,
        base: Object | None,
        reserved: ReservedMetadata,
        *,
        out_of_sync: bool = False,
    ) -> ObjectComparison:
        return compare_object(
            manifest.body,
            live.body,
            live.last_applied,
            self._types.type(resource),
            managers=self._managers,
            synced=base,
            out_of_sync=out_of_sync,
            reserved=reserved,
        )
