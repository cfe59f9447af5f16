"""Renders what Argo CD would apply: the Applications in the cluster, from local checkouts.

Each source of an Application is rendered from its checkout as it is now, and again at the revision and with the
parameters that Argo CD synced last, so that the difference between the two is exactly what it has still to sync.
"""

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Final

from drift.errors import SourceError
from drift.gitops.opt_outs import application_ignores
from drift.gitops.sync_record import application_record, resource_ids
from drift.gitops.tracked_by import GitOpsObject
from drift.kube.live import LiveObject
from drift.model import SourceInfo, SourceKind
from drift.objects import Manifest, Object, ObjectKey, as_object, at, objects_at, text_at
from drift.sources.argocd_build import (
    ARGOCD_CM,
    COMMIT,
    VERSION_RANGE,
    ApplicationBuilder,
    Revision,
    may_read_any_file,
)
from drift.sources.argocd_destinations import Destinations, controller_namespace, destination_name, resource_key
from drift.sources.checkouts import Checkouts, WorkTree
from drift.sources.controller_objects import (
    CONFIG_MAP,
    ControllerKind,
    behind_note,
    branch_note,
    one_line,
    stale_since,
    state_of,
)
from drift.sources.model import ALL, Rendered, SourceContext
from drift.words import first_few

_APPLICATION: Final = ControllerKind("argoproj.io", "Application")
#: The number of Applications and clusters that a message names.
_NAMED: Final = 3
#: Revisions that follow the default branch.
_NEWEST: Final = frozenset({"", "HEAD"})
#: The full name of a branch.
_BRANCH: Final = "refs/heads/"
#: A file at the top of a branch with hydrated manifests.
#: https://github.com/argoproj/argo-cd/blob/v3.5.1/commitserver/commit/hydratorhelper.go
_HYDRATED: Final = "hydrator.metadata"
#: The annotation of an Application that Argo CD neither refreshes nor syncs.
_SKIP: Final = "argocd.argoproj.io/skip-reconcile"
#: What Argo CD reads as true there: https://pkg.go.dev/strconv#ParseBool
_TRUE: Final = frozenset({"1", "t", "T", "true", "True", "TRUE"})
_SHORT_HASH: Final = re.compile(r"[0-9a-fA-F]{7,40}")
#: The beginning of a revision that is hardly a branch.
_VERSION: Final = re.compile(r"refs/tags/|v?[0-9]+\.[0-9]|[0-9a-fA-F]{7,40}\Z")


def render_argocd(target: str, context: SourceContext) -> list[Rendered]:
    """Renders the sources of Applications.

    Args:
        target: ``all``, ``NAME`` or ``NAMESPACE/NAME``.
        context: The cluster and the checkouts.

    Raises:
        SourceError: The account may not read them, or there is none with this name.
        UsageError: The name is ambiguous, or a checkout does not exist.
    """
    applications = _APPLICATION.find(target, context.cluster)
    if target != ALL and not applications:
        raise SourceError("the cluster has no Application of Argo CD with this name; --argocd all takes all of them")
    destinations = Destinations(applications, context)
    places = [(live, destinations.is_here(live)) for live in applications]
    with Checkouts(context.checkouts, context.runner.deadline) as checkouts:
        any_file = cache(partial(may_read_any_file, context=context))
        jobs = [
            _Application(live, context, checkouts, partial(any_file, controller_namespace(live))).render
            for live, is_here in places
            if is_here
        ]
        results = iter(context.runner.run_all(jobs))
        rendered: list[Rendered] = []
        for live, is_here in places:
            if is_here:
                rendered += next(results)
            elif is_here is False:
                rendered.append(_elsewhere(live))
    undecided = [live for live, is_here in places if is_here is None]
    return [*rendered, _undecided(undecided)] if undecided else rendered


def argocd_state(target: str, context: SourceContext) -> Hashable:
    """Returns a value that changes when the Applications, what they synced last, or the settings of Argo CD do.

    Raises:
        SourceError: The account may not read them.
    """
    applications = _APPLICATION.find(target, context.cluster)
    settings = {(controller_namespace(live), ARGOCD_CM) for live in applications}
    return frozenset(state_of(live.body) for live in applications), CONFIG_MAP.states(settings, context.cluster)


