"""The options and the progress of a scan."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from drift.config.settings import SkippedKind
from drift.gitops.opt_outs import IgnoreDifferences
from drift.gitops.revisions import Repository
from drift.gitops.tracked_by import GitOpsObject
from drift.model import Shard, Unmanaged
from drift.objects import Manifest, ObjectKey, Place


@dataclass(frozen=True, slots=True)
class ScanStep:
    """The progress of a scan.

    Attributes:
        what: The kind that is being read, for example ``deployments.apps``.
        done: The number of manifests compared so far.
        total: The number of all manifests; None while the scan searches for unmanaged objects.
    """

    what: str
    done: int
    total: int | None


def _ignore(step: ScanStep) -> None:
    del step


def _place_of_manifest(manifest: Manifest, path: Sequence[str | int]) -> Place | None:
    del path
    return None if manifest.source is None else Place(manifest.source.file, manifest.source.line)


FieldPlace = Callable[[Manifest, Sequence[str | int]], Place | None]


class IfBehind(Enum):
    """What a scan does if the checkout is behind the synced commit."""

    NOTHING = auto()
    #: Says so in a note.
    NOTE = auto()
    #: Compares with that commit instead, and says so.
    CATCH_UP = auto()


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a scan.

    Attributes:
        namespace: The namespace of manifests that name none; None for the default of the cluster or dump.
        appliers: Field managers that apply Git, in addition to the known ones.
        controllers: Field managers that are controllers, in addition to the known ones; ``*`` matches any characters.
        infers: Whether the manifests are complete, so that the scan can infer from all objects what one object does not
            show, such as their applier. If not, it uses what an earlier scan with the same cache inferred.
        unchecked: Kinds that the user excludes from the scan.
        unmanaged: Where to search for unmanaged objects.
        synced: The manifests at the last synced revision; None if the user does not name that revision.
        synced_revision: The last synced revision, as the user names it.
        repository: Reads the manifests at the commits that Flux or Argo CD records; None to ignore these records.
        bases: What was last synced from each source that knows it, by the name of the source. Takes the place of the
            revisions above for the objects of that source.
        applied: The objects that the GitOps controllers of the sources list as applied.
        keepers: The Kustomizations and Applications that do not prune, with the setting that turns pruning off.
        gitops_objects: The Kustomizations and Applications that were rendered.
        files: The names of the sources that are plain files. Two of these must not define the same object.
        with_secret_values: The names of the sources that put values of Secrets into other objects, as far as that is
            known. Their manifests do not show them.
        with_variables: The names of the sources whose manifests may have variables that Flux replaces.
        ignore_differences: What the GitOps controllers of the sources ignore.
        if_behind: What to do if the checkout is behind the synced commit.
        shard: The part of the namespaces to scan; None for all of them.
        field_place: Returns the file and line of a field of a manifest, by its keys and list indexes, or None.
        explain: Whether to report every decision.
        observe: Called with the progress, at most about a hundred times a second.
    """

    namespace: str | None = None
    appliers: tuple[str, ...] = ()
    controllers: tuple[str, ...] = ()
    infers: bool = True
    unchecked: tuple[SkippedKind, ...] = ()
    unmanaged: Unmanaged = Unmanaged.NAMESPACE
    synced: tuple[Manifest, ...] | None = None
    synced_revision: str | None = None
    repository: Repository | None = None
    bases: Mapping[str, tuple[Manifest, ...]] = field(default_factory=dict)
    applied: frozenset[ObjectKey] = frozenset()
    keepers: Mapping[GitOpsObject, str] = field(default_factory=dict)
    gitops_objects: frozenset[GitOpsObject] = frozenset()
    files: frozenset[str] = frozenset()
    ignore_differences: tuple[IgnoreDifferences, ...] = ()
    with_variables: frozenset[str] = frozenset()
    with_secret_values: frozenset[str] = frozenset()
    if_behind: IfBehind = IfBehind.NOTHING
    shard: Shard | None = None
    field_place: FieldPlace = _place_of_manifest
    explain: bool = False
    observe: Callable[[ScanStep], object] = _ignore

    def covers(self, namespace: str | None) -> bool:
        """Returns whether this scan, and no other shard, reports on a namespace; None for cluster-scoped objects."""
        return self.shard is None or self.shard.owns(namespace)

    def may_have_variables(self, manifest: Manifest) -> bool:
        """Returns whether a manifest may have variables that Flux replaces before it applies the object."""
        return self.with_variables.issuperset(manifest.origins)

    def unchecked_kind(self, group: str, kind: str) -> SkippedKind | None:
        """Returns the setting that excludes a kind, or None if the kind is not excluded."""
        return next((unchecked for unchecked in self.unchecked if unchecked.covers(group, kind)), None)
