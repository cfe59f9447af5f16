"""What a user can do about each finding of a report."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from drift.advice.commands import (
    ControllerState,
    controller_state,
    look,
    look_at_events,
    may_undo,
    revert_fields,
    revert_object,
    status_command,
    sync_command,
    syncs_one_object,
)
from drift.advice.refusals import (
    is_immutable,
    is_not_kept,
    is_patchable,
    renderer_of,
    why_not_adopted,
    why_not_reverted,
)
from drift.advice.sentences import advice
from drift.model import Cause, Change, Finding, ObjectReport, Report, SourceInfo, SourceKey, Verdict, sources_of
from drift.objects import STDIN, ObjectKey, Source

#: The name of the saved report in commands, if nothing says where it is saved.
_REPORT_FILE: Final = "report.json"
#: A command that changes the cluster and is longer than this is replaced by one that prints it.
_MAX_REVERT: Final = 300
#: Longer commands are left out; names of Kubernetes and paths of files cannot make one this long.
_MAX_COMMAND: Final = 1500


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands for a POSIX shell, quoted, each on one line without control characters.

    Attributes:
        look: Shows the object, the history of its file, or the state of its GitOps controller. Changes nothing.
        keep: Changes the manifest so that Git says what is live, or prints the patch for its kustomization; None if
            `drift adopt` would refuse.
        revert: Changes the cluster so that it says what Git says, if nothing has changed since the report. If that
            command is long, prints it instead. None if `drift revert` would refuse.
        sync: Makes the GitOps controller of the object sync it; None if it has none, or a suspended one, or if a sync
            does not remove what was added, or cannot change the field.
        also_deploys: The number of other changes, not synced yet, that `sync` deploys.
    """

    look: str | None = None
    keep: str | None = None
    revert: str | None = None
    sync: str | None = None
    also_deploys: int = 0