def _elsewhere(live: LiveObject) -> Rendered:
    return Rendered(_info(live), skipped=f"it is applied to another cluster ({destination_name(live.body)})")


def _undecided(applications: Sequence[LiveObject]) -> Rendered:
    """Returns one failure for all Applications that may be applied to this cluster or to another one."""
    clusters = first_few(sorted({destination_name(live.body) for live in applications}), _NAMED)
    names = first_few([f"{live.namespace}/{live.name}" for live in applications], _NAMED)
    name = f"Applications for {clusters}"
    return Rendered(
        SourceInfo(SourceKind.ARGOCD_APPLICATION, name),
        failure=f"{name}: drift does not know which names this cluster has in Argo CD, so {names} "
        f"{'is' if len(applications) == 1 else 'are'} not compared; list them, or only in-cluster, as "
        "argocd.thisCluster in drift.yaml: Applications for other names are then skipped",
    )


class _Application:
    def __init__(
        self, live: LiveObject, context: SourceContext, checkouts: Checkouts, any_file: Callable[[], bool]
    ) -> None:
        self._body = live.body
        self._context = context
        self._checkouts = checkouts
        namespace = text_at(live.body, "spec", "destination", "namespace") or context.namespace
        self._builder = ApplicationBuilder(live, namespace, context, checkouts, any_file)
        self._info = _info(live)
        self._is_hydrated = bool(_hydrator(live.body))
        self._identity = GitOpsObject(_APPLICATION.group, _APPLICATION.kind, live.namespace or "", live.name)

    def render(self) -> list[Rendered]:
        """Returns the result of each source that has manifests."""
        return list(self._sources())

    def _sources(self) -> Iterator[Rendered]:
        sources = _sources_of(self._body)
        for number, source in enumerate(sources):
            if text_at(source, "ref") and not text_at(source, "path") and not text_at(source, "chart"):
                continue
            # The names of the sources in a report must differ.
            name = self._info.name if len(sources) == 1 else f"{self._info.name} source {number + 1}"
            try:
                yield self._render(replace(self._info, name=name), sources, number)
            except SourceError as error:
                yield Rendered(replace(self._info, name=name), failure=f"{name}: {error}")

    def _render(self, info: SourceInfo, sources: tuple[Object, ...], number: int) -> Rendered:
        synced = self._synced()
        last = synced.commits if synced is not None and len(synced.commits) == len(sources) else (None,) * len(sources)
        applied = last[number]
        tree = self._builder.tree(sources[number])
        read = tuple(self._commits(sources, number, last))
        wanted = Revision(sources, tuple(commit for commit, _ in read))
        notes: list[str] = []
        commit, behind = read[number]
        if behind and applied is not None:
            notes.append(behind_note(info.name, tree, behind, applied, "Argo CD synced last"))
        branch, url = self._branch(sources[number], tree), text_at(sources[number], "repoURL")
        if branch and commit is not None and commit == self._checkouts.other_branch(tree, branch, url):
            notes.append(branch_note(info.name, tree, branch, commit))
        manifests, said, built_as = self._builder.manifests(wanted, number)
        notes += said
        base: tuple[Manifest, ...] | None = None
        try:
            base = self._base(number, len(sources))
        except SourceError as error:
            notes.append(f"{info.name}: what Argo CD synced last is not known: {error}")
        ignores, remarks = application_ignores(self._body, info.name, info.name)
        if number == 0:
            notes += remarks
        path = text_at(sources[number], "path")
        shown = tree.shown(path)
        if not manifests:
            notes.append(f"{info.name}: there is no manifest in {shown}")
        keeps = application_record(self._body).keeps
        return Rendered(
            replace(info, path=shown, revision=commit or tree.commit, synced_revision=applied, built_as=built_as),
            manifests,
            base,
            tuple(notes),
            applied=frozenset(_to_be_pruned(self._body)) if number == 0 else frozenset(),
            gitops_object=self._identity,
            keeps=None if keeps is None else (self._identity, keeps),
            ignore_differences=tuple(ignores),
        )

    # -- revisions

    def _commits(
        self, sources: Sequence[Object], number: int, last: Sequence[str | None]
    ) -> Iterator[tuple[str | None, int]]:
        """Yields the commit at which to read each source, and how many commits its checkout is behind it.

        Args:
            sources: All sources.
            number: The one that is rendered.
            last: The commit of each source at the last sync.
        """
        for index, source in enumerate(sources):
            try:
                commit = self._wanted_commit(source, index)
                follows_branch = commit is None or self._is_hydrated
                behind = self._behind(source, last[index], commit) if follows_branch else 0
            except SourceError:
                # The checkout of another source is needed only if this one uses its files.
                if index == number or _uses(sources[number], source):
                    raise
                commit, behind = None, 0
            yield (last[index] if behind else commit), behind

    def _behind(self, source: Object, applied: str | None, wanted: str | None) -> int:
        tree = self._builder.tree(source)
        return self._checkouts.commits_behind(tree, applied, wanted) if applied and COMMIT.fullmatch(applied) else 0

    def _wanted_commit(self, source: Object, number: int) -> str | None:
        """Returns the commit at which to read a source, or None for the files as they are.

        It is the one to which the source is pinned, or the newest one of a branch that is not checked out.

        Hydrated manifests are in a branch of their own, which is read as it was fetched if another one is checked out.

        A name is looked up in the order of Argo CD: branch, tag, the beginning of a hash.
        https://github.com/argoproj/argo-cd/blob/v3.1.0/util/git/client.go (lsRemote)

        Raises:
            SourceError: It is pinned to a commit that is not known.
        """
        wanted = text_at(source, "targetRevision")
        if text_at(source, "chart") or COMMIT.fullmatch(wanted):
            return wanted
        tree = self._builder.tree(source)
        branch = self._branch(source, tree)
        # A folder that is no work tree has one revision: its files as they are.
        if branch is None or tree.commit is None:
            return None
        url = text_at(source, "repoURL")
        if wanted in _NEWEST or self._checkouts.has_branch(tree, branch, url):
            return self._checkouts.other_branch(tree, branch, url, is_hydrated=self._is_hydrated)
        is_range = VERSION_RANGE.search(wanted) is not None
        found = None if is_range else self._checkouts.tag(tree, wanted.removeprefix("refs/tags/"))
        if found is None and _SHORT_HASH.fullmatch(wanted):
            found = self._checkouts.full_hash(tree, wanted)
        looked_up = self._looked_up(wanted, number)
        is_name = found is None and not is_range and not _VERSION.match(wanted)
        if is_name and self._checkouts.is_detached(tree) and self._may_be_checked_out(tree, looked_up):
            # git-sync and CI check out the commit of a branch, and know no branch.
            return None
        found = found or looked_up
        if found is not None:
            return found
        if is_range:
            raise SourceError(f"its revision {wanted} is a range of versions that Argo CD has not looked up yet")
        raise SourceError(
            f"its revision {wanted} is not in the checkout {tree.root}; "
            f"`git -C {tree.root} fetch --all --tags` gets branches and tags"
        )

    def _may_be_checked_out(self, tree: WorkTree, looked_up: str | None) -> bool:
        """Whether what is checked out may be of the branch that is followed, and not that from which it is hydrated.

        Both branches may have the path.
        """
        return not self._is_hydrated or looked_up == tree.commit or (tree.root / _HYDRATED).exists()

    def _branch(self, source: Object, tree: WorkTree) -> str | None:
        """Returns the name of the branch that a source follows if its revision is one; None if it is not known."""
        wanted = text_at(source, "targetRevision")
        if wanted in _NEWEST:
            return self._checkouts.default_branch(tree, text_at(source, "repoURL"))
        return wanted.removeprefix(_BRANCH)

    def _looked_up(self, wanted: str, number: int) -> str | None:
        """Returns the commit that Argo CD found for the revision of a source; None if it has not looked for it yet."""
        status = at(self._body, "status", "sync")
        sources = objects_at(status, "comparedTo", "sources") or [as_object(at(status, "comparedTo", "source"))]
        if number >= len(sources) or text_at(sources[number], "targetRevision") != wanted:
            return None
        revisions = at(status, "revisions")
        found = revisions[number] if isinstance(revisions, list) and number < len(revisions) else None
        revision = found or text_at(status, "revision")
        return revision if isinstance(revision, str) and COMMIT.fullmatch(revision) else None

    def _synced(self) -> Revision | None:
        """Returns the sources of the last complete sync, or None if there was none."""
        entries = objects_at(self._body, "status", "history")
        return _recorded(entries[-1]) if entries else None

    def _base(self, number: int, count: int) -> tuple[Manifest, ...] | None:
        """Returns the objects that were last synced from a source; None if no sync is recorded.

        Raises:
            SourceError: They cannot be rendered.
        """
        record = application_record(self._body)
        synced = self._synced()
        manifests: dict[ObjectKey, Manifest] = {}
        if record.last is None and synced is None and not record.newer:
            return None
        if synced is not None:
            if len(synced.sources) != count:
                raise SourceError("it had other sources")
            manifests = {manifest.key: manifest for manifest in self._builder.manifests(synced, number)[0]}
        if record.newer:
            operation = _recorded(as_object(at(self._body, "status", "operationState", "syncResult")))
            if None in record.newer.values() or len(operation.sources) != count:
                raise SourceError("the last operation synced local files or other sources")
            newer = {manifest.key: manifest for manifest in self._builder.manifests(operation, number)[0]}
            done = record.newer.keys()
            for key in [key for key in {**manifests, **newer} if done & {*resource_ids(key)}]:
                if key in newer:
                    manifests[key] = newer[key]
                else:
                    manifests.pop(key, None)
        return tuple(manifests.values())


