"""Finds and reads what was last synced of each object.

A Kustomization or an Application is read only when an object of it differs, so a cluster in sync costs no request.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from drift.errors import DriftError, RequestError
from drift.gitops.argocd_status import application_record
from drift.gitops.flux_status import kustomization_record
from drift.gitops.gitops_object import GitOpsObject, gitops_object_of
from drift.gitops.sync_record import SyncedSource, SyncRecord
from drift.kube.live_object import LiveObject
from drift.kube.resources import Resource, Resources
from drift.model import Manifest, Object, ObjectKey

Manifests = Mapping[ObjectKey, Manifest]

_SHORT: Final = 12
_READERS: Final[Mapping[str, Callable[[Object], SyncRecord]]] = {
    "Kustomization": kustomization_record,
    "Application": application_record,
}


class _Source(Protocol):
    @property
    def resources(self) -> Resources: ...

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None: ...


class Repository(Protocol):
    """The manifests that the user named, as they were at other Git commits."""

    def load(self, commit: str) -> Sequence[Manifest]:
        """The manifests at a commit; their source files are ``COMMIT:PATH``, relative to the top of the repository.

        Raises:
            DriftError: They cannot be read.
        """

    def commit(self, revision: str) -> str:
        """The full hash of a revision that the repository has."""

    def may_be_behind(self) -> bool:
        """Whether the repository has commits that descend from the one that is checked out."""

    def commits_behind(self, commit: str) -> int:
        """How many commits the checkout is behind another one; 0 unless that one descends from it."""


@dataclass(frozen=True, slots=True)
class SyncedAhead:
    """A commit that was synced and is newer than the checkout.

    Attributes:
        commit: The full hash.
        manifests: The manifests at that commit.
        sentence: By how many commits the checkout is behind, as a sentence without its end.
    """

    commit: str
    manifests: tuple[Manifest, ...]
    sentence: str


class SyncedRevisions:
    """Finds and reads what was last synced. Each Kustomization, Application and commit is read once."""

    def __init__(
        self,
        source: _Source,
        repository: Repository,
        by_key: Callable[[Sequence[Manifest]], Manifests],
        resources: Resources | None = None,
    ) -> None:
        """Nothing is read yet.

        Args:
            source: The live side.
            repository: Reads the manifests at a commit.
            by_key: Finds the keys of manifests.
            resources: The kinds that may be read; None for all that the source has.
        """
        self._source = source
        self._repository = repository
        self._by_key = by_key
        self._resources = resources or source.resources
        self._records: dict[GitOpsObject, SyncRecord | None] = {}
        self._unread: dict[GitOpsObject, str] = {}
        self._manifests: dict[str, Manifests | str] = {}
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> Sequence[str]:
        """Why a base that was asked for is not known, one sentence each."""
        return tuple(self._notes)

    def manifests(self, live: Object, key: ObjectKey) -> Manifests | None:
        """The manifests that were synced when a live object was last synced; None if that is not known."""
        syncer = gitops_object_of(live)
        return None if syncer is None else self._base(syncer, key)

    def contradicts(self, live: Object, key: ObjectKey) -> bool:
        """Whether the GitOps controller itself says that a live object is not as Git wants it."""
        syncer = gitops_object_of(live)
        record = None if syncer is None else self._record(syncer)
        return record is not None and record.contradicts(key)

    def was_synced(self, key: ObjectKey, syncers: Iterable[GitOpsObject]) -> bool | None:
        """Whether an object that is not there to say who syncs it was synced once; None if that is not known.

        Args:
            key: The object.
            syncers: Those that sync the other objects.
        """
        bases = [self._base(syncer, key) for syncer in self._candidates(key, syncers)]
        answers = {key in base for base in bases if base is not None}
        return answers.pop() if len(answers) == 1 else None

    def why_pending(self, key: ObjectKey, syncers: Iterable[GitOpsObject]) -> str | None:
        """Why an object that was never synced is not there yet, as a sentence; None if that is not known."""
        records = [self._record(syncer) for syncer in self._candidates(key, syncers)]
        reasons = {record.why_pending(key) for record in records if record is not None}
        return reasons.pop() if len(reasons) == 1 else None

    def ahead(self, syncers: Iterable[GitOpsObject]) -> SyncedAhead | None:
        """The synced commit that the checkout is behind; None if it is not, or if there are several such commits.

        Args:
            syncers: Those that sync the objects.
        """
        if not self._repository.may_be_behind():
            return None
        found: dict[str, tuple[int, GitOpsObject]] = {}
        for syncer in sorted(syncers, key=str):
            record = self._record(syncer)
            commits = record.commits() if record is not None else ()
            behind = [(self._repository.commits_behind(commit), commit) for commit in sorted(commits)]
            if behind:
                count, commit = max(behind)
                found.setdefault(commit, (count, syncer))
        late = {commit: by for commit, by in found.items() if by[0]}
        if len(found) == 1 and late:
            [(commit, (count, syncer))] = late.items()
            return self._ahead(commit, _behind(count, commit, f"which {syncer} synced last"))
        for commit, (count, syncer) in late.items():
            # Each object would have to be compared with another commit, and which one is not always known.
            self._notes[f"{_behind(count, commit, f'which {syncer} synced last')}; update the checkout"] = None
        return None

    def ahead_at(self, revision: str) -> SyncedAhead | None:
        """A revision that the user says was synced, if the checkout is behind it."""
        count = self._repository.commits_behind(revision)
        if not count:
            return None
        commit = self._repository.commit(revision)
        return self._ahead(commit, _behind(count, commit, "the synced revision"))

    def _ahead(self, commit: str, sentence: str) -> SyncedAhead | None:
        try:
            manifests = tuple(self._repository.load(commit))
        except DriftError as error:
            self._notes[f"{sentence}, and cannot be compared with it: {error}"] = None
            return None
        return SyncedAhead(commit, manifests, sentence) if manifests else None

    def _candidates(self, key: ObjectKey, syncers: Iterable[GitOpsObject]) -> list[GitOpsObject]:
        """Those that may sync an object: those that list it, or all if none does."""
        known = sorted(syncers, key=str)
        return [syncer for syncer in known if (record := self._record(syncer)) and record.lists(key)] or known

    def _base(self, syncer: GitOpsObject, key: ObjectKey) -> Manifests | None:
        record = self._record(syncer)
        if record is None:
            if syncer in self._unread:
                self._notes[self._unread[syncer]] = None
            return None
        sources = record.sources(key)
        if sources is None:
            return None
        found = self._at(sources)
        if isinstance(found, str):
            self._notes[f"what {syncer} synced last is not known: {found}"] = None
            return None
        return found

    def _record(self, syncer: GitOpsObject) -> SyncRecord | None:
        if syncer not in self._records:
            self._records[syncer] = self._read(syncer)
        return self._records[syncer]

    def _read(self, syncer: GitOpsObject) -> SyncRecord | None:
        resource = self._resources.preferred(syncer.group, syncer.kind)
        if resource is None:
            return None
        try:
            live = self._source.get(resource, syncer.namespace, syncer.name)
        except RequestError as error:
            self._unread[syncer] = f"the revision that {syncer} synced last cannot be read: {error}"
            return None
        return None if live is None else _READERS[syncer.kind](live.body)

    def _at(self, sources: tuple[SyncedSource, ...]) -> Manifests | str:
        """The manifests of sources that were synced together, or why they cannot be read."""
        read: dict[SyncedSource, Manifests] = {}
        failed: list[str] = []
        for source in sources:
            found = self._load(source.commit)
            if isinstance(found, str):
                failed.append(found)
            else:
                read[source] = found
        if not read:
            return failed[0] if failed else {}
        if len({source.commit for source in read}) == 1:
            return next(iter(read.values()))
        # One repository at several commits: each folder as it was at its own. Argo CD takes the last of two alike.
        return {
            key: manifest
            for source, manifests in read.items()
            for key, manifest in manifests.items()
            if source.holds(manifest.source.file.partition(":")[2])
        }

    def _load(self, commit: str) -> Manifests | str:
        if commit not in self._manifests:
            try:
                self._manifests[commit] = self._by_key(self._repository.load(commit))
            except DriftError as error:
                self._manifests[commit] = str(error)
        return self._manifests[commit]


def _behind(count: int, commit: str, what: str) -> str:
    commits = "one commit" if count == 1 else f"{count} commits"
    return f"the checkout is {commits} behind {commit[:_SHORT]}, {what}"