@dataclass(frozen=True, slots=True)
class Advisor:
    """The parts of a report that all advice depends on. Make it with `Advisor.of`.

    Attributes:
        sources: The sources of the report by key.
        contexts: The kubeconfig context of each cluster, by the name that objects have for it; None for the only one.
        pending: The number of findings that wait for a sync, by cluster, source and object.
        partly_pending: All findings of the objects with one that waits for a sync, by cluster, object and place. A
            report may show only some of them, but what to do about one may depend on another.
        manifests_in: The number of objects whose manifest is in a file.
        is_shard: Whether other reports may have more objects of the same files.
        notes: The notes of the report. One on a document that is not compared begins with its file.
        is_in_git: Whether the manifests are in a Git repository.
        is_fixable: Whether `drift adopt` and `drift revert` accept the report.
        saved: The file in which the report is saved.
    """

    sources: Mapping[SourceKey, SourceInfo]
    contexts: Mapping[str | None, str | None]
    pending: Counter[tuple[str | None, str, object]]
    partly_pending: Mapping[tuple[str | None, ObjectKey, Source | None], tuple[Finding, ...]]
    manifests_in: Mapping[str, int]
    is_shard: bool
    notes: Sequence[str]
    is_in_git: bool
    is_fixable: bool
    saved: str

    @classmethod
    def of(cls, report: Report, saved: str | None = None) -> "Advisor":
        """Returns the advisor for a report.

        Args:
            report: The report.
            saved: The file in which it is saved, if that is known.
        """
        contexts: dict[str | None, str | None] = {cluster.context: cluster.context for cluster in report.clusters}
        pending = Counter[tuple[str | None, str, object]]()
        partly_pending = {}
        for item in report.objects:
            count = sum(finding.is_drift and finding.cause is Cause.PENDING_SYNC for finding in item.findings)
            if count:
                partly_pending[item.cluster, item.key, item.source] = item.findings
            for origin in item.origins if count else ():
                pending[item.cluster, origin, None] += count
                pending[item.cluster, origin, item.key] += count
        return cls(
            sources={source.key: source for source in report.sources},
            contexts=contexts or {None: None if report.cluster is None else report.cluster.context},
            pending=pending,
            partly_pending=partly_pending,
            manifests_in=Counter(item.source.file for item in report.objects if item.source is not None),
            is_shard=report.shard is not None,
            notes=report.notes,
            is_in_git=report.manifests.git_commit is not None
            or any(source.suspended is not None for source in report.sources),
            is_fixable=report.verdict is not Verdict.INCOMPLETE and not report.clusters,
            saved=saved or _REPORT_FILE,
        )

    def advice(self, item: ObjectReport, finding: Finding) -> str | None:
        """Returns what to do about a finding, as a sentence without a full stop; None if it does not count as drift."""
        return advice(finding, self._whole(item), self._source(item))

    def look(self, item: ObjectReport, finding: Finding) -> str | None:
        """Returns only the ``look`` command of `commands`, which is much faster."""
        if not finding.is_drift or item.cluster not in self.contexts:
            return None
        return _printable(self._look(item, finding, self.contexts[item.cluster]))

    def commands(self, item: ObjectReport, finding: Finding) -> Commands | None:
        """Returns the commands for a finding; None if it does not count as drift, or if its cluster is not known."""
        if not finding.is_drift or item.cluster not in self.contexts:
            return None
        item, context = self._whole(item), self.contexts[item.cluster]
        shown = self.look(item, finding)
        if not self.is_fixable:
            return Commands(shown)
        source = self._source(item)
        sync = None
        is_in_vain = is_not_kept(finding) or is_immutable(item, finding)
        if source is not None and may_undo(source, finding) and not is_in_vain:
            sync = _printable(sync_command(source, item, context))
        return Commands(
            shown,
            _printable(self._keep(item, finding)),
            _printable(self._revert(item, finding, context)),
            sync,
            0 if source is None or sync is None else self._other_pending(source, item, finding),
        )

    def why_not_reverted(self, item: ObjectReport, finding: Finding) -> str | None:
        """Returns why no command for the cluster reverts a finding and what to do, or None if one does."""
        shares_file = finding.change is Change.MISSING and item.source is not None and self._is_shared(item.source.file)
        return why_not_reverted(item, finding, renderer_of(item, self.sources), shares_file=shares_file)

    def _is_shared(self, file: str) -> bool:
        """Whether a file has, or may have, the manifests of several objects."""
        return self.is_shard or self.manifests_in[file] > 1 or any(note.startswith(f"{file}:") for note in self.notes)

    def commands_for_all(self, members: Sequence[tuple[ObjectReport, Finding]]) -> Commands | None:
        """Returns the commands for the same finding of several objects: to look at the first, to keep or revert all."""
        each = [found for item, finding in members if (found := self.commands(item, finding)) is not None]
        if not each:
            return None
        ids = [finding.id for _, finding in members]
        keep = _printable(shlex.join(("drift", "adopt", self.saved, *ids, "--write")))
        revert = _printable(shlex.join(("drift", "revert", self.saved, *ids)))
        return Commands(
            each[0].look,
            keep if all(one.keep for one in each) else None,
            revert if all(one.revert for one in each) else None,
        )

    def _whole(self, item: ObjectReport) -> ObjectReport:
        findings = self.partly_pending.get((item.cluster, item.key, item.source), item.findings)
        return item if findings is item.findings else replace(item, findings=findings)

    def _source(self, item: ObjectReport) -> SourceInfo | None:
        return next(sources_of(item, self.sources), None)

    def _look(self, item: ObjectReport, finding: Finding, context: str | None) -> str:
        source = self._source(item)
        file = None if item.source is None or item.source.file == STDIN else item.source.file
        if finding.cause is Cause.PENDING_SYNC and source is not None:
            status = status_command(source, item, context)
            if status is not None and (file is None or controller_state(source) is not ControllerState.ACTIVE):
                return status
        if finding.cause is Cause.PENDING_SYNC or finding.change is Change.MISSING:
            if file is not None and self.is_in_git:
                return _git_log(file)
            if finding.change is Change.MISSING:
                return look_at_events(item, context)
        # kubectl describe shows the sizes of a Secret's values, not the values.
        if finding.change is Change.UNMANAGED or finding.redacted or item.kind == "Secret":
            return look(item, "describe", context=context)
        return look(item, "get", "-o", "yaml", context=context)

    def _keep(self, item: ObjectReport, finding: Finding) -> str | None:
        if why_not_adopted(item, finding) is not None:
            return None
        renderer = renderer_of(item, self.sources)
        if renderer is not None and not (is_patchable(renderer) and item.source is not None):
            return None
        return shlex.join(("drift", "adopt", self.saved, finding.id, "--write"))

    def _revert(self, item: ObjectReport, finding: Finding, context: str | None) -> str | None:
        if self.why_not_reverted(item, finding) is not None:
            return None
        command = revert_fields(item, (finding,), context) if finding.path else revert_object(item, finding, context)
        if len(command) <= _MAX_REVERT:
            return command
        return shlex.join(("drift", "revert", self.saved, finding.id))

    def _other_pending(self, source: SourceInfo, item: ObjectReport, finding: Finding) -> int:
        of_object = item.key if syncs_one_object(source) else None
        return self.pending[item.cluster, source.name, of_object] - (finding.cause is Cause.PENDING_SYNC)


def _git_log(file: str) -> str:
    folder, slash, name = file.rpartition("/")
    # git log needs to run inside the work tree of the file, which may be below the working directory.
    return shlex.join(("git", *(("-C", folder or "/") if slash else ()), "log", "-p", "--", name))


def _printable(command: str | None) -> str | None:
    """Returns a command that may be printed: one with control characters could move the cursor or hide text."""
    return command if command is not None and command.isprintable() and len(command) <= _MAX_COMMAND else None
