"""Renders what Flux would apply: the Kustomizations and HelmReleases in the cluster, from local checkouts.

A Kustomization is built from the checkout as it is now, and again at the revision that Flux applied last, so that the
difference between the two is exactly what Flux has still to apply.
"""

from base64 import b64decode
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from drift.errors import RequestError, SourceError
from drift.gitops.opt_outs import flux_ignores
from drift.gitops.revisions import SHORT
from drift.gitops.sync_record import commit_of, kustomization_record
from drift.gitops.tracked_by import GitOpsObject
from drift.kube.live import LiveObject, LiveSource
from drift.model import SourceInfo, SourceKind
from drift.objects import Manifest, Object, ObjectKey, as_object, at, objects_at, text_at
from drift.sources.checkouts import Checkouts, Copy, WorkTree, check_complete, path_inside
from drift.sources.controller_objects import (
    CONFIG_MAP,
    ControllerKind,
    MissingObjectError,
    behind_note,
    branch_note,
    last_written,
    newest_history,
    one_line,
    or_error,
    ready_condition,
    stale_since,
    state_of,
)
from drift.sources.flux_build import Variables, build_path, finish, remove_ignored_files
from drift.sources.helm_release import find_release, storage_state
from drift.sources.kustomizations import has_kustomization
from drift.sources.kustomize import read_built
from drift.sources.model import ALL, Rendered, SourceContext

_KUSTOMIZATION: Final = ControllerKind("kustomize.toolkit.fluxcd.io", "Kustomization")
_HELM_RELEASE: Final = ControllerKind("helm.toolkit.fluxcd.io", "HelmRelease")
_SOURCES: Final = {
    kind: ControllerKind("source.toolkit.fluxcd.io", kind) for kind in ("GitRepository", "OCIRepository", "Bucket")
}
#: Fields of a GitRepository that change the contents of its artifact.
_UNSUPPORTED: Final = ("include", "sparseCheckout")
#: Fields of ``spec.ref`` of a GitRepository that name one commit, not the newest one of a branch.
_PINS: Final = ("commit", "tag", "semver", "name")
#: The name of a branch, for Git. The field ``name`` comes before all others but ``commit``.
_BRANCH: Final = "refs/heads/"
#: The branch that a GitRepository follows without a ``spec.ref`` that says otherwise, whatever the repository has.
#: https://fluxcd.io/flux/components/source/gitrepositories/#reference
_DEFAULT_BRANCH: Final = "master"
#: Fields of ``spec.ref`` of an OCIRepository that name one artifact, or one of a range of versions.
_ARTIFACTS: Final = ("digest", "tag", "semver")
#: Where ``flux push artifact`` says which commit an artifact was made from.
_MADE_FROM: Final = "org.opencontainers.image.revision"
#: Why a Kustomization is not ready although the revision that it attempted last has been applied.
_AFTER_APPLYING: Final = frozenset({"HealthCheckFailed", "PruneFailed"})
_SECRET: Final = ControllerKind("", "Secret")
_OTHER_CLUSTER: Final = "it is applied to another cluster (spec.kubeConfig)"


def render_flux(target: str, context: SourceContext) -> list[Rendered]:
    """Renders Kustomizations and HelmReleases.

    Args:
        target: ``all``, ``NAME`` or ``NAMESPACE/NAME``.
        context: The cluster and the checkouts.

    Raises:
        SourceError: The account may not read them, or the cluster has none with this name.
        UsageError: The name is ambiguous, or a checkout does not exist.
    """
    kustomizations = _KUSTOMIZATION.find(target, context.cluster)
    releases = _HELM_RELEASE.find(target, context.cluster)
    if target != ALL and not kustomizations and not releases:
        raise SourceError(
            "the cluster has no Kustomization or HelmRelease of Flux with this name; --flux all takes all of them"
        )
    with Checkouts(context.checkouts, context.runner.deadline) as checkouts:
        jobs = [_Kustomization(live, context, checkouts).render for live in kustomizations]
        return context.runner.run_all([*jobs, *(partial(_render_release, live, context) for live in releases)])


