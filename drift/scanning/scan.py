"""Runs the stages of a scan: plan, read, compare, unmanaged, report."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from time import monotonic
from typing import Final

from drift.compare.ownership import NO_BASE_NOTE
from drift.errors import ConnectError, RequestError, ScanError
from drift.gitops.flux_values import ENCRYPTED, SOPS_VALUES
from drift.gitops.managers import Managers, applies_as_command
from drift.gitops.opt_outs import read_ignore_differences
from drift.gitops.revisions import SyncedAhead, SyncedRevisions
from drift.gitops.tracking import ReservedMetadata
from drift.kube.live import LiveSource
from drift.kube.resources import Resource
from drift.model import ManifestsInfo, ObjectReport, Report, Status, report_order
from drift.objects import Manifest
from drift.policy.unmanaged import ManagedScope
from drift.scanning.inference import Inference, Inferred, OtherShards
from drift.scanning.last_sync import LastSync, report_missing
from drift.scanning.options import IfBehind, Options, ScanStep
from drift.scanning.pairs import ComparisonCache, PairComparer, PairResult
from drift.scanning.plan import AbsentObject, Pair, PendingKind, Plan, PlannedKind, ResourceMapper
from drift.scanning.read import Autoscalers, Reader, Types, Unread
from drift.scanning.unmanaged import Candidate, UnmanagedSearch, candidate_trackers, report_unmanaged
from drift.words import rfc3339

#: Report the progress after this many objects.
_PROGRESS_INTERVAL: Final = 100


def scan_manifests(
    manifests: Sequence[Manifest],
    source: LiveSource,
    *,
    info: ManifestsInfo,
    options: Options,
    cache: ComparisonCache | None = None,
) -> Report:
    """Compares manifests with a cluster or dump.

    Args:
        manifests: The desired objects.
        source: The cluster or dump.
        info: Where the manifests come from, for the report.
        options: The options of the scan.
        cache: The reports of earlier scans with the same options, manifests and schemas, to which the scan adds its
            own; None for a single scan.

    Returns:
        The report. It also says what could not be read.

    Raises:
        ConnectError: The API server can no longer be reached, and the report depends on it.
    """
    report, newer_commit = _Scan(manifests, source, options, cache).run(info)
    if newer_commit is None:
        return report
    sentence = newer_commit.sentence
    if options.if_behind is IfBehind.NOTE:
        return replace(report, notes=(*report.notes, f"{sentence}; update the checkout"))
    if info.git_dirty:
        note = f"{sentence}; it has uncommitted changes, so the files are compared as they are"
        return replace(report, notes=(*report.notes, note))
    options = replace(options, if_behind=IfBehind.NOTHING)
    info = replace(info, git_commit=newer_commit.commit)
    in_repository = options.repository.origins if options.repository is not None else frozenset()
    others = [manifest for manifest in manifests if not in_repository.issuperset(manifest.origins)]
    report, _ = _Scan([*others, *newer_commit.manifests], source, options, None).run(info)
    note = f"{sentence}, so this report compares the cluster with that commit; `git pull` updates the checkout"
    return replace(report, notes=(note, *report.notes))


@dataclass(slots=True)
class _Results:
    """What the scan of the planned kinds has found so far.

    Attributes:
        reports: The reports of objects.
        absent: The manifests without a live object.
        postponed: The pairs to compare after all others.
        candidates: The live objects that no manifest describes, and that may be unmanaged.
        errors: One sentence for each namespace that could not be read.
        is_connected: Whether the API server could be reached until the end.
        with_managed_fields: The number of compared objects with ``managedFields``.
        without_managed_fields: The number of compared objects without them.
        without_base: The number of fields as in `PairResult.without_base`, by manager.
        with_variables: The names of objects as in `PairResult.differs_in_variables`.
    """

    reports: list[ObjectReport] = field(default_factory=list)
    absent: list[AbsentObject] = field(default_factory=list)
    postponed: list[Pair] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    is_connected: bool = True
    with_managed_fields: int = 0
    without_managed_fields: int = 0
    without_base: Counter[str] = field(default_factory=Counter)
    with_variables: list[str] = field(default_factory=list)

    def add(self, result: PairResult) -> None:
        self.reports.append(result.report)
        if result.has_managed_fields:
            self.with_managed_fields += 1
        elif result.has_managed_fields is not None:
            self.without_managed_fields += 1
        if result.without_base:
            self.without_base.update(result.without_base)
        if result.differs_in_variables:
            self.with_variables.append(str(result.report.key))


class _Scan:
    def __init__(
        self, manifests: Sequence[Manifest], source: LiveSource, options: Options, cache: ComparisonCache | None
    ) -> None:
        self._source = source
        self._options = options
        mapper = ResourceMapper(source, options)
        self._plan = mapper.resolve(manifests)
        # The scan does not read excluded kinds at all, not even to find autoscalers or the settings of Argo CD.
        resources = source.resources.without(lambda group, kind: options.unchecked_kind(group, kind) is not None)
        self._cache = cache
        self._earlier = None if cache is None or options.infers else cache.inferred
        applier = None if self._earlier is None else self._earlier.applier
        managers = Managers(options.appliers, options.controllers, applier)
        self._types = Types(source, (one.body for one in manifests if one.kind == "CustomResourceDefinition"))
        self._search = UnmanagedSearch(Reader(source), resources, options)
        self._inference = Inference(source, resources, options, managers, self._earlier)
        others = self._plan.part(lambda namespace: not options.covers(namespace))
        self._others = OtherShards(others.kinds, self._search, self._inference)
        self._last_sync = LastSync(
            {origin: mapper.by_key(base) for origin, base in options.bases.items()},
            None if options.synced is None else mapper.by_key(options.synced),
            None
            if options.repository is None
            else SyncedRevisions(
                source,
                options.repository,
                mapper.by_key,
                resources,
                known=options.gitops_objects,
                tracking=self._inference.tracking,
            ),
            self._inference.trackers,
            self._others,
            applied=options.applied,
            keepers=options.keepers,
            known=options.gitops_objects,
        )
        self._autoscalers = Autoscalers(source, resources)
        ignore_differences, self._ignore_notes = read_ignore_differences(manifests)
        self._cluster = source.info.server if source.info else ""
        self._comparer = PairComparer(
            managers=managers,
            types=self._types,
            last_sync=self._last_sync,
            tracking=self._inference.tracking,
            autoscalers=self._autoscalers,
            ignore_differences=(*options.ignore_differences, *ignore_differences),
            cache=cache,
            cluster=self._cluster,
            options=options,
        )

    def run(self, info: ManifestsInfo) -> tuple[Report, SyncedAhead | None]:
        """Runs all stages. Returns the report, and the synced commit if the checkout is behind it."""
        start = monotonic()
        plan = self._plan.part(self._options.covers)
        results = self._scan_planned(plan)
        applier = self._compare_postponed(results)
        # Why an object is missing depends on the trackers of all others.
        missing = [
            report_missing(absent, self._last_sync, self._cluster, self._options.field_place)
            for absent in results.absent
        ]
        if results.is_connected:
            results.candidates += self._search.search(self._plan, plan.searched)
            found = {candidate.key for candidate in results.candidates}
            results.candidates += self._search.dropped(self._last_sync.applied - self._plan.described - found)
        unmanaged = self._report_unmanaged(results.candidates)
        report = Report(
            generated_at=rfc3339(datetime.now(UTC)),
            cluster=self._source.info,
            manifests=info,
            objects=tuple(sorted([*results.reports, *missing, *unmanaged], key=report_order)),
            errors=(*results.errors, *self._types.errors, *self._others.errors, *self._search.errors),
            unread=self._plan.repeats,
            duration_seconds=round(monotonic() - start, 3),
            api_requests=self._source.request_count,
            shard=self._options.shard,
            inferred_applier=applier if self._earlier is None else self._earlier.applier,
        )
        if self._cache is not None and self._options.infers:
            # While the cluster is out of reach, what was inferred before still holds.
            has_read = any(item.status is not Status.UNCHECKED for item in results.reports)
            if has_read or self._cache.inferred is None:
                self._cache.inferred = Inferred(applier, self._inference.tracking, self._inference.trackers)
        looks = self._options.if_behind is not IfBehind.NOTHING
        newer_commit = self._last_sync.newer_commit(self._options.synced_revision) if looks else None
        return replace(report, notes=tuple(self._notes(results, applier))), newer_commit

    # -- read and compare

    def _scan_planned(self, plan: Plan) -> _Results:
        """Reads the live objects of the manifests, and compares them while they arrive."""
        results = _Results(reports=[*plan.unchecked], absent=[*plan.absent])
        kinds = iter(plan.kinds)
        for kind in kinds:
            pending = PendingKind(kind)
            try:
                self._scan_kind(pending, plan, results)
            except ConnectError as error:
                # The API server is gone, so do not try the other kinds.
                for rest in (pending, *map(PendingKind, kinds)):
                    for namespace, manifests in rest.rest():
                        self._report_unread(rest.kind, namespace, manifests, error, results)
                results.is_connected = False
        return results

    def _scan_kind(self, pending: PendingKind, plan: Plan, results: _Results) -> None:
        kind = pending.kind
        self._observe(kind.resource, results)
        for live in self._search.read(kind, plan):
            if isinstance(live, Unread):
                self._handle_failure(live, pending, results)
                continue
            pair = pending.pair(live)
            if pair is not None:
                self._compare_or_postpone(pair, results)
                pending.remove(pair)
            elif self._search.searches(kind.resource) and not pending.describes(live):
                results.candidates += self._search.candidates(kind.resource, live)
        results.absent += pending.absent()

    def _observe(self, resource: Resource, results: _Results) -> None:
        self._options.observe(ScanStep(resource.full_name, len(results.reports), len(self._plan.described)))

    def _handle_failure(self, unread: Unread, pending: PendingKind, results: _Results) -> None:
        for namespace in unread.namespaces:
            manifests = pending.pop(namespace)
            if manifests is None:
                self._search.note_failure(pending.kind.resource, namespace, unread.error, is_in_git=True)
            else:
                self._report_unread(pending.kind, namespace, manifests, unread.error, results)

    def _report_unread(
        self,
        kind: PlannedKind,
        namespace: str | None,
        manifests: Mapping[str, Manifest],
        error: ScanError,
        results: _Results,
    ) -> None:
        """Reports manifests as unchecked: their live objects may be missing, drifted or in sync."""
        objects = f"{kind.resource.plural} in {namespace}" if namespace else kind.resource.plural
        why = str(error)
        if isinstance(error, RequestError) and error.status == HTTPStatus.FORBIDDEN:
            user = self._source.info.impersonated if self._source.info is not None else None
            why = (
                f"may not be read by this account (get, list {objects})"
                if user is None
                else f"may not be read by the impersonated user {user} (get, list {objects})"
            )
        results.errors.append(f"{objects}: {why}")
        results.reports += [
            ObjectReport.of(manifest, kind.resource.key(namespace, name), Status.UNCHECKED, why)
            for name, manifest in manifests.items()
        ]

    def _compare_or_postpone(self, pair: Pair, results: _Results) -> None:
        reserved = self._inference.reserved_now(pair)
        if reserved is None:
            results.postponed.append(pair)
            return
        results.add(self._compare(pair, reserved, self._comparer))
        if len(results.reports) % _PROGRESS_INTERVAL == 0:
            self._observe(pair.resource, results)

    def _compare_postponed(self, results: _Results) -> str | None:
        """Compares the postponed pairs. Returns the inferred applier, or None."""
        if self._inference.needs_other_shards(results.postponed):
            self._others.read_once(metadata_only=False)
        applier = self._inference.finish(results.postponed)
        comparer = self._comparer if applier is None else self._comparer.with_inferred(applier)
        for pair in results.postponed:
            results.add(self._compare(pair, self._inference.reserved(pair), comparer))
        return applier

    def _compare(self, pair: Pair, reserved: ReservedMetadata, comparer: PairComparer) -> PairResult:
        self._inference.add_trackers(pair, reserved)
        return comparer.compare(pair, reserved)

    # -- unmanaged

    def _report_unmanaged(self, found: Sequence[Candidate]) -> Sequence[ObjectReport]:
        candidates = [candidate for candidate in found if not self._plan.may_describe(candidate.key)]
        tracking_labels = self._inference.tracking.keys
        if candidate_trackers(candidates, tracking_labels) - self._inference.trackers.known:
            self._others.read_once()
        scope = ManagedScope(
            frozenset(self._inference.trackers.known),
            frozenset(self._plan.searched),
            frozenset(key.namespace for key in self._plan.described if key.namespace is not None),
            self._plan.described,
            tracking_labels,
        )
        return [
            *report_unmanaged(
                candidates,
                scope,
                self._options,
                was_synced=self._last_sync.was_synced,
                why_kept=self._last_sync.why_kept,
                hides_values=self._last_sync.hides_values,
                read=self._search.read_whole,
                cluster=self._cluster,
            )
        ]

    # -- report

    def _notes(self, results: _Results, applier: str | None) -> Iterator[str]:
        yield from self._ignore_notes
        if applier is not None:
            yield (
                f"no known GitOps applier has written these objects; {applier} counts as the applier, because it owns "
                "most of their fields (--applier NAME names another one)"
            )
        yield from _no_base_notes(results.without_base)
        yield from _encrypted_notes(results.reports)
        yield from _variables_notes(results.with_variables)
        yield from self._autoscalers.notes
        yield from self._types.notes
        yield from self._search.refused_notes()
        yield from self._search.notes
        yield from self._inference.trackers.notes()
        yield from self._last_sync.notes
        if self._source.info is None:
            yield from _managed_fields_notes(results.without_managed_fields, results.with_managed_fields)


def _no_base_notes(fields_by_manager: Mapping[str, int]) -> Iterator[str]:
    for manager, count in sorted(fields_by_manager.items()):
        fields = "one field" if count == 1 else f"{count} fields"
        if "helm" in manager.lower():
            way = "--helm-release, which compares with what Helm installed, tells these apart"
        elif applies_as_command(manager):
            way = "the cluster does not record what it sent"
        else:
            way = "--synced-revision REV, the Git revision that was synced last, tells these apart"
        yield f"{manager} set {fields} that Git does not have: {NO_BASE_NOTE}; {way}"


def _encrypted_notes(reports: Iterable[ObjectReport]) -> Iterator[str]:
    reasons = {value.reason for value in SOPS_VALUES}
    compared = (report for report in reports if report.status is not Status.MISSING)
    count = sum(one.reason in reasons for report in compared for one in report.not_compared)
    if count:
        values = "one value is" if count == 1 else f"{count} values are"
        yield f"{values} {ENCRYPTED.reason}: compared is only whether the cluster has the field"


def _variables_notes(objects: Sequence[str]) -> Iterator[str]:
    if objects:
        count = "one object" if len(objects) == 1 else f"{len(objects)} objects"
        yield (
            f"{count} that Flux applies differ from Git in a variable (${{...}}), such as {min(objects)}: this looks "
            "like postBuild substitution, which --flux resolves"
        )


def _managed_fields_notes(without: int, others: int) -> Iterator[str]:
    """Yields a note for a dump whose objects lack ``managedFields``.

    Args:
        without: The number of objects without them.
        others: The number of objects with them.
    """
    if without and not others:
        yield (
            "live objects have no managedFields, so drift cannot tell who changed them; "
            "create dumps with --show-managed-fields"
        )
    elif without == 1:
        yield "one live object has no managedFields, so drift cannot tell who changed it"
    elif without:
        yield f"{without} live objects have no managedFields, so drift cannot tell who changed them"
