"""Compares a manifest with its live object and makes the object's report, or takes that of an earlier scan."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from drift.compare.objects import ObjectComparison, compare_object
from drift.compare.ownership import NO_BASE_NOTE
from drift.compare.proof import InSyncProof
from drift.compare.show import steps
from drift.gitops.flux_values import has_variables, is_applied_by_flux
from drift.gitops.managers import Managers
from drift.gitops.opt_outs import IgnoreDifferences, apply_ignore_differences, apply_opt_outs
from drift.gitops.tracking import ReservedMetadata
from drift.kube.live import LiveObject
from drift.model import Change, Finding, ObjectReport, Status
from drift.objects import Manifest, Object
from drift.paths import render
from drift.policy.findings import conceal, concerns_replicas, deletion_findings, judge_replicas, object_findings
from drift.redaction import is_secret, redact_at, redacted_paths
from drift.scanning.last_sync import LastSync
from drift.scanning.options import FieldPlace
from drift.scanning.plan import Pair
from drift.scanning.read import Autoscalers, Types
from drift.schema.facts import known_facts


class NoCache:
    """Caches nothing: for a single scan.

    Attributes:
        inferred_applier: The applier that the last full scan inferred, or None.
    """

    inferred_applier: str | None = None

    def find(self, manifest: Manifest, live: LiveObject) -> ObjectReport | None:
        """Returns None."""
        del manifest, live
        return None

    def keep(self, manifest: Manifest, live: LiveObject, report: ObjectReport) -> ObjectReport:
        """Returns the report unchanged."""
        del manifest, live
        return report


class ComparisonCache(NoCache):
    """Caches the report of a manifest and its live object until either of the two is replaced by another value.

    It is valid for one set of options, manifests and schemas. If these change, use a new cache.
    """

    def __init__(self) -> None:
        self._entries: dict[int, tuple[Manifest, LiveObject, ObjectReport]] = {}

    def find(self, manifest: Manifest, live: LiveObject) -> ObjectReport | None:
        """Returns the cached report, or None if there is none for exactly these two values."""
        cached = self._entries.get(id(manifest))
        # The cache holds a reference to the manifest, so no other object can have its id.
        return cached[2] if cached is not None and cached[0] is manifest and cached[1] is live else None

    def keep(self, manifest: Manifest, live: LiveObject, report: ObjectReport) -> ObjectReport:
        """Caches the report in place of an earlier one of the same manifest, and returns it."""
        self._entries[id(manifest)] = (manifest, live, report)
        return report


_VARIABLE_NOTE: Final = "Git has a variable here, which looks like Flux's postBuild substitution"


@dataclass(frozen=True, slots=True)
class PairResult:
    """The result of comparing one pair.

    Attributes:
        report: The report of the object.
        has_managed_fields: Whether the live object has ``managedFields``; None if it was not compared in this scan.
        without_base: The managers of fields that Git does not have, once per field, if the scan cannot tell a webhook's
            work from a field that was removed from Git.
        differs_in_variables: Whether a value in Git that differs has a variable, which Flux seems to replace.
    """

    report: ObjectReport
    has_managed_fields: bool | None = None
    without_base: tuple[str, ...] = ()
    differs_in_variables: bool = False


@dataclass(frozen=True, slots=True)
class PairComparer:
    """Compares pairs, each independently of the others.

    Attributes:
        managers: The field managers that are appliers or controllers.
        types: The types of the kinds.
        last_sync: What was last synced.
        autoscalers: The autoscalers of the cluster.
        ignore_differences: What Argo CD and Flux ignore.
        cache: The reports of earlier scans.
        cluster: The URL of the API server, for the fingerprints; "" for a dump.
        field_place: As in `Options`.
        may_have_variables: As in `Options`.
        with_secret_values: As in `Options`.
        explain: Whether to report every decision.
    """

    managers: Managers
    types: Types
    last_sync: LastSync
    autoscalers: Autoscalers
    ignore_differences: Sequence[IgnoreDifferences]
    cache: NoCache
    cluster: str
    field_place: FieldPlace
    may_have_variables: Callable[[Manifest], bool]
    with_secret_values: frozenset[str]
    explain: bool
    _proofs: dict[ReservedMetadata, InSyncProof] = field(default_factory=dict, init=False)

    def with_inferred(self, applier: str) -> "PairComparer":
        """Returns the same comparer, but with an inferred applier."""
        return replace(self, managers=replace(self.managers, inferred=applier))

    def compare(self, pair: Pair, reserved: ReservedMetadata) -> PairResult:
        """Compares a pair.

        Args:
            pair: The pair.
            reserved: The labels and annotations that appliers put on this object.

        Raises:
            ConnectError: The API server can no longer be reached.
        """
        cached = self.cache.find(pair.manifest, pair.live)
        if cached is not None:
            return PairResult(cached)
        try:
            return self._compare(self._without_secret_values(pair), reserved)
        except RecursionError:
            # One malicious object must not prevent the report of all others.
            return PairResult(pair.report(Status.UNCHECKED, "nested too deeply to compare"))

    def _compare(self, pair: Pair, reserved: ReservedMetadata) -> PairResult:
        if not self.explain and self._is_obviously_in_sync(pair, reserved):
            report = self.cache.keep(pair.manifest, pair.live, pair.report(Status.IN_SYNC))
            return PairResult(report, has_managed_fields=True)
        comparison = self._compare_with_last_sync(pair, reserved)
        findings = self._findings(pair, comparison)
        has_drifted = any(finding.is_drift for finding in findings)
        report = pair.report(
            Status.DRIFTED if has_drifted else Status.IN_SYNC,
            "; ".join(comparison.remarks) or None,
            findings=findings,
            decisions=comparison.decisions if self.explain else (),
            not_compared=comparison.not_compared,
        )
        if not (comparison.differences or comparison.has_admitted or comparison.lacks_owners):
            # Reports of other objects also depend on the last sync and on autoscalers, which can change.
            self.cache.keep(pair.manifest, pair.live, report)
        without_base = (
            actor.manager
            for difference in comparison.differences
            if difference.note == NO_BASE_NOTE
            for actor in difference.actors
        )
        differs_in_variables = any(finding.note == _VARIABLE_NOTE for finding in findings)
        return PairResult(report, not comparison.lacks_owners, tuple(without_base), differs_in_variables)

    def _without_secret_values(self, pair: Pair) -> Pair:
        """Returns a pair in which what Flux took from Secrets is redacted in both objects, as in the manifest."""
        hidden = self._hidden(pair)
        if not hidden:
            return pair
        live, last_applied = pair.live.body, pair.live.last_applied
        return replace(
            pair,
            desired=redact_at(pair.desired, hidden),
            live=replace(
                pair.live,
                body=redact_at(live, hidden),
                last_applied=None if last_applied is None else redact_at(last_applied, hidden),
            ),
        )

    def _hidden(self, pair: Pair) -> Collection[tuple[str | None, ...]]:
        if self.with_secret_values.isdisjoint(pair.manifest.origins) or is_secret(
            pair.manifest.api_version, pair.manifest.kind
        ):
            return ()
        base = self.last_sync.named_base(pair.manifest, pair.key)
        return frozenset([*redacted_paths(pair.desired), *redacted_paths(base)])

    def _base(self, pair: Pair) -> Object | None:
        base = self.last_sync.named_base(pair.manifest, pair.key)
        hidden = self._hidden(pair) if base is not None else ()
        return redact_at(base, hidden) if hidden else base

    def _is_obviously_in_sync(self, pair: Pair, reserved: ReservedMetadata) -> bool:
        if reserved not in self._proofs:
            self._proofs[reserved] = InSyncProof(known_facts(), reserved, self.managers)
        live = pair.live
        base = self._base(pair)
        schema = self.types.type(pair.resource)
        return self._proofs[reserved].holds(pair.desired, live.body, base, live.last_applied, schema)

    def _compare_with_last_sync(self, pair: Pair, reserved: ReservedMetadata) -> ObjectComparison:
        """Compares a pair. Reads what was last synced only if the result depends on it."""
        base = self._base(pair)
        comparison = self._compare_with(base, pair, reserved)
        if not (comparison.differences or comparison.has_admitted):
            return comparison
        recorded = self.last_sync.recorded_base(pair.live.body, pair.key)
        if recorded is not None:
            base = recorded
            comparison = self._compare_with(base, pair, reserved)
        if comparison.has_admitted and self.last_sync.contradicts(pair.live.body, pair.key):
            return self._compare_with(base, pair, reserved, out_of_sync=True)
        return comparison

    def _compare_with(
        self, base: Object | None, pair: Pair, reserved: ReservedMetadata, *, out_of_sync: bool = False
    ) -> ObjectComparison:
        return compare_object(
            pair.desired,
            pair.live.body,
            pair.live.last_applied,
            self.types.type(pair.resource),
            managers=self.managers,
            synced_manifest=base,
            is_sent=self.last_sync.knows_what_was_sent(pair.manifest),
            out_of_sync=out_of_sync,
            reserved=reserved,
        )

    def _findings(self, pair: Pair, comparison: ObjectComparison) -> tuple[Finding, ...]:
        key, live = pair.key, pair.live.body
        findings = (*object_findings(comparison, key, self.cluster), *deletion_findings(live, key, self.cluster))
        if concerns_replicas(findings):
            findings = judge_replicas(key, findings, self.autoscalers.in_namespace(key.namespace))
        findings = apply_ignore_differences(
            key, apply_opt_outs(findings, pair.desired, live), self.ignore_differences, pair.manifest.origins
        )
        if self.may_have_variables(pair.manifest) and is_applied_by_flux(live):
            findings = tuple(map(_with_variable_note, findings))
        # What only the cluster has may have been in Git, from a Secret.
        hides = bool(self._hidden(pair))
        added = {finding.path for finding in findings if hides and finding.change is Change.ADDED}
        if comparison.concealed or added:
            # The steps before depend on the values.
            findings = conceal(findings, comparison.concealed | added)
        return self._with_lines(findings, pair, comparison)

    def _with_lines(
        self, findings: tuple[Finding, ...], pair: Pair, comparison: ObjectComparison
    ) -> tuple[Finding, ...]:
        if not findings:
            return findings
        desired = comparison.projection.desired
        paths = {render(one.difference.path): one.difference.path for one in comparison.differences}
        places = {
            path: self.field_place(pair.manifest, steps(desired, paths.get(path, ())))
            for path in {finding.path for finding in findings}
        }
        return tuple(
            finding if (place := places[finding.path]) is None else replace(finding, file=place.file, line=place.line)
            for finding in findings
        )


def _with_variable_note(finding: Finding) -> Finding:
    return replace(finding, note=_VARIABLE_NOTE) if has_variables(finding.desired) and not finding.note else finding