def flux_state(target: str, context: SourceContext) -> Hashable:
    """Returns a value that changes when the Kustomizations or HelmReleases do, or anything that they refer to.

    Raises:
        SourceError: The account may not read them.
    """
    cluster = context.cluster
    kustomizations = _KUSTOMIZATION.find(target, cluster)
    releases = _HELM_RELEASE.find(target, cluster)
    sources = {_source_of(live) for live in kustomizations}
    variables = {
        kind: {
            (live.namespace or "", text_at(reference, "name"))
            for live in kustomizations
            for reference in objects_at(live.body, "spec", "postBuild", "substituteFrom")
            if text_at(reference, "kind") == kind
        }
        for kind in ("ConfigMap", "Secret")
    }
    storages = {release_of(live.body)[0] for live in releases}
    return (
        frozenset(state_of(live.body) for live in (*kustomizations, *releases)),
        *(
            source.states((name for kind, name in sources if kind == source.kind), cluster)
            for source in _SOURCES.values()
        ),
        CONFIG_MAP.states(variables["ConfigMap"], cluster),
        frozenset(_version_of(name, cluster) for name in variables["Secret"] if context.reads_secrets),
        frozenset(or_error(partial(storage_state, namespace, context)) for namespace in storages),
    )


def _version_of(secret: tuple[str, str], cluster: LiveSource) -> Hashable:
    return secret, or_error(lambda: at(_SECRET.get(*secret, cluster), "metadata", "resourceVersion"))


def _source_of(live: LiveObject) -> tuple[str, tuple[str, str]]:
    """Returns the kind of the source of a Kustomization, and its namespace and name."""
    reference = at(live.body, "spec", "sourceRef")
    namespace = text_at(reference, "namespace") or live.namespace or ""
    return text_at(reference, "kind"), (namespace, text_at(reference, "name"))