def _hydrator(application: Object) -> Object:
    return as_object(at(application, "spec", "sourceHydrator"))


def _sources_of(application: Object) -> tuple[Object, ...]:
    """Returns what an Application syncs. If Argo CD hydrates its manifests, that is the branch with the result.

    https://github.com/argoproj/argo-cd/blob/v3.5.1/pkg/apis/application/v1alpha1/types.go (GetSources)
    """
    hydrator = _hydrator(application)
    if hydrator:
        synced = at(hydrator, "syncSource")
        hydrated: Object = {
            "repoURL": text_at(synced, "repoURL") or text_at(hydrator, "drySource", "repoURL"),
            "path": text_at(synced, "path"),
            "targetRevision": text_at(synced, "targetBranch"),
        }
        return (hydrated,)
    return tuple(objects_at(application, "spec", "sources")) or (as_object(at(application, "spec", "source")),)


def _uses(source: Object, other: Object) -> bool:
    """Returns whether a source uses the values files of another one."""
    files = as_object(source.get("helm")).get("valueFiles")
    prefix = f"${text_at(other, 'ref')}/"
    return isinstance(files, list) and any(str(name).startswith(prefix) for name in files)


def _recorded(entry: Object) -> Revision:
    """Returns the sources of an entry of the history, or of a sync result."""
    revisions = at(entry, "revisions")
    if isinstance(revisions, list) and revisions:
        sources = tuple(objects_at(entry, "sources"))
        return Revision(sources, tuple(str(revision) for revision in revisions[: len(sources)]))
    return Revision((as_object(at(entry, "source")),), (text_at(entry, "revision"),))


