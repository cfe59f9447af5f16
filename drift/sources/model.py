"""What the sources return: the manifests of each, what was last synced, and what could not be read.

One module per kind of source makes a `Rendered`; `drift.sources.resolve` chooses the module and combines the results.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from drift.gitops.opt_outs import IgnoreDifferences
from drift.gitops.tracked_by import GitOpsObject
from drift.kube.limits import Deadline
from drift.kube.live import LiveObject, LiveSource
from drift.kube.resources import Resource
from drift.model import SourceInfo
from drift.objects import Manifest, Object, ObjectKey
from drift.sources.programs import Runner

if TYPE_CHECKING:
    from drift.sources.git import Revisions

#: The name that selects all objects of a source, in all namespaces: ``--flux all``.
ALL: Final = "all"


@runtime_checkable
class StoredObjects(Protocol):
    """Reads objects in which programs keep their own state, with the values of Secrets."""

    def list_labelled(self, resource: Resource, namespace: str | None, labels: str) -> Iterator[LiveObject]:
        """The metadata of the objects that a label selector matches. Raises RequestError."""

    def get_stored(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """Returns one object, or None if it does not exist. Raises RequestError."""


@runtime_checkable
class TimedSource(Protocol):
    """A source of live objects that is read only until a deadline: a cluster, but not a dump."""

    @property
    def deadline(self) -> Deadline:
        """The end of reading."""


class RememberedLists:
    """Remembers each list that it reads: charts in one namespace ask for the same releases."""

    def __init__(self, stored: StoredObjects) -> None:
        self._list = cache(lambda *arguments: tuple(stored.list_labelled(*arguments)))
        self.get_stored = stored.get_stored

    def list_labelled(self, resource: Resource, namespace: str | None, labels: str) -> Iterator[LiveObject]:
        """As `StoredObjects.list_labelled`."""
        return iter(self._list(resource, namespace, labels))


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source may need to be rendered for one cluster.

    Attributes:
        cluster: The cluster or dump: its version and API versions, and the objects of its GitOps controllers.
        namespace: The namespace of objects that name none.
        stored: The same cluster, for state that programs keep in Secrets; None for a dump, which has no values.
        checkouts: Local Git work trees, as ``PATH`` or ``URL=PATH``.
        runner: Runs the programs that render sources.
        reads_secrets: Whether the values of Secrets of ``substituteFrom`` may be read.
        argocd_this_cluster: The names and addresses that Argo CD has for this cluster; None if they are not known.
        is_unchecked: Returns whether the user does not want objects of a kind to be read.
    """

    cluster: LiveSource
    namespace: str
    stored: StoredObjects | None
    checkouts: tuple[str, ...]
    runner: Runner
    reads_secrets: bool
    argocd_this_cluster: tuple[str, ...] | None
    is_unchecked: Callable[[ObjectKey], bool]


@dataclass(frozen=True, slots=True)
class Rendered:
    """The result of one source.

    A source that could not be rendered has a `failure`. It makes the scan incomplete, because it is unknown which
    objects the source describes. Documents that could not be read are `errors`; the others are compared nevertheless.

    Attributes:
        info: The source.
        manifests: The desired objects.
        base: The manifests that were last synced from this source; None if unknown.
        notes: Remarks for the report, one sentence each.
        errors: Documents that could not be read, one line each, beginning with ``file:line:column`` if that is known.
        failure: Why the source could not be read or rendered, in one line; None if it was.
        applied: The objects that its GitOps controller lists as applied.
        ignore_differences: What its GitOps controller ignores.
        has_secret_values: Whether values of Secrets may be in its objects. Its manifests have them redacted or, if they
            were not read, as `Incomparable`.
        gitops_object: Its Kustomization or Application, or None.
        keeps: Its Kustomization or Application, and the setting that tells it not to prune, or None if it prunes.
        replaces: The name of another source with the same objects, which this one replaces, or None.
        skipped: Why the source is left out by design, in one line, for example because it is applied to another
            cluster; None if it is not.
    """

    info: SourceInfo
    manifests: tuple[Manifest, ...] = ()
    base: tuple[Manifest, ...] | None = None
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    failure: str | None = None
    skipped: str | None = None
    applied: frozenset[ObjectKey] = frozenset()
    ignore_differences: tuple[IgnoreDifferences, ...] = ()
    has_secret_values: bool = False
    gitops_object: GitOpsObject | None = None
    keeps: tuple[GitOpsObject, str] | None = None
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired objects of all sources. The scan merges objects that several sources describe.

    Attributes:
        rendered: The result of each source, in the order of the user.
        revisions: Reads the paths among the sources at other Git revisions; None if there are none, or if standard
            input is among them.
    """

    rendered: tuple[Rendered, ...]
    revisions: "Revisions | None" = None

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The manifests of all sources; each names its source in `Manifest.origins`."""
        return tuple(manifest for source in self.rendered for manifest in source.manifests)

    @property
    def paths(self) -> tuple[str, ...]:
        """The local paths of the sources."""
        return tuple(dict.fromkeys(source.info.path for source in self.rendered if source.info.path is not None))

    @property
    def is_complete(self) -> bool:
        """Whether everything could be read, so that an object without a manifest is known not to be in Git."""
        return not any(source.errors or source.failure for source in self.rendered)


def with_origin(source: Rendered) -> Rendered:
    """Returns a source whose manifests name it and whose info counts them."""
    name = (source.info.name,)
    manifests = tuple(replace(manifest, origins=name) for manifest in source.manifests)
    return replace(source, info=replace(source.info, objects=len(manifests)), manifests=manifests)