class _Kustomization:
    def __init__(self, live: LiveObject, context: SourceContext, checkouts: Checkouts) -> None:
        self._live = live
        self._body = live.body
        self._namespace = live.namespace or ""
        self._context = context
        self._checkouts = checkouts
        self._spec = as_object(live.body.get("spec"))
        self._path = path_inside(text_at(self._spec, "path"))
        self._info = _info(SourceKind.FLUX_KUSTOMIZATION, live)
        self._identity = GitOpsObject(_KUSTOMIZATION.group, _KUSTOMIZATION.kind, self._namespace, live.name)

    def render(self) -> Rendered:
        if self._spec.get("kubeConfig"):
            return Rendered(self._info, skipped=_OTHER_CLUSTER)
        try:
            return self._render()
        except SourceError as error:
            return Rendered(self._info, failure=f"{self._info.name}: {error}")

    def _render(self) -> Rendered:
        repository = _Repository.read(self._live, self._context)
        tree = self._checkouts.find(repository.url)
        shown = tree.shown(self._path)
        variables, changed_at = self._variables()
        applied = self._applied_commit()
        name = self._info.name
        notes: list[str] = []
        commit = repository.pinned or self._made_from(repository, tree)
        behind = self._checkouts.commits_behind(tree, applied) if applied is not None and commit is None else 0
        other = self._other_branch(repository, tree) if commit is None else None
        if repository.branch and self._is_unknown(tree, repository.branch, repository.url):
            notes.append(
                f"{name}: it follows the branch {repository.branch}, which {tree.root} does not know, so this report "
                "compares with the one that is checked out"
            )
        if repository.branch and other is not None:
            commit = other
            notes.append(branch_note(name, tree, repository.branch, other))
        elif applied is not None and behind:
            commit = applied
            notes.append(behind_note(name, tree, behind, applied, "Flux applied last"))
        why_unknown = self._why_base_is_unknown(applied, changed_at)
        commits = [commit]
        if why_unknown is None and applied != (commit or (None if tree.is_dirty else tree.commit)):
            commits.append(applied)
        build = partial(self._try_build, repository, tree, variables)
        desired, *rest = self._context.runner.run_all([partial(build, one) for one in commits])
        if isinstance(desired, SourceError):
            raise desired
        base: tuple[Manifest, ...] | None = None
        if why_unknown is None:
            built = rest[0] if rest else desired
            if isinstance(built, SourceError):
                why_unknown = str(built)
            else:
                base = built
        # Also of a Secret, or of one of its keys, that has been deleted since.
        has_secret_values = any(text_at(one, "kind") == "Secret" for one in self._substitute_from())
        if why_unknown is not None:
            hidden = ", so that values which may come from a Secret are not shown" if has_secret_values else ""
            notes.append(f"{name}: what Flux applied last is not known{hidden}: {why_unknown}")
        ignores, remarks = flux_ignores(name, self._spec.get("ignore"))
        notes += remarks
        if not desired:
            notes.append(f"{name}: there is no manifest in {shown}")
        keeps = kustomization_record(self._body).keeps
        return Rendered(
            replace(
                self._info,
                path=shown,
                revision=commit or tree.commit,
                synced_revision=applied or self._info.synced_revision,
                substitutes=variables is not None and variables.are_substituted,
            ),
            desired,
            base,
            tuple(notes),
            applied=frozenset(_inventory(self._body)),
            has_secret_values=has_secret_values,
            gitops_object=self._identity,
            keeps=None if keeps is None else (self._identity, keeps),
            ignore_differences=tuple(ignores),
        )

    def _try_build(
        self, repository: "_Repository", tree: WorkTree, variables: Variables | None, commit: str | None
    ) -> tuple[Manifest, ...] | SourceError:
        """Returns the manifests at a commit (None: the files as they are), or why they cannot be built."""
        prepare = partial(remove_ignored_files, ignore=repository.ignore)
        try:
            with self._checkouts.copy(tree, commit, prepare, f"flux {repository.ignore}") as copy:
                return self._build(repository, tree, copy, commit, variables)
        except SourceError as error:
            return error

    def _build(
        self, repository: "_Repository", tree: WorkTree, copy: Copy, commit: str | None, variables: Variables | None
    ) -> tuple[Manifest, ...]:
        shown = tree.shown(self._path) if commit is None else f"{commit[:SHORT]}:{self._path}"
        try:
            built = build_path(copy.root, self._spec, variables, self._context.runner)
            folder = copy.root / self._path
            if not has_kustomization(folder):
                # Flux lists all files below the path, so that none is missed by the build.
                check_complete(name for name in copy.missing_in(folder) if repository.has(name))
            return read_built(built, shown, partial(finish, spec=self._spec, variables=variables))
        except SourceError as error:
            raise copy.error(error) from None

    def _made_from(self, repository: "_Repository", tree: WorkTree) -> str | None:
        """Returns the commit that an artifact of a registry was made from, if the checkout has it."""
        if repository.made_from is None or tree.commit is None:
            return None
        return self._checkouts.full_hash(tree, repository.made_from)

    def _other_branch(self, repository: "_Repository", tree: WorkTree) -> str | None:
        """Returns the newest commit of the branch that is followed, if another one is checked out without it."""
        return repository.branch and self._checkouts.other_branch(tree, repository.branch, repository.url)

    def _is_unknown(self, tree: WorkTree, branch: str, url: str) -> bool:
        """Whether a checkout is on a branch and does not know this one. git-sync and CI check out a commit instead."""
        is_on_branch = tree.commit is not None and not self._checkouts.is_detached(tree)
        return is_on_branch and not self._checkouts.has_branch(tree, branch, url)

    # -- what was applied last

    def _applied_commit(self) -> str | None:
        status = as_object(self._body.get("status"))
        attempted = commit_of(text_at(status, "lastAttemptedRevision"))
        if attempted is not None and text_at(ready_condition(self._body), "reason") in _AFTER_APPLYING:
            return attempted
        return commit_of(text_at(status, "lastAppliedRevision")) or commit_of(
            text_at(status, "lastAppliedOriginRevision")
        )

    def _why_base_is_unknown(self, applied: str | None, changed_at: str | None) -> str | None:
        """Returns why the last applied objects cannot be built, as a sentence, or None if they can."""
        if applied is None:
            revision = text_at(self._body, "status", "lastAppliedRevision")
            return f"{revision} is not a commit of Git" if revision else "it has not applied anything yet"
        generation = at(self._body, "metadata", "generation")
        ready = ready_condition(self._body)
        observed = ready.get("observedGeneration", at(self._body, "status", "observedGeneration"))
        if isinstance(generation, int) and isinstance(observed, int) and observed < generation:
            return "its spec has changed since"
        if changed_at is not None and self._info.last_synced is not None and changed_at > self._info.last_synced:
            return "an object of substituteFrom has changed since"
        return None

    # -- postBuild

    def _variables(self) -> tuple[Variables | None, str | None]:
        """Returns the variables, and when an object of substituteFrom was last changed."""
        post_build = self._spec.get("postBuild")
        if not isinstance(post_build, dict):
            return None, None
        values: dict[str, str] = {}
        secret: set[str] = set()
        unknown: str | None = None
        changed: list[str] = []
        for reference in self._substitute_from():
            name = text_at(reference, "name")
            is_secret = text_at(reference, "kind") == "Secret"
            if is_secret and (not self._context.reads_secrets or self._context.stored is None):
                # It may override every variable before it.
                values.clear()
                secret.clear()
                unknown = f"it comes from the Secret {self._namespace}/{name}, which drift does not read"
                continue
            read = self._secret if is_secret else self._config_map
            body = read(name, optional=reference.get("optional") is True)
            given = {key: value for key, value in as_object(body.get("data")).items() if isinstance(value, str)}
            values |= {key: _decoded(value) for key, value in given.items()} if is_secret else given
            secret = secret | given.keys() if is_secret else secret - given.keys()
            changed += filter(None, [last_written(body)])
        substitute = as_object(post_build.get("substitute"))
        own = {key: value if isinstance(value, str) else "" for key, value in substitute.items()}
        values = {key: value.replace("\n", "") for key, value in {**values, **own}.items()}
        always = post_build.get("substituteStrategy") == "Always"
        return Variables(values, frozenset(secret - own.keys()), unknown, always), max(changed, default=None)

    def _substitute_from(self) -> Sequence[Object]:
        return objects_at(self._spec, "postBuild", "substituteFrom")

    def _config_map(self, name: str, *, optional: bool) -> Object:
        try:
            return CONFIG_MAP.get(self._namespace, name, self._context.cluster)
        except MissingObjectError:
            if optional:
                return {}
            raise

    def _secret(self, name: str, *, optional: bool) -> Object:
        """Returns a Secret with its values, which the caller must not pass on."""
        resource, stored = self._context.cluster.resources.find("v1", "Secret"), self._context.stored
        title = f"the Secret {self._namespace}/{name} of substituteFrom"
        try:
            body = resource and stored and stored.get_stored(resource, self._namespace, name)
        except RequestError as error:
            why = f"this account may not read {title} (get)" if error.is_refused else f"cannot read {title}: {error}"
            raise SourceError(why) from None
        if body is None and not optional:
            raise SourceError(f"{title} does not exist")
        return body or {}


