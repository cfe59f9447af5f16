"""Finds and reads the manifests from which each object was last synced.

A Kustomization or Application is read only if one of its objects differs, so a cluster in sync costs no requests.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol

from drift.errors import DriftError, RequestError
from drift.gitops.argocd_tracking import (
    ARGOCD_NAMESPACE,
    INSTANCE_LABEL,
    USUAL_LABELS,
    TrackingLabels,
    argocd_tracking,
)
from drift.gitops.sync_record import SyncedSource, SyncRecord, application_record, kustomization_record
from drift.gitops.tracked_by import GitOpsObject, gitops_object_of
from drift.kube.live import LiveSource
from drift.kube.resources import Resources
from drift.objects import Manifest, Object, ObjectKey
from drift.words import first_few

Manifests = Mapping[ObjectKey, Manifest]

#: The number of Applications that a note names.
_MAX_NAMES: Final = 3
#: How many digits of a commit are shown.
SHORT: Final = 12
_READERS: Final[Mapping[str, Callable[[Object], SyncRecord]]] = {
    "Kustomization": kustomization_record,
    "Application": application_record,
}


class Repository(Protocol):
    """The manifests at other Git commits."""

    @property
    def origins(self) -> frozenset[str]:
        """The names of the sources that it reads."""

    def load(self, commit: str) -> Sequence[Manifest]:
        """Returns the manifests at a commit. Their files are ``COMMIT:PATH``, relative to the root of the repository.

        Raises:
            DriftError: They cannot be read.
        """

    def commit(self, revision: str) -> str:
        """Returns the full hash of a revision in the repository."""

    def may_be_behind(self) -> bool:
        """Returns whether the repository has commits that descend from the one that is checked out."""

    def commits_behind(self, commit: str) -> int:
        """Returns how many commits the checkout is behind a commit; 0 unless that commit descends from it."""


@dataclass(frozen=True, slots=True)
class SyncedAhead:
    """A commit that was synced and is newer than the checkout.

    Attributes:
        commit: The full hash.
        manifests: The manifests at that commit.
        sentence: How far the checkout is behind, as a sentence without a full stop.
    """

    commit: str
    manifests: tuple[Manifest, ...]
    sentence: str


class SyncedRevisions:
    """Finds and reads the manifests that were last synced. Reads each Kustomization, Application and commit once.

    The owner of an object is the Kustomization or Application that applies it.
    """

    def __init__(
        self,
        source: LiveSource,
        repository: Repository,
        by_key: Callable[[Sequence[Manifest]], Manifests],
        resources: Resources | None = None,
        *,
        known: Collection[GitOpsObject] = (),
        tracking: TrackingLabels | None = None,
    ) -> None:
        """Reads nothing yet.

        Args:
            source: The cluster or dump.
            repository: Reads the manifests at a commit.
            by_key: Returns manifests by their keys.
            resources: The kinds that may be read; None for all kinds in the source.
            known: The Kustomizations and Applications that were rendered.
            tracking: Knows which labels Argo CD tracks objects by; None for the usual ones.
        """
        self._tracking = tracking
        self._source = source
        self._repository = repository
        self._by_key = by_key
        self._resources = resources or source.resources
        self._known = known
        self._resolved: dict[GitOpsObject, GitOpsObject] = {}
        self._absent: dict[GitOpsObject, None] = {}
        self._records: dict[GitOpsObject, SyncRecord | None] = {}
        self._unread: dict[GitOpsObject, str] = {}
        self._manifests: dict[str, Manifests | str] = {}
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> Sequence[str]:
        """Why last synced manifests could not be found, one sentence each."""
        if not self._absent:
            return tuple(self._notes)
        names = first_few(sorted(map(str, self._absent)), _MAX_NAMES)
        return (*self._notes, f"what was synced last is not known: the tracking names {names}, which was not found")

    def manifests(self, live: Object, key: ObjectKey) -> Manifests | None:
        """Returns the manifests from which a live object was last synced, or None if they are unknown."""
        owner = gitops_object_of(live, self._label_keys)
        if owner is None:
            return None
        if self._lacks(owner) and self._is_certain(live):
            self._absent[owner] = None
        return self._base(owner, key)

    def contradicts(self, live: Object, key: ObjectKey) -> bool:
        """Returns whether the GitOps controller itself says that a live object differs from Git."""
        owner = gitops_object_of(live, self._label_keys)
        record = None if owner is None else self._record(owner)
        return record is not None and record.contradicts(key)

    def keeps(self, owner: GitOpsObject) -> str | None:
        """Returns the setting of a Kustomization or Application that keeps what Git has dropped, or None."""
        record = self._record(owner)
        return None if record is None else record.keeps

    def was_synced(self, key: ObjectKey, objects: Iterable[GitOpsObject]) -> bool | None:
        """Returns whether a missing object was synced before, or None if that is unknown.

        Args:
            key: The object.
            objects: The Kustomizations and Applications of the other objects.
        """
        bases = [self._base(owner, key) for owner in self._candidates(key, objects)]
        answers = {key in base for base in bases if base is not None}
        return answers.pop() if len(answers) == 1 else None

    def why_pending(self, key: ObjectKey, objects: Iterable[GitOpsObject]) -> str | None:
        """Returns why an object was not synced yet, as a sentence, or None if that is unknown."""
        records = [self._record(owner) for owner in self._candidates(key, objects)]
        reasons = {record.why_pending(key) for record in records if record is not None}
        return reasons.pop() if len(reasons) == 1 else None

    def ahead(self, objects: Iterable[GitOpsObject]) -> SyncedAhead | None:
        """Returns the synced commit that the checkout is behind, or None if there is none, or more than one.

        Args:
            objects: The Kustomizations and Applications of the objects.
        """
        if not self._repository.may_be_behind():
            return None
        found: dict[str, tuple[int, GitOpsObject]] = {}
        for owner in sorted(map(self.resolve, objects), key=str):
            record = self._record(owner)
            commits = record.commits() if record is not None else ()
            behind = [(self._repository.commits_behind(commit), commit) for commit in sorted(commits)]
            if behind:
                count, commit = max(behind)
                found.setdefault(commit, (count, owner))
        newer = {commit: last for commit, last in found.items() if last[0]}
        if len(found) == 1 and newer:
            [(commit, (count, owner))] = newer.items()
            return self._ahead(commit, how_far_behind(count, commit, f"which {owner} synced last"))
        for commit, (count, owner) in newer.items():
            # The objects were synced from different commits, and for some objects the commit is unknown.
            self._notes[f"{how_far_behind(count, commit, f'which {owner} synced last')}; update the checkout"] = None
        return None

    def ahead_at(self, revision: str) -> SyncedAhead | None:
        """Returns the revision that the user says was synced, or None if the checkout is not behind it."""
        count = self._repository.commits_behind(revision)
        if not count:
            return None
        commit = self._repository.commit(revision)
        return self._ahead(commit, how_far_behind(count, commit, "the synced revision"))

    def _ahead(self, commit: str, sentence: str) -> SyncedAhead | None:
        try:
            manifests = tuple(self._repository.load(commit))
        except DriftError as error:
            self._notes[f"{sentence}; that commit cannot be read: {error}"] = None
            return None
        return SyncedAhead(commit, manifests, sentence) if manifests else None

    def _candidates(self, key: ObjectKey, objects: Iterable[GitOpsObject]) -> list[GitOpsObject]:
        """Returns the Kustomizations and Applications that list an object, or all of them if none does."""
        known = sorted(objects, key=str)
        return [owner for owner in known if (record := self._record(owner)) and record.lists(key)] or known

    def _base(self, owner: GitOpsObject, key: ObjectKey) -> Manifests | None:
        owner = self.resolve(owner)
        record = self._record(owner)
        if record is None:
            if owner in self._unread:
                self._notes[self._unread[owner]] = None
            return None
        sources = record.sources(key)
        if sources is None:
            return None
        found = self._manifests_of(sources)
        if isinstance(found, str):
            self._notes[f"cannot find out what {owner} synced last: {found}"] = None
            return None
        return found

    def resolve(self, owner: GitOpsObject) -> GitOpsObject:
        """Returns a Kustomization or Application with its namespace. That of Argo CD is looked up once."""
        if owner.namespace:
            return owner
        if owner not in self._resolved:
            self._resolved[owner] = self._find(owner)
        return self._resolved[owner]

    def _find(self, owner: GitOpsObject) -> GitOpsObject:
        usual = replace(owner, namespace=ARGOCD_NAMESPACE)
        rendered = owner.among(self._known)
        if len(rendered) == 1:
            return rendered[0]
        if self._record(usual) is not None:
            return usual
        found = owner.among(self._applications or ())
        if len(found) > 1:
            self._unread[usual] = f"cannot tell which {owner} was synced last: several namespaces have one"
        return found[0] if len(found) == 1 else usual

    @cached_property
    def _applications(self) -> Sequence[GitOpsObject] | None:
        """All Applications of the cluster; None if it has no such kind, or the account may not list them."""
        resource = self._resources.preferred("argoproj.io", "Application")
        if resource is None:
            return None
        try:
            listed = [*self._source.list(resource, None, metadata_only=True)]
        except RequestError:
            return None
        return [GitOpsObject("argoproj.io", "Application", live.namespace or "", live.name) for live in listed]

    def _lacks(self, owner: GitOpsObject) -> bool:
        """Whether the cluster has Applications, but not this one."""
        found = self.resolve(owner)
        is_readable = owner.kind == "Application" and self._record(found) is None and found not in self._unread
        return is_readable and self._applications is not None

    def _record(self, owner: GitOpsObject) -> SyncRecord | None:
        owner = self.resolve(owner)
        if owner not in self._records:
            self._records[owner] = self._read(owner)
        return self._records[owner]

    def _read(self, owner: GitOpsObject) -> SyncRecord | None:
        resource = self._resources.preferred(owner.group, owner.kind)
        if resource is None:
            return None
        try:
            live = self._source.get(resource, owner.namespace, owner.name)
        except RequestError as error:
            self._unread[owner] = f"cannot read which revision {owner} synced last: {error}"
            return None
        return None if live is None else _READERS[owner.kind](live.body)

    def _manifests_of(self, sources: tuple[SyncedSource, ...]) -> Manifests | str:
        """Returns the manifests of sources that were synced together, or the reason why they cannot be read."""
        read: dict[SyncedSource, Manifests] = {}
        failed: list[str] = []
        for source in sources:
            found = self._manifests_in(source) if source.is_hydrated else self._load(source.commit)
            if isinstance(found, str):
                failed.append(found)
            else:
                read[source] = found
        if not read:
            return failed[0] if failed else {}
        if len({source.commit for source in read}) == 1:
            return next(iter(read.values()))
        # One repository at several commits: read each folder at its commit. If two sources have an object, the last one
        # wins, as in Argo CD.
        return {key: found for source, manifests in read.items() for key, found in _in(source, manifests).items()}

    def _manifests_in(self, source: SyncedSource) -> Manifests | str:
        """Returns the manifests of a source that Argo CD hydrates, or the reason why they cannot be read.

        The files that are compared may be these, or those from which they are hydrated, which another commit has.
        """
        found = self._load(source.commit)
        hydrated = {} if isinstance(found, str) else _in(source, found)
        if hydrated:
            return hydrated
        if source.dry_commit is not None:
            return self._load(source.dry_commit)
        if isinstance(found, str):
            return found
        commit = source.commit[:SHORT]
        return f"it syncs what Argo CD hydrates, and {commit} does not have these files in {source.path}"

    def _load(self, commit: str) -> Manifests | str:
        if commit not in self._manifests:
            try:
                self._manifests[commit] = self._by_key(self._repository.load(commit))
            except DriftError as error:
                self._manifests[commit] = str(error)
        return self._manifests[commit]

    @property
    def _label_keys(self) -> Sequence[str]:
        return USUAL_LABELS if self._tracking is None else self._tracking.keys

    def _is_certain(self, live: Object) -> bool:
        """Whether it is certain that Argo CD tracks an object: charts and people use its default label, too."""
        found = argocd_tracking(live, self._label_keys)
        return found is not None and (found.by_annotation or found.label not in {None, INSTANCE_LABEL})


def _in(source: SyncedSource, manifests: Manifests) -> Manifests:
    """Returns the manifests in the folder of a source."""
    return {
        key: manifest
        for key, manifest in manifests.items()
        if manifest.source is not None and source.contains(manifest.source.file.partition(":")[2])
    }


def how_far_behind(count: int, commit: str, what: str) -> str:
    """Returns how far a checkout is behind a commit, as a sentence without a full stop."""
    return f"the checkout is {'one commit' if count == 1 else f'{count} commits'} behind {commit[:SHORT]}, {what}"
