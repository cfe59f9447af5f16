"""Runs the stages of a scan: plan, read, compare, unmanaged, report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

from drift.errors import ConnectError, RequestError, ScanError
from drift.gitops.opt_outs import apply_opt_outs, expected_absence
from drift.gitops.revisions import SyncedAhead, SyncedRevisions
from drift.kube.live_object import LiveObject
from drift.kube.live_source import LiveSource
from drift.model import Cause, Manifest, ManifestsInfo, ObjectKey, ObjectReport, Report, Status
from drift.policy.findings import missing_finding
from drift.policy.unmanaged import ManagedScope
from drift.scanning.cache import ComparisonCache, NoCache
from drift.scanning.comparison import PairComparer
from drift.scanning.options import Options, ScanStep
from drift.scanning.plan import Absent, Plan, PlannedKind, ResourceMapper
from drift.scanning.read import Reader, Unread
from drift.scanning.types import Types
from drift.scanning.unmanaged import UnmanagedSearch

_FORBIDDEN: Final = 403
#: Objects from one word on the progress to the next.
_STEP: Final = 100


def scan_manifests(
    manifests: Sequence[Manifest],
    source: LiveSource,
    *,
    info: ManifestsInfo,
    options: Options,
    schemas: Mapping[str, Any] | None = None,
    cache: ComparisonCache | None = None,
) -> Report:
    """Compares manifests with the live side.

    Args:
        manifests: The desired objects.
        source: The live side.
        info: Where the manifests come from, for the report.
        options: What the user said about the scan.
        schemas: The OpenAPI document to use where the source has none of its own.
        cache: What earlier scans with the same options, manifests and schemas found; learns from this one.

    Raises:
        ManifestError: Two manifests describe one object. What cannot be read is in the report.
    """
    scan = _Scan(source, options, manifests, schemas, cache)
    report = scan.run(info)
    ahead = scan.ahead() if options.catch_up else None
    if ahead is None:
        return replace(report, notes=tuple(scan.notes()))
    if info.git_dirty:
        note = f"{ahead.sentence}; it has uncommitted changes, so the files are compared as they are"
        return replace(report, notes=(*report.notes, note))
    newer = _Scan(source, options, ahead.manifests, schemas, None).run(replace(info, git_commit=ahead.commit))
    note = f"{ahead.sentence}, so this report compares the cluster with that commit; `git pull` updates the checkout"
    return replace(newer, notes=(note, *newer.notes))


class _Scan:
    def __init__(
        self,
        source: LiveSource,
        options: Options,
        manifests: Sequence[Manifest],
        schemas: Mapping[str, Any] | None,
        cache: ComparisonCache | None,
    ) -> None:
        self._source = source
        self._options = options
        self._observe = options.observe
        self._manifests = manifests
        self._resolver = ResourceMapper(source, options)
        # What may be asked for; a kind that the user leaves out is not even looked up.
        resources = source.resources.without(lambda group, kind: options.unchecked_kind(group, kind) is not None)
        self._types = Types(source, schemas, [manifest.body for manifest in manifests])
        self._reader = Reader(source)
        self._unmanaged = UnmanagedSearch(self._reader, resources, options)
        self._cluster_id = source.info.server if source.info else ""
        self._errors: list[str] = []
        self._reports: list[ObjectReport] = []
        self._absent: list[Absent] = []
        self._elsewhere: tuple[PlannedKind, ...] = ()
        self._synced = None if options.synced is None else self._resolver.by_key(options.synced)
        self._recorded = (
            None
            if options.repository is None
            else SyncedRevisions(source, options.repository, self._resolver.by_key, resources)
        )
        self._pairs = PairComparer(
            source,
            options,
            manifests,
            self._types,
            resources,
            synced=self._synced,
            recorded=self._recorded,
            cache=cache or NoCache(),
        )

    def run(self, info: ManifestsInfo) -> Report:
        start = monotonic()
        everything = self._resolver.resolve(self._manifests)
        wanted = everything.part(self._options.shard)
        self._elsewhere = everything.part(self._options.shard, others=True).kinds
        self._reports += wanted.unchecked
        self._absent += wanted.absent
        lost: ConnectError | None = None
        for kind in wanted.kinds:
            lost = self._scan_kind(kind, wanted, lost)
        if self._pairs.needs_all_objects:
            self._look_elsewhere()
        self._reports += self._pairs.postponed()
        self._report_missing()
        if lost is None:
            self._unmanaged.search(everything, wanted.searched)
        if self._unmanaged.owners(self._pairs.tracking.keys) - self._pairs.owners.known:
            self._look_elsewhere()
        self._reports += self._unmanaged.reports(
            ManagedScope(
                self._pairs.owners.known,
                frozenset(everything.searched),
                everything.described,
                self._pairs.tracking.keys,
            ),
            self._was_synced,
            self._cluster_id,
        )
        return Report(
            generated_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            cluster=self._source.info,
            manifests=info,
            objects=tuple(sorted(self._reports, key=_report_order)),
            notes=tuple(self.notes()),
            errors=(*self._errors, *self._unmanaged.errors),
            duration_seconds=round(monotonic() - start, 3),
            api_requests=self._source.request_count,
        )

    def notes(self) -> Iterator[str]:
        """What the reader should know of the scan as a whole, one sentence each."""
        yield from self._pairs.notes
        yield from self._types.notes
        yield from self._unmanaged.notes
        yield from self._pairs.owners.notes()
        if self._recorded is not None:
            yield from self._recorded.notes
        if self._source.info is None:
            yield from _ownerless(self._pairs.without_owners, self._pairs.with_owners)

    # -- the live side

    def _scan_kind(self, kind: PlannedKind, wanted: Plan, lost: ConnectError | None) -> ConnectError | None:
        """Compares the objects of one kind.

        Args:
            kind: The manifests of the kind.
            wanted: All manifests.
            lost: What ended the connection; a server that is gone is not asked again for every kind.

        Returns:
            What has ended the connection by now.
        """
        remaining = {namespace: dict(manifests) for namespace, manifests in kind.namespaces.items()}
        try:
            if lost is not None:
                raise lost
            self._tell_of(kind)
            for live in self._live_objects(kind, wanted):
                if isinstance(live, Unread):
                    self._could_not_read(live, kind, remaining)
                    continue
                namespace = live.namespace if kind.resource.namespaced else None
                manifest = remaining.get(namespace, {}).pop(live.name, None)
                if manifest is not None:
                    key = kind.key(namespace, live.name)
                    report = self._pairs.compare(manifest, live, key, kind.resource)
                    if report is not None:
                        self._reports.append(report)
                        if len(self._reports) % _STEP == 0:
                            self._tell_of(kind)
                elif live.name not in kind.namespaces.get(namespace, ()) and self._unmanaged.searches(kind.resource):
                    self._unmanaged.add(kind.resource, live)
        except ConnectError as error:
            for namespace, manifests in remaining.items():
                self._give_up(kind, namespace, manifests, error)
            return error
        self._absent += [
            Absent(manifest, kind.key(namespace, name))
            for namespace, manifests in remaining.items()
            for name, manifest in manifests.items()
        ]
        return None

    def _tell_of(self, kind: PlannedKind) -> None:
        self._observe(ScanStep(kind.resource.full_name, len(self._reports), len(self._manifests)))

    def _live_objects(self, kind: PlannedKind, wanted: Plan) -> Iterator[LiveObject | Unread]:
        """A kind's live objects: more than those that are described where others are of interest too."""
        if not self._unmanaged.searches(kind.resource):
            return self._reader.get_or_list(kind.resource, kind.namespaces)
        return self._unmanaged.read(kind, wanted)

    def _could_not_read(
        self, unread: Unread, kind: PlannedKind, remaining: dict[str | None, dict[str, Manifest]]
    ) -> None:
        """Nothing is known of those that have not come: not "missing", and certainly not "in sync"."""
        for namespace in unread.namespaces:
            if namespace in remaining:
                self._give_up(kind, namespace, remaining.pop(namespace), unread.error)
            else:
                self._unmanaged.note_failure(kind.resource, namespace, unread.error, is_in_git=True)

    def _give_up(
        self, kind: PlannedKind, namespace: str | None, manifests: Mapping[str, Manifest], error: ScanError
    ) -> None:
        plural = kind.resource.plural
        what = f"{plural} in {namespace}" if namespace else plural
        user = self._source.info.impersonated if self._source.info is not None else None
        refused = (
            "may not be read by this account" if user is None else f"may not be read by the impersonated user {user}"
        )
        why = f"{refused} (get, list {what})" if _is_refused(error) else str(error)
        self._errors.append(f"{what}: {why}")
        self._reports += [
            ObjectReport(manifest.api_version, kind.key(namespace, name), manifest.source, Status.UNCHECKED, why)
            for name, manifest in manifests.items()
        ]

    # -- what the cluster lacks

    def _report_missing(self) -> None:
        """Reports what the cluster lacks, at the end: the others tell who syncs it and what was last synced."""
        self._reports += map(self._missing, self._absent)

    def _was_synced(self, key: ObjectKey) -> bool | None:
        """Whether an object was synced once; None if that is not known."""
        if self._synced is not None:
            return key in self._synced
        if self._recorded is None:
            return None
        self._look_elsewhere()
        return self._recorded.was_synced(key, self._pairs.owners.gitops_objects)

    def _why_pending(self, key: ObjectKey) -> str | None:
        """Why an object that was never synced is not there yet; None if nothing tells."""
        return None if self._recorded is None else self._recorded.why_pending(key, self._pairs.owners.gitops_objects)

    def ahead(self) -> SyncedAhead | None:
        """The synced commit that the checkout is behind; None if it is not. To be asked after the scan."""
        if self._recorded is None:
            return None
        if self._options.synced_revision is not None:
            return self._recorded.ahead_at(self._options.synced_revision)
        try:
            self._look_elsewhere()
            return self._recorded.ahead(self._pairs.owners.gitops_objects)
        except ConnectError:
            # The report already says what could not be read.
            return None

    def _look_elsewhere(self) -> None:
        """Learns who syncs the objects of other shards, once; a shard that need not know does without."""
        kinds, self._elsewhere = self._elsewhere, ()
        needs_fields = self._pairs.needs_all_objects
        try:
            for kind in kinds:
                read = self._reader.list if self._unmanaged.searches(kind.resource) else self._reader.get_or_list
                for live in read(kind.resource, kind.namespaces, metadata_only=not needs_fields):
                    # What cannot be read is for the shard to say that it belongs to.
                    manifest = (
                        None if isinstance(live, Unread) else kind.namespaces.get(live.namespace, {}).get(live.name)
                    )
                    if manifest is not None and not isinstance(live, Unread):
                        self._pairs.learn_elsewhere(manifest, live)
        except ConnectError as error:
            self._errors.append(f"could not find out who applies the objects of other shards: {error}")

    def _missing(self, absent: Absent) -> ObjectReport:
        manifest, key = absent.manifest, absent.key
        gone = expected_absence(manifest.body)
        if gone is not None:
            return ObjectReport(manifest.api_version, key, manifest.source, Status.IN_SYNC, gone)
        cause = {None: Cause.UNKNOWN, True: Cause.MANUAL, False: Cause.PENDING_SYNC}[self._was_synced(key)]
        reason = absent.reason
        if cause is Cause.PENDING_SYNC and reason is None:
            reason = self._why_pending(key)
        findings = apply_opt_outs((missing_finding(key, self._cluster_id, cause),), manifest.body, None)
        return ObjectReport(manifest.api_version, key, manifest.source, Status.MISSING, reason, findings)


def _is_refused(error: ScanError) -> bool:
    return isinstance(error, RequestError) and error.status == _FORBIDDEN


def _report_order(report: ObjectReport) -> tuple[str, str, str, str]:
    key = report.key
    return (key.namespace or "", key.group, key.kind, key.name)


def _ownerless(without: int, others: int) -> Iterator[str]:
    """What is to be said of a dump with objects that nobody owns."""
    if without and not others:
        yield (
            "live objects have no managedFields, so drift cannot tell who changed them; "
            "create dumps with --show-managed-fields"
        )
    elif without == 1:
        yield "one live object has no managedFields, so drift cannot tell who changed it"
    elif without:
        yield f"{without} live objects have no managedFields, so drift cannot tell who changed them"