@dataclass(frozen=True, slots=True)
class _Repository:
    """The source of a Kustomization.

    Attributes:
        url: Its URL.
        ignore: The patterns of files that are not in its artifact, or None.
        has_submodules: Whether its artifact contains them.
        pinned: The commit of its tag or other fixed revision; None if it follows a branch.
        branch: The branch that it follows, or None.
        made_from: The commit that the artifact of an OCIRepository was made from, if that is known and one is chosen.
    """

    url: str
    ignore: str | None
    has_submodules: bool = False
    pinned: str | None = None
    branch: str | None = None
    made_from: str | None = None

    def has(self, missing: str) -> bool:
        """Returns whether its artifact has something that a copy lacks, and it may be a manifest."""
        return self.has_submodules if missing.endswith("/") else missing.endswith((".yaml", ".yml"))

    @classmethod
    def read(cls, kustomization: LiveObject, context: SourceContext) -> "_Repository":
        """Reads the source of a Kustomization.

        Raises:
            SourceError: It cannot be read, or it is of a kind that is not supported.
        """
        kind, (namespace, name) = _source_of(kustomization)
        if kind not in _SOURCES:
            raise SourceError(f"its source is of the kind {kind}, which is not supported")
        body = _SOURCES[kind].get(namespace, name, context.cluster)
        source = as_object(body.get("spec"))
        for field in _UNSUPPORTED:
            if source.get(field):
                raise SourceError(f"{field} of {kind} {name} is not supported")
        ignore = source.get("ignore")
        url = (
            f"{text_at(source, 'endpoint')}/{text_at(source, 'bucketName')}"
            if kind == "Bucket"
            else text_at(source, "url")
        )
        artifact = as_object(at(body, "status", "artifact"))
        read = cls(url, ignore if isinstance(ignore, str) else None, source.get("recurseSubmodules") is True)
        return read._with_revision(kind, name, as_object(source.get("ref")), artifact)

    def _with_revision(self, kind: str, name: str, ref: Object, artifact: Object) -> "_Repository":
        """Returns the source with what it follows: ``commit`` comes before ``name``, and that before the others."""
        if kind == "OCIRepository" and any(ref.get(field) for field in _ARTIFACTS):
            return replace(self, made_from=commit_of(text_at(artifact, "metadata", _MADE_FROM)))
        if kind != "GitRepository":
            return self
        if not ref.get("commit") and text_at(ref, "name").startswith(_BRANCH):
            return replace(self, branch=text_at(ref, "name").removeprefix(_BRANCH))
        if not any(ref.get(field) for field in _PINS):
            return replace(self, branch=text_at(ref, "branch") or _DEFAULT_BRANCH)
        pinned = text_at(ref, "commit") or commit_of(text_at(artifact, "revision"))
        if not pinned:
            raise SourceError(f"the commit of {kind} {name} is not known: it has no artifact")
        return replace(self, pinned=pinned)