def _to_be_pruned(application: Object) -> Iterator[ObjectKey]:
    """Yields the objects that Argo CD has applied and that its last comparison did not find in Git."""
    for item in objects_at(application, "status", "resources"):
        if item.get("requiresPruning") is True:
            yield resource_key(item)


def _info(live: LiveObject) -> SourceInfo:
    """Returns what Argo CD says about an Application."""
    status = as_object(live.body.get("status"))
    automated = at(live.body, "spec", "syncPolicy", "automated")
    skips_reconcile = text_at(live.body, "metadata", "annotations", _SKIP) in _TRUE
    sync, health = text_at(status, "sync", "status"), text_at(status, "health", "status")
    history = objects_at(status, "history")
    problems = [
        text_at(item, "message") for item in objects_at(status, "conditions") if text_at(item, "type").endswith("Error")
    ]
    said = ", ".join(filter(None, (sync, health)))
    return SourceInfo(
        SourceKind.ARGOCD_APPLICATION,
        f"Application {live.namespace}/{live.name}",
        suspended=skips_reconcile or not isinstance(automated, dict) or automated.get("enabled") is False,
        ready=(sync == "Synced" and health == "Healthy") if sync else None,
        message=one_line(": ".join(filter(None, (said, *problems[:1])))),
        last_synced=(text_at(history[-1], "deployedAt") if history else "") or None,
        stale_since=stale_since(live.body),
        skips_reconcile=skips_reconcile,
    )
