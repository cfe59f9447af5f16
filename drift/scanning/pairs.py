"""Compares a manifest with its live object, and returns the report of the object, new or from a cache."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from traceback import walk_tb
from typing import Final

from drift import errors
from drift.compare.objects import ObjectComparison, compare_object
from drift.compare.ownership import NO_BASE_NOTE
from drift.compare.proof import InSyncProof
from drift.compare.show import steps, without_unknown_items
from drift.errors import RequestError
from drift.gitops.argocd_tracking import TrackingLabels
from drift.gitops.flux_values import has_variables, is_applied_by_flux
from drift.gitops.managers import Managers
from drift.gitops.opt_outs import IgnoreDifferences, apply_ignore_differences, apply_opt_outs
from drift.gitops.tracking import ReservedMetadata
from drift.kube.live import LiveObject
from drift.model import Change, Decision, Finding, ObjectReport, Status
from drift.objects import Object, ObjectKey
from drift.paths import parse, render
from drift.policy.findings import (
    conceal,
    conceal_items,
    concerns_replicas,
    deletion_findings,
    judge_replicas,
    object_findings,
)
from drift.redaction import is_secret, redact_at, redacted_paths
from drift.scanning.inference import Inferred
from drift.scanning.last_sync import LastSync
from drift.scanning.options import Options
from drift.scanning.plan import Pair
from drift.scanning.read import Autoscalers, Types
from drift.schema.facts import known_facts

_VARIABLE_NOTE: Final = "Git has a variable here, which looks like Flux's postBuild substitution"


class ComparisonCache:
    """Keeps the report of each object for later scans, which use it if the live object is still the same value.

    It is valid for one set of options, manifests and schemas. If these change, use a new cache.

    Attributes:
        inferred: What the last scan of all manifests inferred; None before the first one.
    """

    def __init__(self, inferred: Inferred | None = None) -> None:
        self.inferred = inferred
        # Not by manifest: each scan merges those of several sources into a new one.
        self._entries: dict[ObjectKey, tuple[LiveObject, ObjectReport]] = {}

    def find(self, key: ObjectKey, live: LiveObject) -> ObjectReport | None:
        """Returns the cached report, or None if there is none for exactly this value."""
        cached = self._entries.get(key)
        return cached[1] if cached is not None and cached[0] is live else None

    def keep(self, key: ObjectKey, live: LiveObject, report: ObjectReport) -> None:
        """Caches the report in place of an earlier one of the same object."""
        self._entries[key] = (live, report)


@dataclass(frozen=True, slots=True)
class PairResult:
    """The result of comparing one pair.

    Attributes:
        report: The report of the object.
        has_managed_fields: Whether the live object has ``managedFields``; None if it was not compared in this scan.
        without_base: For each field with `NO_BASE_NOTE` (a webhook added it, or Git had it before; the scan cannot tell
            which), the managers of the field.
        differs_in_variables: Whether a field differs whose value in Git has a variable that Flux seems to replace.
    """

    report: ObjectReport
    has_managed_fields: bool | None = None
    without_base: tuple[str, ...] = ()
    differs_in_variables: bool = False


@dataclass(frozen=True, slots=True)
class PairComparer:
    """Compares pairs, each independently of the others.

    Attributes:
        managers: The field managers that the user names, and the inferred applier.
        types: Looks up the schemas of kinds.
        last_sync: What was last synced.
        tracking: Knows which labels Argo CD tracks objects by.
        autoscalers: The autoscalers of the cluster.
        ignore_differences: What Argo CD and Flux ignore.
        cache: The reports of earlier scans; None for a single scan.
        cluster: The URL of the API server, for the fingerprints; "" for a dump.
        options: The options of the scan.
    """

    managers: Managers
    types: Types
    last_sync: LastSync
    tracking: TrackingLabels
    autoscalers: Autoscalers
    ignore_differences: Sequence[IgnoreDifferences]
    cache: ComparisonCache | None
    cluster: str
    options: Options
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
        cached = None if self.cache is None else self.cache.find(pair.key, pair.live)
        if cached is not None:
            return PairResult(cached)
        try:
            self.types.type(pair.resource)
        except RequestError as error:
            reason = f"the schema of {pair.resource.api_version} could not be read: {error}"
            return PairResult(pair.report(Status.UNCHECKED, reason))
        try:
            return self._new_result(self._without_secret_values(pair), reserved)
        except RecursionError:
            # One malicious object must not stop the whole scan.
            return PairResult(pair.report(Status.UNCHECKED, "nested too deeply to compare"))
        except errors.UNEXPECTED as error:
            # Nor must a malformed object that is not read with enough care.
            return PairResult(pair.report(Status.UNCHECKED, _internal_error(error)))

    def _new_result(self, pair: Pair, reserved: ReservedMetadata) -> PairResult:
        if not self.options.explain and self._is_obviously_in_sync(pair, reserved):
            report = pair.report(Status.IN_SYNC)
            self._keep(pair, report)
            return PairResult(report, has_managed_fields=True)
        comparison = self._comparison(pair, reserved)
        findings = self._findings(pair, comparison, reserved)
        has_drifted = any(finding.is_drift for finding in findings)
        # Only commands that revert findings need the state of the live object.
        live = pair.live if findings else None
        report = replace(
            pair.report(Status.DRIFTED if has_drifted else Status.IN_SYNC, "; ".join(comparison.remarks) or None),
            findings=findings,
            decisions=self._decisions(pair, comparison) if self.options.explain else (),
            not_compared=comparison.not_compared,
            uid=None if live is None else live.uid,
            resource_version=None if live is None else live.resource_version,
            generation=None if live is None else live.generation,
        )
        depends_on_last_sync = comparison.differences or comparison.assumes_admission
        # Reports of other objects also depend on the last sync and on autoscalers, which can change.
        if not (depends_on_last_sync or comparison.lacks_owners):
            self._keep(pair, report)
        without_base = (
            actor.manager
            for difference in comparison.differences
            if difference.note == NO_BASE_NOTE
            for actor in difference.actors
        )
        differs_in_variables = any(finding.note == _VARIABLE_NOTE for finding in findings)
        return PairResult(report, not comparison.lacks_owners, tuple(without_base), differs_in_variables)

    def _keep(self, pair: Pair, report: ObjectReport) -> None:
        if self.cache is not None and self.types.is_from_source(pair.resource):
            self.cache.keep(pair.key, pair.live, report)

    def _without_secret_values(self, pair: Pair) -> Pair:
        """Returns a pair in which the values that Flux took from Secrets are redacted in the live object, too."""
        paths = self._secret_paths(pair)
        if not paths:
            return pair
        live, last_applied = pair.live.body, pair.live.last_applied
        return replace(
            pair,
            desired=redact_at(pair.desired, paths),
            live=replace(
                pair.live,
                body=redact_at(live, paths),
                last_applied=None if last_applied is None else redact_at(last_applied, paths),
            ),
        )

    def _may_have_secret_values(self, pair: Pair) -> bool:
        """Whether an object that is no Secret itself may have values that Flux took from Secrets."""
        manifest = pair.manifest
        is_from_source = not self.options.with_secret_values.isdisjoint(manifest.origins)
        return is_from_source and not is_secret(manifest.api_version, manifest.kind)

    def _secret_paths(self, pair: Pair) -> Collection[tuple[str | None, ...]]:
        """Returns the paths of values that came from Secrets, if they were read."""
        if not self._may_have_secret_values(pair):
            return ()
        base = self.last_sync.named_base(pair.manifest, pair.key)
        return frozenset([*redacted_paths(pair.desired), *redacted_paths(base)])

    def _base(self, pair: Pair) -> Object | None:
        base = self.last_sync.named_base(pair.manifest, pair.key)
        paths = self._secret_paths(pair) if base is not None else ()
        return redact_at(base, paths) if paths else base

    def _is_obviously_in_sync(self, pair: Pair, reserved: ReservedMetadata) -> bool:
        live, schema = pair.live, self.types.type(pair.resource)
        return self._proof(reserved).holds(pair.desired, live.body, self._base(pair), live.last_applied, schema)

    def _proof(self, reserved: ReservedMetadata) -> InSyncProof:
        if reserved not in self._proofs:
            self._proofs[reserved] = InSyncProof(known_facts(), reserved, self.managers)
        return self._proofs[reserved]

    def _comparison(self, pair: Pair, reserved: ReservedMetadata) -> ObjectComparison:
        """Compares a pair with what was last synced, which it reads only if the result depends on it."""
        base = self._base(pair)
        comparison = self._comparison_with_base(base, pair, reserved)
        if not (comparison.differences or comparison.assumes_admission):
            return comparison
        recorded = self.last_sync.recorded_base(pair.live.body, pair.key)
        if recorded is not None:
            base = recorded
            comparison = self._comparison_with_base(base, pair, reserved)
        if comparison.assumes_admission and self.last_sync.contradicts(pair.live.body, pair.key):
            return self._comparison_with_base(base, pair, reserved, out_of_sync=True)
        return comparison

    def _comparison_with_base(
        self, base: Object | None, pair: Pair, reserved: ReservedMetadata, *, out_of_sync: bool = False
    ) -> ObjectComparison:
        schema = self.types.type(pair.resource)
        compared = pair.desired, pair.live.body, pair.live.last_applied
        if not self.options.explain:
            compared = self._proof(reserved).without_equal_template(*compared[:2], base, compared[2], schema)
        return compare_object(
            *compared,
            schema,
            managers=self.managers,
            synced_manifest=base,
            is_sent=self.last_sync.knows_what_was_sent(pair.manifest),
            out_of_sync=out_of_sync,
            reserved=reserved,
        )

    def _findings(self, pair: Pair, comparison: ObjectComparison, reserved: ReservedMetadata) -> tuple[Finding, ...]:
        key, live = pair.key, pair.live.body
        findings = (*object_findings(comparison, key, self.cluster), *deletion_findings(live, key, self.cluster))
        if concerns_replicas(findings):
            findings = judge_replicas(key, findings, self.autoscalers.in_namespace(key.namespace))
        findings = apply_ignore_differences(
            key,
            apply_opt_outs(findings, pair.desired, live),
            self.ignore_differences,
            pair.manifest.origins,
            live,
            labels=lambda: self.tracking.known_keys() if reserved.argocd_label is None else (reserved.argocd_label,),
        )
        if self.options.may_have_variables(pair.manifest) and is_applied_by_flux(live):
            findings = tuple(map(_with_variable_note, findings))
        concealed = comparison.concealed | {one.path for one in findings if self._may_show_secret(one, pair)}
        if concealed:
            # Last, because the steps above need the values.
            findings = conceal(findings, concealed)
            findings = conceal_items(findings, concealed, comparison, key, self.cluster)
        return self._with_lines(findings, pair, comparison)

    def _may_show_secret(self, finding: Finding, pair: Pair) -> bool:
        """Whether the live value of a finding may come from an earlier manifest with the value of a Secret."""
        if finding.change is Change.REMOVED or not self._may_have_secret_values(pair):
            return False
        # What Flux leaves alone may be older than what it synced last.
        is_base_known = self.last_sync.knows_what_was_sent(pair.manifest) and finding.ignored is None
        return not is_base_known or (finding.change is Change.ADDED and bool(self._secret_paths(pair)))

    def _decisions(self, pair: Pair, comparison: ObjectComparison) -> tuple[Decision, ...]:
        """Returns what is not reported, and why, without the keys of list items that may be hidden values."""
        if not (comparison.concealed or comparison.not_compared or self._may_have_secret_values(pair)):
            return comparison.decisions
        desired = comparison.projection.desired
        shown = (
            replace(one, path=render(without_unknown_items(desired, parse(one.path)))) for one in comparison.decisions
        )
        return tuple(dict.fromkeys(shown))

    def _with_lines(
        self, findings: tuple[Finding, ...], pair: Pair, comparison: ObjectComparison
    ) -> tuple[Finding, ...]:
        if not findings:
            return findings
        desired = comparison.projection.desired
        whole = [one.difference.path for one in comparison.differences]
        # A list may stand for its items.
        paths = {render(path): path for path in (*(without_unknown_items(desired, path) for path in whole), *whole)}
        places = {
            path: self.options.field_place(pair.manifest, steps(desired, paths.get(path, ())))
            for path in {finding.path for finding in findings}
        }
        return tuple(
            finding if (place := places[finding.path]) is None else replace(finding, file=place.file, line=place.line)
            for finding in findings
        )


def _internal_error(error: Exception) -> str:
    """Says where an error comes from, without its message, which may quote a Secret."""
    *_, (frame, line) = walk_tb(error.__traceback__)
    place = f"{type(error).__name__} in {Path(frame.f_code.co_filename).name}, line {line}"
    return f"internal error ({place}): its manifest may be malformed; please report this if the API server accepts it"


def _with_variable_note(finding: Finding) -> Finding:
    return replace(finding, note=_VARIABLE_NOTE) if has_variables(finding.desired) and not finding.note else finding