def _inventory(kustomization: Object) -> Iterator[ObjectKey]:
    """Yields the objects that a Kustomization applied: ``NAMESPACE_NAME_GROUP_KIND``, with ``__`` for a colon."""
    for entry in objects_at(kustomization, "status", "inventory", "entries"):
        rest, _, kind = text_at(entry, "id").rpartition("_")
        rest, _, group = rest.rpartition("_")
        namespace, _, name = rest.partition("_")
        yield ObjectKey(group, kind, namespace or None, name.replace("__", ":"))


def _decoded(value: str) -> str:
    try:
        return b64decode(value).decode("utf-8", "surrogateescape")
    except ValueError:
        return ""


def _info(kind: SourceKind, live: LiveObject) -> SourceInfo:
    """Returns what Flux says about one of its objects."""
    ready = ready_condition(live.body)
    return SourceInfo(
        kind,
        f"{live.kind} {live.namespace}/{live.name}",
        synced_revision=text_at(live.body, "status", "lastAppliedRevision") or None,
        suspended=at(live.body, "spec", "suspend") is True,
        ready={"True": True, "False": False}.get(text_at(ready, "status")),
        message=one_line(text_at(ready, "message")),
        last_synced=text_at(newest_history(live.body), "lastReconciled") or last_written(live.body, "status"),
        stale_since=stale_since(live.body),
    )


# -- HelmRelease


def _render_release(live: LiveObject, context: SourceContext) -> Rendered:
    """Returns what Helm installed for a HelmRelease."""
    info = _info(SourceKind.FLUX_HELM_RELEASE, live)
    spec = as_object(live.body.get("spec"))
    if spec.get("kubeConfig"):
        return Rendered(info, skipped=_OTHER_CLUSTER)
    namespace, name = release_of(live.body)
    try:
        release = find_release(namespace, name, context)
    except SourceError as error:
        return Rendered(info, failure=f"{info.name}: {error}")
    if release is None:
        return Rendered(
            info, failure=f"{info.name}: there is no Helm release {namespace}/{name}; Flux has not installed it"
        )
    ignores, notes = flux_ignores(info.name, at(spec, "driftDetection", "ignore"))
    notes += [] if release.problem is None else [f"{info.name}: {release.problem}"]
    return Rendered(
        replace(
            info,
            revision=release.revision,
            synced_revision=release.revision,
            last_synced=release.deployed_at or info.last_synced,
        ),
        release.manifests,
        release.synced or (),
        tuple(notes),
        ignore_differences=tuple(ignores),
        replaces=f"release {namespace}/{name}",
    )


def release_of(helm_release: Object) -> tuple[str, str]:
    """Returns the namespace in which the release of a HelmRelease is stored, and the name of the release."""
    spec = as_object(helm_release.get("spec"))
    namespace = text_at(helm_release, "metadata", "namespace")
    storage = text_at(helm_release, "status", "storageNamespace") or text_at(spec, "storageNamespace") or namespace
    target, name = text_at(spec, "targetNamespace"), text_at(helm_release, "metadata", "name")
    default = f"{target}-{name}" if target else name
    return storage, text_at(newest_history(helm_release), "name") or text_at(spec, "releaseName") or default
