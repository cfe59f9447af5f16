"""The scan itself: resolves the manifests, reads their live objects and has each pair compared and judged."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

from drift.cluster.live import LiveObject
from drift.cluster.resources import Resource
from drift.compare.objects import Compared, compare_object
from drift.compare.unmanaged import Ours
from drift.config.settings import UncheckedKind
from drift.errors import ConnectError, ManifestError, RequestError, ScanError
from drift.model import (
    Cause,
    Manifest,
    ManifestsInfo,
    Object,
    ObjectKey,
    ObjectReport,
    Report,
    Status,
)
from drift.policy.argocd import IgnoreDifferences, read_ignore_differences, set_aside
from drift.policy.autoscaling import Autoscaler, concerns_replicas, judge_replicas, read_autoscaler
from drift.policy.findings import deletion_findings, missing_finding, object_findings
from drift.policy.opt_out import honour, why_it_may_be_gone
from drift.scanning.options import Options
from drift.scanning.source import LiveSource
from drift.scanning.strays import Strays
from drift.scanning.syncers import SyncerMarks
from drift.scanning.types import Types
from drift.synced import SyncedRevisions

_FORBIDDEN: Final = 403
_NOTHING: Final[Object] = {"metadata": {}}
#: Up to so many objects of a kind are read one by one where nothing else of the kind is of interest.
_FEW: Final = 5


def scan_manifests(
    manifests: Sequence[Manifest],
    source: LiveSource,
    *,
    info: ManifestsInfo,
    options: Options,
    schemas: Mapping[str, Any] | None = None,
) -> Report:
    """Compares manifests with the live side.

    Args:
        manifests: The desired objects.
        source: The live side.
        info: Where the manifests come from, for the report.
        options: What the user said about the scan.
        schemas: The OpenAPI document to use where the source has none of its own.

    Raises:
        ManifestError: Two manifests describe one object. What cannot be read is in the report.
    """
    return _Scan(source, options, manifests, schemas).run(info)


@dataclass(slots=True)
class _Wanted:
    """The manifests of one kind in one namespace."""

    resource: Resource
    namespace: str | None
    manifests: dict[str, Manifest] = field(default_factory=dict)


class _Scan:
    def __init__(
        self,
        source: LiveSource,
        options: Options,
        manifests: Sequence[Manifest],
        schemas: Mapping[str, Any] | None,
    ) -> None:
        self._source = source
        self._options = options
        self._manifests = manifests
        # What may be asked for; a kind that the user leaves out is not even looked up.
        self._resources = source.resources.without(lambda group, kind: self._unchecked(group, kind) is not None)
        self._types = Types(source, schemas, [manifest.body for manifest in manifests])
        self._strays = Strays(source, self._resources, options)
        self._marks = SyncerMarks()
        self._described: frozenset[ObjectKey] = frozenset()
        self._cluster_id = source.info.server if source.info else ""
        self._errors: list[str] = []
        self._reports: list[ObjectReport] = []
        self._without_owners = 0
        self._absent: list[tuple[Manifest, ObjectKey]] = []
        self._elsewhere: list[_Wanted] = []
        self._autoscalers: dict[str | None, tuple[Autoscaler, ...]] = {}
        self._synced: Mapping[ObjectKey, Manifest] | None = (
            None if options.synced is None else self._by_key(options.synced)
        )
        load = options.load_revision
        self._recorded = (
            None
            if load is None
            else SyncedRevisions(source, lambda revision: self._by_key(load(revision)), self._resources)
        )
        self._argocd, self._notes = self._read_argocd()

    def _read_argocd(self) -> tuple[tuple[IgnoreDifferences, ...], list[str]]:
        entries, notes = read_ignore_differences(self._manifests)
        return entries, list(notes)

    def run(self, info: ManifestsInfo) -> Report:
        start = monotonic()
        wanted = self._resolve(self._manifests)
        shard = self._options.shard
        self._elsewhere = [group for group in wanted.values() if not shard.owns(group.namespace)]
        lost: ConnectError | None = None
        for group in wanted.values():
            if shard.owns(group.namespace):
                lost = self._scan_group(group, lost)
        self._report_missing()
        namespaces = sorted({group.namespace for group in wanted.values() if group.namespace is not None})
        if lost is None:
            self._strays.search(
                {(group.resource.group, group.resource.kind, group.namespace) for group in wanted.values()},
                [namespace for namespace in namespaces if shard.owns(namespace)],
            )
        if self._strays.marks() - self._marks.ours:
            self._look_elsewhere()
        self._reports += self._strays.reports(
            Ours(self._marks.ours, frozenset(namespaces), self._described), self._last_synced, self._cluster_id
        )
        return Report(
            generated_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            cluster=self._source.info,
            manifests=info,
            objects=tuple(
                sorted((report for report in self._reports if shard.owns(report.key.namespace)), key=_report_order)
            ),
            notes=tuple(self._all_notes()),
            errors=(*self._errors, *self._strays.errors),
            duration_seconds=round(monotonic() - start, 3),
            api_requests=self._source.request_count,
        )

    def _all_notes(self) -> Iterator[str]:
        yield from self._notes
        yield from self._types.notes
        yield from self._strays.notes
        yield from self._marks.notes()
        if self._recorded is not None:
            yield from self._recorded.notes
        if self._without_owners and self._source.info is None:
            yield (
                "live objects have no managedFields, so who changed them cannot be told; "
                "make dumps with --show-managed-fields"
            )

    # -- the manifests' side

    def _resolve(self, manifests: Sequence[Manifest]) -> dict[tuple[str, str, str | None], _Wanted]:
        """Groups the manifests by kind and namespace; reports those whose kind is not served."""
        groups: dict[tuple[str, str, str | None], _Wanted] = {}
        seen: dict[ObjectKey, Manifest] = {}
        for manifest in manifests:
            resource = self._resource(manifest)
            key = self._key(manifest, resource)
            if key in seen:
                raise ManifestError(
                    f"{manifest.source}: {key} is also defined in {seen[key].source}; remove one of them"
                )
            seen[key] = manifest
            unchecked = self._unchecked(manifest.group, manifest.kind)
            if unchecked is not None:
                self._reports.append(
                    ObjectReport(
                        manifest.api_version,
                        key,
                        manifest.source,
                        Status.UNCHECKED,
                        unchecked.reason,
                        by_choice=True,
                    )
                )
                continue
            if resource is None:
                self._reports.append(self._not_served(manifest, key))
                continue
            group = groups.setdefault(
                (resource.api_version, resource.kind, key.namespace), _Wanted(resource, key.namespace)
            )
            group.manifests[manifest.name] = manifest
        self._described = frozenset(seen)
        return groups

    def _unchecked(self, group: str, kind: str) -> UncheckedKind | None:
        return next((unchecked for unchecked in self._options.unchecked if unchecked.covers(group, kind)), None)

    def _resource(self, manifest: Manifest) -> Resource | None:
        return self._source.resources.find(manifest.api_version, manifest.kind)

    def _key(self, manifest: Manifest, resource: Resource | None) -> ObjectKey:
        if resource is None or resource.namespaced:
            default = self._options.namespace or self._source.default_namespace
            namespace = manifest.namespace or (default if resource else None)
        else:
            # kubectl and the API server disregard a namespace on a cluster-scoped object.
            namespace = None
        return ObjectKey(manifest.group, manifest.kind, namespace, manifest.name)

    def _not_served(self, manifest: Manifest, key: ObjectKey) -> ObjectReport:
        resources = self._source.resources
        other = resources.preferred(manifest.group, manifest.kind)
        if other is not None:
            reason = f"{manifest.api_version} is not served here; move the manifest to {other.api_version}"
        elif resources.is_broken(manifest.api_version):
            reason = f"what the server has in {manifest.api_version} cannot be told: that API does not answer"
        elif self._source.info is None:
            reason = f"the dump holds no {manifest.kind} of {manifest.api_version}"
            return self._missing(manifest, key, reason)
        else:
            reason = f"the server has no kind {manifest.kind} in {manifest.api_version}; is its CRD installed?"
            return self._missing(manifest, key, reason)
        return ObjectReport(manifest.api_version, key, manifest.source, Status.UNCHECKED, reason)

    def _missing(self, manifest: Manifest, key: ObjectKey, reason: str | None = None) -> ObjectReport:
        gone = why_it_may_be_gone(manifest.body)
        if gone is not None:
            return ObjectReport(manifest.api_version, key, manifest.source, Status.IN_SYNC, gone)
        cause = Cause.UNKNOWN
        if self._synced is not None:
            cause = Cause.MANUAL if key in self._synced else Cause.PENDING_SYNC
        findings = honour((missing_finding(key, self._cluster_id, cause),), manifest.body, None)
        return ObjectReport(manifest.api_version, key, manifest.source, Status.MISSING, reason, findings)

    # -- the live side

    def _scan_group(self, group: _Wanted, lost: ConnectError | None) -> ConnectError | None:
        """Compares one group.

        Args:
            group: The manifests of one kind in one namespace.
            lost: What ended the connection; a server that is gone is not asked again for every kind.

        Returns:
            What has ended the connection by now.
        """
        remaining = dict(group.manifests)
        try:
            if lost is not None:
                raise lost
            for live in self._live_objects(group):
                manifest = remaining.get(live.name)
                if manifest is not None:
                    self._reports.append(self._compare_safely(manifest, live, group))
                    del remaining[live.name]
                elif live.name not in group.manifests and self._strays.wanted(group.resource):
                    self._strays.add(group.resource, live)
        except (RequestError, ConnectError) as error:
            # Nothing is known of those that have not come: not "missing", and certainly not "in sync".
            self._give_up(remaining, group, error)
            return error if isinstance(error, ConnectError) else lost
        self._absent += [(manifest, self._group_key(group, name)) for name, manifest in remaining.items()]
        return lost

    def _report_missing(self) -> None:
        """Reports what the cluster lacks, at the end: the others tell who syncs it and what was last synced."""
        if self._absent:
            self._synced = self._last_synced()
        self._reports += [self._missing(manifest, key) for manifest, key in self._absent]

    def _last_synced(self) -> Mapping[ObjectKey, Manifest] | None:
        """What was last synced of all manifests, whoever syncs them; None where that is not known."""
        if self._synced is None and self._recorded is not None:
            self._look_elsewhere()
            return self._recorded.common(self._marks.syncers)
        return self._synced

    def _look_elsewhere(self) -> None:
        """Learns who syncs the objects of other shards, once; a shard that needs not know it does without."""
        for group in self._elsewhere:
            try:
                for live in self._live_objects(group, metadata_only=True):
                    if live.name in group.manifests:
                        self._marks.learn_elsewhere(live.body)
            except RequestError:
                # The shard that the objects belong to is refused them as well, and says so.
                continue
            except ConnectError as error:
                self._errors.append(f"who syncs the objects of other shards is not known to the end: {error}")
                break
        self._elsewhere = []

    def _live_objects(self, group: _Wanted, *, metadata_only: bool = False) -> Iterator[LiveObject]:
        """A group's live objects: one by one where that is enough, as a list where others are of interest too."""
        if len(group.manifests) <= _FEW and not self._strays.wanted(group.resource):
            for name in group.manifests:
                live = self._source.get(group.resource, group.namespace, name)
                if live is not None:
                    yield live
        else:
            yield from self._source.list(group.resource, group.namespace, metadata_only=metadata_only)

    def _give_up(self, remaining: Mapping[str, Manifest], group: _Wanted, error: ScanError) -> None:
        what = f"{group.resource.plural} in {group.namespace}" if group.namespace else group.resource.plural
        why = f"may not be read by this account (get, list {what})" if _is_refused(error) else str(error)
        self._errors.append(f"{what}: {why}")
        self._reports += [
            ObjectReport(manifest.api_version, self._group_key(group, name), manifest.source, Status.UNCHECKED, why)
            for name, manifest in remaining.items()
        ]

    @staticmethod
    def _group_key(group: _Wanted, name: str) -> ObjectKey:
        return ObjectKey(group.resource.group, group.resource.kind, group.namespace, name)

    def _compare_safely(self, manifest: Manifest, live: LiveObject, group: _Wanted) -> ObjectReport:
        try:
            return self._compare(manifest, live, group)
        except RecursionError:
            # One object that somebody made to be in the way must not cost the report of all the others.
            key = self._group_key(group, manifest.name)
            why = "nested too deep to be compared"
            return ObjectReport(manifest.api_version, key, manifest.source, Status.UNCHECKED, why)

    def _compare(self, manifest: Manifest, live: LiveObject, group: _Wanted) -> ObjectReport:
        key = self._group_key(group, manifest.name)
        self._marks.learn(key, live.body)
        compared = self._compare_with(manifest, live, group, self._synced)
        if compared.judged and self._synced is None and self._recorded is not None:
            recorded = self._recorded.manifests(live.body)
            if recorded is not None:
                compared = self._compare_with(manifest, live, group, recorded)
        self._without_owners += compared.lacks_owners
        findings = object_findings(compared, key, self._cluster_id)
        findings = (*findings, *deletion_findings(live.body, key, self._cluster_id))
        if concerns_replicas(findings):
            findings = judge_replicas(key, findings, self._autoscalers_in(key.namespace))
        findings = set_aside(key, honour(findings, manifest.body, live.body), self._argocd)
        drifted = any(finding.is_drift for finding in findings)
        return ObjectReport(
            api_version=manifest.api_version,
            key=key,
            source=manifest.source,
            status=Status.DRIFTED if drifted else Status.IN_SYNC,
            reason="; ".join(compared.remarks) or None,
            findings=findings,
            decisions=compared.decisions,
        )

    def _compare_with(
        self, manifest: Manifest, live: LiveObject, group: _Wanted, synced: Mapping[ObjectKey, Manifest] | None
    ) -> Compared:
        base: Object | None = None
        if synced is not None:
            known = synced.get(self._group_key(group, manifest.name))
            # An object that is new in Git had nothing synced, which is a base like any other.
            base = _NOTHING if known is None else known.body
        return compare_object(
            manifest.body,
            live.body,
            live.last_applied,
            self._types.type(group.resource),
            appliers=self._options.appliers,
            controllers=self._options.controllers,
            synced=base,
        )

    def _by_key(self, manifests: Iterable[Manifest]) -> dict[ObjectKey, Manifest]:
        return {self._key(manifest, self._resource(manifest)): manifest for manifest in manifests}

    def _autoscalers_in(self, namespace: str | None) -> tuple[Autoscaler, ...]:
        """The namespace's autoscalers; asked for only where replicas differ."""
        if namespace not in self._autoscalers:
            resource = self._resources.preferred("autoscaling", "HorizontalPodAutoscaler")
            found: list[Autoscaler] = []
            try:
                for live in self._source.list(resource, namespace) if resource else ():
                    autoscaler = read_autoscaler(live.body)
                    if autoscaler is not None:
                        found.append(autoscaler)
            except RequestError as error:
                self._notes.append(f"whether an autoscaler sets replicas in {namespace} cannot be told: {error}")
            self._autoscalers[namespace] = tuple(found)
        return self._autoscalers[namespace]


def _is_refused(error: ScanError) -> bool:
    return isinstance(error, RequestError) and error.status == _FORBIDDEN


def _report_order(report: ObjectReport) -> tuple[str, str, str, str]:
    key = report.key
    return (key.namespace or "", key.group, key.kind, key.name)
