"""What was last synced, as the user names it or as Flux and Argo CD record it; it says why an object is missing."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from drift.compare.show import contains_redacted, incomparables_in
from drift.errors import ConnectError, ScanError
from drift.gitops.argocd_tracking import ARGOCD_NAMESPACE
from drift.gitops.opt_outs import apply_opt_outs, expected_absence, hook_of
from drift.gitops.revisions import SyncedAhead, SyncedRevisions
from drift.gitops.tracked_by import GitOpsObject, Trackers
from drift.kube.live import LiveSource
from drift.model import Cause, NotCompared, ObjectReport, Report, Status
from drift.objects import Manifest, Object, ObjectKey
from drift.paths import render
from drift.policy.digest import digest
from drift.policy.findings import missing_finding
from drift.scanning.inference import OtherShards
from drift.scanning.options import FieldPlace
from drift.scanning.plan import AbsentObject

#: Stands for an object that was not in Git at the last sync.
_NOTHING: Object = {"metadata": {}}
#: Namespaces that are looked up, one request each.
_MAX_NAMESPACES: Final = 5
_CAUSES = {None: Cause.UNKNOWN, True: Cause.MANUAL, False: Cause.PENDING_SYNC}


class LastSync:
    """Knows what was last synced, which tells a manual change from a change in Git that was not synced yet.

    Args:
        by_source: What was last synced from each source that knows it, by the name of the source.
        named: The manifests at the revision that the user names; None if the user names none.
        recorded: Reads the revisions that GitOps controllers record; None to ignore these records.
        trackers: The trackers of the live objects.
        others: Adds the trackers of the objects of other shards.
        applied: The objects that the GitOps controllers of the sources list as applied.
        keepers: As in `Options`.
        known: The Kustomizations and Applications that were rendered.

    Attributes:
        applied: The objects that were synced from the sources, whether these still describe them or not.
    """

    def __init__(
        self,
        by_source: Mapping[str, Mapping[ObjectKey, Manifest]],
        named: Mapping[ObjectKey, Manifest] | None,
        recorded: SyncedRevisions | None,
        trackers: Trackers,
        others: OtherShards,
        *,
        applied: frozenset[ObjectKey],
        keepers: Mapping[GitOpsObject, str],
        known: Collection[GitOpsObject] = (),
    ) -> None:
        self._by_source = by_source
        self.applied = applied.union(*by_source.values())
        self._keepers = keepers
        self._known = known
        self._named = named
        self._recorded = recorded
        self._trackers = trackers
        self._others = others

    @property
    def notes(self) -> Sequence[str]:
        """One sentence for each revision that could not be read."""
        return () if self._recorded is None else self._recorded.notes

    def named_base(self, manifest: Manifest, key: ObjectKey) -> Object | None:
        """Returns an object as it was last synced, according to its source or else the user; None if neither says.

        Args:
            manifest: Its manifest, which names its sources.
            key: Its key.
        """
        base = self._base_of_source(manifest)
        return _body(self._named if base is None else base, key)

    def hides_values(self, key: ObjectKey) -> bool | None:
        """Whether an object had values that must not be shown when it was last synced from a source; None if unknown.

        Args:
            key: The object.
        """
        found = (manifests[key] for manifests in self._by_source.values() if key in manifests)
        synced = next(found, None)
        return None if synced is None else contains_redacted(synced.body)

    def knows_what_was_sent(self, manifest: Manifest) -> bool:
        """Returns whether the source of a manifest knows exactly what the applier sent to the API server."""
        return self._base_of_source(manifest) is not None

    def recorded_base(self, live: Object, key: ObjectKey) -> Object | None:
        """Returns an object at the revision recorded in the cluster; None if unknown or if the user names a revision.

        Args:
            live: The live object, whose labels and annotations name the GitOps object that applies it.
            key: Its key.
        """
        if self._named is not None or self._recorded is None:
            return None
        return _body(self._recorded.manifests(live, key), key)

    def contradicts(self, live: Object, key: ObjectKey) -> bool:
        """Whether the GitOps controller reports that the live object differs from Git."""
        return self._recorded is not None and self._recorded.contradicts(live, key)

    def was_synced(self, key: ObjectKey, manifest: Manifest | None = None) -> bool | None:
        """Whether an object was in Git at the last sync, or None if unknown.

        Args:
            key: The object.
            manifest: Its manifest, or None if no source describes it any more.
        """
        base = None if manifest is None else self._base_of_source(manifest)
        if base is not None:
            return key in base
        if manifest is None and key in self.applied:
            return True
        if self._named is not None:
            return key in self._named
        if self._recorded is None:
            return None
        self._others.read_once()
        return self._recorded.was_synced(key, self._trackers.gitops_objects)

    def runs_hooks(self, manifest: Manifest) -> bool:
        """Returns whether the applier of a manifest may run hooks. That of a chart is Helm, or does what Helm does."""
        if manifest.is_template or hook_of(manifest.body) is None:
            return True
        self._others.read_once()
        return self._trackers.runs_hooks(manifest.origins)

    def why_kept(self, live: Object) -> str | None:
        """Returns the setting that keeps an object that Git has dropped from being pruned, or None if it is pruned."""
        owner = self._trackers.gitops_object_of(live)
        if owner is None:
            return None
        if self._recorded is not None:
            owner = self._recorded.resolve(owner)
        elif not owner.namespace:
            rendered = owner.among(self._known)
            owner = rendered[0] if len(rendered) == 1 else replace(owner, namespace=ARGOCD_NAMESPACE)
        setting = self._keepers.get(owner) or (self._recorded.keeps(owner) if self._recorded is not None else None)
        return None if setting is None else f"{setting} of {owner}"

    def _base_of_source(self, manifest: Manifest) -> Mapping[ObjectKey, Manifest] | None:
        """Returns what was last synced from the first source of a manifest that knows it, or None if none does."""
        return next((self._by_source[origin] for origin in manifest.origins if origin in self._by_source), None)

    def why_pending(self, key: ObjectKey) -> str | None:
        """Returns why an object was not synced yet, as a sentence, or None if unknown."""
        return None if self._recorded is None else self._recorded.why_pending(key, self._trackers.gitops_objects)

    def newer_commit(self, revision: str | None) -> SyncedAhead | None:
        """Returns the synced commit if the checkout is behind it, else None.

        Args:
            revision: The revision that the user names, or None.
        """
        if self._recorded is None:
            return None
        if revision is not None:
            return self._recorded.ahead_at(revision)
        try:
            self._others.read_once()
            return self._recorded.ahead(self._trackers.gitops_objects)
        except ConnectError:
            # The report already says what could not be read.
            return None


def _body(manifests: Mapping[ObjectKey, Manifest] | None, key: ObjectKey) -> Object | None:
    if manifests is None:
        return None
    manifest = manifests.get(key)
    return _NOTHING if manifest is None else manifest.body


def report_missing(absent: AbsentObject, last_sync: LastSync, cluster: str, field_place: FieldPlace) -> ObjectReport:
    """Reports a manifest without a live object: missing, or in sync if the manifest itself says so.

    Args:
        absent: The manifest.
        last_sync: What was last synced. It must know the trackers of all live objects.
        cluster: The URL of the API server, for the fingerprints; "" for a dump.
        field_place: As in `Options`.
    """
    manifest, key = absent.manifest, absent.key
    expected = expected_absence(manifest.body, runs_hooks=last_sync.runs_hooks(manifest))
    if expected is not None:
        return ObjectReport.of(manifest, key, Status.IN_SYNC, expected)
    cause = _CAUSES[last_sync.was_synced(key, manifest)]
    reason = absent.reason
    if reason is None and cause is Cause.PENDING_SYNC:
        reason = last_sync.why_pending(key)
    finding = missing_finding(key, manifest.body, cluster, cause)
    place = field_place(manifest, ())
    if place is not None:
        finding = replace(finding, file=place.file, line=place.line)
    known = digest(key, manifest.body)
    return replace(
        ObjectReport.of(manifest, key, Status.MISSING, reason),
        findings=apply_opt_outs((finding,), manifest.body, None),
        not_compared=tuple(_not_compared(manifest.body)),
        digest=None if known is None else known.text,
    )


def _not_compared(body: Object) -> Iterator[NotCompared]:
    for name in sorted(body):
        incomparable = next(incomparables_in(body[name]), None)
        if incomparable is not None:
            yield NotCompared(render((name,)), incomparable.reason)


def missing_namespaces(report: Report, live: LiveSource) -> Iterator[str]:
    """Yields a sentence on each namespace in which all objects are missing because it does not exist itself.

    Without the sentence, a mistyped namespace looks like a deletion. There is none if the account may not read
    namespaces, or if the Namespace itself is a missing manifest.
    """
    resource = live.resources.preferred("", "Namespace")
    if resource is None or live.info is None:
        return
    missing = {item.namespace for item in report.objects if item.status is Status.MISSING and item.namespace}
    missing -= {item.namespace for item in report.objects if item.status is not Status.MISSING}
    missing -= {item.name for item in report.objects if item.kind == "Namespace"}
    for name in sorted(missing)[:_MAX_NAMESPACES]:
        try:
            if live.get(resource, None, name) is None:
                yield f"the namespace {name} does not exist"
        except ScanError:
            return
